"""Opens SQLite files the one way that we use them, and gives SQLite's errors the words of the port."""

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import apsw

from secretsd.domain.errors import StorageUnavailable

_logger = logging.getLogger(__name__)
MAIN, AUDIT = "main.db", "audit.db"
LOG_BYTES_KEPT = 128 * 1024 * 1024
"""How much of a log's file is kept to be written over once the log was longer than that."""


Row = tuple[Any, ...]
Arguments = Sequence[int | float | str | bytes | None]


class Use(Enum):
    """What a connection is for; decides whether it may write and whether its commits wait for the disk."""

    READ = "read"
    WRITE_DURABLY = "write-durably"
    WRITE_BUFFERED = "write-buffered"


# The reasons that an operator can act upon; SQLite's own texts may quote what they are about, so they go nowhere.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (apsw.FullError, "the disk is full"),
    (apsw.ReadOnlyError, "it is read-only"),
    (apsw.CantOpenError, "a file cannot be opened"),
    (apsw.PermissionsError, "a file may not be used"),
    (apsw.IOError, "input or output failed"),
    (apsw.BusyError, "another process holds it for too long"),
    (apsw.LockedError, "another process holds it for too long"),
    (apsw.CorruptError, "a file is damaged"),
    (apsw.NotADBError, "a file is no database"),
)


def unavailable(error: Exception) -> StorageUnavailable:
    """The port's error for one of SQLite's or of the operating system's."""
    reason = next((text for kind, text in _REASONS if isinstance(error, kind)), "an unexpected failure")
    return StorageUnavailable(f"cannot use the storage: {reason}", retry_after_seconds=1)


def report(what: str, error: Exception) -> None:
    """Log a failure by SQLite's code and name, without its text."""
    code = getattr(error, "extendedresult", None)
    _logger.error("%s failed: %s (code %s)", what, type(error).__name__, code)


def create_file(path: Path) -> None:
    """Make the file, mode 0600, unless it is there; SQLite gives its log and index files the same mode.

    An existing file is not opened: closing any descriptor of it would drop this process's POSIX locks on it.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def connect(path: Path, use: Use, busy_ms: int) -> apsw.Connection:
    """A connection to an existing file. `busy_ms` is how long it waits for others before apsw.BusyError."""
    connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(busy_ms)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.pragma("trusted_schema", False)
        connection.pragma("cell_size_check", True)
        connection.pragma("temp_store", "memory")
        connection.pragma("cache_size", -16_000)
        if use is Use.READ:
            connection.pragma("query_only", True)
        else:
            connection.pragma("synchronous", "full" if use is Use.WRITE_DURABLY else "normal")
            connection.pragma("journal_size_limit", LOG_BYTES_KEPT)
        if use is Use.WRITE_BUFFERED:
            connection.wal_autocheckpoint(0)
    except BaseException:
        connection.close()
        raise
    return connection


def fetch(connection: apsw.Connection, sql: str, arguments: Arguments = ()) -> list[Row]:
    """All rows of a statement: read to the end, because one left open would hold on to its snapshot."""
    return connection.execute(sql, arguments).fetchall()


class Reopening:
    """A connection that is opened when it is first needed, and again after a failure; for one thread at a time."""

    __slots__ = ("_connection", "_open", "opened")

    def __init__(self, open_connection: Callable[[], apsw.Connection]) -> None:
        self._open = open_connection
        self._connection: apsw.Connection | None = None
        self.opened = 0
        """How many connections there have been: what one counts means nothing to the next."""

    def get(self) -> apsw.Connection:
        """The connection; raises apsw.Error when it cannot be opened."""
        if self._connection is None:
            self._connection = self._open()
            self.opened += 1
        return self._connection

    def undo(self) -> None:
        """Undo what is not committed; the connection stays when there was nothing to undo."""
        if self._connection is not None and self._connection.in_transaction:
            self.drop()

    def drop(self) -> None:
        """Close it, what was not committed undone; the next `get` opens another. Never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(apsw.Error):
                connection.close(True)
