"""What many stored secrets cost: reads from memory and first reads, start, and memory, from a thousand on upwards."""

import random
import time
from dataclasses import dataclass, field

from benchmarks import ours
from benchmarks.figures import Figure, at_most, median
from benchmarks.load import Exchange, Order, Outcome, send
from benchmarks.options import Options
from benchmarks.ours import Ours
from benchmarks.processes import resident_megabytes
from benchmarks.secrets_loader import load, name_of, value_of
from secretsd.testing.daemon import Daemon

WORKING_SET = 1_000
FILLED = 50_000
START_SECONDS = 2.0
START_BAR_SECRETS = 100_000
FILL_SECONDS = 120.0


@dataclass(slots=True)
class Size:
    """What was found at one number of secrets."""

    secrets: int
    start_seconds: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    resident_megabytes: float = 0.0


def run(options: Options) -> list[Figure]:
    """The same state directory grows from size to size; after each growth the daemon starts with empty caches."""
    # The key store's rate for one account would slow down the loading, and is no part of what is measured.
    settings = {"keystore": {"rate_per_account": 0}}
    daemon = Daemon(options.directory / "scale", settings=settings)
    sizes: list[Size] = []
    stored = 0
    daemon.start()
    mine = Ours(daemon, ours.reader_token(daemon))
    try:
        for secrets in options.sizes:
            load(daemon.state_dir, stored, secrets - stored)
            stored = secrets
            sizes.append(_measured(options, mine, secrets))
    finally:
        daemon.stop()
    return [figure for size in sizes for figure in _figures(sizes[0], size)]


def _measured(options: Options, mine: Ours, secrets: int) -> Size:
    size = Size(secrets)
    indices = list(range(secrets))
    random.Random(secrets).shuffle(indices)
    working_set, others = indices[:WORKING_SET], indices[WORKING_SET:]
    for number in range(options.rounds):
        mine.daemon.stop()
        began = time.perf_counter()
        mine.daemon.start()
        size.start_seconds.append(time.perf_counter() - began)
        # One connection: with more, a read would wait for other reads, and their number would be what is measured.
        unread = working_set if secrets <= WORKING_SET else others[number * WORKING_SET % len(others) :][:WORKING_SET]
        size.first_ms.append(_read(options, mine, unread, len(unread)).p50_ms)
        _read(options, mine, working_set, len(working_set))
        size.warm_ms.append(_read(options, mine, working_set).p50_ms)
    filled = indices[:FILLED]
    _read(options, mine, filled, len(filled), connections=16)
    size.resident_megabytes = max(resident_megabytes(pid) for pid in mine.daemon.children("worker"))
    return size


def _read(
    options: Options, mine: Ours, indices: list[int], limit: int | None = None, *, connections: int = 1
) -> Outcome:
    """Read for as long as a round takes, or, with a limit, until so many are read: each secret once."""
    script = [mine.read(name_of(index), value_of(index)) for index in indices]
    scripts: list[list[Exchange]] = [script[at::connections] for at in range(connections)]
    seconds = options.seconds if limit is None else FILL_SECONDS
    outcome = send(
        Order(
            address=mine.daemon.socket,
            connections=connections,
            scripts=scripts,
            seconds=seconds,
            warm_up_seconds=0,
            limit=limit,
        )
    )
    if limit is not None and outcome.answers < limit:
        raise RuntimeError(f"cannot read {limit} secrets within {FILL_SECONDS:.0f} seconds")
    return outcome


def _figures(smallest: Size, size: Size) -> list[Figure]:
    label = f"{size.secrets:,} secrets"
    start = median(size.start_seconds)
    figures = [
        at_most(f"{label}: start, seconds", start, START_SECONDS)
        if size.secrets >= START_BAR_SECRETS
        else Figure(f"{label}: start, seconds", f"{start:.2f}"),
        at_most(
            f"{label}: memory of a worker that has read {min(size.secrets, FILLED):,}, MB",
            size.resident_megabytes,
            300.0,
        ),
        Figure(f"{label}: p50 of a read from memory", f"{median(size.warm_ms):.3f} ms"),
        Figure(f"{label}: p50 of a first read", f"{median(size.first_ms):.3f} ms"),
    ]
    if size is not smallest:
        growth = f"p50 in parts of that at {smallest.secrets:,}"
        warm, first = (median(one) for one in (size.warm_ms, size.first_ms))
        figures += [
            at_most(f"{label}: read from memory, {growth}", warm / median(smallest.warm_ms), 1.2),
            at_most(f"{label}: first read, {growth}", first / median(smallest.first_ms), 1.2),
        ]
    return figures
