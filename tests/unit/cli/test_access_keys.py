"""Access keys and sessions from the command line: what is sent, what is shown, and what goes where it can be kept."""

import pytest

ID = "AKSDAAAAAAAAAAAAAAAA"
KEY = {"access_key": ID, "secret": "s" * 40, "created_ms": 0}
SESSION = {
    "role": "secretsd:123456789012:role/deployer",
    "session_name": "build-7",
    "access_key": "STSDAAAAAAAAAAAAAAAA",
    "secret": "s" * 40,
    "session_token": "secretsd-session_" + "x" * 43,
    "expires_ms": 3_600_000,
}


def test_a_key_is_shown_with_its_secret_this_once(ctl, wire) -> None:
    wire.answer("CreateAccessKey", KEY)
    shown = dict(line.split(maxsplit=1) for line in ctl("user", "access-key", "create", "ann").text.splitlines())
    assert (shown["access_key"], shown["secret"]) == (ID, "s" * 40)
    assert (wire.sent[-1].method, wire.sent[-1].target) == ("POST", "/v1/users/ann:create-access-key")
    assert ctl("user", "access-key", "create", "ann", "-o", "raw").text == f"{ID}:{'s' * 40}\n"


def test_keys_are_listed_with_their_last_use(ctl, wire) -> None:
    used = {"last_used_ms": 0, "last_used_from": "tcp:192.0.2.1:7", "last_operation": "Encrypt"}
    keys = [{"access_key": ID, "active": True, "created_ms": 0, **used}, {**KEY, "active": False}]
    del keys[1]["secret"]
    wire.answer("ListAccessKeys", {"access_keys": keys})
    first, second = ctl("user", "access-key", "list", "ann").text.splitlines()[-2:]
    assert "yes" in first
    assert "tcp:192.0.2.1:7" in first
    assert "no " in second
    assert "never" in second
    assert ctl("user", "access-key", "list", "ann", "-o", "raw").text == f"{ID}\n{ID}\n"


@pytest.mark.parametrize(
    ("word", "operation", "sent"),
    [
        ("disable", "UpdateAccessKey", {"active": False}),
        ("enable", "UpdateAccessKey", {"active": True}),
        ("delete", "DeleteAccessKey", {}),
    ],
)
def test_what_becomes_of_a_key(ctl, wire, word, operation, sent) -> None:
    wire.answer(operation, {})
    done = ctl("user", "access-key", word, "ann", ID)
    assert (done.code, wire.body(operation)) == (0, {"access_key": ID, **sent})
    assert ID in done.text


def test_a_session_token_is_printed_alone(ctl, wire) -> None:
    wire.answer("AssumeRole", SESSION)
    done = ctl("role", "assume", "deployer", "--name", "build-7")
    assert done.text.strip() == SESSION["session_token"]
    assert wire.body("AssumeRole") == {"session_name": "build-7"}
    assert wire.sent[-1].target == "/v1/roles/deployer:assume"


def test_a_session_is_asked_for_with_all_that_was_said(ctl, wire, tmp_path) -> None:
    wire.answer("AssumeRole", SESSION)
    (tmp_path / "p.json").write_text("{}")
    options = ("--name", "x1", "--duration", "30m", "--external-id", "c-1", "--policy", f"@{tmp_path}/p.json")
    done = ctl("role", "assume", SESSION["role"], *options, "-o", "table")
    assert wire.body("AssumeRole") == {
        "session_name": "x1", "duration_seconds": 1800, "external_id": "c-1", "session_policy": "{}",
    }  # fmt: skip
    assert wire.sent[-1].target.startswith("/v1/roles/secretsd")
    shown = dict(line.split(maxsplit=1) for line in done.text.splitlines())
    assert (shown["access_key"], shown["expires"]) == (SESSION["access_key"], "1970-01-01T01:00:00Z")
    assert ctl("role", "assume", "deployer").code == 1  # without a name


def test_sessions_are_listed_with_who_opened_them(ctl, wire) -> None:
    one = {"access_key": "STSD1", "session_name": "build-7", "opened_by": "secretsd:1:user/ann"}
    wire.answer("ListRoleSessions", {"sessions": [{**one, "created_ms": 0, "expires_ms": 1}]})
    line = ctl("role", "sessions", "deployer").text.splitlines()[-1]
    assert line.split()[:3] == ["STSD1", "build-7", "secretsd:1:user/ann"]
    assert ctl("role", "sessions", "deployer", "-o", "raw").text == "STSD1\n"
