"""The other commands: each asks for what it says, reaches the daemon it was told, and shows the answer."""

import json
import os

import pytest

from secretsd.client._generated_calls import ROUTES
from secretsd.client.endpoint import DEFAULT_SOCKET
from secretsd.domain.sensitive import Plaintext
from secretsd.testing.policies import document

SECRET = {
    "name": "a",
    "resource": "r",
    "id": "i",
    "description": "",
    "key_id": "k",
    "created_ms": 0,
    "changed_ms": 0,
    "version_count": 1,
    "stages": {},
    "tags": {},
}
WHO = {"account": "111122223333", "principal": "secretsd:111122223333:user/ann", "proof": "unix:uid/1000"}


def test_without_options_and_environment_it_is_the_usual_socket(ctl, wire, reached) -> None:
    wire.answer("GetCallerIdentity", WHO)
    assert ctl("whoami").text.splitlines()[1] == "principal  secretsd:111122223333:user/ann"
    assert (reached[0].endpoint.socket, reached[0].endpoint.token) == (DEFAULT_SOCKET, None)


def test_options_go_before_the_environment(ctl, wire, reached, monkeypatch) -> None:
    wire.answer("GetCallerIdentity", WHO)
    monkeypatch.setenv("SECRETSD_SOCKET", "/run/env.sock")
    monkeypatch.setenv("SECRETSD_TOKEN", "from-env")
    ctl("whoami")
    ctl("--addr", "http://127.0.0.1:9", "whoami")
    assert (str(reached[0].endpoint), reached[0].endpoint.token) == ("/run/env.sock", Plaintext(b"from-env"))
    assert str(reached[1].endpoint) == "http://127.0.0.1:9"


def test_a_token_file_must_be_ours_alone(ctl, wire, reached, tmp_path) -> None:
    wire.answer("GetCallerIdentity", WHO)
    file = tmp_path / "token"
    file.write_text("canary-token\n")
    file.chmod(0o600)
    assert ctl("--token-file", str(file), "whoami").code == 0
    assert reached[0].endpoint.token == Plaintext(b"canary-token")
    file.chmod(0o640)
    done = ctl("--token-file", str(file), "whoami")
    assert done.code == 1
    assert "mode 0640" in done.err
    assert "canary" not in done.err
    assert "No such file" in ctl("--token-file", str(tmp_path / "none"), "whoami").err


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"status": "ok", "parts": {"keystore": "ok", "storage": "ok"}}, 200, 0),
        ({"status": "degraded", "parts": {"keystore": "hung", "storage": "ok"}}, 503, 5),
        ({"status": "degraded", "parts": {"keystore": "ok", "storage": "disk full"}}, 503, 1),
    ],
)
def test_status_tells_the_parts_and_its_code_which_one_is_away(ctl, wire, answer, status: int, code: int) -> None:
    wire.answer("health", answer, status)
    done = ctl("status")
    assert done.code == code
    assert f"parts.keystore  {answer['parts']['keystore']}" in done.text
    assert json.loads(ctl("status", "-o", "json").out) == answer


def test_a_policy_is_a_document_in_a_file(ctl, wire) -> None:
    made = {"policy": "p", "resource": "r", "description": "", "created_ms": 0}
    text = document({"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/*"]})
    wire.answer("CreatePolicy", {**made, "document": text})
    done = ctl("policy", "create", "p", "-", stdin=text.encode())
    assert done.code == 0
    assert text in done.text
    assert wire.body("CreatePolicy") == {"policy": "p", "document": text}
    done = ctl("policy", "create", "p", "-", stdin=b"\xff canary")
    assert done.code == 1
    assert "cannot take the policy: it is not valid UTF-8" in done.err
    assert "canary" not in done.err


def test_users_and_their_tokens(ctl, wire) -> None:
    wire.answer("CreateToken", {"id": "t", "token": "shown-once"})
    assert ctl("user", "token", "create", "ann", "--ttl", "30d").out == b"shown-once"
    assert wire.body("CreateToken") == {"ttl_seconds": 30 * 24 * 3600}
    wire.answer("AttachPolicy", {"user": "ann", "resource": "r", "created_ms": 0, "policies": ["p"]})
    assert "policies  p\n" in ctl("user", "attach", "ann", "p").text
    assert wire.sent[-1].target == "/v1/users/ann:attach-policy"
    wire.answer("ListTokens", {"tokens": [{"id": "t", "created_ms": 0}], "next_token": "more"})
    wire.answer("ListTokens", {"tokens": [{"id": "u", "created_ms": 0}]})
    listed = ctl("user", "token", "list", "ann").text.splitlines()[1:]
    assert [line.split() for line in listed] == [[one, "1970-01-01T00:00:00Z", "never", "never"] for one in "tu"]
    assert wire.sent[-1].target.endswith("next_token=more")
    wire.answer("DeleteToken", {})
    assert ctl("user", "token", "delete", "ann", "t").code == 0
    assert wire.body("DeleteToken") == {"id": "t"}


def test_bindings(ctl, wire) -> None:
    wire.answer("CreateBinding", {"proof": "unix:uid/7", "user": "ann", "created_ms": 0})
    assert ctl("binding", "create", "unix:uid/7", "ann").text == "unix:uid/7: acts as ann\n"
    assert wire.body("CreateBinding") == {"proof": "unix:uid/7", "user": "ann"}


def test_lookup_spells_names_out_in_full_and_stops_at_its_limit(ctl, wire) -> None:
    event = {"v": 1, "id": "e", "time_ms": 0, "operation": "X", "resource": "r", "outcome": "ok", "principal": "p"}
    wire.answer("GetCallerIdentity", WHO)
    wire.answer("LookupEvents", {"events": [event] * 2, "next_token": "n"})
    done = ctl("audit", "lookup", "--resource", "secret/a*", "--since", "2026-01-01", "--limit", "3", "-o", "json")
    assert len(json.loads(done.out)) == 3
    first = next(one.target for one in wire.sent if one.operation == "LookupEvents")
    assert first == "/v1/events?from_ms=1767225600000&resource=secretsd%3A111122223333%3Asecret%2Fa%2A&limit=3"
    assert ctl("audit", "lookup", "--limit", "1").text.splitlines()[1].split() == [
        "1970-01-01T00:00:00Z", "X", "r", "p", "ok", "e",
    ]  # fmt: skip


def test_any_operation_can_be_called_with_json(ctl, wire) -> None:
    wire.answer("DescribeSecret", SECRET)
    assert json.loads(ctl("call", "DescribeSecret", "--json", "-", stdin=b'{"name":"a"}').out)["id"] == "i"
    assert wire.sent[-1].target == "/v1/secrets/a"
    assert "no operation has that name" in ctl("call", "Nope").err
    assert "it is not JSON" in ctl("call", "DescribeSecret", "--json", "-", stdin=b"canary").err
    done = ctl("call", "PutSecretValue", "--json", '{"name":"a","text":"canary"}')
    assert "canary" not in done.err
    assert "cannot take the request from the command line" in done.err
    assert len(wire.sent) == 1


def test_the_screen_shows_every_operation(ctl, wire) -> None:
    assert ctl("operations", "-o", "raw").text.split() == list(ROUTES)
    shown = {one["name"]: one for one in json.loads(ctl("operations", "-o", "json").out)}
    assert all(one["summary"].endswith(".") for one in shown.values())
    assert shown["GetSecretValue"]["path"] == "/v1/secrets/{name}:value"
    assert "GetSecretValue" in ctl("operations").text
    assert not wire.sent


def test_a_reader_who_has_gone_ends_it_without_a_traceback(ctl, monkeypatch) -> None:
    def gone(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("secretsd.cli.ctl.generic.show_table", gone)
    kept = os.dup(1)
    try:
        done = ctl("operations")
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert (done.code, done.err) == (1, "")
