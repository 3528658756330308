"""Sessions of a storage that is older than their networks."""

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from secretsd.adapters.sqlite import schema
from secretsd.testing import access_samples
from secretsd.testing.storage import authenticator, temporary_storage

BEFORE = 7
"""The migrations before sessions had networks."""
ROW_MAC = bytes.fromhex("96ce04bbfa7fca6c428545a9696f76e96aa0434319b1605ef472cd883fb947cf")
"""Computed by a release of that time."""


async def test_they_are_good_from_anywhere_and_keep_their_authenticators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {database: schema.migrations(database) for database in ("main", "audit")}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda database: known[database][:BEFORE])
        schema.migrate(tmp_path)
    session = access_samples.session()
    connection = apsw.Connection(str(tmp_path / "main.db"))
    columns = [column for _, column, *_ in connection.execute("PRAGMA table_info(sessions)")]
    assert "network" not in columns
    row = {
        "digest": session.digest,
        "access_key": session.access_key,
        "account": session.account,
        "role": session.role,
        "role_id": session.role_id,
        "name": session.name,
        "secret": session.secret,
        "policy": "[]",
        "by": session.by,
        "chained": int(session.chained),
        "created_ms": session.created_ms,
        "expires_ms": session.expires_ms,
        "revision": 0,
        "row_mac": ROW_MAC,
    }
    assert set(row) == set(columns)
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO sessions ({names}) VALUES ({marks})", tuple(row.values()))
    connection.close()
    async with temporary_storage(tmp_path) as storage:
        found = await storage.proofs.session(session.digest)
    assert found == replace(session, policy=(), network="")
    authenticator().verify(found, ROW_MAC)
