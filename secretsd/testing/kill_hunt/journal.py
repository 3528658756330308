"""What the hunt has asked for and been told: one entry a request, and what was found wrong."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A request to be sent. `resource` is whole, as its event will have it; `token` is the version id asked for,
    `bearer` proves another caller than the administrator."""

    operation: str
    method: str
    path: str
    resource: str
    body: Any = None
    query: Mapping[str, Any] | None = None
    token: str = ""
    bearer: str = field(default="", repr=False)


@dataclass(slots=True)
class Entry:
    """A request that was sent. Times are milliseconds since 1970. `outcome` is as in its event, empty unanswered.

    `stored` says of an unanswered request whether it took effect, None where nobody could tell from outside.
    """

    request: Request
    sent_ms: int
    ended_ms: int = 0
    outcome: str = ""
    request_id: str = ""
    stored: bool | None = None


@dataclass(slots=True)
class Journal:
    """All requests and findings of a hunt; several threads write to it."""

    entries: list[Entry] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, entry: Entry) -> Entry:
        """Note a request before its first byte leaves."""
        with self._lock:
            self.entries.append(entry)
        return entry

    def finding(self, sentence: str) -> None:
        """Note something that must not be. Names and states only, never a value."""
        with self._lock:
            self.findings.append(sentence)

    def answered(self) -> list[Entry]:
        """The requests that were answered so far."""
        with self._lock:
            return [entry for entry in self.entries if entry.request_id]
