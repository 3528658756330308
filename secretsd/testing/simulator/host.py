"""A rotator host in this process, whose rotator works at the simulated target and fails where the case says so."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
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
from secretsd.testing.simulator.gate import Door, Fault, Passage
from secretsd.testing.simulator.profiles import Profile
from secretsd.testing.simulator.target import Change, SimulatedTarget

CALL_SECONDS = 0.01


class Ear(Protocol):
    """Hears what the engine tells the target, right before the target does."""

    def applying(self, order: JobOrder) -> bool:
        """A candidate is about to be applied; False where a newer epoch has been here, and this one is too late."""
        ...

    def changing(self, order: JobOrder) -> None:
        """The target is about to change."""
        ...

    def probing(self, order: JobOrder) -> None:
        """Versions are about to be tried."""
        ...

    def revoking(self, order: JobOrder, version: StagedSecret) -> None:
        """A version is about to be taken back."""
        ...


def parts(value: Plaintext) -> tuple[str, str]:
    """The login and the password that a value holds."""
    held = json.loads(value.reveal())
    return held["username"], held["password"]


class SimulatedHost:
    """Implements ports.rotator.RotatorHost for one node. Each call takes some virtual time.

    A rotator that marks its target: what comes under an older epoch than the last effect's is refused.
    """

    def __init__(
        self,
        profile: Profile,
        target: SimulatedTarget,
        door: Door,
        ear: Callable[[], Ear | None],
        password: Callable[[], str],
    ) -> None:
        self._profile = profile
        self._target = target
        self._door = door
        self._ear = ear
        self._password = password

    async def rotators(self) -> Sequence[RotatorDescription]:
        """See the port."""
        return [self._profile.described]

    async def check_settings(self, rotator: str, settings: str) -> str:
        """See the port."""
        return settings

    async def check_address(self, rotator: str, address: str) -> str:
        """See the port."""
        return address

    async def warm(self, rotator: str, account: str, methods: Sequence[str]) -> None:
        """See the port."""
        await self._door.leave(await self._door.enter("warm"))

    async def prepare(self, order: JobOrder) -> Candidate:
        """See the port."""
        passage = await self._asked("prepare", order)
        login = self._next_login(order)
        self._log_in_as(order, login)
        value = json.dumps({"engine": "simulated", "username": login, "password": self._password()})
        await self._door.leave(passage)
        return Candidate(Plaintext(value.encode()), journal=b"prepared")

    async def apply(self, order: JobOrder, note: Note) -> Outcome:
        """See the port."""
        passage = await self._door.enter("apply")
        if order.candidate is None:
            raise RotationFailed("no-candidate")
        self._refuse(passage)
        self._fence(order)
        ear = self._ear()
        in_time = ear is None or ear.applying(order)
        login, value = parts(order.candidate.value)
        self._log_in_as(order, login)
        session = self._target.sessions_ended
        if in_time:
            self._target.unsettled = True  # until the answer is back, nobody may be sure
        await note(b"about to apply")
        return await self._effect(passage, order, session, Change(login, value))

    async def settle(self, order: JobOrder) -> None:
        """See the port."""
        passage = await self._asked("settle", order)
        if order.candidate is not None:
            self._log_in_as(order, parts(order.candidate.value)[0])
        self._target.settle()
        await self._door.leave(passage)

    async def probe(self, order: JobOrder, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        """See the port."""
        passage = await self._asked("probe", order)
        if (ear := self._ear()) is not None:
            ear.probing(order)
        if passage is not None and passage.fault is Fault.LOST_NOT_APPLIED:
            return {one.version_id: Acceptance.UNKNOWN for one in versions}
        found = {
            one.version_id: Acceptance.ACCEPTED if self._target.log_in(*parts(one.value)) else Acceptance.REFUSED
            for one in versions
        }
        await self._door.leave(passage)
        return found

    async def verify(self, order: JobOrder) -> None:
        """See the port."""
        passage = await self._asked("verify", order)
        if order.candidate is None or not self._target.prove(*parts(order.candidate.value)):
            raise RotationFailed("not-accepted")
        await self._door.leave(passage)

    async def idle(self, order: JobOrder) -> bool:
        """See the port."""
        passage = await self._asked("idle", order)
        await self._door.leave(passage)
        return True

    async def restore(self, order: JobOrder) -> Outcome:
        """See the port."""
        passage = await self._door.enter("restore")
        self._refuse(passage)
        self._fence(order)
        back = order.current
        if self._profile.machine is MachineKind.ALTERNATING:
            back = order.previous
            if back is None or order.candidate is None or parts(back.value)[0] != parts(order.candidate.value)[0]:
                return Outcome.APPLIED  # nothing is known that the login was on before
        if back is None:
            raise RotationFailed("nothing-to-restore")
        login, value = parts(back.value)
        self._log_in_as(order, login)
        self._target.unsettled = True
        return await self._effect(passage, order, self._target.sessions_ended, Change(login, value))

    async def revoke(self, order: JobOrder, version: StagedSecret) -> None:
        """See the port."""
        passage = await self._door.enter("revoke")
        self._refuse(passage)
        self._fence(order)
        if (ear := self._ear()) is not None:
            ear.revoking(order, version)
        login, value = parts(version.value)
        session = self._target.sessions_ended
        if await self._effect(passage, order, session, Change(login, value, taken_away=True)) is Outcome.UNKNOWN:
            raise RotationFailed("timed-out")

    async def _asked(self, kind: str, order: JobOrder) -> Passage | None:
        """A call without an effect of its own: it took its time, and its fault, if it has one, was raised."""
        passage = await self._door.enter(kind)
        await asyncio.sleep(CALL_SECONDS)
        self._refuse(passage)
        return passage

    def _refuse(self, passage: Passage | None) -> None:
        if passage is not None and passage.fault is Fault.ERROR:
            raise RotationFailed("refused")
        if passage is not None and passage.fault is Fault.AWAY:
            raise RotationFailed("target-away", away=True)

    def _fence(self, order: JobOrder) -> None:
        if order.epoch < self._target.mark:
            raise RotationFailed("newer-epoch")
        self._target.mark = order.epoch

    def _log_in_as(self, order: JobOrder, login: str) -> None:
        """Where each login changes itself it has to log in first, with whatever value still works."""
        if not self._profile.alone:
            return
        for version in (order.current, order.previous, order.candidate):
            if version is not None and parts(version.value)[0] == login and self._target.log_in(*parts(version.value)):
                return
        raise RotationFailed("cannot-log-in")

    async def _effect(self, passage: Passage | None, order: JobOrder, session: int, change: Change) -> Outcome:
        """The change itself, in a session that began before: one that was ended meanwhile changes nothing."""
        fault = None if passage is None else passage.fault
        await asyncio.sleep(CALL_SECONDS)
        await self._door.alive()
        if session != self._target.sessions_ended:
            raise RotationFailed("target-away", away=True)
        self._fence(order)
        if (ear := self._ear()) is not None:
            ear.changing(order)
        if fault is Fault.REJECTED:
            self._target.unsettled = False
            return Outcome.REJECTED
        if fault is Fault.CRASH_LATE:
            self._target.take_later(change, lands=True)
            self._door.crash()
        if fault in (Fault.LATE, Fault.LATE_ENDED):
            self._target.take_later(change, lands=fault is Fault.LATE)
            return Outcome.UNKNOWN
        if fault is Fault.LOST_NOT_APPLIED:
            return Outcome.UNKNOWN
        self._target.take(change)
        if fault is Fault.LOST_APPLIED:
            return Outcome.UNKNOWN
        await self._door.leave(passage)
        self._target.unsettled = False
        return Outcome.APPLIED

    def _next_login(self, order: JobOrder) -> str:
        logins = self._profile.logins or ("app",)
        if order.current is None:
            return logins[0]
        used = parts(order.current.value)[0]
        return next((login for login in logins if login != used), used)
