"""A full disk and a read-only directory: all operations fail clearly, nothing is half there, it recovers by itself."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secretsd.domain.errors import StorageUnavailable
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage
from secretsd.testing.storage_bench import Bench

pytestmark = pytest.mark.needs_root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    """Write until nothing more fits."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert os.statvfs(place).f_bavail == 0
    return filler


def remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


async def test_a_full_disk_fails_everything_that_must_be_recorded(small_disk: Path) -> None:
    async with temporary_storage(small_disk / "state") as storage:
        bench = Bench(storage, authenticator())
        await bench.add(samples.user())
        await storage.audit.record(samples.event())
        events = await bench.events()
        filler = fill(small_disk)
        large = replace(samples.sealed_value(), value=bytes(65_536))
        for _ in range(3):
            outcomes = await asyncio.gather(
                bench.add(large, samples.user("half")),
                bench.add(samples.policy(), replace(large, version_id="v-2")),
                *(storage.audit.record(samples.event()) for _ in range(100)),
                return_exceptions=True,
            )
            assert {type(outcome) for outcome in outcomes} == {StorageUnavailable}
            assert all("the disk is full" in str(outcome) for outcome in outcomes)
        assert await storage.accounts.users(samples.ACCOUNT, "", 9) == [samples.user()]
        assert await bench.events() == events
        filler.unlink()
        await bench.add(large, samples.user("whole"))
        await asyncio.gather(*(storage.audit.record(samples.event()) for _ in range(100)))
        assert await storage.secrets.value(large.account, large.secret_id, large.version_id) == large
        assert len(await bench.events()) == len(events) + 101
    async with temporary_storage(small_disk / "state") as again:
        assert len(await Bench(again, authenticator()).events()) == len(events) + 101


async def test_a_full_disk_cannot_be_started_on(small_disk: Path) -> None:
    filler = fill(small_disk)
    with pytest.raises(StorageUnavailable, match=r"^cannot use the storage"):
        async with temporary_storage(small_disk / "state"):
            pass
    filler.unlink()
    async with temporary_storage(small_disk / "state") as storage:
        await Bench(storage, authenticator()).add(samples.user())


async def test_a_read_only_directory_cannot_be_started_on(small_disk: Path) -> None:
    async with temporary_storage(small_disk / "state") as storage:
        await Bench(storage, authenticator()).add(samples.user())
    remount(small_disk, "ro")
    with pytest.raises(StorageUnavailable, match=r"^cannot use the storage"):
        async with temporary_storage(small_disk / "state"):
            pass
    remount(small_disk, "rw")
    async with temporary_storage(small_disk / "state") as storage:
        assert await storage.accounts.user(samples.ACCOUNT, "ann") == samples.user()
