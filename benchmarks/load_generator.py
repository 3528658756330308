"""The load generator, a process of its own so that its work is not counted as the server's: order in, outcome out."""

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import msgspec
import uvloop

from benchmarks.figures import percentile
from benchmarks.load import NUMBER, Exchange, Order, Outcome
from benchmarks.processes import cpu_seconds, family

_LENGTH = b"content-length:"
_OK = b"HTTP/1.1 200"
_DRAIN_SECONDS = 10.0


class Answers:
    """Counts answers; latencies, in seconds, only while `measuring`."""

    def __init__(self, limit: int | None) -> None:
        self.measuring = False
        self.wrong = 0
        self.latencies: list[float] = []
        self.enough = asyncio.Event()
        self._limit = limit

    def add(self, seconds: float, right: bool) -> None:
        """Count one."""
        self.wrong += not right
        if self.measuring:
            self.latencies.append(seconds)
            if len(self.latencies) == self._limit:
                self.enough.set()


class Connection(asyncio.Protocol):
    """Sends one request at a time, checks its answer, and hands itself to `on_answer` for the next."""

    def __init__(self, script: Sequence[Exchange], answers: Answers, on_answer: "Callable[[Connection], None]") -> None:
        self._script = script
        self._numbers = [exchange.first for exchange in script]
        self._at = 0
        self._answers = answers
        self._on_answer = on_answer
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._expected = b""
        self._since = 0.0
        self.idle = asyncio.Event()
        self.idle.set()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was unanswered as wrong; nothing is sent on this connection any more."""
        self._transport = None
        self.lost.set()
        if not self.idle.is_set():
            self.idle.set()
            self._answers.wrong += 1

    def send(self, since: float) -> None:
        """Send the next request of the script; `since` is the moment from which its latency counts."""
        if self._transport is None:
            self._answers.wrong += 1
            return
        exchange, number = self._script[self._at], self._numbers[self._at]
        request, self._expected = exchange.request, exchange.expected
        if number is not None:
            request = request.replace(NUMBER, b"%012d" % number)
            self._expected = self._expected.replace(NUMBER, b"%d" % number)
            self._numbers[self._at] = number + 1
        self._at = (self._at + 1) % len(self._script)
        self._since = since
        self.idle.clear()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect until the answer is complete."""
        received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n")
        if head < 0:
            self._received = received
            return
        length = content_length(received[:head])
        if length is not None and len(received) < head + 4 + length:
            self._received = received
            return
        self._received = b""
        whole = length is not None and len(received) == head + 4 + length
        self.idle.set()
        right = whole and received.startswith(_OK) and received.find(self._expected, head) >= 0
        self._answers.add(time.perf_counter() - self._since, right)
        self._on_answer(self)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def content_length(head: bytes) -> int | None:
    """The length that an answer's head gives; None where it gives none, which these checks could not follow."""
    at = head.lower().find(_LENGTH)
    if at < 0:
        return None
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


class ClosedLoop:
    """Every connection sends as soon as it is answered, until `stop`."""

    def __init__(self) -> None:
        self._running = True

    def start(self, connections: Sequence[Connection]) -> None:
        """Send the first request on each."""
        for connection in connections:
            connection.send(time.perf_counter())

    def on_answer(self, connection: Connection) -> None:
        """Go on."""
        if self._running:
            connection.send(time.perf_counter())

    def stop(self) -> None:
        """Send nothing more."""
        self._running = False


class OpenLoop:
    """Requests are due at a rate, whatever becomes of those before; one that finds no free connection waits."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._free: deque[Connection] = deque()
        self._overdue: deque[float] = deque()
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, connections: Sequence[Connection]) -> None:
        """Begin the schedule."""
        self._free.extend(connections)
        self._next = time.perf_counter()
        self._tick()

    def on_answer(self, connection: Connection) -> None:
        """Take what waits, or wait."""
        if self._overdue:
            connection.send(self._overdue.popleft())
        else:
            self._free.append(connection)

    def stop(self) -> None:
        """Send nothing more."""
        self._overdue.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        now = time.perf_counter()
        while self._next <= now:
            if self._free:
                self._free.popleft().send(self._next)
            else:
                self._overdue.append(self._next)
            self._next += self._interval
        self._timer = asyncio.get_running_loop().call_later(0.001, self._tick)


async def fulfil(order: Order) -> Outcome:
    """Carry out an order."""
    answers = Answers(order.limit)
    pattern = ClosedLoop() if order.rate is None else OpenLoop(order.rate)
    loop = asyncio.get_running_loop()
    connections = []
    for index in range(order.connections):
        connection = Connection(order.scripts[index % len(order.scripts)], answers, pattern.on_answer)
        made = partial(_itself, connection)
        if isinstance(order.address, str):
            await loop.create_unix_connection(made, order.address)
        else:
            await loop.create_connection(made, *order.address)
        connections.append(connection)
    pids = sorted({member for pid in order.pids for member in family(pid)})
    pattern.start(connections)
    if order.warm_up_seconds:
        await asyncio.sleep(order.warm_up_seconds)
    answers.measuring = True
    began, cpu_before = time.perf_counter(), cpu_seconds(pids)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(answers.enough.wait(), order.seconds)
    cpu_after, ended = cpu_seconds(pids), time.perf_counter()
    answers.measuring = False
    pattern.stop()
    async with asyncio.timeout(_DRAIN_SECONDS):
        await asyncio.gather(*(connection.idle.wait() for connection in connections))
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.lost.wait() for connection in connections))
    ordered = sorted(answers.latencies) or [0.0]
    return Outcome(
        answers=len(answers.latencies),
        wrong=answers.wrong,
        seconds=ended - began,
        cpu_seconds=cpu_after - cpu_before,
        p50_ms=percentile(ordered, 0.5) * 1000,
        p99_ms=percentile(ordered, 0.99) * 1000,
        max_ms=ordered[-1] * 1000,
    )


def _itself(connection: Connection) -> Connection:
    return connection


def main() -> None:
    """One order on standard input, its outcome on standard output."""
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(fulfil(order))
    sys.stdout.buffer.write(msgspec.msgpack.encode(outcome))


if __name__ == "__main__":
    main()
