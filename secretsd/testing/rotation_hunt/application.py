"""An application: fetches a credential and logs in with it, directly at the server, again and again without pause."""

import json
import threading
import time
from dataclasses import dataclass

import psycopg

from secretsd.testing.daemon import Daemon, secret_path
from secretsd.testing.kill_hunt.caller import Caller, Unanswered, now_ms
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.rotation_hunt.ledger import Ledger

HUNG_SECONDS = 5
LATE_SECONDS = 0.4
"""A value older than that when it is used may have been replaced since; then it is the application that was slow."""
FOUND_SECONDS = 12.0
"""How long after a server is up again a daemon may not have noticed yet, and serves what it had proved before."""
WAVE_SECONDS = 5.0
"""Refusals follow each other by the dozen until something changes: that is told once."""
_HELD = ("rotation-in-progress", "keystore-unavailable", "storage-unavailable")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A credential as it was served. `at` is the monotonic moment of the answer."""

    version_id: str
    number: int
    username: str
    password: str
    unproved: bool
    at: float

    def __repr__(self) -> str:
        return f"version {self.number} of {self.username}"


class Fetcher:
    """Fetches one secret's current value over the Unix socket; for one thread."""

    def __init__(self, daemon: Daemon, ledger: Ledger, account: str, secret: str) -> None:
        self.caller = Caller(daemon, ledger)
        resource = f"secretsd:{account}:secret/{secret}"
        self._request = Request("GetSecretValue", "GET", secret_path(secret, "value"), resource)
        self._ledger = ledger

    def fetch(self) -> Fetched | None:
        """The value; None where the daemon is not there, or tells to come again."""
        try:
            answer = self.caller.call(self._request)
        except Unanswered:
            return None
        if answer.status != 200:
            self._ledger.note(f"reads answered {answer.kind}")
            if answer.kind not in _HELD:
                self._ledger.finding(f"a read was answered {answer.kind}")
            return None
        found = json.loads(answer.body["text"])
        unproved = bool(answer.body.get("unproved"))
        number = int(answer.body["number"])
        return Fetched(
            answer.body["version_id"], number, found["username"], found["password"], unproved, time.monotonic()
        )


class Downtime:
    """When the server was down, so that a failed login may be laid to that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[list[float]] = []

    def begin(self) -> None:
        """From now on."""
        with self._lock:
            self._spans.append([time.monotonic(), float("inf")])

    def end(self, after_seconds: float = 0.0) -> None:
        """Until now, and so many seconds more."""
        with self._lock:
            for span in self._spans:
                span[1] = min(span[1], time.monotonic() + after_seconds)

    def covers(self, since: float, until: float) -> bool:
        """Whether any of it lies within."""
        with self._lock:
            return any(span[0] <= until and since <= span[1] for span in self._spans)


def log_in(port: int, who: Fetched) -> str:
    """Log in and out: "" when it worked, `refused`, or `down` where nobody could have."""
    try:
        psycopg.connect(
            host="127.0.0.1", port=port, dbname="postgres", user=who.username, password=who.password,
            connect_timeout=HUNG_SECONDS, sslmode="disable", application_name="application",
        ).close()  # fmt: skip
    except psycopg.OperationalError as error:
        return "refused" if "password authentication failed" in str(error) else "down"
    return ""


class Application(threading.Thread):
    """One thread, one secret. A refused login is made once more with the value read again; a second refusal counts.

    `server_down` says when the server was, which excuses a refusal.
    """

    def __init__(self, fetcher: Fetcher, ledger: Ledger, secret: str, port: int, *, takes_turns: bool) -> None:
        super().__init__(name=f"application of {secret}", daemon=True)
        self.logins = self.reread = self.failed = 0
        self.longest_gap_seconds = 0.0
        self.server_down = Downtime()
        self._fetcher = fetcher
        self._ledger = ledger
        self._secret = secret
        self._port = port
        self._takes_turns = takes_turns
        self._ended = threading.Event()

    def run(self) -> None:
        """Until it is ended."""
        last = time.monotonic()
        while not self._ended.is_set():
            if self._once():
                self.logins += 1
                self.longest_gap_seconds = max(self.longest_gap_seconds, time.monotonic() - last)
                last = time.monotonic()
        self._fetcher.caller.close()

    def end(self) -> None:
        """Stop after the login that is under way."""
        self._ended.set()
        if self.is_alive():
            self.join()

    def _once(self) -> bool:
        began = time.monotonic()
        first = self._fetcher.fetch()
        if first is None or (outcome := self._tried(first, began)) == "":
            return first is not None
        if outcome == "down":
            return False
        self.reread += 1
        if self._takes_turns and not self.server_down.covers(began, time.monotonic()):
            self._found(f"a login was refused with {first!r}, one of two that take turns", first)
        again = self._fetcher.fetch()
        if again is None:
            return False  # held, as it should be: there is no second refusal
        outcome = self._tried(again, began)
        if outcome == "refused":
            self._refused_twice(first, again, began)
        return outcome == ""

    def _tried(self, who: Fetched, began: float) -> str:
        outcome = log_in(self._port, who)
        now = time.monotonic()
        if outcome == "down" and not self.server_down.covers(began, now):
            self._found("a login failed otherwise than by a refusal, while the server was up", who)
        return outcome

    def _refused_twice(self, first: Fetched, again: Fetched, began: float) -> None:
        self.failed += 1
        excuse = ""
        if self.server_down.covers(began - FOUND_SECONDS, time.monotonic()):
            excuse = "after the server was down"
        elif time.monotonic() - again.at > LATE_SECONDS:
            excuse = "because the application was late"
        told = f"refused twice{', unproved' * again.unproved}"
        self._ledger.note(f"logins {told}{f', {excuse}' if excuse else ''}")
        if not excuse and self._ledger.first(f"{self._secret}: {told}", WAVE_SECONDS):
            self._found(f"a login was refused with {first!r} and after one re-read with {again!r}", again)

    def _found(self, sentence: str, who: Fetched) -> None:
        told = f"{self._secret}: {sentence}{', unproved' * who.unproved}, at {now_ms()} ms"
        self._ledger.finding(told)
