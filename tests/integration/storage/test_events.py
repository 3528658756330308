"""Events of reads: the log is emptied beside the loop, other processes are waited for, a bad event fails alone."""

import asyncio
import os
from pathlib import Path

import apsw
import pytest

from secretsd.adapters.sqlite import SqliteStorage, audit, recorder
from secretsd.domain.errors import Internal, StorageUnavailable, Throttled
from secretsd.ports.storage import EventFilter
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage
from secretsd.testing.storage_bench import Bench


def second_process(tmp_path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(tmp_path / "state" / "audit.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(5_000)
    return connection


async def test_events_of_one_turn_share_a_commit(storage: SqliteStorage) -> None:
    await asyncio.gather(*(storage.audit.record(samples.event()) for _ in range(recorder.MAX_BATCH)))
    assert (storage.statistics.events, storage.statistics.event_batches) == (recorder.MAX_BATCH, 1)


async def test_the_log_is_emptied_and_no_event_is_lost(
    storage: SqliteStorage, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LOG_PAGES", 64)
    storage.audit.record(samples.event())
    written = 1
    while storage.statistics.log_restarts < 3:
        storage.audit.record(samples.event())
        written += 1
        await asyncio.sleep(0)
        assert written < 500_000
    await storage.audit.record(samples.event())
    assert len(await bench.events()) == written + 1
    reader = second_process(tmp_path)
    assert reader.execute("SELECT count FROM log_starts").get >= 3
    assert reader.execute("PRAGMA integrity_check").get == "ok"
    reader.close()
    # Bytes 12 to 16 of a write-ahead log count how often it began anew (SQLite's file format, section 4.1).
    header = (tmp_path / "state" / "audit.db-wal").read_bytes()[:32]
    assert int.from_bytes(header[12:16], "big") >= 3


async def test_a_reader_of_the_old_log_only_delays_its_emptying(
    storage: SqliteStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "LOG_PAGES", 16)
    await storage.audit.record(samples.event())
    reader = second_process(tmp_path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    for _ in range(200):
        await storage.audit.record(samples.event())
    assert storage.statistics.log_restarts == 0
    reader.execute("COMMIT")
    reader.close()
    for _ in range(100_000):
        if storage.statistics.log_restarts:
            break
        await storage.audit.record(samples.event())
    assert storage.statistics.log_restarts


async def test_another_writer_is_waited_for_without_holding_up_the_loop(
    storage: SqliteStorage, bench: Bench, tmp_path: Path
) -> None:
    other = second_process(tmp_path)
    other.execute("BEGIN IMMEDIATE")
    record = samples.event()
    future = storage.audit.record(record)
    while storage.statistics.busy_waits < 3:  # noqa: ASYNC110 - a count, nobody tells of it
        await asyncio.sleep(0.001)
    assert not future.done()
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(future, 20)
    assert await bench.events() == [record.data]


async def test_a_writer_that_never_ends_fails_those_who_wait(
    storage: SqliteStorage, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_BUSY_SECONDS", 0.05)
    other = second_process(tmp_path)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(
        *(storage.audit.record(samples.event()) for _ in range(200)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {StorageUnavailable}
    other.execute("ROLLBACK")
    other.close()
    record = samples.event()
    await storage.audit.record(record)
    assert await bench.events() == [record.data]


async def test_an_event_that_cannot_be_stored_fails_alone(storage: SqliteStorage, bench: Bench) -> None:
    records = [samples.event(time_ms=at, principal="user/\ud800" if at == 3 else "user/ann") for at in range(8)]
    outcomes = await asyncio.gather(*map(storage.audit.record, records), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [*[type(None)] * 3, Internal, *[type(None)] * 4]
    assert await bench.events() == [record.data for at, record in enumerate(records) if at != 3]


async def test_an_event_without_the_callers_view_is_refused(storage: SqliteStorage) -> None:
    record = samples.event()
    for views in ((), ((samples.OTHER_ACCOUNT, bytes(32)),)):
        with pytest.raises(Internal, match=r"^cannot store the event"):
            await storage.audit.record(type(record)(record.event, record.data, views))


async def test_too_many_waiting_events_are_refused(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_QUEUED", 2)
    futures = [storage.audit.record(samples.event()) for _ in range(3)]
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), Throttled]


async def test_a_look_examines_so_many_rows_and_says_where_to_go_on(
    storage: SqliteStorage, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "EXAMINED_A_LOOK", 10)
    rare = samples.event("Rare", time_ms=35)
    for at in range(60):
        await storage.audit.record(rare if at == 35 else samples.event(time_ms=at))
    for _ in range(3):
        await bench.change()
    wanted = EventFilter(samples.ACCOUNT, operation="Rare")
    found: list[bytes] = []
    after, looks = None, 0
    while looks == 0 or after is not None:
        page, after = await storage.audit.lookup(wanted, after, 5)
        found += page
        looks += 1
        assert looks < 20
    assert found == [rare.data]
    assert looks == 7
    assert len(await bench.events()) == 63


def open_files(directory: Path) -> list[str]:
    """What this process holds open below a directory."""
    links = [Path("/proc/self/fd", entry) for entry in os.listdir("/proc/self/fd")]
    return [str(link.readlink()) for link in links if link.is_symlink() and link.readlink().is_relative_to(directory)]


async def test_an_event_whose_caller_has_gone_is_written_before_the_end(tmp_path: Path) -> None:
    record = samples.event()
    async with temporary_storage(tmp_path / "state") as storage:
        storage.audit.record(record).cancel()
    assert open_files(tmp_path) == [], "it was written after the end, with a file that nobody closes"
    async with temporary_storage(tmp_path / "state") as storage:
        assert await Bench(storage, authenticator()).events() == [record.data]
