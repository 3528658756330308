"""The rotation simulator at length: every case with one fault, then pairs of faults for as long as time allows."""

import random
import time
from collections.abc import Iterator

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.options import Options
from secretsd.operations.pipeline import Pipeline
from secretsd.services.escrow import EscrowKeeper
from secretsd.services.rotation import Rotations
from secretsd.testing.simulator.cases import Case, one_fault_more
from secretsd.testing.simulator.node import Services
from secretsd.testing.simulator.simulation import Report, Run, simulation
from secretsd.testing.simulator.table import markdown, planned, told


async def _replay(pipeline: Pipeline) -> int:
    return await EscrowKeeper(pipeline).replay()


SERVICES = Services(Rotations, _replay)
PAIR_SECONDS = 300.0
QUICK_PAIR_SECONDS, QUICK_EVERY = 1.0, 25
TOLD_AT_MOST = 20
FIRST_OF_PAIRS = 0.2
"""The share of the cases that pairs begin with: all of their ways would fill the memory."""
STATES = 26
"""States of machines that a fault can meet: the rows of the guide's table."""


def run(options: Options) -> list[Figure]:
    """All cases, or in a quick run a few of them; then pairs drawn from the seed, which is printed."""
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    rng = random.Random(seed)
    print(f"simulator, seed {seed}", flush=True)
    report = Report()
    with simulation(SERVICES) as simulated:
        plan = planned(simulated)
        print(markdown(plan), flush=True)
        for one in plan.without:
            report.add(one)
        cases = list(plan.subset())[::QUICK_EVERY] if options.quick else [case for case, _ in plan.cases]
        singles = []
        for case in cases:
            one = _added(report, simulated.run(case))
            if options.quick or rng.random() < FIRST_OF_PAIRS:
                singles.append(one)
        single, alone = report.cases, len(report.failed)
        ends = time.monotonic() + (QUICK_PAIR_SECONDS if options.quick else PAIR_SECONDS)
        for case in _pairs(rng, singles):
            if time.monotonic() > ends:
                break
            _added(report, simulated.run(case))
    if report.failed:
        print(told(report.failed[:TOLD_AT_MOST]), flush=True)
    print(f"ended as {dict(report.results)}", flush=True)
    return [
        at_most(f"simulator: {single} cases with one fault or none, of which broke an invariant", alone, 0, digits=0),
        at_most(
            f"simulator: {report.cases - single} pairs of faults, of which broke an invariant",
            len(report.failed) - alone, 0, digits=0,
        ),
        at_least("simulator: states met by faults", len({key[:2] for key in report.met}), STATES, digits=0),
        Figure("simulator: most refused logins in a row", str(report.most_refused)),
    ]  # fmt: skip


def _added(report: Report, run: Run) -> Run:
    report.add(run)
    return run


def _pairs(rng: random.Random, singles: list[Run]) -> Iterator[Case]:
    """A second fault after the first, at a door that the run with the first alone went through; for ever."""
    while True:
        run = rng.choice(singles)
        (first,) = run.case.plan
        seconds = list(one_fault_more(run.case, run.passages, first))
        if seconds:
            yield rng.choice(seconds)
