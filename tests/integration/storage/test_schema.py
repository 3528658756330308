"""The schema: made once, left alone when a newer release wrote it, refused with a sentence where it cannot be."""

import os
from dataclasses import fields
from pathlib import Path

import apsw
import pytest

from secretsd.adapters.sqlite import schema
from secretsd.adapters.sqlite.codec import TABLES
from secretsd.domain.errors import StorageUnavailable
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage


@pytest.mark.parametrize("file", ["main.db", "audit.db"])
async def test_a_newer_schema_is_left_alone(tmp_path: Path, file: str) -> None:
    async with temporary_storage(tmp_path):
        pass
    connection = apsw.Connection(str(tmp_path / file))
    connection.pragma("user_version", 99)
    connection.close()
    before = (tmp_path / file).read_bytes()
    with pytest.raises(StorageUnavailable, match=rf"a newer release wrote {file} \(schema 99"):
        async with temporary_storage(tmp_path):
            pass
    assert (tmp_path / file).read_bytes() == before


async def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = schema.migrations("main")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda _: [*known, "CREATE TABLE half (x); SELECT no_such_function()"])
        with pytest.raises(StorageUnavailable):
            async with temporary_storage(tmp_path):
                pass
    connection = apsw.Connection(str(tmp_path / "main.db"))
    assert connection.pragma("user_version") == len(known)
    assert not connection.table_exists("main", "half")
    connection.close()


async def test_an_older_schema_is_brought_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with temporary_storage(tmp_path) as storage:
        await storage.audit.record(samples.event())
    known = {database: schema.migrations(database) for database in ("main", "audit")}
    monkeypatch.setattr(schema, "migrations", lambda database: [*known[database], "CREATE TABLE later (x TEXT) STRICT"])
    async with temporary_storage(tmp_path):
        pass
    connection = apsw.Connection(str(tmp_path / "audit.db"))
    assert connection.table_exists("main", "later")
    assert connection.execute("SELECT count(*) FROM events").get == 1
    connection.close()


async def test_the_rows_of_the_first_release_are_still_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their authenticators know nothing of the fields that came later, which are at their defaults."""
    known = {database: schema.migrations(database) for database in ("main", "audit")}
    secret, rotation = samples.secret(), samples.rotation()
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrations", lambda database: known[database][:1])
        schema.migrate(tmp_path)
    connection = apsw.Connection(str(tmp_path / "main.db"))
    for record in (secret, rotation):
        columns = [part.name for part in fields(record)]
        first = columns[: columns.index("revision") + 1]
        row = dict(
            zip([*columns, "row_mac"], TABLES[type(record)].row(record, authenticator().mac(record)), strict=True)
        )
        values = [row[name] for name in (*first, "row_mac")]
        marks = ", ".join("?" * len(values))
        connection.execute(
            f"INSERT INTO {TABLES[type(record)].name} ({', '.join(first)}, row_mac) VALUES ({marks})", values
        )
    connection.close()
    async with temporary_storage(tmp_path) as storage:
        assert await storage.secrets.get(secret.account, secret.name) == secret
        assert await storage.rotations.get(rotation.account, rotation.secret_id) == rotation


async def test_the_storage_keeps_its_identity(tmp_path: Path) -> None:
    found = set()
    for _ in range(2):
        async with temporary_storage(tmp_path):
            connection = apsw.Connection(str(tmp_path / "main.db"))
            found.add(connection.execute("SELECT value FROM meta WHERE name = 'storage_id'").get)
            connection.close()
    assert len(found) == 1
    assert len(found.pop()) == 32


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "main.db").write_bytes(b"something else " * 500)
    with pytest.raises(StorageUnavailable, match="no database"):
        async with temporary_storage(tmp_path):
            pass


async def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "file"
    os.close(os.open(place, os.O_CREAT))
    with pytest.raises(StorageUnavailable, match=r"^cannot use the storage"):
        async with temporary_storage(place):
            pass
