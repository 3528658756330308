"""What many principals cost: 10,000 users and roles with 50,000 bindings against 100 with 500, in pairs of rounds.

A daemon for each: start and memory, reads by everybody through the whole path, lists page by page, who may read a
secret. What it takes to know somebody and to decide about him is measured in this process, part by part.
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks import principals_in_process
from benchmarks.crowd import BINDINGS_EACH, PREFIX, Signers, token_of, users_of
from benchmarks.crowd_loader import load
from benchmarks.figures import Figure, at_most, median, percentile
from benchmarks.load import Exchange, Order, Outcome, http, send
from benchmarks.options import Options
from benchmarks.ours import Ours, require
from benchmarks.processes import resident_megabytes
from secretsd.testing.daemon import Daemon, secret_path

SIZES, FEW = (100, 10_000), (50, 500)
SECRETS = 100
UNSEEN = 1_000
"""Most callers who are seen for the first time in one round."""
LISTS = {"ListUsers": "/v1/users", "ListRoles": "/v1/roles", "ListBindings": "/v1/bindings"}
PAGE = 100
WALKS = 3
"""How often each list is gone through in a round."""
SECONDS = 120.0
GROWTH = 1.2
"""By how much the crowd may be slower, and the last page than the first; one page of many in all rounds, twice that."""


@dataclass(slots=True)
class Store:
    """A daemon with so many principals, and what was found of it, by what was measured."""

    size: int
    daemon: Daemon
    jwts: list[str]
    found: dict[str, list[float]] = field(default_factory=dict)

    def note(self, **found: float) -> None:
        """Add what a round found."""
        for what, value in found.items():
            self.found.setdefault(what, []).append(value)

    def middle(self, what: str) -> float:
        """The median over rounds."""
        return median(self.found[what])

    @property
    def worker_megabytes(self) -> float:
        """The memory of the larger worker."""
        return max(map(resident_megabytes, self.daemon.children("worker")))


def run(options: Options) -> list[Figure]:
    """The daemons first, then the parts in this process."""
    sizes = FEW if options.quick else SIZES
    signers = Signers.make()
    # The rates of one account would be what is measured: everybody is of the same.
    settings = {"keystore": {"rate_per_account": 0}}
    stores = [Store(size, Daemon(options.directory / str(size), settings=settings), []) for size in sizes]
    try:
        for store in stores:
            store.daemon.start()
            Ours(store.daemon, store.daemon.token).create({name: _value(name) for name in _names()})
            load(store.daemon.state_dir, store.size, signers)
        for number in range(options.rounds):
            for store in stores:
                now_ms = time.time_ns() // 1_000_000
                store.jwts = [signers.jwt(one, now_ms) for one in users_of(store.size)]
                _started(store)
                _read(options, store, number)
        for _ in range(options.rounds):
            for store in stores:
                for name, path in LISTS.items():
                    for _ in range(WALKS):
                        _listed(store, name, path)
                _asked_who_can(options, store)
    finally:
        for store in stores:
            store.daemon.stop()
    in_process = principals_in_process.figures(options.directory / "parts", sizes, options.rounds)
    return [*_figures(*stores), *in_process]


def _names() -> list[str]:
    return [f"{PREFIX}app-{number}" for number in range(SECRETS)]


def _value(name: str) -> str:
    return f"value of {name:->50}"


def _started(store: Store) -> None:
    store.daemon.stop()
    began = time.perf_counter()
    store.daemon.start()
    store.note(start=time.perf_counter() - began, at_start=store.worker_megabytes)


def _read(options: Options, store: Store, number: int) -> None:
    """Callers whom the daemon has not seen since its start, then everybody again and again: by token and by JWT."""
    drawn = random.Random(number)
    users = users_of(store.size)
    tokens = [token_of(one).reveal().decode() for one in users]
    # What everybody shares is to be in memory: it is the callers that are new.
    _send(options, store, [_reading(store.daemon.token, name) for name in _names()], 1, limit=SECRETS)
    for kind, shown in (("token", tokens), ("jwt", store.jwts)):
        script = [_reading(one, _names()[at % SECRETS]) for at, one in enumerate(shown)]
        drawn.shuffle(script)
        half = min(len(script) // 2, UNSEEN)
        before, unseen = script[:half], script[half : 2 * half]
        _send(options, store, before, 1, limit=half)  # then groups and policies are in memory too
        store.note(**{f"{kind}_unseen": _send(options, store, unseen, 1, limit=len(unseen)).p50_ms})
        _send(options, store, script, 16, limit=len(script))
        store.note(**{f"{kind}_seen": _send(options, store, script, 1).p50_ms})
        outcome = _send(options, store, script, 16)
        store.note(**{f"{kind}_cpu": outcome.cpu_per_thousand, f"{kind}_p99": outcome.p99_ms})
        store.note(**{f"{kind}_rate": outcome.rate})
    store.note(memory=store.worker_megabytes)


def _reading(token: str, name: str) -> Exchange:
    request = http("GET", secret_path(name, "value"), [("Authorization", f"Bearer {token}")])
    return Exchange(request, _value(name).encode())


def _send(
    options: Options, store: Store, script: Sequence[Exchange], connections: int, *, limit: int | None = None
) -> Outcome:
    """For as long as a round takes, or, with a limit, until there are so many answers."""
    outcome = send(
        Order(
            address=store.daemon.socket,
            connections=connections,
            scripts=[script[at::connections] for at in range(connections)],
            seconds=options.seconds if limit is None else SECONDS,
            warm_up_seconds=0,
            limit=limit,
            pids=[store.daemon.pid],
        )
    )
    if limit is not None and outcome.answers < limit:
        raise RuntimeError(f"cannot have {limit} answers within {SECONDS:.0f} seconds")
    return outcome


def _listed(store: Store, name: str, path: str) -> None:
    """All pages; the last full one counts as the last, since one that is half full costs half."""
    what = path.rpartition("/")[2]
    pages = [took for took, page in _pages(store.daemon, path, {}) if len(page[what]) == PAGE]
    for number, took in enumerate(pages):
        store.note(**{f"{name} {number}": took * 1000})


def _asked_who_can(options: Options, store: Store) -> None:
    """Who may read a secret, asked for to the end, while another connection reads."""
    query = {"action": "GetSecretValue", "resource": f"secret/{_names()[0]}"}
    script = [_reading(token_of(0).reveal().decode(), name) for name in _names()]
    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(_send, options, store, script, 1)
        pages: list[float] = []
        found = 0
        while not reading.done() or not pages:
            found = 0
            for took, page in _pages(store.daemon, "/v1/policies:who-can", query):
                pages.append(took * 1000)
                found += len(page["principals"])
        outcome = reading.result()
    if found < store.size:
        raise RuntimeError(f"cannot believe that {found} of {store.size} principals may read the secret")
    store.note(who_can=median(pages), who_can_slowest=percentile(sorted(pages), 0.99), beside_p99=outcome.p99_ms)


def _pages(daemon: Daemon, path: str, query: dict[str, Any]) -> list[tuple[float, Any]]:
    """Every page of a list, each with the seconds that it took."""
    found = []
    asked = {**query, "limit": PAGE}
    connection = daemon.connect()
    require(daemon.call("GET", path, query=asked, connection=connection))  # else the first pays for the connection
    while True:
        began = time.perf_counter()
        page = require(daemon.call("GET", path, query=asked, connection=connection))
        found.append((time.perf_counter() - began, page))
        if page.get("next_token") is None:
            connection.close()
            return found
        asked["next_token"] = page["next_token"]


def _figures(small: Store, large: Store) -> list[Figure]:
    def both(name: str, what: str, digits: int = 2, unit: str = " ms") -> Figure:
        return Figure(name, f"{small.middle(what):.{digits}f}, {large.middle(what):.{digits}f}{unit}")

    def grown(name: str, what: str) -> Figure:
        return at_most(f"{name}, in parts of that with {small.size:,}", large.middle(what) / small.middle(what), GROWTH)

    crowd = f"{large.size:,} principals, {large.size * BINDINGS_EACH:,} bindings"
    found = [
        Figure("where two figures are given", f"{small.size:,} principals, then {crowd}"),
        both("start", "start", unit=" s"),
        at_most(f"{crowd}: start, seconds", large.middle("start"), 2.0),
        both("memory of a worker at its start, MB", "at_start", 0, ""),
        both("memory of a worker that has seen everybody, MB", "memory", 0, ""),
        at_most(f"{crowd}: memory of a worker that has seen everybody, MB", large.middle("memory"), 300.0, digits=0),
    ]
    for kind, told in (("token", "token"), ("jwt", "JWT")):
        found += [
            both(f"read by {told}, caller not seen before: p50", f"{kind}_unseen", 3),
            both(f"read by {told}, caller seen: p50", f"{kind}_seen", 3),
            both(f"read by {told}, 16 connections: rate", f"{kind}_rate", 0, "/s"),
            both(f"read by {told}, 16 connections: p99", f"{kind}_p99"),
            both(f"read by {told}, 16 connections: CPU-s per 1,000", f"{kind}_cpu", 3, ""),
            at_most(f"{crowd}: read by {told}, CPU-s per 1,000", large.middle(f"{kind}_cpu"), 0.10, digits=3),
            grown(f"{crowd}: read by {told}, seen, p50", f"{kind}_seen"),
            grown(f"{crowd}: read by {told}, not seen before, p50", f"{kind}_unseen"),
        ]
    for name in LISTS:
        found += _of_pages(name, large, small)
    found += [
        both("WhoCan, a page: p50", "who_can"),
        both("WhoCan, a page: p99", "who_can_slowest"),
        both("a read while WhoCan goes on: p99", "beside_p99"),
    ]
    return found


def _of_pages(name: str, large: Store, small: Store) -> list[Figure]:
    """The first page against the last full one, and against every other."""
    pages = [large.middle(f"{name} {number}") for number in range(_count(large, name))]
    first, last, slowest = pages[0], pages[-1], max(pages)
    told = f"{first:.2f}, {last:.2f}, {median(pages):.2f}, {slowest:.2f} ms"
    figures = [
        Figure(f"{name}, {len(pages)} full pages of {PAGE}: first, last, middle, slowest", told),
        at_most(f"{name}: last full page in parts of the first", last / first, GROWTH),
        at_most(f"{name}: slowest page in parts of the first", slowest / first, 2 * GROWTH),
    ]
    if _count(small, name):
        against = f"that of {small.size:,} principals"
        figures.append(at_most(f"{name}: first page in parts of {against}", first / small.middle(f"{name} 0"), GROWTH))
    return figures


def _count(store: Store, name: str) -> int:
    return sum(what.startswith(f"{name} ") for what in store.found)
