"""What every test may ask for, an honest word on missing rights, and canaries over every daemon that a test starts."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from secretsd.supervisor.identities import blocked_at
from secretsd.testing.canaries import Canaries, CanaryFound
from secretsd.testing.daemon import WATCHERS

CANARIES = Canaries()
MUTE: list[str] = []
"""Processes of tests that died before they said what their canaries found."""
SLOWEST_FIRST = ("long", "acceptance", "integration")
CLOSED = blocked_at(Path(__file__))
"""What keeps other users out of this checkout, such as root's home above it."""

# Two busy cores make a wall-clock deadline per example a lottery; pytest-timeout bounds the test as a whole.
settings.register_profile("secretsd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("secretsd")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves out what only root can do, and says so in the summary."""
    if item.get_closest_marker("needs_root"):
        if os.geteuid() != 0:
            pytest.skip("needs uid 0: it drops to other users or mounts a file system")
        if CLOSED is not None:
            pytest.skip(f"needs a checkout that other users can reach: {CLOSED} is closed to them")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, the files that take long begin, so that no process works on one of them while the others idle.

    What makes a file slow is marked: `long`, then real daemons, then other real parts. A file stays in one piece.
    """
    if hasattr(config, "workerinput"):
        files: dict[Path, int] = {}
        for item in items:
            slowness = next((at for at, name in enumerate(SLOWEST_FIRST) if item.get_closest_marker(name)), 9)
            files[item.path] = min(slowness, files.get(item.path, slowness))
        items.sort(key=lambda item: files[item.path])


def pytest_configure() -> None:
    """From now on every daemon is watched; a value where none may be fails the test that stops the daemon."""
    WATCHERS.append(CANARIES)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Looks through what a test printed and logged; what is found fails the session.

    Where tests run side by side, the process that only gathers the reports knows no daemon, so nothing counts twice.
    """
    for title, text in report.sections:
        with contextlib.suppress(CanaryFound):
            CANARIES.printed(f"{title} of {report.nodeid}", text)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """One of several processes has ended: what it searched and found counts here."""
    told = getattr(node, "workeroutput", {}).get("canaries")
    if told is None:
        MUTE.append(f"{node.gateway.id}: {error}")
    elif error is None:  # one that was interrupted is reported a second time, as an error
        CANARIES.add(told)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A canary that was found anywhere fails the session, whatever became of the test that found it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["canaries"] = CANARIES.told()
    if CANARIES.found or MUTE:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was searched, so that a search that saw nothing would be noticed."""
    if CANARIES.searched_bytes:
        size, seconds = CANARIES.searched_bytes / 1e6, CANARIES.seconds
        terminalreporter.write_line(f"canaries: {size:.1f} MB searched in {seconds:.1f} s, {len(CANARIES.found)} found")
    for place in CANARIES.found:
        terminalreporter.write_line(f"cannot keep values to themselves: {place}", red=True)
    for process in MUTE:
        terminalreporter.write_line(f"cannot tell what the canaries found in a process that died: {process}", red=True)


@pytest.fixture
def passable_path() -> Iterator[Path]:
    """An empty directory of mode 0711: what lies in it is in reach of a daemon that drops its uid."""
    path = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)
