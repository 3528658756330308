"""Commands about keys as a whole: what each asks for, and how the answer is shown."""

import json
import re
import shlex

import pytest
import typer

from secretsd.cli import secretsctl
from tests.promises.test_docs import parse

ID = "06afa89c-73fe-4090-9ac6-5977fa1a90e1"
KEY = {
    "id": ID,
    "resource": f"secretsd:111122223333:key/{ID}",
    "state": "enabled",
    "spec": "AES_256",
    "usage": "ENCRYPT_DECRYPT",
    "origin": "HSM",
    "protection_level": "HSM",
    "owner": "customer",
    "description": "of \x1b[2Jthe shop",
    "current_version": 1,
    "created_ms": 0,
    "tags": {"team": "shop"},
}
STATE = {"id": ID, "state": "pending-deletion", "deletion_ms": 1767225600000}


def test_create_asks_for_what_was_said_and_for_nothing_else(ctl, wire) -> None:
    wire.answer("CreateKey", KEY)
    assert ctl("key", "create", "-o", "raw").text == f"{ID}\n"
    assert wire.sent[-1].body == b""  # all of it is as the daemon has it by itself
    words = "--spec RSA_3072 --usage SIGN_VERIFY --alias alias/release --tag a=b=c --tag d= --description x --protect"
    assert ctl("key", "create", "--external", *words.split()).code == 0
    assert wire.body("CreateKey") == {
        "spec": "RSA_3072",
        "usage": "SIGN_VERIFY",
        "origin": "EXTERNAL",
        "alias": "release",
        "tags": {"a": "b=c", "d": ""},
        "description": "x",
        "deletion_protection": True,
    }


@pytest.mark.parametrize("words", [("--spec", "AES_512"), ("--usage", "sign"), ("--tag", "team"), ("--tag", "=x")])
def test_what_no_key_can_be_is_told_before_anything_is_sent(ctl, wire, words) -> None:
    done = ctl("key", "create", *words)
    assert done.code == 1
    assert done.err.startswith("secretsctl: cannot ")
    assert not wire.sent


def test_describe_shows_a_key_and_no_escape_sequence_of_its_description(ctl, wire) -> None:
    wire.answer("DescribeKey", KEY)
    done = ctl("key", "describe", "alias/prod/db")
    assert wire.sent[-1].target == "/v1/keys/alias/prod/db"
    assert "\x1b" not in done.text
    assert "team=shop" in done.text
    assert "guarded" not in done.text
    assert json.loads(ctl("key", "describe", ID, "-o", "json").out) == KEY


def test_describe_tells_what_goes_with_a_key_that_waits_for_its_deletion(ctl, wire) -> None:
    waiting = {**KEY, **STATE, "guarded_secret_versions": 100}
    wire.answer("DescribeKey", {**waiting, "guarded_secret_versions_more": True})
    assert "guarded_secret_versions  more than 100\n" in ctl("key", "describe", ID).text


def test_ls_asks_page_by_page_with_all_filters(ctl, wire) -> None:
    wire.answer("ListKeys", {"keys": [KEY], "next_token": "n"})
    wire.answer("ListKeys", {"keys": [{**KEY, "id": "second"}]})
    words = "--state disabled --spec SM2 --usage SIGN_VERIFY --owner customer --tag a=b --tag c=d"
    assert ctl("key", "ls", "-o", "raw", *words.split()).text.split() == [ID, "second"]
    first, second = (one.target for one in wire.sent)
    assert first == "/v1/keys?state=disabled&spec=SM2&usage=SIGN_VERIFY&owner=customer&tags=a%3Db&tags=c%3Dd"
    assert second == f"{first}&next_token=n"
    assert ctl("key", "ls").text.splitlines()[0].split()[:3] == ["key", "state", "spec"]
    assert not re.search(r"\blist\b", ctl("key", "--help").text)  # the name from before still works, and is not shown
    assert json.loads(ctl("key", "list", "-o", "json").out)[0]["id"] == "second"


def test_tags_go_to_the_key_however_it_is_named(ctl, wire) -> None:
    wire.answer("TagResource", {"resource": "r", "tags": {"a": "b"}})
    wire.answer("UntagResource", {"resource": "r", "tags": {}})
    for name, resource in ((ID, f"key/{ID}"), ("alias/x/y", "alias/x/y"), (f"secretsd:1:key/{ID}", f"key/{ID}")):
        assert ctl("key", "tag", name, "a=b").text == f"{name}: a=b\n"
        assert wire.sent[-1].target == f"/v1/tags/{resource}"
    assert wire.body("TagResource") == {"tags": {"a": "b"}}
    assert ctl("key", "untag", ID, "a", "c").text == f"{ID}: no tags\n"
    assert wire.body("UntagResource") == {"keys": ["a", "c"]}


def test_update_changes_the_description_and_may_empty_it(ctl, wire) -> None:
    wire.answer("UpdateKeyDescription", KEY)
    assert ctl("key", "update", ID, "--description", "", "-o", "raw").text == f"{ID}\n"
    assert wire.body("UpdateKeyDescription") == {"description": ""}
    assert ctl("key", "update", ID).code == 1


@pytest.mark.parametrize(
    ("words", "operation", "body"),
    [
        (("enable", ID), "EnableKey", {}),
        (("disable", ID), "DisableKey", {}),
        (("cancel-deletion", ID), "CancelKeyDeletion", {}),
        (("delete", ID, "--days", "7"), "ScheduleKeyDeletion", {"pending_window_days": 7}),
    ],
)
def test_a_move_asks_for_itself_and_shows_the_state(ctl, wire, words, operation: str, body) -> None:
    wire.answer(operation, STATE)
    wire.refuse("DescribeKey", 403, "access-denied")
    done = ctl("key", *words)
    assert (done.code, done.err) == (0, "")
    assert "deletion  2026-01-01T00:00:00Z" in done.text
    assert json.loads(wire.sent[0].body or b"{}") == body
    assert ctl("key", *words, "-o", "raw").text == "pending-deletion\n"


def test_delete_tells_how_many_secret_versions_are_lost_to_whoever_may_know(ctl, wire) -> None:
    wire.answer("ScheduleKeyDeletion", STATE)
    wire.answer("DescribeKey", {**KEY, **STATE, "guarded_secret_versions": 7})
    assert "secret versions lost then  7\n" in ctl("key", "delete", "alias/x").text
    assert wire.sent[-1].target == f"/v1/keys/{ID}"  # of the key that was scheduled, wherever the alias leads by now


def test_the_wait_has_its_bounds(ctl, wire) -> None:
    for days in ("6", "367"):
        assert ctl("key", "delete", ID, "--days", days).code == 1
    assert not wire.sent


def test_protection_is_given_with_its_reason_and_taken_away(ctl, wire) -> None:
    wire.answer("SetDeletionProtection", {"id": ID, "deletion_protection": True, "protection_reason": "why"})
    assert "protection_reason    why" in ctl("key", "protect", ID, "--reason", "why").text
    assert wire.body("SetDeletionProtection") == {"enabled": True, "reason": "why"}
    assert ctl("key", "unprotect", ID, "-o", "raw").text == "unprotected\n"
    assert wire.body("SetDeletionProtection") == {"enabled": False}


def test_erasure_passes_on_how_long_backups_are_kept(ctl, wire) -> None:
    wire.answer(
        "DescribeErasure", {"id": ID, "destroyed_ms": 0, "how": "backups-expired", "at_ms": 86400000, "versions": 1}
    )
    assert "at         1970-01-02T00:00:00Z" in ctl("key", "erasure", ID, "--backups-kept", "1").text
    assert wire.sent[-1].target == f"/v1/keys/{ID}:erasure?retention_days=1"


def test_versions_and_the_public_half(ctl, wire, tmp_path) -> None:
    version = {"version": 2, "state": "live", "current": True, "created_ms": 0}
    wire.answer("ListKeyVersions", {"id": ID, "versions": [version, {**version, "version": 1, "current": False}]})
    assert [row.split()[:3] for row in ctl("key", "versions", ID).text.splitlines()[1:]] == [
        ["2", "live", "yes"],
        ["1", "live", "1970-01-01T00:00:00Z"],
    ]
    public = {"id": ID, "version": 1, "spec": "SM2", "usage": "SIGN_VERIFY", "algorithms": [], "public_key": "AAEC"}
    wire.answer("GetPublicKey", {**public, "pem": "-----BEGIN\n"})
    assert ctl("key", "public-key", ID).text == "-----BEGIN\n"
    assert ctl("key", "public-key", ID, "--der").out == b"\x00\x01\x02"
    assert "public_key  AAEC" in ctl("key", "public-key", ID, "-o", "table").text
    assert ctl("key", "public-key", ID, "--to", f"{tmp_path}/pem").text == f"{tmp_path}/pem: 11 bytes\n"
    assert (tmp_path / "pem").read_text() == "-----BEGIN\n"


def test_aliases(ctl, wire) -> None:
    alias = {"alias": "prod/db", "resource": "r", "key_id": ID, "created_ms": 0, "changed_ms": 0}
    for operation in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        wire.answer(operation, alias)
    wire.answer("ListAliases", {"aliases": [alias]})
    assert ctl("alias", "create", "alias/prod/db", ID, "-o", "raw").text == "alias/prod/db\n"
    assert wire.body("CreateAlias") == {"key": ID, "alias": "prod/db"}
    assert ctl("alias", "move", "prod/db", "alias/new", "-o", "raw").text == f"{ID}\n"
    assert (wire.sent[-1].target, wire.body("UpdateAlias")) == ("/v1/aliases/prod/db", {"key": "alias/new"})
    assert ctl("alias", "ls", "--key", "alias/x").text.splitlines()[1].split()[:2] == ["alias/prod/db", ID]
    assert wire.sent[-1].target == "/v1/aliases?key=alias%2Fx"
    assert ctl("alias", "ls", "-o", "raw").text == "alias/prod/db\n"
    assert ctl("alias", "delete", "prod/db").text == f"alias/prod/db: leads to key {ID} no more\n"


def _commands(app: typer.Typer) -> list[tuple[str, object]]:
    def walk(path: str, command: object) -> list[tuple[str, object]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return [(path, command)]
        return [found for name, one in inner.items() for found in walk(f"{path} {name}", one)]

    groups = getattr(typer.main.get_command(app), "commands")  # noqa: B009  # a group's, which the type does not say
    return [found for name in ("key", "alias") for found in walk(f"secretsctl {name}", groups[name])]


COMMANDS = [(path, command) for path, command in _commands(secretsctl.application()) if not path.endswith(" list")]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_shows_examples_of_itself_that_parse(path: str, command) -> None:
    heading, *lines = command.epilog.split("\n\n")
    assert heading in ("Example:", "Examples:")
    for line in lines:
        words = shlex.split(line)
        words = words[words.index("secretsctl") :]
        assert " ".join(words).startswith(path)
        parse(secretsctl.application(), tuple(words[1:]))
