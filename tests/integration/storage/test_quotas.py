"""Counts of what has a quota, where the storage is older than they are."""

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from secretsd.adapters.sqlite import schema
from secretsd.adapters.sqlite.codec import TABLES
from secretsd.domain.keys import KeyState
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage

BEFORE = 6
"""The migrations before counting began."""


async def test_what_was_there_before_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {database: schema.migrations(database) for database in ("main", "audit")}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda database: known[database][:BEFORE])
        schema.migrate(tmp_path)
    dead = replace(samples.cmk("99999999-2222-4333-8444-555555555555"), state=KeyState.DESTROYED)
    connection = apsw.Connection(str(tmp_path / "main.db"))
    for record in (samples.user("ann"), samples.user("bob"), samples.secret(), samples.cmk(), dead, samples.token()):
        table = TABLES[type(record)]
        connection.execute(table.insert, table.row(record, authenticator().mac(record)))
    connection.close()
    async with temporary_storage(tmp_path) as storage:
        held = storage.accounts.held
        assert [await held(samples.ACCOUNT, table) for table in ("users", "secrets", "keys", "tokens")] == [2, 1, 1, 1]
        assert await held(samples.OTHER_ACCOUNT, "users") == 0
