"""Whether a request is allowed: the engine compared with two others, and what a decision costs, cached and cold."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.figures import Figure, at_most, median
from benchmarks.in_process import worker
from benchmarks.options import Options
from secretsd.domain.conditions import KnownFacts
from secretsd.domain.decisions import Sides
from secretsd.domain.names import Resource
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.policy_rules import Rules, Who
from secretsd.domain.principals import Principal
from secretsd.operations.request_facts import SCHEDULED, RequestFacts
from secretsd.testing.policy_cases import OWN, Case, compared
from secretsd.testing.policy_in_cedar import compared_with_cedar

SEED = 20_261_126
CASES, FEW = 1_000_000, 20_000
STATEMENTS = 200
ROUNDS = 5
Comparison = Callable[[int, int], tuple[Counter[str], list[Case]]]


def run(options: Options) -> list[Figure]:
    """The comparison first, then the costs; all in this process."""
    count = FEW if options.quick else CASES
    figures = [*_compared("the reference", compared, count), *_compared("Cedar", compared_with_cedar, count)]
    figures += [_cold("", "team-{}"), _cold(" that all begin as the resource does", "*/team-{}")]
    figures.append(asyncio.run(_cached(options)))
    return figures


def _compared(other: str, compare: Comparison, count: int) -> list[Figure]:
    reasons: Counter[str] = Counter()
    differing = 0
    for part in range(10):
        counted, found = compare(SEED + part, count // 10)
        reasons += counted
        differing += len(found)
    told = ", ".join(f"{reason} {number:,}" for reason, number in reasons.most_common())
    return [
        Figure(f"reasons of {count:,} requests to {other} as well", told),
        at_most(f"disagreements with {other} in {count:,} requests", differing, 0),
    ]


def _cold(which: str, team: str) -> Figure:
    """Statements that all speak of the operation, with prefixes and other globs in turns; the last one allows."""
    teams = [team.format(n) for n in range(STATEMENTS - 1)]
    patterns = [f"secret/{one}/*" if n % 2 else f"secret/{one}/?-*/password" for n, one in enumerate(teams)]
    statements = [Statement(Effect.ALLOW, ("Get*",), (one,)) for one in (*patterns, "secret/app/*")]
    sides, who = Sides((Rules("policy/p", OWN, statements),)), Who(OWN, "user/ann")
    names = iter(range(10**9))

    def decide() -> None:
        resource = Resource(OWN, f"secret/app/{next(names)}")
        assert sides.narrowed(who, "GetSecretValue", resource).decide(KnownFacts({})).allowed

    return at_most(f"cold, {STATEMENTS} statements{which}, us", _microseconds(decide, 2_000), 50.0)


async def _cached(options: Options) -> Figure:
    async with worker(options.directory / "decisions") as parts:
        principal = Principal(parts.account, "user/admin", "token/t")
        resource = Resource(parts.account, "secret/app")
        facts = RequestFacts(principal, SCHEDULED, None, 0)
        authorizer = parts.parts.authorizer
        await authorizer.require(principal, "GetSecretValue", resource, facts)
        took = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            for _ in range(100_000):
                await authorizer.require(principal, "GetSecretValue", resource, facts)
            took.append((time.process_time() - begun) * 10)
        return at_most("cached, us", median(took), 1.0)


def _microseconds(work: Callable[[], None], count: int) -> float:
    took = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(count):
            work()
        took.append((time.process_time() - begun) / count * 1e6)
    return median(took)
