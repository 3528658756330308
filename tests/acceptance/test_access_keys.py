"""Access keys, short tokens and sessions against a daemon of two workers, byte by byte as OAuth's clients do it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretsd.testing.daemon import Daemon
from tests.acceptance.wire import Received, Wire, daemon_in_passable_place

pytestmark = pytest.mark.acceptance
FORM = "application/x-www-form-urlencoded"
Ctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as found:
        yield found


@pytest.fixture(scope="module")
def ctl(daemon: Daemon) -> Ctl:
    """The installed command, as the administrator, or as whoever has the token."""

    def run(*arguments: str, stdin: str = "", token: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        environment = {"PATH": os.environ["PATH"], **daemon.environment}
        if token:
            environment["SECRETSD_TOKEN"] = token
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment)

    return run


@pytest.fixture
def key(ctl: Ctl) -> Iterator[tuple[str, str]]:
    """An access key of a new user, as a person makes it."""
    assert ctl("user", "create", "ann").returncode == 0
    made = ctl("user", "access-key", "create", "ann", "-o", "raw")
    identifier, secret = made.stdout.strip().split(":")
    yield identifier, secret
    for one in ctl("user", "access-key", "list", "ann", "-o", "raw").stdout.split():
        ctl("user", "access-key", "delete", "ann", one)
    assert ctl("user", "delete", "ann", "--yes").returncode == 0


def ask(daemon: Daemon, body: str, *headers: str, kind: str = FORM) -> Received:
    """A token request as it stands in RFC 6749 section 4.4.2."""
    lines = ["POST /v1/access-tokens HTTP/1.1", "Host: server.example.com", *headers]
    lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    with Wire(daemon) as wire:
        wire.send("\r\n".join([*lines, "", body]).encode())
        return wire.receive()


def basic(identifier: str, secret: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{identifier}:{secret}".encode()).decode()


def whoami(daemon: Daemon, token: str) -> tuple[int, str]:
    found = daemon.call("GET", "/v1/caller-identity", token=token, tcp=True)
    return found.status, found.body.get("proof", "")


def both_refuse(daemon: Daemon, token: str) -> None:
    """Over as many connections as it takes to have asked either worker."""
    assert {whoami(daemon, token)[0] for _ in range(24)} == {401}


def test_a_client_gets_a_token_and_uses_it(daemon: Daemon, key: tuple[str, str]) -> None:
    reply = ask(daemon, "grant_type=client_credentials", basic(*key))
    told = json.loads(reply.body)
    assert (reply.status, told["token_type"], told["expires_in"]) == (200, "Bearer", 3600)
    assert (reply.headers["cache-control"], reply.headers["pragma"]) == ("no-store", "no-cache")
    assert reply.headers["content-type"] == "application/json"
    status, proof = whoami(daemon, told["access_token"])
    assert status == 200
    assert proof.startswith(f"access-key/{key[0]}/token/")
    (event,) = daemon.events(request_id=reply.request_id)
    assert (event["operation"], event["proof"], event["outcome"]) == ("CreateAccessToken", f"access-key/{key[0]}", "ok")


def test_a_client_in_the_form(daemon: Daemon, key: tuple[str, str]) -> None:
    body = f"grant_type=client_credentials&client_id={key[0]}&client_secret={key[1]}&expires_in=60"
    assert json.loads(ask(daemon, body).body)["expires_in"] == 60


def test_a_client_that_is_none(daemon: Daemon, key: tuple[str, str]) -> None:
    for shown in ([basic(key[0], "x")], [basic("AKSDAAAAAAAAAAAAAAAA", key[1])], []):
        reply = ask(daemon, "grant_type=client_credentials", *shown)
        assert (reply.status, json.loads(reply.body)["error"]) == (401, "invalid_client")
        assert reply.headers["www-authenticate"].startswith("Basic ")
        assert key[1].encode() not in reply.raw


def test_one_connection_with_one_client_after_the_other(daemon: Daemon, key: tuple[str, str], ctl: Ctl) -> None:
    """A connection that was kept open proves each request for itself."""
    other = ctl("user", "access-key", "create", "ann", "-o", "raw").stdout.strip().split(":")
    with Wire(daemon) as wire:
        for shown, expected in (
            (basic(*key), key[0]), (basic(*other), other[0]), (basic(key[0], other[1]), None),
            (basic(*key), key[0]), (f"Authorization: Bearer {daemon.token}", ""),
        ):  # fmt: skip
            wire.send(f"GET /v1/caller-identity HTTP/1.1\r\nHost: x\r\n{shown}\r\n\r\n".encode())
            reply = wire.receive()
            if expected is None:
                assert reply.status == 401
            else:
                assert json.loads(reply.body)["proof"].startswith(f"access-key/{expected}" if expected else "token/")


def test_out_of_use_at_once_on_both_workers(daemon: Daemon, key: tuple[str, str], ctl: Ctl) -> None:
    token = json.loads(ask(daemon, "grant_type=client_credentials", basic(*key)).body)["access_token"]
    assert {whoami(daemon, token)[0] for _ in range(24)} == {200}
    assert ctl("user", "access-key", "disable", "ann", key[0]).returncode == 0
    both_refuse(daemon, token)
    assert {ask(daemon, "grant_type=client_credentials", basic(*key)).status for _ in range(24)} == {401}
    assert ctl("user", "access-key", "enable", "ann", key[0]).returncode == 0
    assert {whoami(daemon, token)[0] for _ in range(24)} == {200}
    assert ctl("user", "access-key", "delete", "ann", key[0]).returncode == 0
    both_refuse(daemon, token)


def test_a_role_for_a_while(daemon: Daemon, ctl: Ctl) -> None:
    account = daemon.call("GET", "/v1/caller-identity").body["account"]
    statement = {"Effect": "Allow", "Principal": f"secretsd:{account}:user/admin", "Action": "AssumeRole"}
    trust = json.dumps({"Version": "1", "Statement": [statement]})
    assert ctl("role", "create", "reader", "-", stdin=trust).returncode == 0
    read = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ListSecrets", "Resource": "*"}]})
    assert daemon.call("PUT", "/v1/roles/reader:inline-policy", {"policy": "own", "document": read}).status == 200
    opened = ctl("role", "assume", f"secretsd:{account}:role/reader", "--name", "build-7", "--duration", "15m")
    token = opened.stdout.strip()
    status, proof = whoami(daemon, token)
    assert status == 200
    assert proof.endswith(f"/build-7/secretsd:{account}:user/admin")
    assert ctl("ls", token=token).returncode == 0
    assert ctl("user", "list", token=token).returncode == 4
    assert "build-7" in ctl("role", "sessions", "reader").stdout
    assert ctl("role", "revoke-sessions", "reader").returncode == 0
    both_refuse(daemon, token)
    assert ctl("role", "delete", "reader", "--yes").returncode == 0


def test_the_last_use_is_written_when_it_stops(daemon: Daemon, key: tuple[str, str], ctl: Ctl) -> None:
    ask(daemon, "grant_type=client_credentials", basic(*key))
    daemon.stop()
    daemon.start()
    listed = json.loads(ctl("user", "access-key", "list", "ann", "-o", "json").stdout)
    assert [one["last_operation"] for one in listed] == ["CreateAccessToken"]
    assert listed[0]["last_used_from"].startswith("tcp:127.0.0.1:")


def test_secrets_stand_in_no_file_and_no_log(daemon: Daemon, key: tuple[str, str]) -> None:
    ask(daemon, f"grant_type=client_credentials&client_id={key[0]}&client_secret={key[1]}")
    ask(daemon, f"grant_type=client_credentials&scope={key[1]}", basic(*key))
    for file in (daemon.log, *daemon.state_dir.rglob("*")):
        assert not file.is_file() or key[1].encode() not in file.read_bytes(), file
