"""The main job, for real: an application reads its secret without pause while the daemon renews it by schedule.

A real daemon with SoftHSM2 is started; two readers, one over the Unix socket and one over HTTP, fetch the value as fast
as they like; a read that is not allowed and a request that is none are shown; at the end every request must have left
exactly one audit event. The last line tells the counts; the exit status is 0 only if all of it went well.
"""

import contextlib
import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from secretsd.testing.daemon import Answered, Daemon, secret_path

SECRET = "prod/db/app"
OTHER = "prod/payroll/root"
WANTED_READS, WANTED_RENEWALS = 1_000, 5
LONGEST_SECONDS = 90.0


class Application:
    """One reader with a connection of its own. `versions` is what it was served, in order."""

    def __init__(self, daemon: Daemon, name: str, token: str, *, tcp: bool) -> None:
        self.name = name
        self.reads = 0
        self.failures: list[str] = []
        self.request_ids: list[str] = []
        self.versions: list[int] = []
        self.longest_gap_seconds = 0.0
        self._daemon, self._token, self._tcp = daemon, token, tcp
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(self._daemon.connect(tcp=self._tcp)) as connection:
            last = time.monotonic()
            while not self._stop.is_set():
                answered = self._daemon.call(
                    "GET", secret_path(SECRET, "value"), token=self._token, connection=connection
                )
                self.request_ids.append(answered.request_id)
                now = time.monotonic()
                self.longest_gap_seconds = max(self.longest_gap_seconds, now - last)
                last = now
                if answered.status != 200 or len(answered.body["text"]) != 24:
                    self.failures.append(f"{answered.status} {answered.kind}")
                    continue
                self.reads += 1
                if not self.versions or self.versions[-1] != answered.body["number"]:
                    self.versions.append(answered.body["number"])
                self._stop.wait(0.002)


class Demo:
    """What is asked of the daemon, with every request counted."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.request_ids: list[str] = []
        self.denied = 0

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Answered:
        """One request, as the administrator unless a token is given."""
        answered = self.daemon.call(method, path, body, token=token)
        self.request_ids.append(answered.request_id)
        return answered

    def must(self, method: str, path: str, body: object = None) -> Answered:
        """A request that has to succeed."""
        answered = self.ask(method, path, body)
        if answered.status != 200:
            raise SystemExit(f"cannot prepare the demo: {method} {path} answered {answered.body}")
        return answered

    def prepare(self) -> str:
        """A secret with a schedule, another one, and an application that may read the first; its token."""
        for name in (SECRET, OTHER):
            self.must("POST", "/v1/secrets", {"name": name, "text": "set-by-hand-at-the-start"})
        statement = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/db/*"]}
        self.must("POST", "/v1/policies", {"policy": "read-db", "statements": [statement]})
        self.must("POST", "/v1/users", {"user": "app"})
        self.must("POST", "/v1/users/app:attach-policy", {"policy": "read-db"})
        token = self.must("POST", "/v1/users/app:create-token", {"ttl_seconds": 3600}).body["token"]
        rotation = {
            "rotator": "random",
            "settings": {"length": 24},
            "schedule": {"every_seconds": 1},
        }
        self.must("POST", secret_path(SECRET, "rotate"), rotation)
        return str(token)

    def show_refusals(self, token: str) -> None:
        """A read that is not allowed, and bytes that are no request."""
        denied = self.ask("GET", secret_path(OTHER, "value"), token=token)
        self.denied += denied.status == 403
        say(f"denied:    GET {secret_path(OTHER, 'value')} as app -> {denied.status} {json.dumps(denied.body)}")
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(10)
            raw.connect(self.daemon.socket)
            raw.sendall(b"\x16\x03\x01 this is no request\r\n\r\n")
            reply = b"".join(iter(lambda: raw.recv(65536), b""))
        head, _, body = reply.partition(b"\r\n\r\n")
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self.request_ids.append(headers[b"X-Request-Id"].decode())
        say(f"malformed: bytes that are no request -> {head.split()[1].decode()} {body.decode()}")

    def renewals(self) -> int:
        """How many renewals have ended well, as the audit trail tells; this look is no part of the count."""
        return len([one for one in self.daemon.events(operation="PromoteRotation") if one["outcome"] == "ok"])

    def settle(self) -> None:
        """Stop the clock of the rotation and wait until none is under way."""
        self.must("POST", secret_path(SECRET, "cancel-rotation"), {})
        while self.must("GET", secret_path(SECRET)).body["rotation"]["state"] != "idle":
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

    def _events(self, account: str) -> list[dict[str, object]]:
        return self.daemon.events(account=account) if account else self.daemon.events()


def _repeated(events: list[dict[str, object]]) -> list[dict[str, object]]:
    """Events that one account's view shows twice. An event that concerns two accounts is rightly in both views."""
    seen: set[tuple[object, str]] = set()
    twice = []
    for one in events:
        shown = one["id"], json.dumps(one, sort_keys=True)
        accounts = one["accounts"]
        if shown in seen and isinstance(accounts, list) and len(accounts) == 1:
            twice.append(one)
        seen.add(shown)
    return twice


def say(line: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run(daemon: Daemon) -> int:
    """The demo against a daemon that serves; the exit status."""
    demo = Demo(daemon)
    token = demo.prepare()
    say(f"daemon:    pid {daemon.pid}, workers {daemon.children('worker')}, key store {daemon.children('keystore')}")
    say(f"secret:    {SECRET}, renewed every second by the rotator `random`")
    readers = [
        Application(daemon, "unix", token, tcp=False),
        Application(daemon, "http", token, tcp=True),
    ]
    for reader in readers:
        reader.start()
    demo.show_refusals(token)
    started = time.monotonic()
    renewals = 0
    while time.monotonic() - started < LONGEST_SECONDS:
        time.sleep(0.5)
        renewals = demo.renewals()
        shown = " ".join(
            f"{one.name}={one.reads} (version {one.versions[-1] if one.versions else '-'})" for one in readers
        )
        say(f"{time.monotonic() - started:5.1f} s    reads {shown}   renewals={renewals}")
        enough = sum(one.reads for one in readers) >= WANTED_READS and renewals > WANTED_RENEWALS
        if enough or any(one.failures for one in readers):
            break
    for reader in readers:
        reader.stop()
    demo.settle()
    renewals = demo.renewals()
    request_ids = demo.request_ids + [request for one in readers for request in one.request_ids]
    events, missing = demo.verify(request_ids)
    for one in readers:
        gap = f"{one.longest_gap_seconds * 1000:.0f} ms"
        say(f"{one.name}:      {len(one.versions)} versions seen, longest gap {gap}, failures {one.failures or 'none'}")
    reads = sum(one.reads for one in readers)
    failed = any(one.failures for one in readers)
    say(f"reads={reads} renewals={renewals} denied={demo.denied} events={events} missing={missing}")
    well = reads >= WANTED_READS and renewals >= WANTED_RENEWALS and demo.denied >= 1 and missing == 0
    return 0 if well and not failed else 1


def main() -> int:
    """Start a daemon of our own in a directory of its own, and leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="secretsd-demo-"))
    directory.chmod(0o711)
    daemon = Daemon(directory / "state")
    try:
        say("starting a daemon: SoftHSM2 token, SQLite, three users")
        return run(daemon.start())
    finally:
        daemon.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
