"""What it costs to know one of many principals and to decide about him, part by part: a worker's parts in this process.

Unseen is a principal whose rows no part has in memory; seen, one of all of them, each of whom was seen before.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.crowd import PREFIX, Crowd, Signers, proofs_of, token_of, users_of
from benchmarks.crowd_loader import fill
from benchmarks.figures import Figure, at_most, median
from benchmarks.in_process import Worker, afresh, worker
from secretsd.adapters.child import settle
from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.names import Resource
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import events
from secretsd.operations.authenticator import Authenticator, Caller
from secretsd.operations.ids import new_request_id
from secretsd.operations.parts import Parts
from secretsd.operations.request_facts import SCHEDULED, RequestFacts
from secretsd.operations.tls_proofs import ClientCertificate
from secretsd.ports.storage import Replace, UnitOfWork

CALLERS = 1_000
"""Most callers of a kind: each has a JWT and a certificate of his own."""
PERMISSION = "GetSecretValue"
GROWTH = 1.2
KINDS = ("token", "uid", "unit", "JWT", "certificate")


@dataclass(slots=True)
class Store:
    """A storage with a crowd in it, its callers, and what was found: microseconds of CPU by what was measured."""

    house: Worker
    crowd: Crowd
    callers: dict[str, list[Caller]]
    found: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, microseconds: float) -> None:
        """Add what a round found."""
        self.found.setdefault(what, []).append(microseconds)


def figures(directory: Path, sizes: tuple[int, int], rounds: int) -> list[Figure]:
    """Rounds A B A B over a small and a large crowd."""
    return asyncio.run(_measured(directory, sizes, rounds))


async def _measured(directory: Path, sizes: tuple[int, int], rounds: int) -> list[Figure]:
    signers = Signers.make()
    async with contextlib.AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(_store(directory / str(size), size, signers)) for size in sizes]
        for number in range(rounds):
            for store in stores:
                settle()  # as a worker does once it is ready
                await _authenticated(store, number)
                await _decided(store, number)
    small, large = stores
    told: list[Figure] = []
    for what in large.found:
        of_small, of_large = median(small.found[what]), median(large.found[what])
        told.append(Figure(f"{what}: {sizes[0]:,}, {sizes[1]:,} principals", f"{of_small:.2f}, {of_large:.2f} us"))
    cached, cold = (median(large.found[what]) for what in ("decision, cached", "decision, cold, 200 statements"))
    return [
        *told,
        at_most(f"{sizes[1]:,} principals: decision, cached, us", cached, 1.0),
        at_most(f"{sizes[1]:,} principals: decision, cold, 200 statements, us", cold, 50.0),
        *(
            at_most(
                f"{sizes[1]:,} principals: {kind} not seen before, in parts of that at {sizes[0]:,}",
                median(large.found[f"{kind}, not seen before"]) / median(small.found[f"{kind}, not seen before"]),
                GROWTH,
            )
            for kind in KINDS
        ),
    ]


@contextlib.asynccontextmanager
async def _store(directory: Path, size: int, signers: Signers) -> AsyncIterator[Store]:
    async with worker(directory) as house:
        crowd = Crowd(house.account, size)
        await fill(house.parts.storage, house.parts.authenticator, crowd, signers.public())
        house.parts.cache.refresh()  # else the first look later on would find all of it new
        yield Store(house, crowd, _callers(crowd, signers))


def _callers(crowd: Crowd, signers: Signers) -> dict[str, list[Caller]]:
    """Callers by the kind of their proof, in an order at random."""
    drawn = random.Random(crowd.size)
    everybody, users = list(range(crowd.size)), users_of(crowd.size)
    drawn.shuffle(everybody)
    drawn.shuffle(users)
    some = everybody[:CALLERS]
    now_ms = time.time_ns() // 1_000_000
    return {
        "token": [Caller("unix", token=token_of(number)) for number in users[:CALLERS]],
        "uid": [Caller("unix", proofs=proofs_of(number)[:1]) for number in some],
        "unit": [Caller("unix", proofs=proofs_of(number)[1:2]) for number in some],
        "JWT": [Caller("unix", token=Plaintext.from_text(signers.jwt(number, now_ms))) for number in some],
        "certificate": [
            Caller("tcp", certificate=ClientCertificate(signers.certificate(number).chain)) for number in some
        ],
    }


async def _authenticated(store: Store, number: int) -> None:
    for kind in KINDS:
        callers = random.Random(number).sample(store.callers[kind], len(store.callers[kind]))
        unseen = []
        for _ in range(max(1, CALLERS // len(callers) // 4)):
            parts = afresh(store.house.parts)
            prove = _proving(parts)
            await prove(store.callers[kind][0])  # issuers and authorities are read once, and are not what is measured
            unseen.append(await _per_call(prove, callers[1:]))
        store.note(f"{kind}, not seen before", median(unseen))
        store.note(f"{kind}, seen", median([await _per_call(prove, callers) for _ in range(_passes(callers))]))


def _proving(parts: Parts) -> Callable[[Caller], Awaitable[Any]]:
    authenticator = Authenticator(parts.rows, parts.jwt_proofs, parts.access_key_proofs, parts.tls_proofs)
    now_ms = parts.clock.now_ms()
    return lambda caller: authenticator.principal(caller, now_ms)


async def _decided(store: Store, number: int) -> None:
    """Everybody asks for something: rows not read, then rows in memory, then decided before, then somebody changes."""
    parts = afresh(store.house.parts)
    principals = [store.crowd.principal(one) for one in range(store.crowd.size)]
    random.Random(number).shuffle(principals)
    facts = {principal: RequestFacts(principal, SCHEDULED, None, 0) for principal in principals}

    def asking(name: str) -> Callable[[Any], Awaitable[Any]]:
        resource = Resource(store.crowd.account, f"secret/{PREFIX}{name}*")
        require = parts.authorizer.require
        return lambda principal: require(principal, PERMISSION, resource, facts[principal])

    half = len(principals) // 2
    await _per_call(asking("first"), principals[:half])  # then groups and policies are in memory, as they soon are
    store.note("decision, principal not seen before", await _per_call(asking("first"), principals[half:]))
    store.note("decision, cold, 200 statements", await _per_call(asking("second"), principals))
    cached = [await _per_call(asking("second"), principals) for _ in range(_passes(principals))]
    store.note("decision, cached", median(cached))
    await _change_somebody(store)
    await asyncio.sleep(0)  # the feed is looked at once a turn of the loop
    parts.cache.refresh()
    store.note("decision, after somebody else was changed", await _per_call(asking("second"), principals))


async def _change_somebody(store: Store) -> None:
    parts, account = store.house.parts, store.crowd.account
    before = await parts.storage.accounts.user(account, store.crowd.principal(0).name)
    after = replace(before, revision=before.revision + 1)
    mac, now_ms = parts.authenticator.mac(after), parts.clock.now_ms()
    rows = (ChangedRow("users", (account, after.name), after.revision, mac),)
    identity, resource = new_request_id(now_ms), str(store.crowd.principal(0).resource)
    event = AuditEvent(identity, now_ms, (account,), "", "host", "host", "UpdateUser", resource, "ok", changes=rows)
    await parts.storage.commit(UnitOfWork((Replace(before, after, mac),), events.record(event)))


def _passes(items: Sequence[Any]) -> int:
    """How often all of them are gone through, so that a few are measured as long as many."""
    return max(3, 5_000 // len(items))


async def _per_call(call: Callable[[Any], Awaitable[Any]], items: Sequence[Any]) -> float:
    """CPU microseconds of a call, over one for each of the items."""
    begun = time.process_time()
    for item in items:
        await call(item)
    return (time.process_time() - begun) / len(items) * 1e6
