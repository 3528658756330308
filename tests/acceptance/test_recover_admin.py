"""`secretsd recover-admin`: root of the host gets in again whatever was lost, loudly; nobody else does."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretsd.testing.daemon import Daemon, running, secret_path
from secretsd.testing.intruder import as_user

COMMAND = (sys.executable, "-I", "-m", "secretsd.cli.daemon")
pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
NOBODY = 65534


@pytest.fixture
def daemon(passable_path: Path) -> Iterator[Daemon]:
    """A daemon with a secret, in which nobody is left: no user, policy, binding or token."""
    with running(passable_path / "state", settings={"workers": 2}) as daemon:
        made = daemon.call("POST", "/v1/secrets", {"name": "prod/app", "text": "still here"})
        assert made.status == 200
    with sqlite3.connect(passable_path / "state" / "storage" / "main.db") as file:
        for table in ("users", "policies", "bindings", "tokens"):
            file.execute(f"DELETE FROM {table}")
    file.close()
    with running(passable_path / "state", settings={"workers": 2}) as daemon:
        yield daemon


def config(daemon: Daemon) -> str:
    path = daemon.state_dir.with_name("recover.yaml")
    path.write_text(json.dumps({"state_dir": str(daemon.state_dir), "unix": {"path": daemon.socket}}))
    return str(path)


def recover(
    daemon: Daemon, *options: str, uid: int | None = None, within: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = [*within, *COMMAND, "recover-admin", "--config", config(daemon), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, user=uid)


def whoever(daemon: Daemon) -> int:
    """The status of root's own call over the socket, where no token is shown."""
    return daemon.call("GET", "/v1/caller-identity").status


def test_root_gets_in_again(daemon: Daemon) -> None:
    assert whoever(daemon) == 401
    assert daemon.call("GET", "/v1/caller-identity", token=daemon.token).status == 401
    done = recover(daemon, "--operator")
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip()
    assert token.startswith("secretsd_")
    assert token not in done.stderr
    identity = daemon.call("GET", "/v1/caller-identity", token=token).body
    user = identity["principal"].rpartition("/")[2]
    assert user.startswith("recovered-")
    assert user in done.stderr
    assert daemon.call("GET", secret_path("prod/app", "value"), token=token).body["text"] == "still here"
    (line,) = [line for line in daemon.log.read_text().splitlines() if line.startswith("CRITICAL")]
    assert f"made user {user} an administrator of account {identity['account']} and an operator" in line
    assert token not in daemon.log.read_text()
    for view in ({}, {"account": "system"}):
        query = {"operation": "RecoverAdministrator", **view}
        (event,) = daemon.call("GET", "/v1/events", query=query, token=token).body["events"]
        assert (event["outcome"], event["proof"]) == ("ok", "unix:uid/0")
        assert sorted(event["accounts"]) == sorted(["system", identity["account"]])
    made = daemon.call("POST", "/v1/users", {"user": "ann"}, token=token)
    assert made.status == 200
    bound = daemon.call("POST", "/v1/bindings", {"proof": "unix:uid/0", "user": "ann"}, token=token)
    assert bound.status == 200, bound.body
    assert whoever(daemon) == 200
    accounts = daemon.call("GET", "/v1/accounts", token=token).body["accounts"]
    assert [one["account"] for one in accounts] == [identity["account"]]


def test_nobody_but_root_gets_in(daemon: Daemon) -> None:
    done = recover(daemon, uid=NOBODY)
    assert (done.returncode, done.stdout) == (78, "")
    assert "only root of the daemon's host" in done.stderr
    path = "/v1/accounts:recover-administrator"
    assert as_user(NOBODY, lambda: daemon.call("POST", path, {}).kind) == "unauthenticated"
    assert daemon.call("POST", path, {}, tcp=True, token="").kind == "unauthenticated"
    assert daemon.call("POST", path, {}, token="secretsd_" + "A" * 43).kind == "unauthenticated"
    assert "CRITICAL" not in daemon.log.read_text()


def test_root_of_a_container_is_not_root_of_the_host(daemon: Daemon) -> None:
    """It has the socket and is uid 0 for the kernel; its processes are numbered by themselves."""
    done = recover(daemon, within=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"))
    assert (done.returncode, done.stdout) == (78, "")
    assert "cannot recover an administrator: the daemon does not see root of its own host" in done.stderr
    assert "CRITICAL" not in daemon.log.read_text()
    assert recover(daemon).returncode == 0


def test_what_is_wrong_is_told(daemon: Daemon) -> None:
    for options, told in (
        (("--account", "1" * 12), "cannot find account 111111111111"),
        (("--account", "x"), "cannot"),
    ):
        done = recover(daemon, *options)
        assert (done.returncode, done.stdout) == (78, "")
        assert told in done.stderr
    os.kill(daemon.pid, 0)
    daemon.stop()
    done = recover(daemon)
    assert done.returncode == 78
    assert "cannot" in done.stderr
