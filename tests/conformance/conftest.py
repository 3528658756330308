"""Rotator hosts for the tests of this place."""

import pytest

from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from tests.conformance.rotator_host import RunningHost


@pytest.fixture
def running(tmp_path):
    host = RunningHost(tmp_path)
    yield host
    host.close()


@pytest.fixture
def host(running):
    return ProcessRotatorHost(running.path, attempt_seconds=60)
