"""get and put move bytes exactly; values never come from the command line and never show where they should not."""

import base64
import json
import os
import pty

import pytest

from secretsd.cli.ctl import output

VALUE = {"name": "a/b", "version_id": "v1", "number": 1, "stages": ["current"], "created_ms": 1767225600000}
STORED = {"name": "a/b", "version_id": "v1", "number": 3, "stages": ["current"]}


def test_get_prints_the_text_and_nothing_else(ctl, wire) -> None:
    wire.answer("GetSecretValue", {**VALUE, "text": "p\u00e4ss\n word"})
    assert ctl("get", "a/b").out == "p\u00e4ss\n word".encode()


def test_get_prints_binary_values_byte_for_byte(ctl, wire) -> None:
    data = bytes(range(256))
    wire.answer("GetSecretValue", {**VALUE, "binary": base64.b64encode(data).decode()})
    assert ctl("get", "a/b").out == data


def test_get_asks_for_a_stage_or_a_version(ctl, wire) -> None:
    wire.answer("GetSecretValue", {**VALUE, "text": "x"})
    ctl("get", "a/b", "--stage", "previous")
    ctl("get", "a/b", "--version", "v:1")
    assert [one.target for one in wire.sent] == [
        "/v1/secrets/a/b:value?stage=previous",
        "/v1/secrets/a/b:value?version_id=v%3A1",
    ]


def test_get_as_json_is_the_answer_of_the_wire(ctl, wire) -> None:
    wire.answer("GetSecretValue", {**VALUE, "text": "x"})
    assert json.loads(ctl("get", "a/b", "-o", "json").out) == {**VALUE, "text": "x"}


def test_get_as_a_table_shows_no_binary_value_and_no_escape_sequence(ctl, wire) -> None:
    wire.answer("GetSecretValue", {**VALUE, "binary": "AAEC"})
    wire.answer("GetSecretValue", {**VALUE, "text": "\x1b[2Jx"})
    assert "3 bytes, not shown here" in ctl("get", "a/b", "-o", "table").text
    shown = ctl("get", "a/b", "-o", "table").text
    assert "2026-01-01T00:00:00Z" in shown
    assert "\x1b" not in shown


def test_a_terminal_gets_a_line_break_after_the_value(monkeypatch) -> None:
    main, other = pty.openpty()
    with os.fdopen(other, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        output.show_bytes(b"value")
        assert os.read(main, 100) == b"value\r\n"
    os.close(main)


def test_put_stores_standard_input_as_it_is(ctl, wire) -> None:
    wire.answer("PutSecretValue", STORED)
    done = ctl("put", "a/b", "-", stdin=b" line\r\nno end")
    assert (done.code, done.text) == (0, "a/b: version 3 (v1) is current\n")
    assert wire.body("PutSecretValue")["text"] == " line\r\nno end"


def test_put_takes_what_is_no_utf8_as_binary_and_anything_when_told(ctl, wire) -> None:
    wire.answer("PutSecretValue", STORED)
    ctl("put", "a/b", "-", stdin=b"\xff\x00")
    assert wire.body("PutSecretValue")["binary"] == "/wA="
    ctl("put", "a/b", "-", "--binary", stdin=b"text")
    assert wire.body("PutSecretValue")["binary"] == base64.b64encode(b"text").decode()


def test_put_reads_a_file(ctl, wire, tmp_path) -> None:
    wire.answer("PutSecretValue", STORED)
    (tmp_path / "value").write_bytes(b"from a file")
    ctl("put", "a/b", f"@{tmp_path}/value", "--stage", "pending", "--stage", "blue")
    assert wire.body("PutSecretValue")["text"] == "from a file"
    assert wire.body("PutSecretValue")["stages"] == ["pending", "blue"]


def test_put_refuses_a_value_on_the_command_line_and_says_why(ctl, wire) -> None:
    done = ctl("put", "a/b", "canary-value")
    assert done.code == 1
    assert "every user of this host can read it there" in done.err
    assert "canary" not in done.err
    assert not wire.sent


def test_put_does_not_repeat_surplus_words_for_one_may_be_the_value(ctl, wire) -> None:
    done = ctl("put", "a/b", "-", "canary-value")
    assert done.code == 1
    assert "canary" not in done.err + done.text
    assert not wire.sent


def test_put_refuses_more_than_a_value_may_hold(ctl, wire, tmp_path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (64 * 1024 + 1))
    assert "longer than 65536 bytes" in ctl("put", "a/b", f"@{tmp_path}/big").err
    assert "longer than 65536 bytes" in ctl("put", "a/b", "-", stdin=b"x" * 70000).err
    assert not wire.sent


def test_put_names_a_file_that_cannot_be_read(ctl, wire, tmp_path) -> None:
    done = ctl("put", "a/b", f"@{tmp_path}/none")
    assert (done.code, wire.sent) == (1, [])
    assert f"cannot read the value from {tmp_path}/none: No such file" in done.err


def test_put_creates_the_secret_that_is_not_there_under_the_same_token(ctl, wire) -> None:
    wire.refuse("PutSecretValue", 404, "not-found")
    wire.answer("CreateSecret", {"name": "a/b", "resource": "r", "id": "i", "version_id": "t"})
    assert ctl("put", "a/b", "-", stdin=b"x").text == "a/b: version 1 (t) is current\n"
    created = wire.body("CreateSecret")
    assert (created["name"], created["text"]) == ("a/b", "x")
    assert created["token"] == wire.body("PutSecretValue")["token"]


def test_put_puts_after_all_when_somebody_else_was_faster(ctl, wire) -> None:
    wire.refuse("PutSecretValue", 404, "not-found")
    wire.answer("PutSecretValue", STORED)
    wire.refuse("CreateSecret", 409, "already-exists")
    assert ctl("put", "a/b", "-", stdin=b"x").code == 0
    assert [one.operation for one in wire.sent] == ["PutSecretValue", "CreateSecret", "PutSecretValue"]


@pytest.mark.parametrize("option", [("--no-create",), ("--stage", "pending")])
def test_put_creates_nothing_when_told_so_or_when_the_stage_is_not_current(ctl, wire, option) -> None:
    wire.refuse("PutSecretValue", 404, "not-found")
    assert ctl("put", "a/b", "-", *option, stdin=b"x").code == 3
    assert len(wire.sent) == 1


def described(name: str, **more) -> dict:
    return {
        "name": name,
        "resource": f"secretsd:111122223333:secret/{name}",
        "id": "i",
        "description": "",
        "key_id": "k",
        "created_ms": 0,
        "changed_ms": 0,
        "version_count": 2,
        "stages": {"current": "v1"},
        "tags": {},
        **more,
    }


def test_ls_goes_through_all_pages(ctl, wire) -> None:
    wire.answer("ListSecrets", {"secrets": [described("a")], "next_token": "n"})
    wire.answer("ListSecrets", {"secrets": [described("b")]})
    assert ctl("ls", "p/", "--tag", "k=v", "-o", "raw").text == "a\nb\n"
    assert wire.sent[0].target == "/v1/secrets?prefix=p%2F&tags=k%3Dv"


def test_ls_into_a_pipe_cuts_nothing_off_and_lets_no_description_act(ctl, wire) -> None:
    name, text = "n" * 300, "\x1b]0;owned\x07" + "d" * 300
    wire.answer("ListSecrets", {"secrets": [described(name, description=text)]})
    lines = ctl("ls").text.splitlines()
    assert lines[0].split() == ["name", "versions", "changed", "erased", "at", "description"]
    assert lines[1].startswith(name)
    assert lines[1].endswith("\\x1b]0;owned\\x07" + "d" * 300)


def test_rm_does_not_erase_for_good_without_being_sure(ctl, wire) -> None:
    wire.answer("DeleteSecret", {"name": "a", "deletion_ms": 1767225600000})
    assert "add --yes" in ctl("rm", "a", "--force").err
    assert not wire.sent
    assert ctl("rm", "a", "--force", "--yes").text == "a: erased\n"
    assert ctl("rm", "a", "--window", "7").text == "a: is erased at 2026-01-01T00:00:00Z\n"
    assert [one.target for one in wire.sent] == ["/v1/secrets/a?force=true", "/v1/secrets/a?recovery_window_days=7"]
    assert ctl("rm", "a", "--window", "3").code == 1


def test_describe_and_versions_read_like_a_page(ctl, wire) -> None:
    wire.answer("DescribeSecret", described("a", tags={"team": "x"}))
    shown = ctl("describe", "a").text
    assert "stages         current=v1\n" in shown
    assert "tags           team=x\n" in shown
    version = {"id": "v1", "number": 2, "data_type": "text", "created_ms": 0, "key_id": "k", "stages": ["current", "b"]}
    wire.answer("ListSecretVersionIds", {"name": "a", "versions": [version]})
    assert "2       v1       current b  text  1970-01-01T00:00:00Z\n" in ctl("versions", "a").text
    ctl("versions", "a", "--all", "-o", "raw")
    assert wire.sent[-1].target == "/v1/secrets/a:versions?include_unlabelled=true"
