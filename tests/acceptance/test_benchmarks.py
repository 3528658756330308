"""The benchmark command in its smoke run: every benchmark works, against the real peer and the real daemon."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The kill hunt has a test of its own.
NAMES = (
    "reads", "workers", "writes", "envelope", "scale", "keys-at-scale", "principals", "plans", "split", "watchers",
    "kill-switch",
)  # fmt: skip


@pytest.mark.acceptance
@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_benchmark_runs_and_reports_its_figures() -> None:
    command = [sys.executable, "-m", "benchmarks", *NAMES, "--quick"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert finished.returncode == 0, finished.stderr[-2000:]
    assert "no bar is judged by it" in finished.stdout
    tables = {block.strip().partition(",")[0]: block for block in finished.stdout.split("\n\n")}
    assert set(NAMES) <= set(tables)
    for figure in ("CPU in parts of OpenBao's", "p99 at saturation", "rate in parts of the fixed answer's"):
        assert tables["reads"].count(figure) == 2
    assert "rate in parts of OpenBao's" in tables["writes"]
    assert "connections of each of two" in tables["workers"]
    assert "2,000 secrets: read from memory" in tables["scale"]
    assert "Encrypt, keys at random, 16, after the restart" in tables["keys-at-scale"]
    assert "500 principals, 2,500 bindings: start" in tables["principals"]
    assert "ListBindings: last full page in parts of the first" in tables["principals"]
    assert "decision, after somebody else was changed" in tables["principals"]
    assert "NOT MET" not in tables["plans"]
    assert "data keys for 10,000 messages" in tables["envelope"]
    assert tables["watchers"].count("from a write's answer to each of 200") == 2
    assert tables["kill-switch"].count("from its answer to the last allowed use, p99") == 4


def test_a_benchmark_that_does_not_exist_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "benchmarks", "rads"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 2
    assert "cannot run rads: there is no such benchmark" in finished.stderr
