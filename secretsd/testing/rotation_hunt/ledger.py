"""What was asked and answered, kept only until its event was seen: a hunt makes hundreds of thousands of requests."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from secretsd.testing.kill_hunt.caller import Caller, Unanswered, now_ms
from secretsd.testing.kill_hunt.journal import Entry, Journal, Request

OVERLAP_MS = 5_000


@dataclass(slots=True)
class Ledger(Journal):
    """A journal that forgets what has been accounted for. `notes` counts what is worth telling and no finding."""

    notes: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    _told: dict[str, float] = field(default_factory=dict)
    unanswered: int = 0

    def note(self, what: str) -> None:
        """Count something that may be."""
        with self._lock:
            self.notes[what] += 1

    def first(self, what: str, seconds: float) -> bool:
        """Whether it has not been told within so many seconds."""
        now = time.monotonic()
        with self._lock:
            before, self._told[what] = self._told.get(what, float("-inf")), now
        return now - before > seconds

    def take(self) -> list[Entry]:
        """The requests that have come to an end, answered or not; they are kept no longer."""
        with self._lock:
            ended = [entry for entry in self.entries if entry.ended_ms]
            self.entries = [entry for entry in self.entries if not entry.ended_ms]
            self.requests += len(ended)
            self.unanswered += sum(not entry.request_id for entry in ended)
        return ended


class Events:
    """Looks for the one event of each answer. What was answered lately may still be on its way into the next look."""

    def __init__(self, caller: Caller, ledger: Ledger, accounts: tuple[str, ...]) -> None:
        self.found = 0
        self._caller = caller
        self._ledger = ledger
        self._accounts = accounts
        self._seen_ms = now_ms() - OVERLAP_MS
        self._known: dict[str, int] = {}

    def look(self) -> None:
        """Every answer so far must have an event that is its own, with its operation, outcome and resource."""
        answered = [entry for entry in self._ledger.take() if entry.request_id]
        until_ms = now_ms() + 1
        listed: dict[str, dict[str, Any]] = {}
        for account in self._accounts:
            seen: set[str] = set()
            for event in self._listed(account, self._seen_ms - OVERLAP_MS, until_ms):
                if event["id"] in seen:
                    self._ledger.finding(f"event {event['id']} of {event['operation']} is listed twice")
                seen.add(event["id"])
                listed[event["id"]] = event
        for entry in answered:
            own = listed.get(entry.request_id)
            if own is None:
                self._ledger.finding(f"{entry.request.operation} was answered and has no event: {entry.request_id}")
            elif (own["operation"], own["outcome"]) != (entry.request.operation, entry.outcome):
                self._ledger.finding(f"the event of {entry.request.operation} has another operation or outcome")
        for id in [id for id, ms in self._known.items() if self._seen_ms - OVERLAP_MS <= ms and id not in listed]:
            self._ledger.finding(f"event {id} is gone")
        self.found += sum(id not in self._known for id in listed)
        self._known = {id: event["time_ms"] for id, event in listed.items()}
        self._seen_ms = until_ms

    def _listed(self, account: str, since_ms: int, until_ms: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"account": account, "from_ms": since_ms, "to_ms": until_ms, "limit": 1000}
        while True:
            request = Request("LookupEvents", "GET", "/v1/events", f"secretsd:{account}:audit", query=dict(query))
            try:
                answer = self._caller.call(request)
            except Unanswered:
                continue
            if answer.status != 200:
                self._ledger.finding(f"events cannot be looked up: {answer.kind}")
                return found
            found += answer.body["events"]
            if "next_token" not in answer.body:
                return found
            query["next_token"] = answer.body["next_token"]
