"""Access keys over HTTP as OAuth 2.0 clients send them (RFC 6749, 4.4), and a role for a while, with two workers."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from secretsd.testing.daemon import Daemon
from secretsd.testing.policies import document
from tests.acceptance.wire import Received, Wire, daemon_in_passable_place

pytestmark = pytest.mark.acceptance
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as found:
        made = found.call("POST", "/v1/users", {"user": "app"})
        assert made.status == 200
        yield found


@pytest.fixture(scope="module")
def key(daemon: Daemon) -> str:
    """Id and secret, as HTTP Basic joins them."""
    made = daemon.call("POST", "/v1/users/app:create-access-key", {}).body
    return f"{made['id']}:{made['secret']}"


def ask(daemon: Daemon, request: bytes) -> Received:
    with Wire(daemon) as wire:
        wire.send(request)
        return wire.receive()


def post(daemon: Daemon, basic: str, body: str, kind: str = FORM) -> Received:
    given = base64.b64encode(basic.encode()).decode()
    head = (
        f"POST /v1/access-tokens HTTP/1.1\r\nHost: secretsd\r\nAuthorization: Basic {given}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return ask(daemon, (head + body).encode())


def whoami(daemon: Daemon, token: str) -> Any:
    head = f"GET /v1/caller-identity HTTP/1.1\r\nHost: secretsd\r\nAuthorization: Bearer {token}\r\n\r\n"
    return ask(daemon, head.encode())


def test_a_client_gets_its_token_as_the_standard_has_it(daemon: Daemon, key: str) -> None:
    answer = post(daemon, key, "grant_type=client_credentials&expires_in=900")
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    told = json.loads(answer.body)
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 900)
    for _ in range(8):  # whichever worker takes the connection
        identity = json.loads(whoami(daemon, told["access_token"]).body)
        assert identity["principal"].endswith(":user/app")
        assert identity["proof"].startswith("token/")


def test_a_client_hears_of_errors_in_its_own_words(daemon: Daemon, key: str) -> None:
    wrong = post(daemon, key[:-1] + ("A" if key[-1] != "A" else "B"), "grant_type=client_credentials")
    assert (wrong.status, wrong.problem["error"]) == (401, "invalid_client")
    assert wrong.headers["www-authenticate"].startswith("Basic ")
    unknown = post(daemon, "nobody:nothing", "grant_type=client_credentials")
    assert {**wrong.problem, "request_id": ""} == {**unknown.problem, "request_id": ""}
    for body in ("grant_type=password", "", "grant_type", "grant_type=client_credentials&grant_type=x", "a=b"):
        refused = post(daemon, key, body)
        assert (refused.status, refused.problem["error"]) == (400, "invalid_request"), body
    assert post(daemon, key, '{"grant_type": "client_credentials"}', "application/json").status == 200


def test_no_other_operation_takes_a_form_or_an_access_key(daemon: Daemon, key: str) -> None:
    given = base64.b64encode(key.encode()).decode()
    head = f"GET /v1/users/app HTTP/1.1\r\nHost: secretsd\r\nAuthorization: Basic {given}\r\n\r\n"
    assert ask(daemon, head.encode()).status == 401
    token = daemon.environment["SECRETSD_TOKEN"]
    head = (
        f"POST /v1/users HTTP/1.1\r\nHost: secretsd\r\nAuthorization: Bearer {token}\r\nContent-Type: {FORM}\r\n"
        "Content-Length: 6\r\n\r\nuser=x"
    )
    assert ask(daemon, head.encode()).status == 400


def test_a_key_that_is_switched_off_ends_its_tokens_on_every_worker(daemon: Daemon) -> None:
    made = daemon.call("POST", "/v1/users/app:create-access-key", {}).body
    token = json.loads(post(daemon, f"{made['id']}:{made['secret']}", "grant_type=client_credentials").body)
    assert whoami(daemon, token["access_token"]).status == 200
    body = {"access_key": made["id"], "active": False}
    assert daemon.call("POST", "/v1/users/app:update-access-key", body).status == 200
    assert {whoami(daemon, token["access_token"]).status for _ in range(8)} == {401}
    assert daemon.call("POST", "/v1/users/app:delete-access-key", {"access_key": made["id"]}).status == 200


def test_a_role_is_assumed_and_revoked_on_every_worker(daemon: Daemon) -> None:
    account = daemon.call("GET", "/v1/caller-identity").body["account"]
    trust = document({"effect": "Allow", "action": ["AssumeRole"], "principal": f"secretsd:{account}:user/admin"})
    assert daemon.call("POST", "/v1/roles", {"role": "ops", "trust": trust}).status == 200
    made = daemon.call("POST", "/v1/roles/ops:assume", {"session_name": "night", "duration_seconds": 900}).body
    for _ in range(8):
        told = json.loads(whoami(daemon, made["session_token"]).body)
        assert (told["principal"], told["proof"]) == (
            f"secretsd:{account}:role/ops", f"session/{made['access_key_id']}",
        )  # fmt: skip
    assert daemon.call("POST", "/v1/roles/ops:revoke-sessions", {}).status == 200
    assert {whoami(daemon, made["session_token"]).status for _ in range(8)} == {401}
