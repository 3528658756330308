"""The worker's side of the rotator host: `ProcessRotatorHost` fulfils the port over a Unix socket."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from secretsd.adapters.frames import BadFrame
from secretsd.adapters.rotator_host.wire import (
    Answer,
    Applied,
    Channel,
    Checked,
    Described,
    Done,
    Failed,
    Heading,
    Idle,
    Names,
    NoteStored,
    Prepared,
    Probed,
    Started,
    Work,
)
from secretsd.adapters.rotator_host.wire import Note as NoteMessage
from secretsd.ports.rotator import (
    Acceptance,
    Candidate,
    JobOrder,
    Note,
    Outcome,
    RotationFailed,
    RotatorDescription,
    StagedSecret,
)

START_SECONDS = 30.0
WARM_SECONDS = 5.0
"""How long an attempt that was started ahead waits for its work."""
GRACE_SECONDS = 5.0
MAX_NOTES = 64
_log = logging.getLogger(__name__)


class _NoteNotStored(Exception):
    """Carries the engine's own error past those of the connection."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class ProcessRotatorHost:
    """A connection is one attempt, so there is nothing to reconnect: a host that was restarted serves the next call.

    Until the attempt's process has said that it is there, no value leaves and every failure is `host-away`; after
    that, an attempt that ends without an answer has `crashed`, or left the outcome UNKNOWN where it was to apply.
    """

    def __init__(self, path: Path, *, attempt_seconds: float = 120.0) -> None:
        """`attempt_seconds` bounds one attempt and is at most what the host allows."""
        self._path = path
        self._attempt_seconds = attempt_seconds
        self._descriptions: dict[str, RotatorDescription] = {}
        self._warm: dict[tuple[str, str, str], asyncio.Task[Channel]] = {}

    async def rotators(self) -> Sequence[RotatorDescription]:
        """Every rotator that may load and can be described; a broken one is left out and said in the log."""
        names = (await self._listed()).names
        await asyncio.gather(*(self._describe(name) for name in names if name not in self._descriptions))
        return [self._descriptions[name] for name in names if name in self._descriptions]

    async def check_settings(self, rotator: str, settings: str) -> str:
        """The settings in canonical JSON with defaults filled in; RotationFailed `bad-settings` otherwise."""
        work = Work(settings=settings)
        checked: Checked = await self._call(self._heading("check", rotator, ""), work, Checked)
        return checked.text

    async def check_address(self, rotator: str, address: str) -> str:
        """A target's address in canonical JSON with defaults filled in; RotationFailed `bad-settings` otherwise."""
        work = Work(address=address)
        checked: Checked = await self._call(self._heading("check", rotator, ""), work, Checked)
        return checked.text

    async def warm(self, rotator: str, account: str, methods: Sequence[str]) -> None:
        """Start attempts that know their rotator and nothing else yet, and wait until they are there."""
        started = []
        for method in methods:
            heading = self._heading(method, rotator, account)
            key = (method, rotator, account)
            if key not in self._warm:
                self._warm[key] = asyncio.create_task(self._start(heading))
                asyncio.get_running_loop().call_later(WARM_SECONDS, self._cool, key, self._warm[key])
            started.append(self._warm[key])
        await asyncio.wait(started, timeout=WARM_SECONDS)  # one that cannot start is told of when it is needed

    async def prepare(self, order: JobOrder) -> Candidate:
        """What the rotator made."""
        prepared: Prepared = await self._attempt("prepare", order, Prepared)
        return prepared.candidate

    async def apply(self, order: JobOrder, note: Note) -> Outcome:
        """What became of it; UNKNOWN whenever the attempt had begun and did not tell."""
        return await self._effect("apply", order, note)

    async def settle(self, order: JobOrder) -> None:
        """Returns once nothing of an interrupted apply goes on."""
        await self._attempt("settle", order, Done)

    async def probe(self, order: JobOrder, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        """What the target thinks of each version, by id."""
        work = Work(order, tuple(versions))
        probed: Probed = await self._call(self._heading("probe", order.rotator, order.account), work, Probed)
        return probed.acceptances

    async def verify(self, order: JobOrder) -> None:
        """Returns once the candidate is proved."""
        await self._attempt("verify", order, Done)

    async def idle(self, order: JobOrder) -> bool:
        """Whether nobody uses the login that is next."""
        found: Idle = await self._attempt("idle", order, Idle)
        return found.idle

    async def restore(self, order: JobOrder) -> Outcome:
        """What became of the undoing; UNKNOWN as in apply."""
        return await self._effect("restore", order)

    async def revoke(self, order: JobOrder, version: StagedSecret) -> None:
        """Returns once the target refuses the version."""
        heading = self._heading("revoke", order.rotator, order.account)
        await self._call(heading, Work(order, (version,)), Done)

    async def _effect(self, method: str, order: JobOrder, note: Note | None = None) -> Outcome:
        try:
            applied: Applied = await self._attempt(method, order, Applied, note)
        except RotationFailed as failure:
            if failure.reason in ("crashed", "timed-out"):
                return Outcome.UNKNOWN
            raise
        return applied.outcome

    def close(self) -> None:
        """Hang up on what was started ahead."""
        for key, task in list(self._warm.items()):
            self._cool(key, task)

    async def _describe(self, name: str) -> None:
        try:
            described: Described = await self._call(self._heading("describe", name, ""), Work(), Described)
        except RotationFailed as failure:
            _log.error("cannot describe the rotator %s: %s %s", name, failure.reason, failure.detail)
        else:
            self._descriptions[name] = described.description

    def _heading(self, method: str, rotator: str, account: str) -> Heading:
        return Heading(method, rotator, account, self._attempt_seconds)

    async def _attempt(self, method: str, order: JobOrder, wanted: type, note: Note | None = None) -> Any:
        return await self._call(self._heading(method, order.rotator, order.account), Work(order), wanted, note)

    async def _listed(self) -> Names:
        """What the host itself answers, without an attempt."""
        heading = Heading("list", "", "", 1.0)
        channel, answer = await self._greeted(heading)
        channel.close()
        if not isinstance(answer, Names):
            raise _refused(heading, answer)
        return answer

    async def _start(self, heading: Heading) -> Channel:
        """An attempt that waits for its work; RotationFailed `host-away`, or the host's refusal."""
        channel, answer = await self._greeted(heading)
        if not isinstance(answer, Started):
            channel.close()
            raise _refused(heading, answer)
        return channel

    async def _greeted(self, heading: Heading) -> tuple[Channel, Answer]:
        """A connection, and what was answered to the heading; RotationFailed `host-away`."""
        channel: Channel | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                channel = Channel(*await asyncio.open_unix_connection(str(self._path)))
                await channel.send(heading)
                answer: Answer = await channel.receive(Answer)
        except BaseException as error:
            if channel is not None:
                channel.close()
            if isinstance(error, TimeoutError | OSError | EOFError | BadFrame):
                raise RotationFailed("host-away", away=True) from None
            raise
        return channel, answer

    def _cool(self, key: tuple[str, str, str], task: asyncio.Task[Channel]) -> None:
        """Hang up on an attempt that nobody gave work."""
        if self._warm.get(key) is task:
            del self._warm[key]
            if task.done() and not task.cancelled() and task.exception() is None:
                task.result().close()
            task.cancel()

    async def _started(self, heading: Heading) -> Channel:
        warm = self._warm.pop((heading.method, heading.rotator, heading.account), None)
        if warm is not None:
            with contextlib.suppress(RotationFailed):
                channel = await warm
                if not channel.at_end():
                    return channel
                channel.close()
        return await self._start(heading)

    async def _call(self, heading: Heading, work: Work, wanted: type, note: Note | None = None) -> Any:
        """One attempt on a connection of its own, which is closed in the end: that kills what may still run."""
        channel = await self._started(heading)
        answer: Answer
        try:
            # The host's own deadline comes first; this one is for a host that hangs.
            async with asyncio.timeout(heading.deadline_seconds + GRACE_SECONDS):
                await channel.send(work)
                answer = await self._result(channel, note)
        except TimeoutError:
            answer = Failed("timed-out")
        except (OSError, EOFError, BadFrame):
            answer = Failed("crashed")
        except _NoteNotStored as interrupted:
            raise interrupted.error from None
        finally:
            channel.close()
        if not isinstance(answer, wanted):
            raise _refused(heading, answer)
        return answer

    async def _result(self, channel: Channel, note: Note | None) -> Answer:
        """The result; notes before it are stored first, each confirmed."""
        notes = 0
        while True:
            answer: Answer = await channel.receive(Answer)
            if not isinstance(answer, NoteMessage):
                return answer
            notes += 1
            if note is None or notes > MAX_NOTES:
                return Failed("crashed", "it sent a note that is not due")
            try:
                await note(answer.data)
            except Exception as error:  # noqa: BLE001  # carried on, whatever the engine raised
                raise _NoteNotStored(error) from None
            await channel.send(NoteStored())


def _refused(heading: Heading, answer: Answer) -> RotationFailed:
    """The error of an answer that is not the one that was wanted."""
    if not isinstance(answer, Failed):
        return RotationFailed("crashed", "it gave an answer to another question")
    if answer.reason == "crashed":
        what = f"{heading.method} of {heading.rotator}"
        _log.error("cannot finish %s in account %s: it crashed %s", what, heading.account, answer.detail)
    return RotationFailed(answer.reason, answer.detail, away=answer.away)
