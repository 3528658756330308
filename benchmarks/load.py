"""Load as a benchmark orders it and as it turned out; the generator itself runs in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

NUMBER = b"{number}"
"""Stands for the exchange's running number: twelve digits in a request, plain in what is expected."""


class Exchange(msgspec.Struct, frozen=True):
    """A complete HTTP/1.1 request and bytes that its answer must hold; `first` is set where both carry a number."""

    request: bytes
    expected: bytes
    first: int | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where. `address` is a Unix socket's path or host and port.

    Each connection walks through a list of `scripts` round and round. With a `rate` (requests a second, over all
    connections) requests leave on schedule, and their latency counts from when they were due; without, each
    connection sends its next request as soon as it is answered. `pids` are the processes whose CPU time is counted,
    with all that descend from them. The measured seconds end early after `limit` answers, where one is set.
    """

    address: str | tuple[str, int]
    connections: int
    scripts: Sequence[Sequence[Exchange]]
    seconds: float
    pids: Sequence[int] = ()
    warm_up_seconds: float = 1.0
    rate: float | None = None
    limit: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it within the measured seconds; latencies in milliseconds. `wrong` counts the whole time."""

    answers: int
    wrong: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds

    @property
    def cpu_per_thousand(self) -> float:
        """CPU seconds of the counted processes for 1,000 answers."""
        return self.cpu_seconds * 1000 / self.answers


class WrongAnswers(Exception):
    """cannot count the round: some answers were not what was asked for"""


def send(order: Order) -> Outcome:
    """Run the generator to its end. WrongAnswers unless every answer had status 200 and held what was expected."""
    command = [sys.executable, "-m", "benchmarks.load_generator"]
    finished = subprocess.run(command, input=msgspec.msgpack.encode(order), stdout=subprocess.PIPE, check=True)
    outcome = msgspec.msgpack.decode(finished.stdout, type=Outcome)
    if outcome.wrong or not outcome.answers:
        raise WrongAnswers(f"cannot count the round: {outcome.wrong} wrong answers beside {outcome.answers} right ones")
    return outcome


def http(method: str, path: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    """The bytes of a request. A {number} in the body counts with the twelve digits that it becomes."""
    length = len(body) + body.count(NUMBER) * (12 - len(NUMBER))
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode() + body
