"""Holds the audit trail against the journal: one event for each answer, none without a request, none ever changed."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from secretsd.testing.kill_hunt.caller import Caller, Unanswered, now_ms
from secretsd.testing.kill_hunt.journal import Entry, Journal, Request

OVERLAP_MS = 5_000
CLOCK_MS = 5
Event = Mapping[str, Any]


class Trail:
    """All events seen so far. `events` maps ids to events, in which each account's view must agree."""

    def __init__(self, caller: Caller, account: str) -> None:
        self.events: dict[str, Event] = {}
        self._digests: dict[str, bytes] = {}
        self._caller = caller
        self._journal: Journal = caller.journal
        self._account = account
        self._seen_ms = 0
        self._before: set[str] = set()

    def begin(self) -> None:
        """What is there now was there before the hunt."""
        self.look(wholly=True)
        self._before = set(self.events) - {entry.request_id for entry in self._journal.answered()}

    def look(self, *, wholly: bool = False) -> None:
        """Read the events that are new, a few known ones with them, or all of them; changed ones are findings."""
        since_ms = 0 if wholly else max(0, self._seen_ms - OVERLAP_MS)
        answered = [entry for entry in self._journal.answered() if since_ms <= entry.sent_ms]
        until_ms = now_ms()
        listed: set[str] = set()
        for account in (self._account, "system"):
            once: set[str] = set()
            for event in self._listed(account, since_ms, until_ms):
                if event["id"] in once:
                    self._journal.finding(f"event {event['id']} is listed twice")
                once.add(event["id"])
                digest = hashlib.sha256(json.dumps(event, sort_keys=True).encode()).digest()
                if self._digests.setdefault(event["id"], digest) != digest:
                    self._journal.finding(f"event {event['id']} was changed")
                self.events[event["id"]] = event
            listed |= once
        for entry in answered:
            if entry.request_id not in listed:
                self._journal.finding(f"{entry.request.operation} was answered and has no event")
        gone = [
            id for id, event in self.events.items() if since_ms <= event["time_ms"] <= until_ms and id not in listed
        ]
        for id in gone:
            self._journal.finding(f"event {id} is gone")
        self._seen_ms = until_ms

    def settle(self) -> None:
        """Account for every event by a request, and for every request by its event."""
        answered = {entry.request_id for entry in self._journal.answered()}
        self.look(wholly=True)
        unclaimed = {
            id: event
            for id, event in self.events.items()
            if id not in self._before and event["source"] not in ("schedule", "host")
        }
        for entry in self._journal.answered():
            event = unclaimed.pop(entry.request_id, None)
            if event is None and entry.request_id in answered:
                self._journal.finding(f"{entry.request.operation} was answered and has no event of its own")
            elif event is not None and (wrong := _differs(event, entry)):
                self._journal.finding(f"the event of {entry.request.operation} has another {wrong}")
        waiting: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in sorted(unclaimed.values(), key=lambda event: event["time_ms"]):
            waiting[event["operation"], event["resource"]].append(event)
        unanswered = [entry for entry in self._journal.entries if not entry.request_id]
        for entry in sorted(unanswered, key=lambda entry: entry.stored is not True):
            self._claim(entry, waiting[entry.request.operation, entry.request.resource])
        for (operation, _), left in waiting.items():
            for event in left:
                self._journal.finding(f"event {event['id']} of {operation} belongs to no request")

    def _claim(self, entry: Entry, candidates: list[Event]) -> None:
        """An unanswered request may have an event; one that took effect must, one that did not must have none."""
        fitting = [
            event
            for event in candidates
            if entry.sent_ms - CLOCK_MS <= event["time_ms"] <= entry.ended_ms + CLOCK_MS
            and (event["outcome"] != "ok" or event.get("fields", {}).get("token", "") == entry.request.token)
        ]
        done = [event for event in fitting if event["outcome"] == "ok"]
        if entry.stored is True and len(done) != 1:
            self._journal.finding(f"{entry.request.operation} took effect unanswered and has {len(done)} events")
        if entry.stored is False and done:
            self._journal.finding(f"{entry.request.operation} took no effect and has an event that says so")
        if fitting:
            candidates.remove((done or fitting)[0])

    def _listed(self, account: str, since_ms: int, until_ms: int) -> Iterable[Event]:
        query: dict[str, Any] = {"account": account, "from_ms": since_ms, "to_ms": until_ms, "limit": 1000}
        resource = f"secretsd:{account}:audit"
        while True:
            try:
                answer = self._caller.call(Request("LookupEvents", "GET", "/v1/events", resource, query=query))
            except Unanswered:
                continue
            if answer.status != 200:
                raise RuntimeError(f"cannot look up events: {answer.kind}")
            yield from answer.body["events"]
            if "next_token" not in answer.body:
                return
            query["next_token"] = answer.body["next_token"]


def _differs(event: Event, entry: Entry) -> str:
    expected = {"operation": entry.request.operation, "outcome": entry.outcome, "resource": entry.request.resource}
    return ", ".join(name for name, value in expected.items() if event[name] != value)
