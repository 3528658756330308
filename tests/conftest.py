"""What every test may ask for: a directory that other users can pass through, and an honest word on missing rights."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Two busy cores make a wall-clock deadline per example a lottery; pytest-timeout bounds the test as a whole.
settings.register_profile("secretsd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("secretsd")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves out what only root can do, and says so in the summary."""
    if item.get_closest_marker("needs_root") and os.geteuid() != 0:
        pytest.skip("needs uid 0: it drops to other users or mounts a file system")


@pytest.fixture
def passable_path() -> Iterator[Path]:
    """An empty directory of mode 0711: what lies in it is in reach of a daemon that drops its uid."""
    path = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)
