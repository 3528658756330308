"""The rotation kill hunt at length: faults in every state and between all statements of rotations at a PostgreSQL."""

import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.options import Options
from secretsd.testing.rotation_hunt.aftermath import END_SECONDS, SERVED_BAR_SECONDS
from secretsd.testing.rotation_hunt.hunt import hunt
from secretsd.testing.rotation_hunt.plan import FULL_TURNS, GLOBAL, HANGING, draw, shares
from secretsd.testing.rotation_hunt.report import ALL_POINTS, ALL_STATES, histogram, point_counts, rarest, state_counts
from secretsd.testing.rotation_hunt.striker import Hit

FULL_KILLS = 300
FEWEST = 10


def run(options: Options) -> list[Figure]:
    """At 300 faults or more each stratum has its eleven; with fewer each one is met as often as there are enough."""
    seed = options.seed if options.seed is not None else secrets.randbelow(10**9)
    kills = options.kills or FULL_KILLS
    strata = len(draw(1, seed))
    full = kills >= FULL_KILLS
    turns = max(FULL_TURNS, -(-kills // strata)) if full else -(-kills // strata)
    hits: list[Hit] = []
    findings = failed = missed = 0
    for workers in (1, 2):
        plan = draw(turns, seed, quick=options.quick, workers=workers)
        plan = shares(plan if full else plan[:kills])[workers - 1]
        print(f"rotation hunt with {workers} workers, seed {seed}, {len(plan)} faults", flush=True)
        directory = options.directory / f"rotation-hunt-{workers}"
        report = hunt(directory, plan, seed=seed, workers=workers, tell=_tell)
        print(report, flush=True)
        if report.findings:
            _keep(directory)
        hits += report.hits
        findings += len(report.findings)
        missed += len(report.missed)
        failed += sum(refused for _, _, refused, _ in report.applications.values())
    print(histogram(hits), flush=True)
    return _figures(hits, findings, missed, failed, full=full)


def _figures(hits: Sequence[Hit], findings: int, missed: int, failed: int, *, full: bool) -> list[Figure]:
    killed = [hit.served_seconds for hit in hits if hit.strike.blow in GLOBAL]
    cut = [hit.served_seconds for hit in hits if hit.strike.blow not in GLOBAL | HANGING]
    figures = [
        at_most(f"rotation hunt: findings after {len(hits)} faults", findings, 0, digits=0),
        Figure("rotation hunt: moments that could not be met", str(missed)),
        Figure("rotation hunt: logins refused after one re-read", str(failed)),
        at_most("rotation hunt: longest until served again after a kill", max(killed, default=0.0),
                SERVED_BAR_SECONDS, " s"),
        at_most("rotation hunt: longest until served again after a cut", max(cut, default=0.0),
                SERVED_BAR_SECONDS, " s"),
        at_most("rotation hunt: longest until a rotation ended", max((hit.end_seconds for hit in hits), default=0.0),
                END_SECONDS, " s"),
    ]  # fmt: skip
    if full:
        for name, counts, wanted in (
            ("state", state_counts(hits), ALL_STATES),
            ("message", point_counts(hits), ALL_POINTS),
        ):
            count, rare = rarest(counts, wanted)
            figures.append(at_least(f"rotation hunt: faults at the rarest {name} ({rare})", count, FEWEST, digits=0))
    return figures


def _keep(directory: Path) -> None:
    kept = Path(tempfile.mkdtemp(prefix="secretsd-rotation-hunt-"))
    shutil.copytree(directory, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
    print(f"the state is kept in {kept}")


def _tell(line: str) -> None:
    print(line, flush=True)
