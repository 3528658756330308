"""A storage on disk, and workers in processes of their own that use the same files."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from secretsd.adapters.sqlite import SqliteStorage
from secretsd.testing.storage import authenticator, temporary_storage
from secretsd.testing.storage_bench import Bench

NURSERY = Path(__file__).with_name("nursery.py")


class Workers:
    """Starts workers by the nursery and hears what they say."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pids: dict[str, int] = {}
        self.said: list[list[str]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often each worker said each word; a worker's name is what stands before the first slash."""

    def start(self, path: Path, name: str, mode: str, **more: int) -> None:
        assert self._process.stdin is not None
        order = {"path": str(path), "name": name, "mode": mode, **more}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def hear(self, enough: Callable[[list[list[str]]], bool]) -> None:
        """Listen until what was said is enough."""
        assert self._process.stdout is not None
        while not enough(self.said):
            line = await asyncio.wait_for(self._process.stdout.readline(), 60)
            assert line, "the nursery has died"
            words = line.decode().split()
            if words[0] == "pid":
                self._pids[words[1]] = int(words[2])
            self.said.append(words)
            self.counts[words[0], words[-1].partition("/")[0]] += 1

    async def hear_more(self, count: int) -> None:
        """Listen to so many lines more."""
        enough = len(self.said) + count
        await self.hear(lambda said: len(said) >= enough)

    async def kill(self, name: str) -> None:
        """SIGKILL a worker and wait until it is gone."""
        await self.hear(lambda _: name in self._pids)
        pid = self._pids.pop(name)
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(pid, 0)
                await asyncio.sleep(0.002)

    async def drain(self) -> None:
        """Hear what workers said before they were killed: the nursery answers after all of it."""
        self.start(Path(), "", "echo")
        await self.hear(lambda said: ["echo"] in said)

    async def close(self) -> None:
        for pid in self._pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        await self._process.communicate()


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, str(NURSERY), stdin=pipe, stdout=pipe)
    started = Workers(process)
    yield started
    await started.close()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    async with temporary_storage(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def bench(storage: SqliteStorage) -> Bench:
    return Bench(storage, authenticator())
