"""What every test may ask for, an honest word on missing rights, and canaries over every daemon that a test starts."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from secretsd.supervisor.identities import blocked_at
from secretsd.testing.canaries import Canaries, CanaryFound
from secretsd.testing.daemon import WATCHERS

CANARIES = Canaries()
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


def pytest_configure() -> None:
    """From now on every daemon is watched; a value where none may be fails the test that stops the daemon."""
    WATCHERS.append(CANARIES)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Looks through what a test printed and logged; what is found fails the session."""
    for title, text in report.sections:
        with contextlib.suppress(CanaryFound):
            CANARIES.printed(f"{title} of {report.nodeid}", text)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A canary that was found anywhere fails the session, whatever became of the test that found it."""
    if CANARIES.found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was searched, so that a search that saw nothing would be noticed."""
    if CANARIES.searched_bytes:
        size, seconds = CANARIES.searched_bytes / 1e6, CANARIES.seconds
        terminalreporter.write_line(f"canaries: {size:.1f} MB searched in {seconds:.1f} s, {len(CANARIES.found)} found")
    for place in CANARIES.found:
        terminalreporter.write_line(f"cannot keep values to themselves: {place}", red=True)


@pytest.fixture
def passable_path() -> Iterator[Path]:
    """An empty directory of mode 0711: what lies in it is in reach of a daemon that drops its uid."""
    path = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)
