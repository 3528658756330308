"""Access keys and sessions from the command line: what is sent, and what is shown once."""

import json

KEY = "AKSD" + "A" * 16
MADE = {"id": KEY, "secret": "s" * 40, "user": "ann", "created_ms": 0}
LISTED = {"id": KEY, "user": "ann", "active": True, "created_ms": 0}
SESSION = {
    "access_key_id": "STSD" + "B" * 16,
    "access_key_secret": "t" * 40,
    "session_token": "secretsd-session_x",
    "role": "secretsd:100000000001:role/ops",
    "session_name": "build-7",
    "expires_ms": 0,
}


def test_a_key_is_printed_once_as_basic_credentials_have_it(ctl, wire) -> None:
    wire.answer("CreateAccessKey", MADE)
    assert ctl("user", "access-key", "create", "ann").text == f"{KEY}:{'s' * 40}\n"
    assert json.loads(ctl("user", "access-key", "create", "ann", "-o", "json").text)["secret"] == "s" * 40
    assert "s" * 40 in ctl("user", "access-key", "create", "ann", "-o", "table").text
    wire.answer("ListAccessKeys", {"access_keys": [LISTED]})
    assert ctl("user", "access-key", "list", "ann", "-o", "raw").text == f"{KEY}\n"
    assert KEY in ctl("user", "access-key", "list", "ann").text


def test_a_key_is_switched_and_deleted_by_its_id(ctl, wire) -> None:
    wire.answer("UpdateAccessKey", LISTED)
    assert "is inactive" in ctl("user", "access-key", "disable", "ann", KEY).text
    assert wire.body("UpdateAccessKey") == {"access_key": KEY, "active": False}
    assert "is active" in ctl("user", "access-key", "enable", "ann", KEY).text
    assert wire.body("UpdateAccessKey") == {"access_key": KEY, "active": True}
    wire.answer("DeleteAccessKey", {})
    assert "no longer good" in ctl("user", "access-key", "delete", "ann", KEY).text
    assert wire.body("DeleteAccessKey") == {"access_key": KEY}


def test_a_role_is_assumed_with_what_was_said(ctl, wire, tmp_path) -> None:
    wire.answer("AssumeRole", SESSION)
    narrow = tmp_path / "narrow.json"
    narrow.write_text("{}")
    words = ("--name", "build-7", "--for", "30m", "--external-id", "acme", "--policy", f"@{narrow}")
    assert ctl("role", "assume", "ops", *words).text == "secretsd-session_x"
    assert wire.body("AssumeRole") == {
        "session_name": "build-7", "duration_seconds": 1800, "external_id": "acme", "document": "{}",
    }  # fmt: skip
    shown = ctl("role", "assume", "ops", "--name", "build-7", "-o", "table").text
    assert all(one in shown for one in ("secretsd-session_x", "STSD", "t" * 40, "build-7"))
    assert json.loads(ctl("role", "assume", "ops", "--name", "b", "-o", "json").text)["role"] == SESSION["role"]
