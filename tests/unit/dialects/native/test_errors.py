"""Every kind of error has its status, and its answer says no more than it should."""

import json

import pytest

from secretsd.dialects.native.errors import STATUS, TITLES, problem, schema
from secretsd.dialects.native.openapi import ERROR_STATUSES
from secretsd.domain.errors import ErrorKind, LimitExceeded, SecretsdError, StorageUnavailable, Unauthenticated

KINDS = {error.kind: error for error in SecretsdError.__subclasses__()}


def test_the_table_is_total() -> None:
    assert set(STATUS) == set(ErrorKind) == set(KINDS)
    assert set(STATUS.values()) <= set(TITLES)
    assert set(ERROR_STATUSES) <= set(TITLES)


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value)
def test_an_error_as_it_is_answered(kind: ErrorKind) -> None:
    status, body, headers = problem(KINDS[kind](), "abc")
    decoded = json.loads(body)
    assert set(decoded) == set(schema()["properties"])
    assert (decoded["status"], decoded["kind"], decoded["request_id"]) == (status, kind.value, "abc")
    assert decoded["detail"].startswith("cannot ")
    assert ("Retry-After" in headers) is (status in (429, 503))


def test_a_status_of_its_own() -> None:
    status, body, _ = problem(LimitExceeded("cannot read the body: it is over 5 bytes"), "", 413)
    assert (status, json.loads(body)["title"], json.loads(body)["kind"]) == (413, "Content Too Large", "limit-exceeded")


def test_what_to_do_next_stands_in_headers() -> None:
    assert problem(StorageUnavailable(retry_after_seconds=9), "")[2]["Retry-After"] == "9"
    # One field with a challenge for each scheme (RFC 9110 section 11.6.1): a comma ends one where a scheme follows.
    assert problem(Unauthenticated(), "")[2]["WWW-Authenticate"] == (
        'Bearer realm="secretsd", Basic realm="secretsd", charset="UTF-8"'
    )
