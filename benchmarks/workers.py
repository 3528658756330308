"""Two workers on one listening socket: whether they share the connections out, and what a read costs then."""

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks import ours
from benchmarks.figures import Figure, at_most
from benchmarks.load import Exchange, Order, Outcome, send
from benchmarks.options import Options
from benchmarks.ours import Ours
from benchmarks.processes import sockets
from benchmarks.reads import SETTINGS, VALUE_BYTES, middle, spread

SAMPLE_SECONDS = 30.0


def run(options: Options) -> list[Figure]:
    """Rounds A B A B of a daemon with one worker and a daemon with two."""
    values = {f"bench/app-{index}": f"{index:0{VALUE_BYTES}d}" for index in range(options.secrets)}
    figures = []
    with (
        ours.running(options.directory / "one-worker") as one,
        ours.running(options.directory / "two-workers", workers=2) as two,
    ):
        for mine in (one, two):
            mine.create(values)
        for label, tcp, connections in SETTINGS:
            alone: list[Outcome] = []
            shared: list[Outcome] = []
            split: list[list[int]] = []
            for _ in range(options.rounds):
                alone.append(_round(options, one, values, tcp, connections)[0])
                outcome, counted = _round(options, two, values, tcp, connections)
                shared.append(outcome)
                split.append(counted)
            growth = middle(shared, "cpu_per_thousand") / middle(alone, "cpu_per_thousand")
            shares = ", ".join(":".join(map(str, counted)) for counted in split)
            fair = all(min(counted) * 4 >= connections for counted in split)
            rates = f"{middle(alone, 'rate'):,.0f}/s, {middle(shared, 'rate'):,.0f}/s"
            figures += [
                Figure(f"workers, {label}: rate of one, of two", rates),
                Figure(f"workers, {label}: connections of each of two", shares, "a quarter at least", fair),
                at_most(f"workers, {label}: CPU per read of two in parts of one's", growth, 1.15),
            ]
    return figures


def _round(
    options: Options, mine: Ours, values: dict[str, str], tcp: bool, connections: int
) -> tuple[Outcome, list[int]]:
    script: list[Exchange] = [mine.read(name, value) for name, value in values.items()]
    order = Order(
        address=mine.daemon.address if tcp else mine.daemon.socket,
        connections=connections,
        scripts=spread(script, connections),
        seconds=options.seconds,
        warm_up_seconds=options.warm_up_seconds,
        pids=[mine.daemon.pid],
    )
    workers = mine.daemon.children("worker")
    before = [sockets(pid) for pid in workers]
    with ThreadPoolExecutor(1) as thread:
        sent = thread.submit(send, order)
        counted = [0] * len(workers)
        deadline = time.monotonic() + SAMPLE_SECONDS
        while sum(counted) < connections and not sent.done() and time.monotonic() < deadline:
            time.sleep(0.02)
            counted = [sockets(pid) - was for pid, was in zip(workers, before, strict=True)]
        return sent.result(), counted
