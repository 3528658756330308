"""GetSecretValue, audited, against OpenBao's KV read and the fixed answer: Unix 16 and TCP 64 connections."""

from collections.abc import Sequence

from benchmarks import fixed_answer, openbao, ours
from benchmarks.figures import Figure, at_least, at_most, median
from benchmarks.fixed_answer import FixedServer
from benchmarks.load import Exchange, Order, Outcome, send
from benchmarks.openbao import OpenBao
from benchmarks.options import Options
from benchmarks.ours import Ours

VALUE_BYTES = 64
SETTINGS = (("Unix 16", False, 16), ("TCP 64", True, 64))


def run(options: Options) -> list[Figure]:
    """Rounds A B A B: OpenBao, ours, the fixed answer, each alone while it is measured."""
    names = [f"bench/app-{index}" for index in range(options.secrets)]
    values = {name: f"{index:0{VALUE_BYTES}d}" for index, name in enumerate(names)}
    with (
        openbao.running(options.directory / "openbao") as bao,
        ours.running(options.directory / "reads") as mine,
        fixed_answer.running(options.directory / "fixed.sock") as fixed,
    ):
        mine.create(values)
        for name, value in values.items():
            bao.put(name, value)
        theirs = [bao.read(name, value) for name, value in values.items()]
        own = [mine.read(name, value) for name, value in values.items()]
        figures: list[Figure] = []
        for label, tcp, connections in SETTINGS:
            figures += _saturated(label, tcp, connections, options, bao, mine, fixed, theirs, own)
        return figures


def _saturated(
    label: str,
    tcp: bool,
    connections: int,
    options: Options,
    bao: OpenBao,
    mine: Ours,
    fixed: FixedServer,
    theirs: list[Exchange],
    own: list[Exchange],
) -> list[Figure]:
    peer, our, limit, half_peer, half_our = [], [], [], [], []
    places = (
        (bao.address, mine.daemon.address, fixed.address) if tcp else (bao.socket, mine.daemon.socket, fixed.socket)
    )

    def measured(
        address: str | tuple[str, int], pid: int, script: list[Exchange], rate: float | None = None
    ) -> Outcome:
        return send(
            Order(
                address=address,
                connections=connections,
                scripts=spread(script, connections),
                seconds=options.seconds,
                warm_up_seconds=options.warm_up_seconds,
                pids=[pid],
                rate=rate,
            )
        )

    for _ in range(options.rounds):
        peer.append(measured(places[0], bao.pid, theirs))
        our.append(measured(places[1], mine.daemon.pid, own))
        limit.append(measured(places[2], fixed.pid, [fixed_answer.EXCHANGE]))
    rate = median([outcome.rate for outcome in peer]) / 2
    for _ in range(options.rounds):
        half_peer.append(measured(places[0], bao.pid, theirs, rate))
        half_our.append(measured(places[1], mine.daemon.pid, own, rate))
    cpu, cpu_peer, cpu_limit = (middle(found, "cpu_per_thousand") for found in (our, peer, limit))
    return [
        Figure(f"read, {label}: rate of OpenBao, ours, fixed answer", _rates(peer, our, limit)),
        Figure(f"read, {label}: CPU-s per 1,000 of OpenBao", f"{cpu_peer:.3f}"),
        Figure(f"read, {label}: CPU-s per 1,000 of the fixed answer", f"{cpu_limit:.3f}"),
        at_most(f"read, {label}: CPU-s per 1,000", cpu, 0.10, digits=3),
        at_most(f"read, {label}: CPU in parts of OpenBao's (aim 0.125)", cpu / cpu_peer, 0.2, digits=3),
        at_most(
            f"read, {label}: p99 at saturation ({middle(our, 'p99_ms'):.1f} ms) in parts of OpenBao's",
            middle(our, "p99_ms") / middle(peer, "p99_ms"),
            0.25,
        ),
        at_most(
            f"read, {label}: p99 at {rate:.0f}/s, in ms; the bar is OpenBao's",
            middle(half_our, "p99_ms"),
            middle(half_peer, "p99_ms"),
        ),
        at_least(
            f"read, {label}: rate in parts of the fixed answer's", middle(our, "rate") / middle(limit, "rate"), 0.6
        ),
    ]


def spread(script: Sequence[Exchange], connections: int) -> list[list[Exchange]]:
    """A script for each connection: all of it, each beginning elsewhere, so that they do not march in step."""
    step = max(1, len(script) // connections)
    return [
        [*script[start:], *script[:start]] for start in (index * step % len(script) for index in range(connections))
    ]


def middle(outcomes: Sequence[Outcome], figure: str) -> float:
    """The median of a figure over rounds."""
    return median([float(getattr(outcome, figure)) for outcome in outcomes])


def _rates(*rounds: Sequence[Outcome]) -> str:
    return ", ".join(f"{middle(outcomes, 'rate'):,.0f}/s" for outcomes in rounds)
