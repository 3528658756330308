"""Scripts get an exit code they can rely on, people the cause, the state and the next command, and nobody a value."""

import sys

import pytest

from secretsd.cli.ctl.failures import ADVICE, advice_for
from secretsd.client.errors import BY_KIND, ClientError, DaemonUnavailable, UnreadableAnswer
from secretsd.domain.errors import ErrorKind

CODES = {"not-found": 3, "unauthenticated": 4, "access-denied": 4, "keystore-unavailable": 5}


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_its_exit_code_and_a_next_step(kind: ErrorKind) -> None:
    advice = advice_for(BY_KIND[kind]())
    assert advice is ADVICE[kind]
    assert advice.code == CODES.get(kind.value, 1)
    assert advice.state
    assert advice.following


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(404, "not-found", 3), (403, "access-denied", 4), (401, "unauthenticated", 4), (409, "conflict", 1)],
)
def test_a_refusal_is_told_in_full_on_standard_error(ctl, wire, status: int, kind: str, code: int) -> None:
    wire.refuse("GetSecretValue", status, kind)
    done = ctl("get", "a")
    assert (done.code, done.out) == (code, b"")
    cause, state, following, request = done.err.splitlines()
    assert cause == f"secretsctl: cannot: {kind}"
    assert state == "  state: nothing was changed"
    assert following.startswith("  next: secretsctl ")
    assert request == "  request " + "ab" * 16


def test_a_key_store_that_is_away_is_five(ctl, wire) -> None:
    wire.refuse("CreateKey", 503, "keystore-unavailable")
    assert ctl("key", "create").code == 5


def test_a_write_that_may_have_happened_is_not_called_undone(ctl, wire) -> None:
    wire.answers["RotateSecret"] = [DaemonUnavailable("cannot tell what became of RotateSecret", sent=True)]
    done = ctl("rotate", "a")
    assert done.code == 1
    assert "may have happened or not" in done.err
    assert advice_for(DaemonUnavailable(sent=False)).state == "nothing was sent"
    assert "may have happened" in advice_for(UnreadableAnswer()).state
    assert advice_for(ClientError()).state == "nothing was sent"


@pytest.mark.parametrize(
    "arguments",
    [("get",), ("get", "a", "--nope"), ("nope",), ("random", "--length", "x"), ("rotate", "a", "--every", "12x")],
)
def test_a_wrong_command_line_is_one_because_two_is_a_plan_with_changes(ctl, wire, arguments) -> None:
    done = ctl(*arguments)
    assert done.code == 1
    assert done.out == b""
    assert done.err
    assert not wire.sent


def test_help_is_no_error_unless_it_takes_the_place_of_a_command(ctl) -> None:
    done = ctl("put", "--help")
    assert (done.code, done.err) == (0, "")
    assert "-|@FILE" in done.text
    for bare in ((), ("rotation",), ("user", "token")):
        done = ctl(*bare)
        assert done.code == 1
        assert "Usage: secretsctl" in done.text + done.err


def test_control_characters_of_a_message_reach_no_terminal(ctl, wire) -> None:
    wire.answer("GetSecretValue", {"kind": "not-found", "detail": "cannot \x1b[2J find", "request_id": ""}, 404)
    done = ctl("get", "a")
    assert "\x1b" not in done.err
    assert "\\x1b[2J" in done.err


def test_an_answer_that_cannot_be_written_is_told_without_a_traceback(ctl, wire, monkeypatch) -> None:
    wire.answer("GetRandomPassword", {"text": "x"})
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = ctl("random")
    assert done.code == 1
    assert done.err.startswith("secretsctl: cannot write the answer: No space left on device\n")
    assert "Traceback" not in done.err
