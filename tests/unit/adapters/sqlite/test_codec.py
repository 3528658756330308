"""Records become rows and come back; a row that says anything else than what was authenticated is refused."""

import contextlib
from dataclasses import fields, replace

import apsw
import pytest

from secretsd.adapters.sqlite.codec import TABLES, Codec, name_of
from secretsd.adapters.sqlite.schema import migrations
from secretsd.domain.records import RECORDS, RecordAuthenticator, TamperedRecord
from secretsd.domain.secrets import SealedValue
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

EVERY_KIND = samples.every_kind()
SAMPLES = [*EVERY_KIND, *samples.later_fields()]


@pytest.fixture
def database() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for migration in migrations("main"):
        connection.execute(migration)
    return connection


def test_every_kind_of_record_has_a_sample_and_a_table() -> None:
    assert {type(record) for record in EVERY_KIND} == set(RECORDS) == set(TABLES)


@pytest.mark.parametrize("kind", RECORDS)
def test_a_table_has_a_column_for_each_field_and_the_authenticator(database: apsw.Connection, kind: type) -> None:
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({RECORDS[kind].table})")]
    assert sorted(columns) == sorted([*(part.name for part in fields(kind)), "row_mac"])


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_from_its_row(database: apsw.Connection, record) -> None:
    table = TABLES[type(record)]
    database.execute(table.insert, table.row(record, authenticator().mac(record)))
    (row,) = database.execute(f"SELECT {table.columns} FROM {table.name}").fetchall()
    assert Codec(authenticator()).decode(type(record), row) == record


@pytest.mark.parametrize("record", EVERY_KIND, ids=lambda record: type(record).__name__)
def test_the_update_and_the_deletion_name_key_and_revision(database: apsw.Connection, record) -> None:
    table, mac = TABLES[type(record)], authenticator().mac
    database.execute(table.insert, table.row(record, mac(record)))
    after = replace(record, revision=1)
    database.execute(table.update, [*table.row(after, mac(after)), *table.identity(record, None)])
    assert database.changes() == 1
    database.execute(table.delete, table.identity(record, mac(record)))
    assert database.changes() == 0
    database.execute(table.delete, table.identity(after, None))
    assert database.changes() == 1


@pytest.mark.parametrize(
    "record",
    [record for record in SAMPLES if not isinstance(record, SealedValue)],
    ids=lambda record: type(record).__name__,
)
def test_no_column_can_be_changed(record, caplog: pytest.LogCaptureFixture) -> None:
    """Each column in turn gets values of every type; what then decodes is the same record, or it is refused."""
    table, codec = TABLES[type(record)], Codec(authenticator())
    row = table.row(record, authenticator().mac(record))
    for at in range(len(row)):
        for value in (None, 0, 2, -(1 << 63), 1.5, "", "{}", "[]", '{"a":1}', "null", b"", b"\xff", "\x00"):
            edited = [*row[:at], value, *row[at + 1 :]]
            with contextlib.suppress(TamperedRecord):
                assert codec.decode(type(record), edited) == record
    assert "changed behind our back" in caplog.text


def test_the_log_names_no_digest(caplog: pytest.LogCaptureFixture) -> None:
    token = samples.token()
    row = TABLES[type(token)].row(token, bytes(32))
    with pytest.raises(TamperedRecord):
        Codec(authenticator()).decode(type(token), row)
    assert "tokens" in caplog.text
    assert token.digest not in caplog.text


def test_another_key_authenticates_nothing() -> None:
    account = samples.account()
    row = TABLES[type(account)].row(account, RecordAuthenticator(bytes(32)).mac(account))
    with pytest.raises(TamperedRecord):
        Codec(authenticator()).decode(type(account), row)


def test_the_feed_names_a_record_by_its_key_as_text() -> None:
    assert name_of(samples.wrapped_key(3)) == f'["{samples.ACCOUNT}","{samples.KEY_ID}","3"]'
