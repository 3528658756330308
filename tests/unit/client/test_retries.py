"""When a call is tried again: what may be repeated, as often as said, never past the deadline or before Retry-After."""

import pytest

from secretsd.client.errors import BY_KIND, DaemonUnavailable
from secretsd.client.messages import Outgoing
from secretsd.client.retries import PASSING, Retries
from secretsd.dialects.native.errors import STATUS
from secretsd.domain.errors import ErrorKind, KeyStoreUnavailable, NotFound, Throttled

READ = Outgoing("GetSecretValue", "GET", "/v1/secrets/a:value", repeatable=True)
WRITE = Outgoing("DeleteSecret", "DELETE", "/v1/secrets/a")
RETRIES = Retries(attempts=3, first_wait_seconds=1, longest_wait_seconds=3)


def test_the_passing_kinds_are_those_that_the_daemon_answers_with_429_or_503() -> None:
    assert {kind for kind, status in STATUS.items() if status in (429, 503)} == PASSING


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in PASSING])
def test_what_will_not_pass_is_not_tried_again(kind: ErrorKind) -> None:
    assert RETRIES.wait_seconds(READ, BY_KIND[kind](), 1, 100) is None


def test_a_write_without_a_token_is_not_repeated_once_it_was_sent() -> None:
    assert RETRIES.wait_seconds(WRITE, Throttled(), 1, 100) is None
    assert RETRIES.wait_seconds(WRITE, DaemonUnavailable(sent=True), 1, 100) is None


def test_what_never_left_is_sent_again_whatever_it_is() -> None:
    assert RETRIES.wait_seconds(WRITE, DaemonUnavailable(sent=False), 1, 100) is not None


def test_waits_double_up_to_the_longest_with_a_random_share() -> None:
    patient = Retries(attempts=9, first_wait_seconds=1, longest_wait_seconds=3)
    for attempt, most in ((1, 1), (2, 2), (3, 3), (4, 3)):
        waits = [patient.wait_seconds(READ, Throttled(), attempt, 100) for _ in range(50)]
        assert all(wait is not None and most / 2 <= wait <= most for wait in waits)
        assert len(set(waits)) > 1


def test_tries_end_after_the_last_attempt() -> None:
    assert RETRIES.wait_seconds(READ, Throttled(), 2, 100) is not None
    assert RETRIES.wait_seconds(READ, Throttled(), 3, 100) is None


def test_retry_after_is_kept_to_or_not_begun() -> None:
    asked = KeyStoreUnavailable(retry_after_seconds=20)
    assert RETRIES.wait_seconds(READ, asked, 1, 100) == 20
    assert RETRIES.wait_seconds(READ, asked, 1, 19) is None
    assert RETRIES.wait_seconds(READ, NotFound(retry_after_seconds=1), 1, 100) is None
