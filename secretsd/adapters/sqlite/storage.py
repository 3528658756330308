"""SqliteStorage: records, events and leases in two files of one directory, shared by every worker of a host."""

import asyncio
import contextlib
from asyncio import Future
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Literal

import apsw

from secretsd.adapters.sqlite.accounts import SqliteAccounts
from secretsd.adapters.sqlite.audit import Recorder, SqliteAuditTrail
from secretsd.adapters.sqlite.codec import Codec
from secretsd.adapters.sqlite.connections import AUDIT, MAIN, Reopening, Use, connect, report, unavailable
from secretsd.adapters.sqlite.feed import ChangeFeed, FeedPruner
from secretsd.adapters.sqlite.grants import SqliteGrants
from secretsd.adapters.sqlite.keys import SqliteKeys
from secretsd.adapters.sqlite.leases import SqliteLeases
from secretsd.adapters.sqlite.nodes import Node
from secretsd.adapters.sqlite.proof_uses import SqliteProofUses
from secretsd.adapters.sqlite.proofs import SqliteProofs
from secretsd.adapters.sqlite.reads import Reads
from secretsd.adapters.sqlite.recorder import BufferedRecorder, DurableRecorder
from secretsd.adapters.sqlite.rotations import SqliteRotations
from secretsd.adapters.sqlite.schema import migrate
from secretsd.adapters.sqlite.secrets import SqliteSecrets
from secretsd.adapters.sqlite.statistics import Statistics
from secretsd.adapters.sqlite.targets import SqliteTargets
from secretsd.adapters.sqlite.turnstile import Turnstile
from secretsd.adapters.sqlite.units import apply_unit
from secretsd.adapters.sqlite.writer import Writer
from secretsd.domain.records import RecordAuthenticator
from secretsd.ports.storage import RecordName, UnitOfWork

ReadEvents = Literal["buffered", "durable"]
_WRITER_BUSY_MS = 10_000


@contextlib.asynccontextmanager
async def open_storage(
    directory: Path, authenticator: RecordAuthenticator, *, reads: ReadEvents = "buffered"
) -> AsyncIterator["SqliteStorage"]:
    """The storage in a directory (made, mode 0700, when missing), its schema brought up to date, closed at the end.

    `reads` says whether the events of reads wait for the disk. StorageUnavailable when it cannot be used.
    """
    try:
        await asyncio.to_thread(directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(migrate, directory)
        node = await asyncio.to_thread(Node, directory / "nodes")
    except (apsw.Error, OSError) as error:
        report("opening the storage", error)
        raise unavailable(error) from None
    storage = SqliteStorage(directory, authenticator, node, reads)
    try:
        await storage.begin()
        await asyncio.to_thread(node.sweep)
        yield storage
    finally:
        await storage.close()


class SqliteStorage:
    """A Storage. To be used on the loop that made it."""

    def __init__(
        self, directory: Path, authenticator: RecordAuthenticator, node: Node, reads: ReadEvents = "buffered"
    ) -> None:
        self.statistics = Statistics()
        self._directory = directory
        self._node = node
        self._closed = False
        self._prune = FeedPruner()
        self._reads = Reads(directory, Codec(authenticator), self.statistics)
        self._feed = ChangeFeed(self._reads, self.statistics)
        self._writer = self._start_writer(MAIN, self._count_units)
        self._recorder: Recorder
        if reads == "durable":
            self._recorder = DurableRecorder(self._start_writer(AUDIT, self._count_events))
        else:
            self._recorder = BufferedRecorder(directory, self.statistics)
        self._accounts = SqliteAccounts(self._reads)
        self._proofs = SqliteProofs(self._reads)
        self._grants = SqliteGrants(self._reads)
        self._keys = SqliteKeys(self._reads)
        self._secrets = SqliteSecrets(self._reads)
        self._rotations = SqliteRotations(self._reads)
        self._targets = SqliteTargets(self._reads)
        self._proof_uses = SqliteProofUses(directory, self._reads)
        self._audit = SqliteAuditTrail(self._recorder, self._reads, self._proof_uses)
        self._leases = SqliteLeases(self._writer, node)

    @property
    def accounts(self) -> SqliteAccounts:
        """Accounts and who is in them."""
        return self._accounts

    @property
    def proofs(self) -> SqliteProofs:
        """What proves somebody."""
        return self._proofs

    @property
    def grants(self) -> SqliteGrants:
        """What owners of resources let others do."""
        return self._grants

    @property
    def keys(self) -> SqliteKeys:
        """CMKs and their wrapped versions."""
        return self._keys

    @property
    def secrets(self) -> SqliteSecrets:
        """Secrets, their versions and sealed values."""
        return self._secrets

    @property
    def rotations(self) -> SqliteRotations:
        """How secrets are rotated."""
        return self._rotations

    @property
    def targets(self) -> SqliteTargets:
        """Where they are rotated."""
        return self._targets

    @property
    def audit(self) -> SqliteAuditTrail:
        """The events."""
        return self._audit

    @property
    def leases(self) -> SqliteLeases:
        """Rights that one node holds at a time."""
        return self._leases

    async def begin(self) -> None:
        """Follow the change feed from here on; `open_storage` has called it."""
        await self._feed.begin()

    async def commit(self, unit: UnitOfWork) -> None:
        """All of the unit, durably, or nothing of it and an error."""
        await self._submit(unit)

    def subscribe(self, on_change: Callable[[Sequence[RecordName]], None]) -> None:
        """Hear of records that any node changed; an empty sequence means all of them."""
        self._feed.subscribe(on_change)

    def refresh(self) -> None:
        """Tell subscribers of all that was committed before this loop turn."""
        self._feed.refresh()

    @property
    def position(self) -> str:
        """Where the change feed stands for our subscribers."""
        return self._feed.position

    def changed_since(self, position: str) -> Sequence[RecordName] | None:
        """Which records changed after a position; None when that cannot be told."""
        return self._feed.changed_since(position)

    async def migrate(self) -> None:
        """Bring the schema up to this release; `open_storage` has done so already."""
        try:
            await asyncio.to_thread(migrate, self._directory)
        except (apsw.Error, OSError) as error:
            report("migrating the storage", error)
            raise unavailable(error) from None

    async def close(self) -> None:
        """Finish what was queued, then let go of everything; what this node has leased is free afterwards."""
        if self._closed:
            return
        self._closed = True
        await self._proof_uses.close()
        await self._recorder.close()
        await self._writer.close()
        await self._reads.close()
        self._node.close()

    def _submit(self, unit: UnitOfWork) -> "Future[None]":
        def job(connection: apsw.Connection) -> None:
            apply_unit(connection, unit)
            self._prune(connection)

        return self._writer.submit(job)

    def _start_writer(self, file: str, on_batch: Callable[[int], None]) -> Writer:
        path = self._directory / file
        connection = Reopening(lambda: connect(path, Use.WRITE_DURABLY, _WRITER_BUSY_MS))
        return Writer(file, connection, Turnstile(path.with_suffix(".turn")), on_batch)

    def _count_units(self, count: int) -> None:
        self.statistics.units += count
        self.statistics.unit_batches += count > 0
        self.statistics.failed_batches += count == 0

    def _count_events(self, count: int) -> None:
        self.statistics.events += count
        self.statistics.event_batches += count > 0
        self.statistics.failed_event_batches += count == 0
