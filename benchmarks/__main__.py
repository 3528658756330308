"""`python -m benchmarks [NAME…] [--quick]`: run benchmarks, print figures beside their bars."""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.figures import Figure, table
from benchmarks.options import Options, quick

NAMES = (
    "reads",
    "workers",
    "writes",
    "transit",
    "envelope",
    "scale",
    "keys-at-scale",
    "plans",
    "split",
    "watchers",
    "kill-switch",
    "decisions",
    "principals",
    "rotations",
    "kill-hunt",
    "rotation-hunt",
    "iv-hunt",
    "simulator",
)
"""In the order of a full run. Each is a module of this package, `-` written as `_`, with `run(options) -> figures`."""

Benchmark = Callable[[Options], list[Figure]]


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name."""
    found: Benchmark = importlib.import_module(f"benchmarks.{name.replace('-', '_')}").run
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 0 when every bar that was measured is met, else 1. A quick run judges plans only."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="a smoke run: everything works, the numbers mean little")
    parser.add_argument("--rounds", type=int, help="pairs of rounds, 5 by default")
    parser.add_argument("--seconds", type=float, help="seconds that a round measures, 4 by default")
    parser.add_argument("--secrets", type=int, help="the largest number of stored secrets, 100000 by default")
    parser.add_argument(
        "--kills", type=int, help="kills of the kill hunt, 200 by default, faults of the other hunts, 300 and 170"
    )
    parser.add_argument("--seed", type=int, help="the seed of hunts and simulator, drawn anew by default")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"cannot run {unknown[0]}: there is no such benchmark")
    failed = False
    for name in given.names or NAMES:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="secretsd-bench-") as directory:
            os.chmod(directory, 0o711)  # the daemon's other users have to pass through
            figures = benchmark(name)(_options(Path(directory), given))
        print(
            f"\n{name}, {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}\n{table(figures)}", flush=True
        )
        failed = failed or any(one.met is False for one in figures)
    if given.quick:
        print("\nA quick run: no bar is judged by it.")
        return 0
    return int(failed)


def _options(directory: Path, given: argparse.Namespace) -> Options:
    options = quick(directory) if given.quick else Options(directory)
    if given.rounds:
        options = replace(options, rounds=given.rounds)
    if given.seconds:
        options = replace(options, seconds=given.seconds)
    if given.kills:
        options = replace(options, kills=given.kills)
    if given.seed is not None:
        options = replace(options, seed=given.seed)
    if given.secrets:
        options = replace(options, sizes=(*(size for size in options.sizes if size < given.secrets), given.secrets))
    return options


if __name__ == "__main__":
    sys.exit(main())
