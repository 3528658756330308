"""The main job, for real: database passwords change by schedule while an application logs in without pause.

A real daemon with SoftHSM2 and a real PostgreSQL that takes SCRAM only. One secret has one login, another two that take
turns; an application fetches each over the Unix socket and opens a new connection every time, again and again. Where a
login is refused, the application fetches once more, which may happen to it with the one login and never with the two.
At the end every request must have left exactly one audit event. The last line tells the counts; the exit status is 0
only if all of it went well.
"""

import contextlib
import json
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from secretsd.testing.daemon import Answered, Daemon, secret_path
from secretsd.testing.postgres import PostgresServer, postgres

SINGLE, ALTERNATING = "prod/db/app", "prod/db/report"
WANTED_ROTATIONS, WANTED_LOGINS, ROTATIONS_EACH = 20, 1_000, 10
LONGEST_SECONDS = 120.0
LONGEST_GAP_SECONDS = 0.25
HUNG_SECONDS = 5


class Application:
    """Fetches one secret and logs in with it, as often as it can. A login that hangs is a failed one."""

    def __init__(self, daemon: Daemon, server: PostgresServer, secret: str, token: str) -> None:
        self.secret = secret
        self.logins = self.retried = 0
        self.failures: list[str] = []
        self.request_ids: list[str] = []
        self.versions: list[int] = []
        self.longest_gap_seconds = 0.0
        self._daemon, self._server, self._token = daemon, server, token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=secret)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the login that is under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._daemon.connect(tcp=False)) as connection:
            last = time.monotonic()
            while not self._stop.is_set():
                if self._login(connection) or self._login_again(connection):
                    self.logins += 1
                    now = time.monotonic()
                    self.longest_gap_seconds = max(self.longest_gap_seconds, now - last)
                    last = now

    def _login(self, connection: Any) -> bool:
        """Fetch and log in; False where the server refuses what was fetched."""
        answered = self._daemon.call("GET", secret_path(self.secret, "value"), token=self._token, connection=connection)
        self.request_ids.append(answered.request_id)
        if answered.status != 200:
            self.failures.append(f"{answered.status} {answered.kind}")
            return False
        if not self.versions or self.versions[-1] != answered.body["number"]:
            self.versions.append(answered.body["number"])
        found = json.loads(answered.body["text"])
        try:
            opened = psycopg.connect(
                host=found["host"], port=found["port"], dbname=found["dbname"], user=found["username"],
                password=found["password"], connect_timeout=HUNG_SECONDS, sslmode="disable",
            )  # fmt: skip
            opened.close()
        except psycopg.OperationalError:
            return False
        return True

    def _login_again(self, connection: Any) -> bool:
        self.retried += 1
        if self._login(connection):
            return True
        self.failures.append("refused twice")
        return False


class Demo:
    """What is asked of the daemon, with every request counted."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.request_ids: list[str] = []

    def must(self, method: str, path: str, body: object = None) -> Answered:
        """A request of the administrator that has to succeed."""
        answered = self.daemon.call(method, path, body)
        self.request_ids.append(answered.request_id)
        if answered.status != 200:
            raise SystemExit(f"cannot go on with the demo: {method} {path} answered {answered.body}")
        return answered

    def prepare(self, server: PostgresServer) -> str:
        """A target with an administrator, two secrets rotated there every second, an application that may read them."""
        account = self.must("GET", "/v1/caller-identity").body["account"]
        target = {
            "target": "main-db",
            "rotator": "postgresql",
            "address": {"host": "127.0.0.1", "port": server.port, "tls": "off"},
            "admin_login": "rotator",
            "admin_password": server.admin_password,
            "logins": {account: ["app", "report_*"]},
        }
        self.must("POST", "/v1/targets", target)
        for secret, logins in ((SINGLE, ["app"]), (ALTERNATING, ["report_a", "report_b"])):
            self.must("POST", "/v1/secrets", {"name": secret})
            rotation = {"rotator": "postgresql", "target": "main-db", "logins": logins, "grace_seconds": 1}
            self.must("POST", secret_path(secret, "rotate"), {**rotation, "schedule": {"every_seconds": 1}})
        for secret in (SINGLE, ALTERNATING):
            self.wait_for_first(secret)
        statement = {"Effect": "Allow", "Action": "GetSecretValue", "Resource": "secret/prod/db/*"}
        document = json.dumps({"Version": "1", "Statement": [statement]})
        self.must("POST", "/v1/policies", {"policy": "read-db", "document": document})
        self.must("POST", "/v1/users", {"user": "app"})
        self.must("POST", "/v1/users/app:attach-policy", {"policy": "read-db"})
        return str(self.must("POST", "/v1/users/app:create-token", {"ttl_seconds": 3600}).body["token"])

    def wait_for_first(self, secret: str) -> None:
        """Until the first rotation has given the secret a value."""
        end = time.monotonic() + 30
        while "current" not in self.must("GET", secret_path(secret)).body["stages"]:
            if time.monotonic() > end:
                raise SystemExit(f"cannot go on with the demo: {secret} was not rotated")
            time.sleep(0.1)

    def rotations(self) -> Counter[str]:
        """How many rotations of each secret have ended well, as the audit trail tells; this look is not counted."""
        events = self.daemon.events(operation="PromoteRotation")
        return Counter(one["resource"].partition("secret/")[2] for one in events if one["outcome"] == "ok")

    def settle(self) -> None:
        """Stop the clocks and wait until nothing is under way."""
        for secret in (SINGLE, ALTERNATING):
            self.must("POST", secret_path(secret, "pause-rotation"), {})
            while self.must("GET", secret_path(secret)).body["rotation"]["state"] not in ("idle", "check-idle"):
                time.sleep(0.05)

    def verify(self, request_ids: list[str]) -> tuple[int, int]:
        """How many events there are, and how many requests or events lack their one counterpart."""
        events = [one for account in ("", "system") for one in self._events(account)]
        events = list({one["id"]: one for one in events}.values()) + _repeated(events)
        asked, found = Counter(request_ids), Counter(one["id"] for one in events)
        by_request = [one for one in events if one["operation"] != "LookupEvents"]
        of_itself = {one["id"] for one in by_request if one["source"] in ("schedule", "host")}
        missing = sum(found[request] != 1 for request in asked)
        stray = sum(one["id"] not in asked and one["id"] not in of_itself for one in by_request)
        return len(by_request), missing + stray + sum(count - 1 for count in asked.values())

    def _events(self, account: str) -> list[dict[str, Any]]:
        return self.daemon.events(account=account) if account else self.daemon.events()


def _repeated(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events that one account's view shows twice. An event that concerns two accounts is rightly in both views."""
    seen: set[tuple[object, str]] = set()
    twice = []
    for one in events:
        shown = one["id"], json.dumps(one, sort_keys=True)
        if shown in seen and len(one["accounts"]) == 1:
            twice.append(one)
        seen.add(shown)
    return twice


def say(line: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make_roles(server: PostgresServer) -> None:
    """An administrator who may change these logins and nothing else, and the logins; a wrong password is refused."""
    logins = ("app", "report_a", "report_b")
    server.sql(f"CREATE ROLE rotator LOGIN CREATEROLE PASSWORD '{server.admin_password}'")
    for login in logins:
        server.sql(f"CREATE ROLE {login} LOGIN")
        if server.major >= 16:
            server.sql(f"GRANT {login} TO rotator WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
    refused = not server.accepts("rotator", "a wrong password")
    say(f"database:  PostgreSQL {server.major}, SCRAM only; a wrong password is {'refused' if refused else 'ACCEPTED'}")
    if not refused:
        raise SystemExit("cannot go on with the demo: the server takes any password")


def run(daemon: Daemon, server: PostgresServer) -> int:
    """The demo against a daemon and a server that serve; the exit status."""
    make_roles(server)
    demo = Demo(daemon)
    token = demo.prepare(server)
    say(f"daemon:    pid {daemon.pid}, workers {daemon.children('worker')}, key store {daemon.children('keystore')}")
    say(f"secrets:   {SINGLE} (login app), {ALTERNATING} (logins report_a and report_b in turns), rotated every second")
    single, alternating = applications = [Application(daemon, server, name, token) for name in (SINGLE, ALTERNATING)]
    for application in applications:
        application.start()
    started = time.monotonic()
    while time.monotonic() - started < LONGEST_SECONDS:
        time.sleep(1.0)
        done = demo.rotations()
        shown = "   ".join(f"{one.secret}: {done[one.secret]} rotations, {one.logins} logins" for one in applications)
        say(f"{time.monotonic() - started:5.1f} s    {shown}")
        enough = all(done[one.secret] >= ROTATIONS_EACH for one in applications)
        if any(one.failures for one in applications):
            break
        if enough and done.total() >= WANTED_ROTATIONS and sum(one.logins for one in applications) >= WANTED_LOGINS:
            break
    for application in applications:
        application.stop()
    demo.settle()
    done = demo.rotations()
    events, missing = demo.verify(demo.request_ids + [one for each in applications for one in each.request_ids])
    for one in applications:
        gap = f"longest gap {one.longest_gap_seconds * 1000:.0f} ms"
        over = " (over 250 ms)" if one.longest_gap_seconds > LONGEST_GAP_SECONDS else ""
        failures = ", ".join(one.failures[:3]) or "none"
        say(
            f"{one.secret}: {len(one.versions)} versions, {one.retried} fetched again, {gap}{over}, failures {failures}"
        )
    logins, failed = sum(one.logins for one in applications), sum(len(one.failures) for one in applications)
    retried = f"{single.retried}/{alternating.retried}"
    say(f"rotations={done.total()} logins={logins} retried={retried} failed={failed} events={events} missing={missing}")
    enough = done.total() >= WANTED_ROTATIONS and all(done[one.secret] >= ROTATIONS_EACH for one in applications)
    calm = failed == 0 and alternating.retried == 0 and single.retried <= done[SINGLE]
    return 0 if enough and calm and logins >= WANTED_LOGINS and missing == 0 else 1


def main() -> int:
    """Start a server and a daemon of our own in directories of their own, and leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="secretsd-demo-"))
    directory.chmod(0o711)
    daemon = Daemon(directory / "state")
    try:
        say("starting PostgreSQL, and a daemon with SoftHSM2 and SQLite under three users")
        with postgres() as server:
            return run(daemon.start(), server)
    finally:
        daemon.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
