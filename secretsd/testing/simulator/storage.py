"""The SQLite storage on the loop's own turns: the same files, statements and commits, without its threads."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from secretsd.adapters.sqlite.connections import Reopening, Use, connect
from secretsd.adapters.sqlite.leases import SqliteLeases
from secretsd.adapters.sqlite.nodes import Node
from secretsd.adapters.sqlite.storage import SqliteStorage
from secretsd.adapters.sqlite.turnstile import Turnstile
from secretsd.adapters.sqlite.writer import Job, T, Writer
from secretsd.ports.storage import Lease, UnitOfWork
from secretsd.testing.simulator.gate import Door
from secretsd.testing.storage import authenticator

_BUSY_MS = 1_000


class TurnWriter(Writer):
    """Commits what was queued in the loop's next turn, and all of it at once, as the thread would."""

    def submit(self, job: Job[T]) -> "asyncio.Future[T]":
        """Queue a job for the next turn."""
        future = super().submit(job)
        self._loop.call_soon(self._turn)
        return future

    async def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        await super().close()
        self._turn()
        self._connection.drop()
        self._turnstile.close()

    def _run(self) -> None:
        """The thread ends as soon as it began."""

    def _turn(self) -> None:
        batch = [self._queue.popleft() for _ in range(len(self._queue))]
        outcomes = self._commit([job for job, _ in batch]) if batch else []
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


class DoorLeases(SqliteLeases):
    """Leases of a node that may be dead or frozen by now."""

    def __init__(self, writer: Writer, node: Node, door: Door) -> None:
        super().__init__(writer, node)
        self._door = door

    async def claim(self, name: str, seconds: float, above: int = 0) -> Lease | None:
        """See the port."""
        return await self._door.write("claim", lambda: super(DoorLeases, self).claim(name, seconds, above))

    async def release(self, lease: Lease) -> None:
        """See the port."""
        await self._door.alive()
        await super().release(lease)


class TurnStorage(SqliteStorage):
    """A node's storage in a directory that is migrated already. Each commit goes through the node's door."""

    def __init__(self, directory: Path, door: Door) -> None:
        node = Node(directory / "nodes")
        super().__init__(directory, authenticator(), node)
        self._door = door
        self._leases = DoorLeases(self._writer, node, door)

    async def commit(self, unit: UnitOfWork) -> None:
        """All of the unit or nothing of it, unless the case has something else in mind."""
        await self._door.write("commit", lambda: super(TurnStorage, self).commit(unit))

    def _start_writer(self, file: str, on_batch: Callable[[int], None]) -> Writer:
        path = self._directory / file
        opened = Reopening(lambda: connect(path, Use.WRITE_DURABLY, _BUSY_MS))
        return TurnWriter(file, opened, Turnstile(path.with_suffix(".turn")), on_batch)
