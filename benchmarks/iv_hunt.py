"""The IV hunt at length: processes end, counts are lost and come back older, and no IV and no count is used twice."""

import secrets
import shutil
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, at_least, at_most
from benchmarks.options import Options
from secretsd.testing.iv_hunt.hunt import hunt
from secretsd.testing.iv_hunt.plan import CELLS, draw
from secretsd.testing.iv_hunt.report import Report

FULL_BLOWS = 10 * len(CELLS)
FEWEST_OF_A_KIND = 8


def run(options: Options) -> list[Figure]:
    """Half of the blows with one worker, half with two."""
    seed = options.seed if options.seed is not None else secrets.randbelow(10**9)
    blows = max(2, options.kills or FULL_BLOWS) // 2
    return [figure for workers in (1, 2) for figure in _hunted(options, blows, seed, workers)]


def _hunted(options: Options, blows: int, seed: int, workers: int) -> list[Figure]:
    _tell(f"IV hunt with {workers} workers, seed {seed}")
    directory = options.directory / f"iv-hunt-{workers}"
    report = hunt(directory, plan=draw(blows, seed), seed=seed, workers=workers, tell=_tell)
    _tell(str(report))
    if report.findings:
        kept = Path(tempfile.mkdtemp(prefix="secretsd-iv-hunt-"))
        shutil.copytree(directory, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
        _tell(f"the state is kept in {kept}")
    return _figures(report, blows, f"IV hunt, workers {workers}")


def _figures(report: Report, blows: int, name: str) -> list[Figure]:
    figures = [
        at_most(f"{name}: findings after {len(report.hits)} blows", len(report.findings), 0, digits=0),
        at_least(f"{name}: blocks that were reserved and never used", report.unused_blocks, 1, digits=0),
        Figure(f"{name}: IVs, key versions", f"{report.ivs}, {report.versions}"),
    ]
    if blows >= FULL_BLOWS // 2:
        rarest = f"{name}: blows of the rarest kind at its rarest moment"
        figures.append(at_least(rarest, report.fewest(), FEWEST_OF_A_KIND // 2, digits=0))
    return figures


def _tell(line: str) -> None:
    print(line, flush=True)
