"""Rotations by secretsctl, against a real daemon and a real PostgreSQL, read as a manual: in the order written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from secretsd.testing.daemon import Daemon
from secretsd.testing.postgres import PostgresServer, postgres
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance
SETTINGS = {"rotation": {"rotators": ["random", "postgresql"], "min_interval_seconds": 1, "min_grace_seconds": 0}}
# What changes passwords for a rotator without privileges. `broken` stands for one that does something else instead.
FUNCTION = """
CREATE OR REPLACE FUNCTION ops.set_password(login text, verifier text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF login NOT IN ('app', 'report') OR verifier !~ '^SCRAM-SHA-256\\$' THEN
        RAISE EXCEPTION 'not one of ours';
    END IF;
    IF {broken} THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', login, 'somebody else was here');
    ELSE
        EXECUTE format('ALTER ROLE %I PASSWORD %L', login, verifier);
    END IF;
END $$
"""


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ctl = Callable[..., Outcome]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server on which `rotator` may call one function, and `app` and `report` are logins."""
    with postgres() as running:
        running.sql(
            "CREATE SCHEMA ops",
            FUNCTION.format(broken="false"),
            f"CREATE ROLE rotator LOGIN PASSWORD '{running.admin_password}'",
            "GRANT USAGE ON SCHEMA ops TO rotator",
            "REVOKE ALL ON FUNCTION ops.set_password FROM public",
            "GRANT EXECUTE ON FUNCTION ops.set_password TO rotator",
            "CREATE ROLE app LOGIN PASSWORD 'at the start'",
            "CREATE ROLE report LOGIN PASSWORD 'at the start'",
        )
        yield running


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(**SETTINGS) as found:
        yield found


@pytest.fixture(scope="module")
def ctl(daemon: Daemon) -> Ctl:
    """The installed command, as the administrator."""

    def run(*arguments: str, stdin: Any = None) -> Outcome:
        given = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        environment = {"PATH": os.environ["PATH"], **daemon.environment}
        done = subprocess.run(command, input=given, capture_output=True, env=environment)
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture(scope="module", autouse=True)
def target(ctl: Ctl, server: PostgresServer) -> None:
    """What an operator has said of the server."""
    account = ctl("whoami", "-o", "json").json["account"]
    described = {
        "target": "main-db",
        "rotator": "postgresql",
        "address": {"host": "127.0.0.1", "port": server.port, "tls": "off", "function": "ops.set_password"},
        "admin_login": "rotator",
        "admin_password": server.admin_password,
        "logins": {account: ["app", "report"]},
    }
    made = ctl("call", "CreateTarget", "--json", "-", stdin=described)
    assert made.code == 0, made.err


def test_a_password_that_is_there_is_taken_over_only_if_the_database_takes_it(ctl: Ctl) -> None:
    ctl("put", "prod/db/app", "-", stdin=b"not the password")
    options = ("--rotator", "postgresql", "--target", "main-db", "--login", "app", "--every", "30d", "--grace", "5m")
    refused = ctl("rotate", "prod/db/app", *options, "--later")
    assert refused.code == 1
    assert "the target refuses it" in refused.err
    ctl("put", "prod/db/app", "-", stdin=b"at the start")
    taken = ctl("rotate", "prod/db/app", *options, "--later", "-o", "json")
    assert taken.code == 0, taken.err
    assert (taken.json["target"], taken.json["logins"], taken.json["machine"]) == ("main-db", ["app"], "single-user")
    assert "last_rotated_ms" not in taken.json
    assert ctl("get", "prod/db/app").out == "at the start"


def test_a_rotation_is_watched_from_its_start_to_its_history(ctl: Ctl, server: PostgresServer) -> None:
    done = ctl("rotate", "prod/db/app", "--wait", "60s")
    assert done.code == 0, done.err
    password = json.loads(ctl("get", "prod/db/app").out)["password"]
    assert server.accepts("app", password)
    shown = ctl("rotation", "history", "prod/db/app", "-o", "raw").lines
    assert [line.split()[1] for line in reversed(shown)] == ["candidate-stored", "applying", "verifying", "idle"]
    table = ctl("rotation", "history", "prod/db/app").lines
    assert table[0].split() == ["time", "run", "state", "reason", "attempts", "version", "result"]
    assert table[1].endswith("done")


def test_an_explanation_asks_the_database(ctl: Ctl) -> None:
    screen = ctl("rotation", "explain", "prod/db/app")
    assert screen.code == 0, screen.err
    assert "main-db, current  accepted (number 3)" in screen.out
    assert "callers get       as usual: the current version (number 3)" in screen.out
    assert "nothing is under way; the last rotation was done" in screen.out
    assert "what to do        nothing" in screen.out
    quiet = ctl("rotation", "explain", "prod/db/app", "--no-probe", "-o", "json").json
    assert (quiet["not_asked"], quiet.get("versions")) == ("nobody wanted to know", None)


def test_the_clock_can_be_stopped_and_started(ctl: Ctl) -> None:
    assert ctl("rotation", "pause", "prod/db/app", "-o", "json").json["enabled"] is False
    assert "its clock is stopped" in ctl("rotation", "explain", "prod/db/app", "--no-probe").out
    assert "paused" in ctl("rotation", "list", "prod/").out
    resumed = ctl("rotation", "resume", "prod/db/app", "-o", "json").json
    assert resumed["enabled"] is True
    assert resumed["next_due_ms"] > resumed["last_rotated_ms"]
    assert ctl("rotation", "cancel", "prod/db/app").code == 0
    assert ctl("rotation", "resume", "prod/db/app").code == 0


def test_windows_say_when_a_scheduled_one_may_begin(ctl: Ctl) -> None:
    """The due moment falls into one of them, and a new schedule takes the place of the one before."""
    windows = ("--window", "sat,sun 02:00-05:00", "--window", "mon-fri 23:30-00:30")
    schedule = ("--every", "1h", *windows, "--time-zone", "Europe/Berlin")
    done = ctl("rotate", "prod/db/app", *schedule, "--later", "-o", "json")
    assert done.code == 0, done.err
    assert [one["minutes"] for one in done.json["windows"]] == [180, 60]
    due = datetime.fromtimestamp(done.json["next_due_ms"] / 1000, ZoneInfo("Europe/Berlin"))
    weekend = due.weekday() >= 5 and 2 <= due.hour < 5
    assert weekend or due.strftime("%H:%M") >= "23:30" or due.strftime("%H:%M") < "00:30"
    assert "days=sat sun start=02:00 minutes=180; days=mon tue" in ctl("rotation", "status", "prod/db/app").out
    assert "windows" not in ctl("rotate", "prod/db/app", "--every", "30d", "--later", "-o", "json").json


def test_while_nothing_waits_for_a_person_the_check_says_so(ctl: Ctl) -> None:
    done = ctl("check")
    assert (done.code, done.lines) == (0, ["no rotation is in quarantine"])


def test_a_quarantine_is_found_explained_repaired_and_resumed(ctl: Ctl, daemon: Daemon, server: PostgresServer) -> None:
    ctl("put", "prod/db/report", "-", stdin=b"at the start")
    server.sql(FUNCTION.format(broken="true"))
    options = ("--rotator", "postgresql", "--target", "main-db", "--login", "report", "--wait", "90s")
    stuck = ctl("rotate", "prod/db/report", *options)
    assert stuck.code == 6, stuck.err
    assert "in quarantine" in stuck.err

    check = ctl("check")
    assert check.code == 6
    assert check.lines[1].split()[0] == "prod/db/report"
    assert "restored-but-refused" in check.lines[1]
    assert ctl("rotation", "list", "--state", "quarantined", "-o", "raw").lines == ["prod/db/report"]
    assert ctl("check", "elsewhere/").code == 0
    assert ctl("rotation", "status", "prod/db/report").code == 6

    screen = ctl("rotation", "explain", "prod/db/report")
    assert screen.code == 6
    assert "main-db, current    refused (number 1)" in screen.out
    assert "main-db, candidate  refused (number 2)" in screen.out
    assert "callers get         unproved: " in screen.out
    assert screen.err.rstrip().endswith("then secretsctl rotation resume prod/db/report")
    assert "somebody else was here" not in screen.out + screen.err
    counted = 'secretsd_rotations{state="quarantined"} 1.0'
    wait_for("the metrics", lambda: counted in daemon.call("GET", "/metrics").body.decode())

    server.sql(FUNCTION.format(broken="false"))
    resumed = ctl("rotation", "resume", "prod/db/report")
    assert resumed.code == 0, resumed.err
    wait_for("its end", lambda: ctl("rotation", "status", "prod/db/report", "-o", "raw").lines == ["idle"])
    assert ctl("rotation", "history", "prod/db/report", "-o", "json").json[0]["result"] == "done"
    assert server.accepts("report", json.loads(ctl("get", "prod/db/report").out)["password"])
    assert ctl("check").code == 0
