"""What the canaries of every process of a session find comes together: it is counted once, and fails the session."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VALUE = "k3pt-to-itself-and-nobody-else"
WATCHED = f"""
import contextlib, os
import pytest
from secretsd.testing.canaries import CanaryFound
from secretsd.testing.daemon import WATCHERS

@pytest.fixture
def state(tmp_path):
    (state := tmp_path / "state").mkdir()
    (state / "file").write_bytes(bytes(1_000_000))
    for watcher in WATCHERS:
        watcher.started(state, tmp_path / "state.log", "secretsd_0123456789abcdefghijk")
        watcher.spoke(state, {{"text": {VALUE!r}}}, 200, {{}})
    yield state
    with contextlib.suppress(CanaryFound):
        for watcher in WATCHERS:
            watcher.ended(state)
"""
CLEAN = "def test_clean(state): pass\n"
LEAKS = f"def test_leaks(state): (state / 'debug.txt').write_text({VALUE!r})\n"
PRINTS = f"def test_prints(state): print({VALUE!r})\n"
DIES = """
class Late:
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self): os._exit(1)

def test_dies(request): request.config.pluginmanager.register(Late())
"""
SIDE_BY_SIDE = ("-n2", "--dist=loadfile")
PLUGINS = ("xdist.plugin", "pytest_asyncio.plugin", "tests.conftest")


@dataclass(frozen=True)
class Session:
    """What a session ended with."""

    status: int
    lines: tuple[str, ...]

    @property
    def searched(self) -> tuple[float, int]:
        """Megabytes and finds, as they were told."""
        (said,) = [line for line in self.lines if line.startswith("canaries: ")]
        found = re.fullmatch(r"canaries: (\d+\.\d) MB searched in \d+\.\d s, (\d+) found", said)
        assert found is not None, said
        return float(found[1]), int(found[2])

    @property
    def places(self) -> list[str]:
        return sorted(line for line in self.lines if line.startswith("cannot keep values to themselves: "))


def run(directory: Path, files: tuple[str, ...], *arguments: str) -> Session:
    """A session of its own over these files, with our conftest. With two files, each process has one."""
    for number, text in enumerate(files):
        (directory / f"test_{number}.py").write_text(WATCHED + text)
    configuration = directory / "pytest.ini"
    configuration.touch()
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-c", str(configuration), *arguments, str(directory)],
        cwd=ROOT, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    return Session(ran.returncode, tuple(ran.stdout.splitlines()))


def test_what_every_process_searched_is_counted_once(tmp_path):
    files = (CLEAN, CLEAN + CLEAN.replace("clean", "clean_too"))
    for arguments in (SIDE_BY_SIDE, ("-n0",)):
        ended = run(tmp_path, files, *arguments)
        assert (ended.status, ended.searched, ended.places) == (0, (3.0, 0), []), ended
        assert ended.lines[-2].startswith("canaries: ")
        assert re.fullmatch(r"=+ 3 passed in .*=+", ended.lines[-1])


def test_finds_of_all_processes_are_told_once(tmp_path):
    """One leaves a value in a file, one prints it: side by side the same is found as one after the other."""
    ended = run(tmp_path, (LEAKS, PRINTS), *SIDE_BY_SIDE)
    assert ended.status == 1, ended
    assert ended.searched[1] == len(ended.places)
    assert any("debug.txt: a value as it is" in place for place in ended.places)
    assert any("Captured stdout call of test_1.py::test_prints: a value as it is" in place for place in ended.places)
    assert re.fullmatch(r"=+ 2 passed in .*=+", ended.lines[-1])
    alone = run(tmp_path, (LEAKS, PRINTS), "-n0")
    assert (alone.status, alone.searched, alone.places) == (ended.status, ended.searched, ended.places)


@pytest.mark.parametrize("files", [(LEAKS, CLEAN), (CLEAN, LEAKS)], ids=["the first", "the second"])
def test_a_find_in_one_process_fails_the_session(tmp_path, files):
    ended = run(tmp_path, files, *SIDE_BY_SIDE)
    assert ended.status == 1, ended
    assert any("debug.txt: a value as it is" in place for place in ended.places)


def test_a_process_that_dies_fails_the_session(tmp_path):
    """Even where it dies so late that no test of its is left to fail."""
    ended = run(tmp_path, (CLEAN, DIES), *SIDE_BY_SIDE)
    assert ended.status == 1, ended
    assert any(
        line.startswith("cannot tell what the canaries found in a process that died: gw") for line in ended.lines
    )
    assert re.fullmatch(r"=+ 2 passed in .*=+", ended.lines[-1])
