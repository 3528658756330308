"""Targets from the command line: the password never in an argument, what is not named stays as it is."""

import json

import pytest

TARGET = {
    "target": "db-1",
    "resource": "secretsd:system:target/db-1",
    "rotator": "postgresql",
    "address": {"host": "db.example.net", "ca": "one\ntwo"},
    "logins": {"123456789012": ["app_*", "report"], "123456789013": ["their_*"]},
    "created_ms": 0,
    "changed_ms": 0,
    "admin_login": "rotator",
    "description": "orders",
}
PASSWORD = "canary-of-the-administrator"


@pytest.fixture
def address(tmp_path) -> str:
    path = tmp_path / "address.json"
    path.write_text('{"host": "db.example.net"}')
    return f"@{path}"


def test_a_target_is_made_from_files_and_standard_input(ctl, wire, address) -> None:
    wire.answer("CreateTarget", TARGET)
    options = ("--admin-login", "rotator", "--admin-password", "-", "--description", "orders")
    allowed = ("--allow", "123456789012=app_*", "--allow", "123456789012=report", "--allow", "123456789013=their_*")
    done = ctl(
        "target", "create", "db-1", "--rotator", "postgresql", "--address", address, *options, *allowed,
        stdin=f"{PASSWORD}\n".encode(),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert wire.body("CreateTarget") == {
        "target": "db-1",
        "rotator": "postgresql",
        "address": {"host": "db.example.net"},
        "admin_login": "rotator",
        "admin_password": PASSWORD,
        "logins": TARGET["logins"],
        "description": "orders",
    }
    shown = dict(line.split(maxsplit=1) for line in done.text.splitlines())
    assert shown["admin_login"] == "rotator"
    assert shown["address.ca"] == "one\\ntwo"
    assert shown["logins.123456789012"] == "app_* report"
    assert PASSWORD not in done.text


def test_without_an_administrator_nothing_is_asked_for(ctl, wire, address) -> None:
    wire.answer("CreateTarget", {**TARGET, "logins": {}})
    assert ctl("target", "create", "db-1", "--rotator", "filed", "--address", address).code == 0
    assert wire.body("CreateTarget") == {"target": "db-1", "rotator": "filed", "address": {"host": "db.example.net"}}


@pytest.mark.parametrize(
    ("password", "stdin", "told"),
    [
        (PASSWORD, b"", "cannot take the value from the command line"),
        ("-", b"\xff\xfe", "it is not valid Unicode text"),
        ("@/nowhere/file", b"", "cannot read the value from /nowhere/file"),
    ],
)
def test_a_password_that_cannot_be_taken_reaches_nobody(ctl, wire, address, password, stdin, told) -> None:
    done = ctl(
        "target", "create", "db-1", "--rotator", "filed", "--address", address, "--admin-login", "rotator",
        "--admin-password", password, stdin=stdin,
    )  # fmt: skip
    assert done.code == 1
    assert told in done.err
    assert PASSWORD not in done.err
    assert not wire.sent


def test_standard_input_is_read_for_one_thing(ctl, wire) -> None:
    options = ("--rotator", "filed", "--address", "-", "--admin-login", "r", "--admin-password", "-")
    done = ctl("target", "create", "db-1", *options, stdin=b"{}")
    assert done.code == 1
    assert "both from standard input" in done.err
    assert not wire.sent


def test_an_update_sends_what_is_named_and_nothing_else(ctl, wire) -> None:
    wire.answer("UpdateTarget", TARGET)
    assert ctl("target", "update", "db-1", "--description", "new").code == 0
    assert (wire.body("UpdateTarget"), len(wire.sent)) == ({"description": "new"}, 1)
    assert ctl("target", "update", "db-1", "--no-admin").code == 0
    assert wire.body("UpdateTarget") == {"admin_login": ""}
    assert ctl("target", "update", "db-1", "--admin-password", "-", stdin=PASSWORD.encode()).code == 0
    assert wire.body("UpdateTarget") == {"admin_password": PASSWORD}


def test_logins_are_allowed_and_withdrawn_beside_those_that_are_there(ctl, wire) -> None:
    wire.answer("DescribeTarget", TARGET)
    wire.answer("UpdateTarget", TARGET)
    changes = ("--allow", "123456789014=x", "--allow", "123456789012=app_*", "--withdraw", "123456789013=their_*")
    assert ctl("target", "update", "db-1", *changes).code == 0
    assert wire.body("UpdateTarget") == {"logins": {"123456789012": ["app_*", "report"], "123456789014": ["x"]}}
    done = ctl("target", "update", "db-1", "--withdraw", "123456789013=app_*")
    assert done.code == 1
    assert "cannot withdraw app_* from account 123456789013" in done.err
    assert sum(one.operation == "UpdateTarget" for one in wire.sent) == 1


@pytest.mark.parametrize(
    "words", [("--allow", "app"), ("--allow", "123456789012="), ("--no-admin", "--admin-login", "a")]
)
def test_what_makes_no_sense_is_not_sent(ctl, wire, words) -> None:
    assert ctl("target", "update", "db-1", *words).code == 1
    assert not wire.sent


def test_targets_are_shown_and_deleted(ctl, wire) -> None:
    wire.answer("ListTargets", {"targets": [TARGET, {**TARGET, "target": "db-2"}]})
    assert ctl("target", "list", "-o", "raw").text.split() == ["db-1", "db-2"]
    row = ctl("target", "list").text.splitlines()[1].split()
    assert row == ["db-1", "postgresql", "rotator", "123456789012", "123456789013", "orders"]
    assert len(json.loads(ctl("target", "list", "-o", "json").out)) == 2
    wire.answer("DescribeTarget", TARGET)
    assert json.loads(ctl("target", "describe", "db-1", "-o", "json").out) == TARGET
    assert wire.sent[-1].target == "/v1/targets/db-1"
    wire.answer("DeleteTarget", {"target": "db-1"})
    assert ctl("target", "delete", "db-1").text == "db-1: is no target any more\n"
    wire.answers.clear()
    wire.refuse("DeleteTarget", 409, "conflict")
    assert ctl("target", "delete", "db-1").code == 1
