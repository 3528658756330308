"""Reads: single records on the loop, whatever yields many in one thread beside it.

A point read costs some ten microseconds on the loop and ten times that through a thread; a page or a look-up may walk
over many rows, which the loop must not wait for.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import apsw

from secretsd.adapters.sqlite.codec import COLUMNS, Codec
from secretsd.adapters.sqlite.connections import (
    AUDIT,
    MAIN,
    Arguments,
    Reopening,
    Row,
    Use,
    connect,
    fetch,
    report,
    unavailable,
)
from secretsd.adapters.sqlite.statements import load
from secretsd.adapters.sqlite.statistics import Statistics
from secretsd.domain.errors import NotFound, StorageUnavailable, Throttled
from secretsd.domain.records import Record, TamperedRecord

_logger = logging.getLogger(__name__)
RECORD_QUERIES = load("records.sql", COLUMNS)
_SQL = {name: statement.sql for name, statement in RECORD_QUERIES.items()}
R = TypeVar("R", bound=Record)
T = TypeVar("T")
MAX_LONG_READS = 1_000
_BUSY_SECONDS = 5.0
_LOOP_BUSY_MS, _THREAD_BUSY_MS = 20, 5_000


class Reads:
    """The connections that read, and the two ways to use them."""

    def __init__(self, directory: Path, codec: Codec, statistics: Statistics) -> None:
        self._codec = codec
        self._statistics = statistics
        # Readers meet a lock only while another process opens or closes the file as the only one, or repairs its log
        # after a crash: milliseconds, and so rare that the loop may sleep through them rather than fail a call.
        self._here = Reopening(lambda: connect(directory / MAIN, Use.READ, _LOOP_BUSY_MS))
        self._main = Reopening(lambda: connect(directory / MAIN, Use.READ, _THREAD_BUSY_MS))
        self._audit = Reopening(lambda: connect(directory / AUDIT, Use.READ, _THREAD_BUSY_MS))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage reader")
        self._waiting = 0
        self._closed = False

    @property
    def connections(self) -> int:
        """How many connections `rows_now` has had; another one after each failure."""
        return self._here.opened

    async def one(self, kind: type[R], query: str, arguments: Arguments, missing: str) -> R:
        """The one record that a query finds; NotFound with the sentence `missing` when there is none."""
        rows = await self.rows(query, arguments)
        if not rows:
            raise NotFound(missing)
        return self._decode(kind, rows[0])

    async def several(self, kind: type[R], query: str, arguments: Arguments) -> list[R]:
        """The few records that a query bounds itself to, read on the loop."""
        return [self._decode(kind, row) for row in await self.rows(query, arguments)]

    async def many(self, kind: type[R], query: str, arguments: Arguments) -> list[R]:
        """All records that a query finds, each of them verified; runs in the thread."""
        sql = _SQL[query]

        def read(main: apsw.Connection, _: apsw.Connection) -> list[R]:
            return [self._decode(kind, row) for row in fetch(main, sql, arguments)]

        return await self.long(read)

    async def rows(self, query: str, arguments: Arguments) -> list[Row]:
        """The rows of a short query, read on the loop."""
        deadline: float | None = None
        while True:
            try:
                return self.rows_now(_SQL[query], arguments)
            except apsw.BusyError as error:
                self._statistics.busy_waits += 1
                deadline = deadline or time.monotonic() + _BUSY_SECONDS
                if time.monotonic() > deadline:
                    raise unavailable(error) from None
            await asyncio.sleep(0.002)

    def rows_now(self, sql: str, arguments: Arguments) -> list[Row]:
        """The rows of a short statement, at once: apsw.BusyError while another process repairs the log."""
        if self._closed:
            raise StorageUnavailable("cannot use the storage: it is closed")
        try:
            return fetch(self._here.get(), sql, arguments)
        except apsw.BusyError:
            raise
        except apsw.Error as error:
            report("a read", error)
            self._here.drop()
            raise unavailable(error) from None
        except UnicodeDecodeError:
            raise self._no_text() from None

    async def long(self, read: Callable[[apsw.Connection, apsw.Connection], T]) -> T:
        """Run `read` with connections to the main and the audit file in the thread; Throttled when too many wait."""
        if self._closed:
            raise StorageUnavailable("cannot use the storage: it is closed")
        if self._waiting >= MAX_LONG_READS:
            raise Throttled("cannot take more look-ups now: too many wait", retry_after_seconds=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, read)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Finish what was asked, then close the connections."""
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop_all)
        self._thread.shutdown(wait=False)

    def _read(self, read: Callable[[apsw.Connection, apsw.Connection], T]) -> T:
        try:
            return read(self._main.get(), self._audit.get())
        except apsw.Error as error:
            report("a long read", error)
            self._drop()
            raise unavailable(error) from None
        except UnicodeDecodeError:
            raise self._no_text() from None

    def _drop(self) -> None:
        self._main.drop()
        self._audit.drop()

    def _drop_all(self) -> None:
        # In the thread, because the last connection of all copies what is left of the log into the file.
        self._here.drop()
        self._drop()

    def _no_text(self) -> TamperedRecord:
        """SQLite keeps whatever bytes it is given as text; ours are always UTF-8."""
        self._statistics.tampered_records += 1
        _logger.critical("a record was changed behind our back and is refused: its text is not valid")
        return TamperedRecord("cannot trust a record: its text is not valid")

    def _decode(self, kind: type[R], row: Row) -> R:
        try:
            return self._codec.decode(kind, row)
        except TamperedRecord:
            self._statistics.tampered_records += 1
            raise
