"""The kill hunt at length: `kill -9` of every kind of process in every kind of operation, under load."""

import secrets
import shutil
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.options import Options
from secretsd.testing.kill_hunt.hunt import hunt
from secretsd.testing.kill_hunt.report import BACK_SECONDS, Report

FULL_KILLS = 200
FEWEST_OF_A_KIND = 10
SHARE_WITH_TWO_WORKERS = 4


def run(options: Options) -> list[Figure]:
    """A hunt with one worker, and a quarter of one with two."""
    seed = options.seed if options.seed is not None else secrets.randbelow(10**9)
    kills = options.kills or FULL_KILLS
    return [
        *_hunted(options, kills, seed, 1),
        *_hunted(options, max(1, kills // SHARE_WITH_TWO_WORKERS), seed, 2),
    ]


def _hunted(options: Options, kills: int, seed: int, workers: int) -> list[Figure]:
    print(f"kill hunt with {workers} workers, seed {seed}", flush=True)
    directory = options.directory / f"kill-hunt-{workers}"
    report = hunt(directory, kills=kills, seed=seed, workers=workers, tell=_tell)
    print(report, flush=True)
    if report.findings:
        kept = Path(tempfile.mkdtemp(prefix="secretsd-kill-hunt-"))
        shutil.copytree(directory, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        print(f"the state is kept in {kept}")
    return _figures(report, kills, f"kill hunt, workers {workers}")


def _figures(report: Report, kills: int, name: str) -> list[Figure]:
    figures = [
        at_most(f"{name}: findings after {len(report.hits)} kills", len(report.findings), 0, digits=0),
        at_most(f"{name}: longest time from kill to service", report.longest_back_seconds, BACK_SECONDS, " s"),
    ]
    if kills >= FULL_KILLS:
        rarest = f"{name}: kills of the rarest kind of operation or process"
        figures.append(at_least(rarest, report.fewest(), FEWEST_OF_A_KIND, digits=0))
    return figures


def _tell(line: str) -> None:
    print(line, flush=True)
