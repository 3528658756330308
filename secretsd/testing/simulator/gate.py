"""Where faults happen: every call that a node makes to its surroundings goes through a door, and doors are numbered."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from secretsd.domain.errors import StorageUnavailable

T = TypeVar("T")


class Fault(Enum):
    """What goes wrong at a door. LATE: the effect comes by itself or by settling; LATE_ENDED: settling ends it."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    CRASH_LATE = "crash, effect later"
    ERROR = "definite error"
    AWAY = "away"
    REJECTED = "rejected"
    LOST_APPLIED = "ambiguous, applied"
    LOST_NOT_APPLIED = "ambiguous, not applied"
    LATE = "ambiguous, applied late"
    LATE_ENDED = "ambiguous, ended by settling"
    CANCEL = "cancelled"
    PAUSE = "paused"
    RESTORE = "target restored"
    OLD_STORAGE = "storage restored"
    FREEZE_BEFORE = "frozen before"
    FREEZE_AFTER = "frozen after"


_F = Fault
_ANYWHERE = (
    _F.CRASH_BEFORE,
    _F.CRASH_AFTER,
    _F.CANCEL,
    _F.PAUSE,
    _F.RESTORE,
    _F.OLD_STORAGE,
    _F.FREEZE_BEFORE,
    _F.FREEZE_AFTER,
)
_LOST = (_F.LOST_APPLIED, _F.LOST_NOT_APPLIED)
_LATE = (_F.LATE, _F.LATE_ENDED, _F.CRASH_LATE)
FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "claim": (_F.ERROR,),
    "commit": (*_ANYWHERE, _F.ERROR, _F.LOST_APPLIED),
    "keep": (*_ANYWHERE, _F.ERROR, _F.LOST_APPLIED),
    "prepare": (*_ANYWHERE, _F.ERROR, _F.AWAY),
    "warm": (_F.CRASH_BEFORE,),
    "apply": (*_ANYWHERE, _F.ERROR, _F.AWAY, _F.REJECTED, *_LOST, *_LATE),
    "settle": (*_ANYWHERE, _F.ERROR, _F.AWAY),
    "probe": (*_ANYWHERE, _F.ERROR, _F.AWAY, _F.LOST_NOT_APPLIED),
    "verify": (*_ANYWHERE, _F.ERROR, _F.AWAY),
    "idle": (*_ANYWHERE, _F.ERROR, _F.AWAY),
    "restore": (*_ANYWHERE, _F.ERROR, _F.AWAY, _F.REJECTED, *_LOST, *_LATE),
    "revoke": (*_ANYWHERE, _F.ERROR, _F.AWAY, *_LOST),
}
"""What may go wrong at each kind of door."""


class Crashed(BaseException):
    """The node is dead: nothing in it may go on, so nothing in it can catch this."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A call that went through a door: its number, what it was, the rotation's stored state then, and the fault."""

    number: int
    kind: str
    state: str
    fault: Fault | None


@dataclass(slots=True)
class Gate:
    """All doors of a case, over all of its nodes. `plan` names the fault of a number; `script` those of the first calls
    of a kind, one each. `look` is called at every door; `act` does what CANCEL, PAUSE and RESTORE say.
    """

    plan: Mapping[int, Fault]
    script: Mapping[str, Sequence[Fault | None]]
    state: Callable[[], str]
    look: Callable[[], None]
    act: "Callable[[Fault, Door], Awaitable[None]]"
    passages: list[Passage] = field(default_factory=list)
    faulty: bool = False
    """False while the case is set up or ended: doors are only looked at then."""
    _calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def arrive(self, kind: str) -> Passage:
        """The passage that begins now."""
        number = len(self.passages)
        scripted = self.script.get(kind, ())
        nth = self._calls[kind]
        self._calls[kind] += 1
        fault = self.plan.get(number)
        if fault is None and nth < len(scripted):
            fault = scripted[nth]
        passage = Passage(number, kind, self.state(), fault)
        self.passages.append(passage)
        return passage


class Door:
    """One node's way through the gate. A node that is dead gets nowhere; one that is frozen waits until it thaws."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.dead = False
        self.storage_lost = False
        """True where the files died with the node, and an older copy takes their place."""
        self.starting = True
        """A node that brings back what the escrow has does not freeze: it serves nobody yet."""
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.froze = asyncio.Event()
        self.outside: set[asyncio.Task[Any]] = set()
        """Tasks of readers and operators, whose calls are not the engine's."""

    @property
    def frozen(self) -> bool:
        """True while nothing of the node moves."""
        return not self.thawed.is_set()

    async def alive(self) -> None:
        """Returns when the node may go on; Crashed when it never will."""
        if self.dead:
            raise Crashed
        await self.thawed.wait()
        if self.dead:
            raise Crashed

    async def _freeze(self) -> None:
        if self.starting:
            return
        self.thawed.clear()
        self.froze.set()
        await self.alive()

    def crash(self) -> None:
        """The node dies here."""
        self.dead = True
        raise Crashed

    async def enter(self, kind: str) -> Passage | None:
        """The passage of the engine's call, its fault begun; None for a call of somebody else's."""
        await self.alive()
        if asyncio.current_task() in self.outside:
            return None
        self._gate.look()
        if not self._gate.faulty:
            return None
        passage = self._gate.arrive(kind)
        if passage.fault in (Fault.CRASH_BEFORE, Fault.OLD_STORAGE):
            self.storage_lost = passage.fault is Fault.OLD_STORAGE
            self.crash()
        if passage.fault is Fault.FREEZE_BEFORE:
            await self._freeze()
        if passage.fault in (Fault.CANCEL, Fault.PAUSE, Fault.RESTORE):
            await self._gate.act(passage.fault, self)
        return passage

    async def leave(self, passage: Passage | None) -> None:
        """The call was made; now its answer is on its way."""
        if passage is None:
            return
        self._gate.look()
        if passage.fault is Fault.CRASH_AFTER:
            self.crash()
        if passage.fault is Fault.FREEZE_AFTER:
            await self._freeze()
        await self.alive()

    async def write(self, kind: str, act: Callable[[], Awaitable[T]]) -> T:
        """A durable write, which is made, or not, or made without anybody being told."""
        passage = await self.enter(kind)
        if passage is not None and passage.fault is Fault.ERROR:
            raise StorageUnavailable("cannot use the storage: the case says so")
        done = await act()
        if passage is not None and passage.fault is Fault.LOST_APPLIED:
            self._gate.look()
            raise StorageUnavailable("cannot use the storage: the case says so")
        await self.leave(passage)
        return done
