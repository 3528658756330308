"""What many CMKs cost: created, used at random and by popularity through the cache of session objects, listed, started.

All keys are made through the API. A key that is not among those held as session objects is unwrapped in the HSM by the
call that uses it, and another one makes room.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.figures import Figure, at_most, percentile
from benchmarks.keys_loader import Draws, ciphertexts, creating, decrypting, encrypting, ids, listing
from benchmarks.load import Exchange, Order, Outcome, http, send
from benchmarks.options import Options
from benchmarks.processes import resident_megabytes
from benchmarks.reads import middle
from secretsd.testing.daemon import Daemon

CONNECTIONS = (1, 16)
FILL_SECONDS = 1_800.0
OPENED = 5_000
"""Keys of the rounds that decrypt, drawn at random: five times as many as are held as session objects."""
QUICKLY_OPENED = 300
PARTS = 5
ROLES = {"worker": "worker", "keystore": "fast lane", "keystore-slow": "slow lane"}


@dataclass(slots=True)
class Found:
    """What was found so far."""

    daemon: Daemon
    figures: list[Figure] = field(default_factory=list)

    def memory(self, when: str) -> None:
        """Report the memory of every process that holds keys or rows, in MB."""
        told = [
            f"{name} {max(map(resident_megabytes, self.daemon.children(role))):.0f}" for role, name in ROLES.items()
        ]
        self.figures.append(Figure(f"memory {when}, MB", ", ".join(told)))

    def work(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Report rate, latency and CPU time, medians over rounds."""
        rate, cpu = middle(outcomes, "rate"), middle(outcomes, "cpu_per_thousand")
        p50, p99 = middle(outcomes, "p50_ms"), middle(outcomes, "p99_ms")
        told = f"{rate:,.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, {cpu:.2f} CPU-s per 1,000"
        self.figures.append(Figure(name, told))


def run(options: Options) -> list[Figure]:
    """As many CMKs as the largest of the sizes."""
    # The key store's rate for one account would be what is measured.
    daemon = Daemon(options.directory / "keys", settings={"keystore": {"rate_per_account": 0}})
    found = Found(daemon)
    daemon.start()
    try:
        keys = _created(options, found)
        _listed(options, found, keys)
        _used(options, found, keys)
        found.work("create, 16, while the cache is full", [_all(found, [creating()], 100)])
        _started(options, found, keys)
    except Exception as error:
        error.add_note(f"The daemon's last words:\n{daemon.log.read_text()[-2000:]}")  # its directory will be gone
        raise
    finally:
        daemon.stop()
    return found.figures


def _created(options: Options, found: Found) -> list[str]:
    count = options.sizes[-1]
    found.memory("at the start")
    parts = [_all(found, [creating()], count // PARTS) for _ in range(PARTS)]
    found.work(f"create {count:,} CMKs, 16", parts)
    found.figures.append(
        Figure("create, p99 of the first and of the last fifth", f"{parts[0].p99_ms:.1f}, {parts[-1].p99_ms:.1f} ms")
    )
    found.memory(f"after {count:,} are made")
    return ids(found.daemon)


def _listed(options: Options, found: Found, keys: Sequence[str]) -> None:
    draws = Draws(keys, seed=1)
    for connections in CONNECTIONS:
        script = [Exchange(http("GET", f"/v1/keys/{key}"), key.encode()) for key in draws.evenly(20_000)]
        found.work(f"DescribeKey, at random, {connections}", [_round(options, found, script, connections)])
    for name, query in (
        ("a page of 100", {"limit": 100}),
        ("a page of 100 by spec", {"limit": 100, "spec": "AES_256"}),
        ("by a state that none has", {"state": "disabled"}),
        ("by a tag that none has", {"tags": "nobody=has"}),
    ):
        slowest = percentile(sorted(listing(found.daemon, query) for _ in range(50)), 0.99) * 1000
        found.figures.append(Figure(f"ListKeys, {name}: p99", f"{slowest:.1f} ms"))


def _used(options: Options, found: Found, keys: Sequence[str]) -> None:
    script = [encrypting(key) for key in Draws(keys, seed=2).shuffled()]
    # The first use of a key writes its count to the disk before it is made.
    for part in range(PARTS):
        share = script[part * len(script) // PARTS : (part + 1) * len(script) // PARTS]
        outcome = _all(found, share, len(share))
        if part in (0, PARTS - 1):
            found.work(f"first use of a key, Encrypt, 16, fifth {part + 1} of {PARTS}", [outcome])
            found.memory(f"after {(part + 1) * len(script) // PARTS:,} keys were used")
    opened = Draws(keys, seed=3).shuffled()[: QUICKLY_OPENED if options.quick else OPENED]
    opening = [decrypting(text) for text in ciphertexts(found.daemon, opened)]
    found.work("first Decrypt under a key, 16", [_all(found, opening, len(opening))])
    for connections in CONNECTIONS:
        evenly, popular, opened_again = [], [], []
        for number in range(options.rounds):
            draws = Draws(keys, seed=10 + number)
            evenly.append(_round(options, found, [encrypting(key) for key in draws.evenly(20_000)], connections))
            opened_again.append(_round(options, found, draws.order(opening), connections))
            popular.append(_round(options, found, [encrypting(key) for key in draws.popular(20_000)], connections))
        found.work(f"Encrypt, keys at random, {connections}", evenly)
        found.work(f"Decrypt, keys at random, {connections}", opened_again)
        found.work(f"Encrypt, keys by popularity, {connections}", popular)
    found.memory("after all this")
    worker = max(map(resident_megabytes, found.daemon.children("worker")))
    found.figures.append(at_most("memory of a worker after all this, MB", worker, 300.0))


def _started(options: Options, found: Found, keys: Sequence[str]) -> None:
    found.daemon.stop()
    key = Draws(keys, seed=4).evenly(1)[0]
    began = time.perf_counter()
    found.daemon.start()
    answer = found.daemon.call("POST", f"/v1/keys/{key}:encrypt", {"plaintext": "AAAA"})
    seconds = time.perf_counter() - began
    if answer.status != 200:
        raise RuntimeError(f"cannot encrypt after a restart: {answer.status} {answer.kind}")
    large = len(keys) >= 100_000
    name = "start to the first answered Encrypt, seconds"
    found.figures.append(at_most(name, seconds, 2.0) if large else Figure(name, f"{seconds:.2f}"))
    found.memory("after the restart")
    script = [encrypting(key) for key in Draws(keys, seed=5).evenly(20_000)]
    found.work("Encrypt, keys at random, 16, after the restart", [_round(options, found, script, 16)])


def _round(options: Options, found: Found, script: Sequence[Exchange], connections: int) -> Outcome:
    return _send(found, script, connections, seconds=options.seconds)


def _all(found: Found, script: Sequence[Exchange], count: int) -> Outcome:
    """So many answers, over sixteen connections."""
    outcome = _send(found, script, 16, seconds=FILL_SECONDS, limit=count)
    if outcome.answers < count:
        raise RuntimeError(f"cannot have {count} answers within {FILL_SECONDS:.0f} seconds")
    return outcome


def _send(
    found: Found, script: Sequence[Exchange], connections: int, *, seconds: float, limit: int | None = None
) -> Outcome:
    scripts = [script[at::connections] or script for at in range(connections)]
    return send(
        Order(
            address=found.daemon.socket,
            connections=connections,
            scripts=scripts,
            seconds=seconds,
            warm_up_seconds=0,
            limit=limit,
            pids=[found.daemon.pid],
        )
    )
