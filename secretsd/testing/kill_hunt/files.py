"""Looks at the storage files of a daemon that has stopped: sound, each event once, each row as its last event says."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from secretsd.adapters.sqlite.codec import TABLES
from secretsd.adapters.sqlite.connections import AUDIT, MAIN, Row, Use, connect, fetch
from secretsd.testing.kill_hunt.journal import Journal

Event = Mapping[str, Any]
Key = tuple[str, tuple[str, ...]]
Stored = tuple[int, str]
BUSY_MS = 5_000
FIRST_REVISION = 0


def check(storage: Path, events: Mapping[str, Event], journal: Journal) -> int:
    """Add what is wrong to the journal's findings; how many events the files hold."""
    for name in (MAIN, AUDIT):
        if (told := _read(storage / name, "PRAGMA integrity_check")) != [("ok",)]:
            journal.finding(f"{name} is damaged: {len(told)} complaints")
    stored: dict[str, Event] = {}
    for name in (MAIN, AUDIT):
        for id, data in _read(storage / name, "SELECT id, data FROM events"):
            if id.hex() in stored:
                journal.finding(f"event {id.hex()} is stored twice")
            stored[id.hex()] = json.loads(data)
    for id, event in events.items():
        if stored.get(id) != event:
            journal.finding(f"event {id} is {'changed' if id in stored else 'not'} in the files")
    _rows(storage / MAIN, stored.values(), journal)
    return len(stored)


def _read(file: Path, sql: str) -> list[Row]:
    connection = connect(file, Use.READ, BUSY_MS)
    try:
        return fetch(connection, sql)
    finally:
        connection.close()


def _rows(main: Path, events: Iterable[Event], journal: Journal) -> None:
    """Each revision of each row has one event, without a gap, and the last one is what the table holds."""
    expected = _replayed(events, journal)
    for table in TABLES.values():
        columns = ", ".join((*table.key, "revision", "row_mac"))
        rows = _read(main, f"SELECT {columns} FROM {table.name}")  # noqa: S608  # names of ours
        there = {(table.name, tuple(map(str, row[:-2]))): (int(row[-2]), bytes(row[-1]).hex()) for row in rows}
        told = {key: stored for key, stored in expected.items() if key[0] == table.name}
        for key in sorted({*there, *told}):
            if there.get(key) != told.get(key):
                journal.finding(f"a row of {table.name} is not as its last event says: {' '.join(key[1])}")


def _replayed(events: Iterable[Event], journal: Journal) -> dict[Key, Stored]:
    """What the events say that the tables hold; a step that does not follow the one before is a finding."""
    changes: dict[Key, list[tuple[int, int, str]]] = defaultdict(list)
    forgotten: set[tuple[str, ...]] = set()
    trimmed: dict[tuple[str, ...], int] = {}
    for event in events:
        for table, key, revision, mac in event.get("changes", ()):
            if key[-1] == "*":
                forgotten.add((key[0], key[1]))  # all versions of an erased secret; its id never comes again
            elif key[-1].startswith(".."):
                trimmed[key[0], key[1]] = int(key[-1].removeprefix(".."))  # a history's entries below a number
            else:
                changes[table, tuple(key)].append((event["time_ms"], revision, mac))
    held: dict[Key, Stored] = {}
    for key, steps in changes.items():
        last: Stored | None = None
        for _, revision, mac in sorted(steps):
            if last is not None and not mac and revision == last[0] and key[0] != "secret_values":
                last = None  # deleted, and its name free for another
                continue
            if revision != (FIRST_REVISION if last is None else last[0] + 1):
                journal.finding(f"revision {revision} of a row of {key[0]} does not follow the one before it")
            last = revision, mac
        gone = key[0] in ("secret_versions", "secret_values") and key[1][:2] in forgotten
        gone = gone or (key[0] == "rotation_steps" and int(key[1][2]) < trimmed.get(key[1][:2], 0))
        if last is not None and not gone:
            held[key] = last
    return held
