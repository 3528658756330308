"""What `secretsd check` and the daemon's start note of a host that serves all the same."""

import os

import pytest

from secretsd.supervisor import check
from secretsd.transport import processes

NO_SUCH_OPTION = 9999


def test_a_kernel_that_lends_no_handle_on_a_peer_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were older than 6.5, by an option that it really does not know."""
    monkeypatch.setattr(check, "SO_PEERPIDFD", NO_SUCH_OPTION)
    assert check.notes() == [check.UNSURE_UNITS]


def test_one_that_does_is_not_and_the_handle_is_closed() -> None:
    before = len(os.listdir("/proc/self/fd"))
    expected = [] if release() >= (6, 5) else [check.UNSURE_UNITS]
    assert check.notes() == expected
    assert len(os.listdir("/proc/self/fd")) == before


def release() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split(".")
    return int(major), int(minor.partition("-")[0])


def test_what_is_asked_of_the_kernel_is_what_the_transport_asks() -> None:
    assert check.SO_PEERPIDFD == processes.SO_PEERPIDFD
