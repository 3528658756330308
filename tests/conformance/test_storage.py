"""SQLite passes the conformance suite of the storage port, whether events of reads wait for the disk or not."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import apsw
import pytest

from secretsd.ports.storage import Storage
from secretsd.testing.storage import authenticator, temporary_storage
from secretsd.testing.storage_suite import StorageSuite, bench
from secretsd.testing.storage_suite_access import AccessSuite
from secretsd.testing.storage_suite_audit import AuditSuite
from secretsd.testing.storage_suite_keys import KeysSuite
from secretsd.testing.storage_suite_nodes import NodesSuite
from secretsd.testing.storage_suite_pages import PagesSuite
from secretsd.testing.storage_suite_quotas import QuotaSuite
from secretsd.testing.storage_suite_reencryption import ReencryptionSuite
from secretsd.testing.storage_suite_uses import UsesSuite

__all__ = ["bench"]


class SqliteWorld:
    """Two files in a directory."""

    def __init__(self, path: Path, reads: Literal["buffered", "durable"], stack: contextlib.AsyncExitStack) -> None:
        self.authenticator = authenticator()
        self._path = path
        self._reads = reads
        self._stack = stack

    async def open(self) -> Storage:
        return await self._stack.enter_async_context(temporary_storage(self._path, reads=self._reads))

    async def edit(self, table: str, column: str, value: str | int | bytes) -> None:
        connection = apsw.Connection(str(self._path / "main.db"), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(5_000)
        connection.pragma("ignore_check_constraints", True)
        connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        assert connection.changes() > 0
        connection.close()


@pytest.fixture(params=["buffered", "durable"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteWorld]:
    async with contextlib.AsyncExitStack() as stack:
        yield SqliteWorld(tmp_path / "state", request.param, stack)


class TestRecords(StorageSuite):
    pass


class TestPages(PagesSuite):
    pass


class TestKeys(KeysSuite):
    pass


class TestReencryptions(ReencryptionSuite):
    pass


class TestNodes(NodesSuite):
    pass


class TestAccess(AccessSuite):
    pass


class TestQuotas(QuotaSuite):
    pass


class TestUses(UsesSuite):
    pass


class TestAudit(AuditSuite):
    pass
