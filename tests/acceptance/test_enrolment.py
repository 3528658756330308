"""A new host comes to a token of its own by one that is good once; administrators bind what operators left to them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretsd.testing.daemon import Daemon
from secretsd.testing.intruder import as_user
from secretsd.testing.policies import document
from tests.acceptance.wire import daemon_in_passable_place

pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
COMMAND = str(Path(sys.executable).with_name("secretsctl"))
UID = 64_777


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as daemon:
        yield daemon


def ctl(daemon: Daemon, *words: str, token: Path | None = None, given: str | None = None) -> tuple[int, str]:
    """Exit code and output; as root over the Unix socket, or over TCP with the token of a file."""
    where = ["--socket", daemon.socket]
    if token is not None:
        where = ["--addr", daemon.environment["SECRETSD_ADDR"], "--token-file", str(token)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SECRETSD_")}
    done = subprocess.run(
        [COMMAND, *where, *words], capture_output=True, text=True, input=given, timeout=60, env=environment
    )
    return done.returncode, done.stdout or done.stderr


def test_a_new_host(daemon: Daemon, tmp_path: Path) -> None:
    policy = document({"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/web/*"]})
    assert ctl(daemon, "put", "web/db", "-", given="a value")[0] == 0
    assert ctl(daemon, "user", "create", "web1")[0] == 0
    assert ctl(daemon, "user", "inline", "put", "web1", "own", "-", given=policy)[0] == 0
    code, once = ctl(daemon, "user", "token", "enrolment", "web1", "--network", "127.0.0.0/8")
    assert code == 0, once
    (tmp_path / "once").touch(0o600)
    (tmp_path / "once").write_text(once)
    # It opens nothing by itself, in either worker.
    assert {ctl(daemon, "get", "web/db", token=tmp_path / "once")[0] for _ in range(4)} == {4}
    code, told = ctl(daemon, "enrol", "--to", str(tmp_path / "own"), token=tmp_path / "once")
    assert (code, "user web1" in told) == (0, True), told
    for _ in range(4):
        assert ctl(daemon, "get", "web/db", token=tmp_path / "own") == (0, "a value")
    assert ctl(daemon, "enrol", "--to", str(tmp_path / "again"), token=tmp_path / "once")[0] == 4
    assert not (tmp_path / "again").exists()
    # It was told to one place and is good from there alone.
    own = (tmp_path / "own").read_text().strip()
    assert daemon.call("GET", "/v1/caller-identity", token=own).status == 401
    assert daemon.call("GET", "/v1/caller-identity", token=own, tcp=True).body["principal"].endswith(":user/web1")
    assert own not in json.dumps(daemon.events()) + daemon.log.read_text()


def test_an_account_binds_what_was_left_to_it(daemon: Daemon) -> None:
    made = daemon.call("POST", "/v1/accounts", {"account_name": "acme", "administrator": "ann"}).body
    token, account = made["token"], made["account"]
    for user in ("app", "other"):
        assert daemon.call("POST", "/v1/users", {"user": user}, token=token).status == 200
    binding = {"proof": f"unix:uid/{UID}", "user": "app"}
    assert daemon.call("POST", "/v1/bindings", binding, token=token).kind == "access-denied"
    assert ctl(daemon, "proof-space", "create", f"unix:uid/{UID}-{UID + 9}", "--account", account)[0] == 0
    assert daemon.call("POST", "/v1/bindings", binding, token=token).status == 200
    for _ in range(4):
        who = as_user(UID, lambda: daemon.call("GET", "/v1/caller-identity")).body
        assert (who["principal"], who["uid"]) == (f"secretsd:{account}:user/app", UID)
    refused = ctl(daemon, "proof-space", "delete", f"unix:uid/{UID}-{UID + 9}", "--yes")
    assert (refused[0], "has bound 1 proofs in it" in refused[1]) == (1, True)
    assert ctl(daemon, "proof-space", "delete", f"unix:uid/{UID}-{UID + 9}", "--force", "--yes")[0] == 0
    for _ in range(4):
        assert as_user(UID, lambda: daemon.call("GET", "/v1/caller-identity")).kind == "unauthenticated"
