"""Every kind of the daemon's errors comes back as the class that it was; what is no problem document is told apart."""

import json

import pytest

from secretsd.client.errors import BY_KIND, ClientError, DaemonUnavailable, UnreadableAnswer, refusal
from secretsd.domain.errors import ErrorKind, Internal, SecretsdError, Throttled

PROBLEM = {"Content-Type": "application/problem+json"}


def problem(kind: str, **more: str) -> bytes:
    return json.dumps({"kind": kind, **more}).encode()


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_comes_back_as_its_own_class(kind: ErrorKind) -> None:
    error = refusal("X", 400, PROBLEM, problem(kind.value, detail="cannot do x"))
    assert error.kind is kind
    assert type(error) is BY_KIND[kind]
    assert type(error) is not SecretsdError
    assert error.message == "cannot do x"


def test_a_kind_of_a_newer_daemon_falls_back_to_what_its_status_means() -> None:
    assert type(refusal("X", 429, PROBLEM, problem("too-hot"))) is Throttled
    assert type(refusal("X", 418, PROBLEM, problem("teapot"))) is Internal


def test_retry_after_is_kept_in_seconds_and_anything_else_is_left_aside() -> None:
    body = problem("throttled")
    assert refusal("X", 429, {**PROBLEM, "Retry-After": "7"}, body).retry_after_seconds == 7
    for odd in ("-1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", "٣", ""):
        assert refusal("X", 429, {**PROBLEM, "Retry-After": odd}, body).retry_after_seconds is None


def test_only_a_request_id_becomes_a_note() -> None:
    assert not hasattr(refusal("X", 404, PROBLEM, problem("not-found", request_id="\x1b[2Jhello")), "__notes__")
    assert refusal("X", 404, PROBLEM, problem("not-found", request_id="0f" * 16)).__notes__ == ["request " + "0f" * 16]


@pytest.mark.parametrize("body", [b"", b"<html>canary</html>", b"[]", b'{"kind":3}', b"\xff"])
def test_an_answer_that_is_no_problem_document_is_not_taken_for_a_refusal(body: bytes) -> None:
    for headers in ({}, {"Content-Type": "text/html"}, PROBLEM):
        error = refusal("X", 404, headers, body)
        assert type(error) is UnreadableAnswer
        assert "canary" not in str(error)
    assert type(refusal("X", 502, {}, body)) is DaemonUnavailable


def test_one_except_catches_all_of_ours() -> None:
    assert issubclass(ClientError, SecretsdError)
    assert issubclass(DaemonUnavailable, ClientError)
