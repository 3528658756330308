"""How long a change takes to all who watch: 200 connections, values stored at a modest rate, one worker and two."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

import uvloop

from benchmarks import ours
from benchmarks.figures import Figure, at_most, percentile
from benchmarks.load import http
from benchmarks.options import Options
from benchmarks.ours import Ours
from benchmarks.processes import cpu_seconds, family
from secretsd.testing.daemon import secret_path

WATCHERS = 200
NAMES = tuple(f"bench/watched-{index}" for index in range(4))
CHANGES_A_SECOND = 20
BAR_MS = 50.0
PATIENCE_SECONDS = 30.0
_NUMBER = re.compile(rb'"number":(\d+)')
_CHANGE = re.compile(rb'"name":"([^"]*)".*?"number":(\d+)')


Key = tuple[bytes, int]
"""A name and the number of a version."""


class Arrivals:
    """When which state arrived at how many watchers."""

    def __init__(self) -> None:
        self._times: dict[Key, list[float]] = {}
        self._complete: dict[Key, asyncio.Event] = {}

    def add(self, key: Key, now: float) -> None:
        """One watcher heard of it."""
        times = self._times.setdefault(key, [])
        times.append(now)
        if len(times) == WATCHERS:
            self._event(key).set()

    async def everywhere(self, key: Key) -> list[float]:
        """The moments at which each watcher heard of it; TimeoutError when one never does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._event(key).wait()
        del self._complete[key]
        return self._times.pop(key)

    def _event(self, key: Key) -> asyncio.Event:
        return self._complete.setdefault(key, asyncio.Event())


class Watcher(asyncio.Protocol):
    """One connection that watches all names."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.lost = False
        self._arrivals = arrivals
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        query = "&".join(f"names={name}" for name in NAMES)
        cast(asyncio.Transport, transport).write(http("GET", f"/v1/secrets:watch?{query}", []))

    def data_received(self, data: bytes) -> None:
        """Note every state that is complete."""
        now = time.perf_counter()
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if found := _CHANGE.search(event):
                self._arrivals.add((found[1], int(found[2])), now)

    def connection_lost(self, exc: Exception | None) -> None:
        """None may be lost while it is measured."""
        self.lost = True


class Writer(asyncio.Protocol):
    """Stores one value at a time and tells the number of its version."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.Transport, transport)

    async def put(self, name: str, text: str) -> int:
        """Store; the number of the version once that is answered."""
        if self._transport is None:
            raise RuntimeError("cannot store a value: there is no connection")
        self._answer = asyncio.get_running_loop().create_future()
        body = json.dumps({"text": text}).encode()
        request = http("PUT", secret_path(name, "value"), [("Content-Type", "application/json")], body)
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """The answer, which is short and comes whole."""
        found = _NUMBER.search(data)
        if self._answer is not None and not self._answer.done():
            if found is None:
                self._answer.set_exception(RuntimeError("cannot store a value: it was refused"))
            else:
                self._answer.set_result(int(found[1]))


def run(options: Options) -> list[Figure]:
    """A daemon with one worker, then one with two."""
    figures = []
    for workers in (1, 2):
        with ours.running(options.directory / f"watched-by-{workers}", workers=workers) as mine:
            mine.create(dict.fromkeys(NAMES, "first"))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                figures += runner.run(_measure(options, mine, workers))
    return figures


async def _measure(options: Options, mine: Ours, workers: int) -> list[Figure]:
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    watchers = [Watcher(arrivals) for _ in range(WATCHERS)]
    writers = [Writer() for _ in range(4 * workers)]  # so that with two workers both of them write
    for protocol in (*watchers, *writers):
        await loop.create_unix_connection(partial(_itself, protocol), mine.daemon.socket)
    for name in NAMES:
        await arrivals.everywhere((name.encode(), 1))
    quiet = await _quiet(options, mine)
    after_answer: list[float] = []
    after_sending: list[float] = []
    count = max(1, round(options.rounds * options.seconds * CHANGES_A_SECOND))
    for turn in range(count):
        name = NAMES[turn % len(NAMES)]
        sent = time.perf_counter()
        number = await writers[turn % len(writers)].put(name, f"value {turn}")
        answered = time.perf_counter()
        heard = await arrivals.everywhere((name.encode(), number))
        after_answer += [(at - answered) * 1000 for at in heard]
        after_sending += [(at - sent) * 1000 for at in heard]
        await asyncio.sleep(max(0.0, sent + 1 / CHANGES_A_SECOND - time.perf_counter()))
    if any(one.lost for one in watchers):
        raise RuntimeError("cannot measure: a watch ended")
    label = f"watchers, {workers} worker{'s' * (workers > 1)}"
    after_answer.sort()
    p99 = percentile(after_answer, 0.99)
    return [
        at_most(f"{label}: from a write's answer to each of {WATCHERS}, p99", p99, BAR_MS, " ms"),
        Figure(f"{label}: p50, max", f"{percentile(after_answer, 0.5):.2f} ms, {after_answer[-1]:.2f} ms"),
        Figure(f"{label}: from its sending, p50, p99, max", _three(sorted(after_sending))),
        Figure(f"{label}: changes, and states heard of", f"{count}, {len(after_answer):,}"),
        Figure(f"{label}: CPU of the daemon while nothing changes", f"{quiet:.1%} of a core"),
    ]


async def _quiet(options: Options, mine: Ours) -> float:
    pids = family(mine.daemon.pid)
    before, began = cpu_seconds(pids), time.perf_counter()
    await asyncio.sleep(options.seconds)
    return (cpu_seconds(pids) - before) / (time.perf_counter() - began)


def _three(ordered: Sequence[float]) -> str:
    return f"{percentile(ordered, 0.5):.2f} ms, {percentile(ordered, 0.99):.2f} ms, {ordered[-1]:.2f} ms"


def _itself(protocol: asyncio.Protocol) -> asyncio.Protocol:
    return protocol
