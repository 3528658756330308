"""The worker's side of the rotator host: `ProcessRotatorHost` fulfils the port over a Unix socket."""

import asyncio
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

    async def rotators(self) -> Sequence[RotatorDescription]:
        """Every rotator that may load and can be described; a broken one is left out and said in the log."""
        names = (await self._call(Heading("list", "", "", 1.0), Work(), Names)).names
        await asyncio.gather(*(self._describe(name) for name in names if name not in self._descriptions))
        return [self._descriptions[name] for name in names if name in self._descriptions]

    async def check_settings(self, rotator: str, settings: str) -> str:
        """The settings in canonical JSON with defaults filled in; RotationFailed `bad-settings` otherwise."""
        work = Work(settings=settings)
        checked: Checked = await self._call(self._heading("check", rotator, ""), work, Checked)
        return checked.settings

    async def prepare(self, order: JobOrder) -> Candidate:
        """What the rotator made."""
        prepared: Prepared = await self._attempt("prepare", order, Prepared)
        return prepared.candidate

    async def apply(self, order: JobOrder, note: Note) -> Outcome:
        """What became of it; UNKNOWN whenever the attempt had begun and did not tell."""
        try:
            applied: Applied = await self._attempt("apply", order, Applied, note)
        except RotationFailed as failure:
            if failure.reason in ("crashed", "timed-out"):
                return Outcome.UNKNOWN
            raise
        return applied.outcome

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

    async def _call(self, heading: Heading, work: Work, wanted: type, note: Note | None = None) -> Any:
        """One attempt on a connection of its own, which is closed in the end: that kills what may still run."""
        channel: Channel | None = None
        started = False
        try:
            async with asyncio.timeout(START_SECONDS) as patience:
                channel = Channel(*await asyncio.open_unix_connection(str(self._path)))
                await channel.send(heading)
                answer = await channel.receive(Answer)
                if isinstance(answer, Started):
                    started = True
                    # The host's own deadline comes first; this one is for a host that hangs.
                    patience.reschedule(asyncio.get_running_loop().time() + heading.deadline_seconds + GRACE_SECONDS)
                    await channel.send(work)
                    answer = await self._result(channel, note)
        except TimeoutError:
            answer = Failed("timed-out" if started else "host-away")
        except (OSError, EOFError, BadFrame):
            answer = Failed("crashed" if started else "host-away")
        except _NoteNotStored as interrupted:
            raise interrupted.error from None
        finally:
            if channel is not None:
                channel.close()
        if isinstance(answer, Failed):
            if answer.reason == "crashed":
                what = f"{heading.method} of {heading.rotator}"
                _log.error("cannot finish %s in account %s: it crashed %s", what, heading.account, answer.detail)
            raise RotationFailed(answer.reason, answer.detail)
        if not isinstance(answer, wanted):
            raise RotationFailed("crashed", "it gave an answer to another question")
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
