"""Looks at the storage's file from outside, read-only: where a rotation stands, and what its history says."""

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WAITING = ("idle", "quarantined")
BUSY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A rotation's row, as far as the hunt cares."""

    state: str
    run: int
    steps: int
    due_ms: int | None
    reason: str
    attempts: int
    pending: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing is under way and nothing is due."""
        return self.state in WAITING and self.due_ms is None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the history."""

    number: int
    run: int
    time_ms: int
    state: str
    reason: str
    epoch: int
    result: str

    def __str__(self) -> str:
        told = ", ".join(word for word in (self.reason, self.result.replace("none", "")) if word)
        return f"{self.number}: run {self.run} epoch {self.epoch} {self.state}{f' ({told})' if told else ''}"


class Stored:
    """One secret's rotation in the file. Any thread may ask."""

    def __init__(self, file: Path, secret: str) -> None:
        self._uri = f"file:{file}?mode=ro"
        self._secret = secret
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def standing(self) -> Standing:
        """The row; RuntimeError where there is none."""
        rows = self._rows(
            "SELECT state, run, steps, next_due_ms, reason, attempts, pending_version FROM rotations"
            " WHERE secret_name = ?",
            self._secret,
        )
        if not rows:
            raise RuntimeError(f"cannot find the rotation of secret {self._secret}")
        return Standing(*rows[0])

    def state(self) -> str:
        """The state alone; "" before there is one."""
        rows = self._rows("SELECT state FROM rotations WHERE secret_name = ?", self._secret)
        return str(rows[0][0]) if rows else ""

    def history(self, after: int = -1) -> list[Entry]:
        """The entries above a number, the oldest first."""
        return [
            Entry(*row)
            for row in self._rows(
                "SELECT number, run, time_ms, state, reason, epoch, result FROM rotation_steps WHERE number > ?"
                " AND secret_id = (SELECT secret_id FROM rotations WHERE secret_name = ?) ORDER BY number",
                after,
                self._secret,
            )
        ]

    def close(self) -> None:
        """Let go of the file; the next look opens it again.

        Needed when the daemon was started again: whoever in this process reads the file as a file, to search it, takes
        the locks of every connection to it away with him, and the daemon then replaces the log under their feet.
        """
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self._lock:
            if self._connection is None:
                self._connection = sqlite3.connect(self._uri, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
            with contextlib.closing(self._connection.execute(sql, parameters)) as cursor:
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found
