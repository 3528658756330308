"""The change feed: pruned by the writer, and whoever is too far behind forgets everything."""

import asyncio
import contextlib
from pathlib import Path

import apsw
import pytest

from secretsd.adapters.sqlite import SqliteStorage, feed, reads
from secretsd.domain.errors import StorageUnavailable
from secretsd.ports.storage import Add, DeleteVersions
from secretsd.testing import samples
from secretsd.testing.storage import temporary_storage
from secretsd.testing.storage_bench import Bench

USER = ("users", (samples.ACCOUNT, "ann"))


async def look(storage: SqliteStorage) -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    storage.refresh()


async def test_one_look_a_turn(storage: SqliteStorage, bench: Bench) -> None:
    told: list[list] = []
    await look(storage)
    storage.subscribe(lambda names: told.append(list(names)))
    await bench.add(samples.user())
    await look(storage)
    storage.refresh()
    assert told == [[USER]]


async def test_what_stood_there_before_opening_is_not_told(bench: Bench, tmp_path: Path) -> None:
    await bench.add(samples.user())
    told: list[object] = []
    async with temporary_storage(tmp_path / "state") as late:
        late.subscribe(told.append)
        await look(late)
        assert told == []


async def test_too_many_changes_mean_all_of_them(
    storage: SqliteStorage, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MAX_CHANGES_A_LOOK", 5)
    told: list[list] = []
    storage.subscribe(lambda names: told.append(list(names)))
    await bench.add(*(samples.secret_version(number, "s") for number in range(1, 6)))
    await bench.add(*(samples.user(f"u{number}") for number in range(5)))
    await look(storage)
    assert len(told.pop()) == 5, "versions that are new to all are not told of"
    await bench.change(DeleteVersions(samples.ACCOUNT, "s"), Add(samples.user(), bench.mac(samples.user())))
    await look(storage)
    assert told.pop() == []
    await bench.add(samples.user("bob"))
    await look(storage)
    assert told == [[("users", (samples.ACCOUNT, "bob"))]]


async def test_a_pruned_feed_means_all_of_them(
    storage: SqliteStorage, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEPT_CHANGES", 10)
    monkeypatch.setattr(feed, "PRUNE_EVERY", 1)
    monkeypatch.setattr(feed, "LOOK_EVERY", 1)
    told: list[list] = []
    storage.subscribe(lambda names: told.append(list(names)))
    for number in range(15):
        await bench.add(samples.user(f"u{number}"))
    await look(storage)
    assert told == [[]]
    for number in range(10):
        await bench.add(samples.user(f"v{number}"))
    await look(storage)
    assert len(told[1]) == 10


async def test_a_position_that_was_pruned_or_is_far_behind_tells_nothing(
    storage: SqliteStorage, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEPT_CHANGES", 10)
    monkeypatch.setattr(feed, "PRUNE_EVERY", 1)
    monkeypatch.setattr(feed, "LOOK_EVERY", 1)
    monkeypatch.setattr(feed, "MAX_CHANGES_A_LOOK", 8)
    first = storage.position
    for number in range(8):
        await bench.add(samples.user(f"u{number}"))
    assert len(storage.changed_since(first) or ()) == 8
    await bench.add(samples.user("u8"))
    assert storage.changed_since(first) is None, "too many to tell"
    monkeypatch.setattr(feed, "MAX_CHANGES_A_LOOK", 100)
    assert len(storage.changed_since(first) or ()) == 9
    for number in range(9, 15):
        await bench.add(samples.user(f"u{number}"))
    assert storage.changed_since(first) is None, "pruned"
    await look(storage)
    assert storage.changed_since(storage.position) == ()


async def test_another_generation_of_a_storage_has_other_positions(tmp_path: Path) -> None:
    """What a restore makes of a storage counts on from an older number: its positions must not be taken for ours."""
    async with temporary_storage(tmp_path / "state") as storage:
        before = storage.position
    with contextlib.closing(apsw.Connection(str(tmp_path / "state" / "main.db"))) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE name = 'log_generation'")
    async with temporary_storage(tmp_path / "state") as storage:
        assert storage.changed_since(before) is None
        assert storage.changed_since(storage.position) == ()


async def test_a_new_connection_is_not_taken_for_the_old_one(
    storage: SqliteStorage, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite counts changes for each connection from the same number on."""
    told: list[list] = []
    storage.subscribe(lambda names: told.append(list(names)))
    await look(storage)

    def broken(*_: object) -> list:
        raise apsw.IOError

    with monkeypatch.context() as patch:
        patch.setattr(reads, "fetch", broken)
        with pytest.raises(StorageUnavailable):
            await storage.accounts.user(samples.ACCOUNT, "ann")
    await bench.add(samples.user())
    await look(storage)
    assert told == [[USER]]
