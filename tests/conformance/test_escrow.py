"""The escrow's suite over the fake and over the file, and what only a file can suffer: cuts, flips, full disks."""

import asyncio
import contextlib
import errno
import logging
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from secretsd.adapters import file_escrow
from secretsd.adapters.file_escrow import FILE, FileEscrow
from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.escrow import Escrow
from secretsd.testing.escrow_suite import EscrowSuite, entry
from secretsd.testing.memory_escrow import MemoryEscrow

KEY = Plaintext(bytes(range(32)))


class MemoryWorld:
    """One object is all there is."""

    def __init__(self) -> None:
        self.escrow = MemoryEscrow()

    def open(self) -> Escrow:
        return self.escrow

    def fail(self) -> None:
        self.escrow.away = True


class FileWorld:
    """A directory that is not there yet."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = directory / FILE
        self._patch = patch

    def open(self) -> FileEscrow:
        return FileEscrow(self.path.parent, KEY)

    def fail(self) -> None:
        def full(*_: Any) -> int:
            raise OSError(errno.ENOSPC, "full")

        self._patch.setattr(os, "write", full)


class TestMemoryEscrow(EscrowSuite):
    @pytest.fixture
    def world(self) -> MemoryWorld:
        return MemoryWorld()


class TestFileEscrow(EscrowSuite):
    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileWorld:
        return FileWorld(tmp_path / "escrow", monkeypatch)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileWorld:
    return FileWorld(tmp_path / "escrow", monkeypatch)


async def kept(escrow: Escrow, *numbers: int) -> list[int]:
    """Keep small entries, and tell all that are there by number."""
    for number in numbers:
        await escrow.keep(entry(number, size=8))
    return [one.version.number for one in await escrow.entries()]


async def test_nobody_else_may_read_it(world: FileWorld) -> None:
    await kept(world.open(), 1)
    assert world.path.stat().st_mode & 0o7777 == 0o600
    assert world.path.parent.stat().st_mode & 0o7777 == 0o700


async def test_every_cut_of_the_last_record_is_silent_and_hides_nothing(
    world: FileWorld, caplog: pytest.LogCaptureFixture
) -> None:
    escrow = world.open()
    await kept(escrow, 1)
    first = world.path.stat().st_size
    await kept(escrow, 2)
    whole = world.path.read_bytes()
    for size in range(first, len(whole)):
        world.path.write_bytes(whole[:size])
        assert await kept(escrow) == [1]
    assert not caplog.records


async def test_what_comes_after_a_cut_record_is_found(world: FileWorld) -> None:
    escrow = world.open()
    await kept(escrow, 1)
    first = world.path.stat().st_size
    await kept(escrow, 2)
    whole = world.path.read_bytes()
    for size in (first + 1, first + 4, first + 9, first + 41, first + 300, len(whole) - 1):
        world.path.write_bytes(whole[:size])
        assert await kept(escrow, 3, 4) == [1, 3, 4]


async def test_a_record_that_was_changed_in_any_byte_is_left_out_and_told(
    world: FileWorld, caplog: pytest.LogCaptureFixture
) -> None:
    escrow = world.open()
    await kept(escrow, 1)
    first = world.path.stat().st_size
    await kept(escrow, 2, 3)
    second = (world.path.stat().st_size - first) // 2 + first
    whole = world.path.read_bytes()
    for at in range(first, second):
        caplog.clear()
        world.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert await kept(escrow) == [1, 3]
        assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
        assert "prod/db" not in caplog.text


async def test_records_under_another_key_are_none_of_ours_and_survive_a_rewrite(world: FileWorld) -> None:
    """A key store that was put back wrongly must not cost the one copy of what targets are on."""
    escrow, other = world.open(), FileEscrow(world.path.parent, Plaintext(bytes(32)))
    await kept(other, 1)
    assert await kept(escrow, 2, 3) == [2, 3]
    assert await escrow.drop([entry(2).name]) == 1
    assert await kept(other) == [1]
    assert await kept(escrow) == [3]


async def test_a_record_of_a_later_release_is_told_and_kept(
    world: FileWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    escrow = world.open()
    with monkeypatch.context() as later:
        later.setattr(file_escrow, "VERSION", 2)
        await kept(escrow, 1)
    assert await kept(escrow, 2) == [2]
    assert "another release" in caplog.text
    await escrow.drop([entry(2).name])
    monkeypatch.setattr(file_escrow, "VERSION", 2)
    assert await kept(escrow) == [1]


async def test_it_is_on_the_disk_when_keep_returns_with_its_name(
    world: FileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is synced, by name, in order: the directory's own name, then the file, then the file's name."""
    synced: list[str] = []
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name)

        def noted(fd: int, real: Any = real) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{fd}"))
            real(fd)

        monkeypatch.setattr(os, name, noted)
    await kept(world.open(), 1)
    assert synced == [str(world.path.parent.parent), str(world.path), str(world.path.parent)]
    synced.clear()
    await kept(world.open(), 2)
    assert synced == [str(world.path)]


async def test_a_disk_that_cannot_sync_is_told(world: FileWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    escrow = world.open()
    await kept(escrow, 1)
    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StorageUnavailable):
        await escrow.keep(entry(2))


async def test_a_write_that_came_to_half_is_taken_back_and_told(
    world: FileWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    escrow = world.open()
    await kept(escrow, 1)
    size, real = world.path.stat().st_size, os.write
    with monkeypatch.context() as filling:
        filling.setattr(os, "write", lambda fd, data: real(fd, data[: len(data) // 2]))
        with pytest.raises(StorageUnavailable):
            await escrow.keep(entry(2))
    assert world.path.stat().st_size == size
    assert await kept(escrow, 3) == [1, 3]


async def test_a_rewrite_that_fails_loses_nothing(world: FileWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    escrow = world.open()
    await kept(escrow, 1, 2)
    with monkeypatch.context() as breaking:
        breaking.setattr(os, "fsync", broken)
        with pytest.raises(StorageUnavailable):
            await escrow.drop([entry(1).name])
    assert await kept(escrow) == [1, 2]
    assert await escrow.drop([entry(1).name]) == 1


def _keep_until_killed(directory: Path, ready: Any) -> None:
    async def keep() -> None:
        escrow = FileEscrow(directory, KEY)
        for number in range(1, 1_000_000):
            await escrow.keep(entry(number, size=60_000))
            os.write(ready.fileno(), b".")

    asyncio.run(keep())


async def test_what_a_killed_process_was_told_is_kept_is_there(world: FileWorld) -> None:
    """kill -9 in the middle of writing, several times on one file; whoever comes after is not disturbed."""
    context = multiprocessing.get_context("spawn")
    at_least = 0
    for _ in range(3):
        reading, writing = context.Pipe(duplex=False)
        child = context.Process(target=_keep_until_killed, args=(world.path.parent, writing))
        child.start()
        writing.close()
        told = 0
        while told < 5:
            told += len(await asyncio.to_thread(os.read, reading.fileno(), 5 - told))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with contextlib.suppress(EOFError):
            while more := os.read(reading.fileno(), 4096):
                told += len(more)
        reading.close()
        at_least += told
        assert len(await world.open().entries()) >= at_least
