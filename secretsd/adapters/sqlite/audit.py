"""The audit trail: hands events to the recorder and looks events up in both files."""

from asyncio import Future
from collections.abc import Sequence
from typing import Protocol

import apsw

from secretsd.adapters.sqlite.connections import fetch
from secretsd.adapters.sqlite.proof_uses import SqliteProofUses
from secretsd.adapters.sqlite.reads import Reads
from secretsd.adapters.sqlite.statements import load
from secretsd.domain.audit import AuditRecord
from secretsd.ports.storage import EventFilter

EVENT_QUERIES = load("events.sql")
_SQL = {name: statement.sql for name, statement in EVENT_QUERIES.items()}
EXAMINED_A_LOOK = 5_000
"""Rows looked at in each of the four places where events lie, before a look-up answers with what it has."""

_SOURCES = (("horizon_of_events", "find_events"), ("horizon_of_views", "find_views"))
_RANDOM_BITS = 80
_LAST = (1 << 128) - 1


class Recorder(Protocol):
    """Writes events of reads and refusals in group commits."""

    def record(self, record: AuditRecord) -> "Future[None]":
        """Queue an event; done once committed."""
        ...

    async def close(self) -> None:
        """Finish what is queued."""
        ...


class SqliteAuditTrail:
    """An AuditTrail."""

    def __init__(self, recorder: Recorder, reads: Reads, uses: SqliteProofUses) -> None:
        self._reads = reads
        self.record = recorder.record
        self.note_uses = uses.note
        self.uses = uses.of

    async def lookup(
        self, wanted: EventFilter, after: bytes | None, limit: int
    ) -> tuple[Sequence[bytes], bytes | None]:
        """Events by id; runs in the reader's thread and examines a bounded number of rows."""
        return await self._reads.long(lambda main, audit: _lookup((main, audit), wanted, after, limit))


def _lookup(
    files: tuple[apsw.Connection, apsw.Connection], wanted: EventFilter, after: bytes | None, limit: int
) -> tuple[list[bytes], bytes | None]:
    first, last = _range(wanted)
    if after is not None:
        first = max(first, after)
    if first >= last or limit < 1:
        return [], None
    exact, prefix = wanted.resource, None
    if wanted.resource is not None and wanted.resource.endswith("*"):
        exact, prefix = None, wanted.resource[:-1]
    # An event may wait in one place while a later one stands in another: nothing past the nearest of the places'
    # ends of sight may be given out, or the page after it would skip what lies between.
    end = last
    for connection in files:
        for horizon, _ in _SOURCES:
            rows = fetch(connection, _SQL[horizon], (wanted.account, first, last, EXAMINED_A_LOOK - 1))
            if rows:
                end = min(end, rows[0][0])
    found: dict[bytes, bytes] = {}
    arguments = (wanted.account, first, end, wanted.principal, wanted.operation, exact, prefix, limit + 1)
    for connection in files:
        for _, find in _SOURCES:
            for identifier, data in fetch(connection, _SQL[find], arguments):
                found.setdefault(identifier, data)
    ordered = sorted(found)
    events = [found[identifier] for identifier in ordered[:limit]]
    if len(ordered) > limit:
        return events, ordered[limit - 1]
    return events, end if end < last else None


def _range(wanted: EventFilter) -> tuple[bytes, bytes]:
    """The ids wanted, from exclusive to inclusive: an id begins with its time, so times are a range of ids."""
    if wanted.request_id is not None:
        number = int.from_bytes(wanted.request_id, "big")
        earliest, latest = wanted.from_ms << _RANDOM_BITS, _latest(wanted.to_ms)
        if len(wanted.request_id) != 16 or not earliest <= number <= latest:
            return b"", b""
        return (number - 1).to_bytes(16, "big") if number else b"", wanted.request_id
    start = min(wanted.from_ms << _RANDOM_BITS, _LAST)
    return (start - 1).to_bytes(16, "big") if start > 0 else b"", _latest(wanted.to_ms).to_bytes(16, "big")


def _latest(to_ms: int | None) -> int:
    return _LAST if to_ms is None else min(_LAST, max(0, ((to_ms + 1) << _RANDOM_BITS) - 1))
