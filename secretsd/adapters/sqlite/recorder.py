"""Recorders: write the events of reads and refusals in group commits, buffered on the loop or durably in a thread."""

import asyncio
import time
from asyncio import Future
from collections import deque
from itertools import islice
from pathlib import Path

import apsw

from secretsd.adapters.sqlite.codec import Value
from secretsd.adapters.sqlite.connections import AUDIT, Reopening, Use, connect, report, unavailable
from secretsd.adapters.sqlite.log_emptying import LogEmptying
from secretsd.adapters.sqlite.statistics import Statistics
from secretsd.adapters.sqlite.units import ADD_EVENT, ADD_VIEW, event_row, view_rows
from secretsd.adapters.sqlite.writer import Writer
from secretsd.domain.audit import AuditRecord
from secretsd.domain.errors import Internal, SecretsdError, StorageUnavailable, Throttled

MAX_QUEUED = 20_000
MAX_BATCH = 128
"""Events that one commit on the loop may hold: about a millisecond."""
LOG_PAGES = 16_384
"""The write-ahead log is emptied once it has this many pages of 4 KiB, and when that failed, a quarter later again."""
_BUSY_PAUSE_SECONDS = 0.001
_BUSY_SECONDS = 10.0

_Rows = tuple[tuple[Value, ...], list[tuple[Value, ...]]]


class DurableRecorder:
    """Each event is on the disk before its call is answered."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def record(self, record: AuditRecord) -> "Future[None]":
        """Queue an event for the next commit."""
        try:
            rows = event_row(record), view_rows(record)
            return self._writer.submit(lambda connection: _insert(connection, [rows]))
        except SecretsdError as error:
            return _failed(error)

    async def close(self) -> None:
        """Finish what is queued."""
        await self._writer.close()


class BufferedRecorder:
    """Each event is in the hands of the operating system before its call is answered: it survives `kill -9` of us.

    The commit runs on the loop, right after the turn that queued its events: it costs some 20 µs for one event and 6
    to 9 µs each in a batch, where a hop to a thread and back costs 100 to 250. It never waits for the disk: in a
    write-ahead log only two things do, copying the log into the file and the first write to an emptied log, and both
    are LogEmptying's. (Only a process that writes between those two steps of another process waits, once.)
    """

    def __init__(self, directory: Path, statistics: Statistics) -> None:
        self._statistics = statistics
        self._loop = asyncio.get_running_loop()
        self._connection = Reopening(lambda: self._open(directory))
        self._queue: deque[tuple[_Rows, Future[None]]] = deque()
        self._scheduled = self._paused = self._closed = False
        self._limit = MAX_BATCH
        self._busy_since: float | None = None
        self._log_pages = 0
        self._empty_at = LOG_PAGES
        self._log = LogEmptying(directory)
        self._emptying: asyncio.Task[None] | None = None

    def record(self, record: AuditRecord) -> "Future[None]":
        """Queue an event for the next commit."""
        if self._closed:
            return _failed(StorageUnavailable("cannot use the storage: it is closed"))
        if len(self._queue) >= MAX_QUEUED:
            return _failed(Throttled("cannot take more calls now: too many events wait", retry_after_seconds=1))
        try:
            rows = event_row(record), view_rows(record)
        except Internal as error:
            return _failed(error)
        future: Future[None] = self._loop.create_future()
        self._queue.append((rows, future))
        self._schedule()
        return future

    async def close(self) -> None:
        """Write what is queued, then close the file."""
        self._closed = True
        if self._emptying is not None:
            await self._emptying
        while self._queue:  # noqa: ASYNC110  # futures say too little: an event whose caller has gone is written too
            await asyncio.sleep(_BUSY_PAUSE_SECONDS)
        self._connection.drop()
        await self._log.close()

    def _open(self, directory: Path) -> apsw.Connection:
        connection = connect(directory / AUDIT, Use.WRITE_BUFFERED, busy_ms=0)
        connection.set_wal_hook(self._on_commit)
        return connection

    def _on_commit(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _schedule(self) -> None:
        if self._queue and not self._scheduled and not self._paused:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self._paused or not self._queue:
            return
        batch = list(islice(self._queue, self._limit))
        try:
            connection = self._connection.get()
            connection.execute("BEGIN IMMEDIATE")
            _insert(connection, [rows for rows, _ in batch])
            connection.execute("COMMIT")
        except apsw.BusyError as error:
            self._busy(error)
        except apsw.Error as error:
            report("a commit of events", error)
            self._fail(len(self._queue), unavailable(error))
        except (UnicodeEncodeError, OverflowError) as error:
            self._bad_event(error, len(batch))
        else:
            self._committed(batch)
        self._schedule()

    def _committed(self, batch: list[tuple[_Rows, "Future[None]"]]) -> None:
        self._busy_since = None
        for _, future in batch:
            self._queue.popleft()
            if not future.done():
                future.set_result(None)
        self._statistics.events += len(batch)
        self._statistics.event_batches += 1
        if not self._queue:
            self._limit = MAX_BATCH
        if self._log_pages >= self._empty_at and self._emptying is None and not self._closed:
            self._emptying = self._loop.create_task(self._empty_log())

    def _busy(self, error: apsw.BusyError) -> None:
        """Another process writes, for microseconds as we do: look again soon, without sleeping on the loop."""
        self._connection.undo()
        self._statistics.busy_waits += 1
        now = time.monotonic()
        self._busy_since = self._busy_since or now
        if now - self._busy_since > _BUSY_SECONDS:
            self._busy_since = None
            self._fail(len(self._queue), unavailable(error))
        else:
            self._scheduled = True
            self._loop.call_later(_BUSY_PAUSE_SECONDS, self._flush)

    def _bad_event(self, error: Exception, count: int) -> None:
        """An event that cannot be stored fails its own call only: commit one by one until it is found."""
        if count == 1:
            report("an event", error)
            self._fail(1, Internal())
        else:
            self._connection.drop()
            self._limit = 1

    def _fail(self, count: int, error: SecretsdError) -> None:
        """Fail the first `count` that wait; the next commit begins with a fresh connection."""
        self._connection.drop()
        self._statistics.failed_event_batches += 1
        for _ in range(count):
            _, future = self._queue.popleft()
            if not future.done():
                future.set_exception(type(error)(error.message, retry_after_seconds=error.retry_after_seconds))

    async def _empty_log(self) -> None:
        try:
            if await self._log.run(self._pause):
                self._statistics.log_restarts += 1
                self._empty_at = LOG_PAGES
            else:
                self._empty_at = self._log_pages + LOG_PAGES // 4
        finally:
            self._emptying = None

    def _pause(self, paused: bool) -> None:
        self._paused = paused
        self._schedule()


def _insert(connection: apsw.Connection, rows: list[_Rows]) -> None:
    connection.executemany(ADD_EVENT, [event for event, _ in rows])
    for _, views in rows:
        if views:
            connection.executemany(ADD_VIEW, views)


def _failed(error: SecretsdError) -> "Future[None]":
    future: Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future
