"""What the conformance suites of the storage port stand on: a world of data, and short words for what is done there."""

from typing import Protocol

import pytest

from secretsd.domain.records import Record, RecordAuthenticator
from secretsd.ports.storage import (
    Add,
    Change,
    EventFilter,
    Fence,
    Replace,
    Storage,
    UnitOfWork,
)
from secretsd.testing import samples


class StorageWorld(Protocol):
    """One set of data, the storages opened on it, and a hand that edits it behind their backs."""

    authenticator: RecordAuthenticator

    async def open(self) -> Storage:
        """Another storage on the same data, as another node would; the fixture closes it."""
        ...

    async def edit(self, table: str, column: str, value: str | int | bytes) -> None:
        """Set a column of every row of a table, as a writer of storage without our keys would."""
        ...


class Bench:
    """A storage and short words for what tests do with it."""

    def __init__(self, storage: Storage, authenticator: RecordAuthenticator) -> None:
        self.storage = storage
        self.mac = authenticator.mac

    async def add(self, *records: Record) -> None:
        """Commit new records in one unit."""
        await self.change(*(Add(record, self.mac(record)) for record in records))

    async def change(self, *changes: Change, fence: Fence | None = None) -> bytes:
        """Commit changes in one unit; the id of its event."""
        event = samples.event("Change")
        await self.storage.commit(UnitOfWork(changes, event, fence))
        return event.event.id

    def replace(self, before: Record, after: Record) -> Replace:
        """The change from one to the other, authenticated."""
        return Replace(before, after, self.mac(after))

    async def events(self, account: str = samples.ACCOUNT) -> list[bytes]:
        """All events of an account."""
        found: list[bytes] = []
        after = None
        while True:
            page, after = await self.storage.audit.lookup(EventFilter(account), after, 100)
            found += page
            if after is None:
                return found


@pytest.fixture
async def bench(world: StorageWorld) -> Bench:
    """A storage of the world."""
    return Bench(await world.open(), world.authenticator)
