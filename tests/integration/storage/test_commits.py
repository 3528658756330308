"""Commits: batches form by themselves, a failure of the disk fails all of a batch, and it recovers by itself."""

import asyncio
import errno
import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from secretsd.adapters.sqlite import SqliteStorage, writer
from secretsd.adapters.sqlite.units import apply_unit
from secretsd.domain.errors import Internal, NotFound, StorageUnavailable, Throttled
from secretsd.ports.storage import Add, EventFilter, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import temporary_storage
from secretsd.testing.storage_bench import Bench


def log_descriptors(path: Path) -> set[int]:
    """Our descriptors of a write-ahead log."""
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{entry}") == f"{path}-wal":
                found.add(int(entry))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
    return found


@pytest.fixture
async def breakage(storage: SqliteStorage, bench: Bench, tmp_path: Path) -> Callable[[str], None]:
    """Makes the writer's log another file: /dev/full cannot be written, /dev/zero cannot be synced."""
    path = tmp_path / "state" / "main.db"
    await storage.accounts.users(samples.ACCOUNT, "", 1)
    before = log_descriptors(path)
    await bench.add(samples.account())
    (ours,) = log_descriptors(path) - before

    def put(device: str) -> None:
        descriptor = os.open(device, os.O_RDWR)
        os.dup2(descriptor, ours)
        os.close(descriptor)

    return put


async def test_fewer_fsyncs_than_writes_under_load(storage: SqliteStorage, bench: Bench) -> None:
    users = [samples.user(f"u{number:04}") for number in range(1_000)]
    waiting = iter(users)

    async def commit() -> None:
        for user in waiting:
            await bench.add(user)

    await asyncio.gather(*(commit() for _ in range(16)))
    assert await storage.accounts.users(samples.ACCOUNT, "", 2_000) == users
    assert storage.statistics.units == 1_000
    assert storage.statistics.unit_batches <= 500


@pytest.mark.parametrize(("device", "reason"), [("/dev/full", "the disk is full"), ("/dev/zero", "input or output")])
async def test_a_failed_commit_fails_all_of_its_units_and_the_next_one_works(
    storage: SqliteStorage,
    bench: Bench,
    breakage: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    reason: str,
) -> None:
    """The first unit holds the writer until all others wait for one batch, whose first unit finds the disk broken."""
    begun, queued, calls = threading.Event(), threading.Event(), itertools.count(1)

    def apply(connection: apsw.Connection, unit: UnitOfWork) -> None:
        call = next(calls)
        if call == 1:
            begun.set()
            queued.wait(20)
        elif call == 2:
            breakage(device)
        apply_unit(connection, unit)

    monkeypatch.setattr("secretsd.adapters.sqlite.storage.apply_unit", apply)
    events = await bench.events()
    users = [samples.user(f"u{number}") for number in range(6)]
    first = asyncio.create_task(bench.add(users[0]))
    assert await asyncio.to_thread(begun.wait, 20)
    commits = [asyncio.create_task(bench.add(user)) for user in users[1:]]
    await asyncio.sleep(0)
    queued.set()
    await first
    outcomes = await asyncio.gather(*commits, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 5
    assert all(reason in str(outcome) for outcome in outcomes)
    assert await storage.accounts.users(samples.ACCOUNT, "", 9) == users[:1]
    assert len(await bench.events()) == len(events) + 1
    assert storage.statistics.failed_batches == 1
    await bench.add(*users[1:])
    assert await storage.accounts.users(samples.ACCOUNT, "", 9) == users


async def test_what_cannot_be_stored_fails_alone_and_is_not_quoted(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bad = samples.user("never-valid-\ud800")
    event = samples.event()
    outcomes = await asyncio.gather(
        bench.storage.commit(UnitOfWork((Add(bad, bytes(32)),), event)),
        bench.add(samples.user("good")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Internal, type(None)]
    assert "never-valid" not in str(outcomes[0]) + caplog.text
    assert [user.name for user in await bench.storage.accounts.users(samples.ACCOUNT, "", 9)] == ["good"]
    assert event.data not in await bench.events()


async def test_a_fault_of_ours_ends_no_writer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("secretsd.adapters.sqlite.storage.apply_unit", lambda *_: 1 / 0)
        with pytest.raises(Internal):
            await bench.add(samples.user())
    await bench.add(samples.user())


async def test_too_many_waiting_units_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_QUEUED", 0)
    with pytest.raises(Throttled) as refused:
        await bench.add(samples.user())
    assert refused.value.retry_after_seconds == 1
    monkeypatch.undo()
    with pytest.raises(NotFound):
        await bench.storage.accounts.user(samples.ACCOUNT, "ann")
    await bench.add(samples.user())


async def test_a_caller_that_hangs_up_does_not_undo_its_unit(bench: Bench) -> None:
    task = asyncio.create_task(bench.add(samples.user()))
    await asyncio.sleep(0)
    task.cancel()
    await bench.add(samples.user("after"))
    assert await bench.storage.accounts.user(samples.ACCOUNT, "ann") == samples.user()


async def test_files_are_ours_alone(bench: Bench, tmp_path: Path) -> None:
    await bench.add(samples.user())
    await bench.storage.audit.record(samples.event())
    found = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*")}
    assert {"main.db", "main.db-wal", "main.db-shm", "audit.db", "audit.db-wal", "audit.db-shm"} <= set(found)
    assert {mode for name, mode in found.items() if name != "nodes"} == {0o600}
    assert (found["nodes"], (tmp_path / "state").stat().st_mode & 0o777) == (0o700, 0o700)


async def test_durable_events_wait_for_the_disk_in_batches(tmp_path: Path) -> None:
    async with temporary_storage(tmp_path / "durable", reads="durable") as storage:
        records = [samples.event() for _ in range(300)]
        await asyncio.gather(*(storage.audit.record(record) for record in records))
        assert storage.statistics.events == 300
        assert storage.statistics.event_batches < 30
        found, _ = await storage.audit.lookup(EventFilter(samples.ACCOUNT), None, 999)
        assert found == [record.data for record in records]
