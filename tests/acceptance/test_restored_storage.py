"""Last night's storage under a real daemon whose PostgreSQL has moved on: what is served logs in, nobody is asked."""

import json
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from secretsd.testing.daemon import Daemon, secret_path
from secretsd.testing.postgres import PostgresServer, postgres
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance
SINGLE, ALTERNATING, LATE = "prod/db/app", "prod/db/report", "prod/db/late"
LOGINS = {SINGLE: ["app"], ALTERNATING: ["report_a", "report_b"], LATE: ["late"]}
PLACES = {"itself": [SINGLE], "admin": [SINGLE, ALTERNATING, LATE]}
"""Which secrets there are where each login changes itself, and where an administrator does. One is made after the
backup: nobody but the escrow has heard of it."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as server:
        server.sql(f"CREATE ROLE rotator LOGIN SUPERUSER PASSWORD '{server.admin_password}'")
        yield server


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    settings = {"rotators": ["postgresql"], "min_interval_seconds": 1, "min_grace_seconds": 1}
    with daemon_in_passable_place(workers=request.param, rotation=settings) as daemon:
        yield daemon


def must(daemon: Daemon, method: str, path: str, body: Any = None) -> Any:
    answered = daemon.call(method, path, body)
    assert answered.status == 200, answered.body
    return answered.body


def make_target(daemon: Daemon, server: PostgresServer, admin: bool) -> None:
    account = must(daemon, "GET", "/v1/caller-identity")["account"]
    target = {
        "target": "main-db",
        "rotator": "postgresql",
        "address": {"host": "127.0.0.1", "port": server.port, "tls": "off"},
        "logins": {account: ["*"]},
    }
    if admin:
        target |= {"admin_login": "rotator", "admin_password": server.admin_password}
    must(daemon, "POST", "/v1/targets", target)


def make_secret(daemon: Daemon, server: PostgresServer, name: str) -> None:
    """A secret that holds what its logins have, rotated once."""
    password = secrets.token_urlsafe(24)
    for login in LOGINS[name]:
        server.sql(f"DROP ROLE IF EXISTS {login}", f"CREATE ROLE {login} LOGIN PASSWORD '{password}'")
    value = {"engine": "postgres", "username": LOGINS[name][0], "password": password}
    must(daemon, "POST", "/v1/secrets", {"name": name, "text": json.dumps(value)})
    rotation = {"rotator": "postgresql", "target": "main-db", "logins": LOGINS[name], "grace_seconds": 1}
    must(daemon, "POST", secret_path(name, "rotate"), {**rotation, "rotate_immediately": False})
    rotate(daemon, name)


def rotate(daemon: Daemon, name: str) -> None:
    before = current(daemon, name)
    must(daemon, "POST", secret_path(name, "rotate"), {})
    wait_for("the rotation", lambda: is_settled(daemon, name) and current(daemon, name) != before)


def described(daemon: Daemon, name: str) -> Any:
    return must(daemon, "GET", secret_path(name))


def current(daemon: Daemon, name: str) -> str:
    return str(described(daemon, name)["stages"]["current"])


def is_settled(daemon: Daemon, name: str) -> bool:
    return bool(described(daemon, name)["rotation"]["state"] == "idle")


def logs_in(daemon: Daemon, server: PostgresServer, name: str) -> bool:
    """Whether what is served is a value, and PostgreSQL takes it."""
    answered = daemon.call("GET", secret_path(name, "value"))
    if answered.status != 200:
        assert answered.kind == "rotation-in-progress"
        return False
    return is_accepted(server, answered.body["text"])


def is_accepted(server: PostgresServer, text: str) -> bool:
    value = json.loads(text)
    accepted = server.accepts(value["username"], value["password"])
    return accepted  # in a name of its own: an assertion that fails shows what it called, and with what


def copied(source: Path, destination: Path) -> None:
    """With owners and modes, as a backup has them."""
    shutil.rmtree(destination, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(destination)], check=True)


@pytest.mark.integration
@pytest.mark.parametrize("place", PLACES)
def test_after_a_restore_the_served_login_works_by_itself(daemon: Daemon, server: PostgresServer, place: str) -> None:
    storage, backup = daemon.state_dir / "storage", daemon.state_dir / "backup"
    make_target(daemon, server, admin=place == "admin")
    old = [name for name in PLACES[place] if name != LATE]
    for name in old:
        make_secret(daemon, server, name)
    assert daemon.stop() == 0
    copied(storage, backup)
    daemon.start()
    for _ in range(3):
        for name in old:
            rotate(daemon, name)
    if LATE in PLACES[place]:
        make_secret(daemon, server, LATE)
    number = must(daemon, "GET", secret_path(SINGLE, "value"))["number"]
    assert daemon.stop() == 0
    copied(backup, storage)
    daemon.start()
    for name in PLACES[place]:
        wait_for("the answer of the target", partial(is_settled, daemon, name))
        assert logs_in(daemon, server, name)
        assert described(daemon, name)["rotation"]["last_result"] == "done"
    assert must(daemon, "GET", secret_path(SINGLE, "value"))["number"] == number
    events = daemon.events(operation="ReplayEscrow")
    assert sorted(one["resource"].partition("secret/")[2] for one in events) == sorted(PLACES[place])
    rotate(daemon, SINGLE)
    assert logs_in(daemon, server, SINGLE)


@pytest.mark.integration
def test_the_escrow_is_the_workers_alone_and_outside_the_storage(daemon: Daemon, server: PostgresServer) -> None:
    make_target(daemon, server, admin=True)
    make_secret(daemon, server, SINGLE)
    storage, escrow = (daemon.state_dir / name for name in ("storage", "escrow"))
    assert [path.name for path in escrow.iterdir()] == ["candidates"]
    for path, mode in ((escrow, 0o700), (escrow / "candidates", 0o600)):
        assert (path.stat().st_mode & 0o7777, path.stat().st_uid) == (mode, storage.stat().st_uid)


@pytest.mark.integration
def test_a_value_that_is_dead_is_never_served_to_the_one_login(daemon: Daemon, server: PostgresServer) -> None:
    """From the first answer after the start on: wait, be told to come again, or get what works."""
    storage, backup = daemon.state_dir / "storage", daemon.state_dir / "backup"
    make_target(daemon, server, admin=False)
    make_secret(daemon, server, SINGLE)
    assert daemon.stop() == 0
    copied(storage, backup)
    daemon.start()
    rotate(daemon, SINGLE)
    assert daemon.stop() == 0
    copied(backup, storage)
    daemon.start()
    served: list[int] = []
    while not served or not is_settled(daemon, SINGLE):
        answered = daemon.call("GET", secret_path(SINGLE, "value"))
        served.append(answered.status)
        if answered.status == 200 and "unproved" not in answered.body:
            accepted = is_accepted(server, answered.body["text"])
            assert accepted
    assert 200 in served
