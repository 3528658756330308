"""A node of a simulation: the real pipeline, operations and service, behind a door through which everything goes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from secretsd.adapters.calendar import TriggerCalendar
from secretsd.domain.errors import KeyStoreUnavailable, StorageUnavailable
from secretsd.operations.authenticator import Caller
from secretsd.operations.catalogue import catalogue
from secretsd.operations.parts import Parts, assemble
from secretsd.operations.pipeline import Answer, Pipeline
from secretsd.operations.read_barrier import ReadBarrier
from secretsd.ports.escrow import Escrow, EscrowEntry
from secretsd.ports.keystore import KeyStore
from secretsd.ports.rotator import RotatorHost
from secretsd.ports.storage import LeaseLost
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.simulator.gate import Door
from secretsd.testing.simulator.storage import TurnStorage
from secretsd.testing.simulator.virtual_time import VirtualClock
from secretsd.testing.storage import authenticator

T = TypeVar("T")
RETRY_SECONDS = 0.5
OPERATOR = Caller("unix", uid=0)


class Service(Protocol):
    """What looks after rotations on a node, as `services/rotation.py` does."""

    async def ensure(self) -> None:
        """Start what is due and not under way."""
        ...

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What a node does by itself: rotate what is due, and before that bring back what its storage is behind.

    `rotations` is made once a node; `replay` raises StorageUnavailable, KeyStoreUnavailable or LeaseLost to be called
    again.
    """

    rotations: Callable[[Pipeline], Service]
    replay: Callable[[Pipeline], Awaitable[int]]


class DoorEscrow:
    """The escrow of a node that may be dead or frozen by now."""

    def __init__(self, escrow: MemoryEscrow, door: Door) -> None:
        self._escrow = escrow
        self._door = door
        self.entries = escrow.entries
        self.drop = escrow.drop
        self.replace = escrow.replace

    async def keep(self, entry: EscrowEntry) -> None:
        """See the port."""
        await self._door.write("keep", lambda: self._escrow.keep(entry))


class Node:
    """One worker's inner part, opened on the files of its case."""

    def __init__(self, storage: TurnStorage, parts: Parts, door: Door, services: Services) -> None:
        self.storage = storage
        self.door = door
        self.pipeline = Pipeline(parts)
        self.service = services.rotations(self.pipeline)
        self._replay = services.replay
        self._reader: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bring back what the escrow has and the storage has not; however often that fails."""
        while self.door.starting:
            try:
                await self._replay(self.pipeline)
                self.door.starting = False
            except (StorageUnavailable, KeyStoreUnavailable, LeaseLost):
                await asyncio.sleep(RETRY_SECONDS)

    async def ask(self, name: str, /, **fields: Any) -> Answer:
        """What an operator gets from the API, whose calls never fail by a fault of the case."""
        return await self.outside(self.ask_here(name, **fields))

    async def ask_here(self, name: str, /, **fields: Any) -> Answer:
        """As `ask`, from a task that is outside already."""
        operation = catalogue()[name]
        return await self.pipeline.run(operation, lambda: operation.request(**fields), OPERATOR)

    async def call(self, name: str, /, **fields: Any) -> Any:
        """What an operator gets from the API; the error is raised."""
        answer = await self.ask(name, **fields)
        if answer.error is not None:
            raise answer.error
        return answer.response

    async def outside(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in a task of its own, which passes the door freely."""
        task = asyncio.create_task(work)
        self.door.outside.add(task)
        try:
            return await task
        finally:
            self.door.outside.discard(task)

    def read(self, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin a read, unless one is still held."""
        if self.door.dead or self.door.frozen or (self._reader is not None and not self._reader.done()):
            return
        self._reader = asyncio.create_task(read())
        self.door.outside.add(self._reader)
        self._reader.add_done_callback(self.door.outside.discard)

    async def work(self) -> None:
        """What is due, to its end, or until the node freezes."""
        self.storage.refresh()
        await self.service.ensure()
        await self._settled_or_frozen(asyncio.create_task(self.service.settled()))

    async def thaw(self) -> None:
        """Go on where it froze, to the end of what it was doing, or until it freezes once more."""
        self.door.froze.clear()
        self.door.thawed.set()
        if self._settling is not None:
            await self._settled_or_frozen(self._settling)

    async def _settled_or_frozen(self, settling: asyncio.Task[None]) -> None:
        self._settling = settling
        froze = asyncio.create_task(self.door.froze.wait())
        await asyncio.wait((settling, froze), return_when=asyncio.FIRST_COMPLETED)
        froze.cancel()

    async def close(self) -> None:
        """Throw the node away: what it had in memory is gone, and its locks are free."""
        self.door.dead = True
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        self.door.thawed.set()
        if self._settling is not None:
            await self._settling
        await self.service.settled()
        await self.storage.close()


async def open_node(
    directory: Path,
    door: Door,
    *,
    keystore: KeyStore,
    rotators: RotatorHost,
    escrow: MemoryEscrow,
    services: Services,
) -> Node:
    """A node on a directory that holds a migrated storage."""
    storage = TurnStorage(directory, door)
    await storage.begin()
    kept: Escrow = DoorEscrow(escrow, door)
    parts = assemble(
        storage=storage, keystore=keystore, rotators=rotators, escrow=kept, calendar=TriggerCalendar(1),
        clock=VirtualClock(), authenticator=authenticator(), min_interval_seconds=1,
    )  # fmt: skip
    # Held reads wait on virtual time as well.
    barrier = ReadBarrier(parts.rows, parts.cache, asyncio.get_running_loop().time)
    return Node(storage, replace(parts, barrier=barrier), door, services)
