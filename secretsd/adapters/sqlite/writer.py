"""The writer: one thread that takes all jobs waiting for a file and commits them at once, each undoable by itself.

Batches form by themselves: what arrives while a commit is on its way to the disk goes into the next one.
"""

import asyncio
import logging
import threading
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import apsw

from secretsd.adapters.sqlite.connections import Reopening, report, unavailable
from secretsd.adapters.sqlite.turnstile import Turnstile
from secretsd.domain.errors import Internal, SecretsdError, StorageUnavailable, Throttled

_logger = logging.getLogger(__name__)
T = TypeVar("T")
Job = Callable[[apsw.Connection], T]
MAX_QUEUED = 10_000
MAX_BATCH = 500
TURN_SECONDS = 10.0


class Writer:
    """Runs jobs against one file. `on_batch` is told, in the thread, how many jobs a commit held; 0 when it failed."""

    def __init__(self, name: str, connection: Reopening, turnstile: Turnstile, on_batch: Callable[[int], None]) -> None:
        self._name = name
        self._connection = connection
        self._turnstile = turnstile
        self._on_batch = on_batch
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        self._queue: deque[tuple[Job[Any], Future[Any]]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"{name} writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job[T]) -> "Future[T]":
        """Queue a job; the result is done once its batch is durable, or failed with the job's own error.

        StorageUnavailable when the batch could not be committed: then nothing of any of its jobs is there. Throttled
        when too many jobs wait. To be called on the loop; the job runs in the thread and must not wait for anything.
        """
        if self._closing:
            raise StorageUnavailable("cannot use the storage: it is closed")
        if len(self._queue) >= MAX_QUEUED:
            raise Throttled("cannot take more changes now: too many wait to be written", retry_after_seconds=1)
        future: Future[T] = self._loop.create_future()
        self._queue.append((job, future))
        self._wake.set()
        return future

    async def close(self) -> None:
        """Finish what is queued, then end the thread."""
        self._closing = True
        self._wake.set()
        await self._loop.run_in_executor(None, self._thread.join)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_BATCH))]
                outcomes = self._commit([job for job, _ in batch])
                try:
                    self._loop.call_soon_threadsafe(_resolve, [future for _, future in batch], outcomes)
                except RuntimeError:
                    _logger.error("%s: the event loop ended before its storage was closed", self._name)
                    self._closing = True
            if self._closing and not self._queue:
                self._connection.drop()
                self._turnstile.close()
                return

    def _begin(self, connection: apsw.Connection) -> None:
        with self._turnstile.turn(TURN_SECONDS):
            connection.execute("BEGIN IMMEDIATE")

    def _commit(self, jobs: list[Job[Any]]) -> list[Any]:
        """The outcome of each job: its result, or an exception."""
        failure: SecretsdError
        try:
            connection = self._connection.get()
            self._begin(connection)
            outcomes = _together(connection, jobs)
            if outcomes is None:
                connection.execute("ROLLBACK")
                self._begin(connection)
                outcomes = [_attempt(connection, job) for job in jobs]
            connection.execute("COMMIT")
        except (apsw.Error, OSError) as error:
            # A commit whose fsync failed is undone for every reader; only after a loss of power could it come back,
            # whole, which is why the error says that nothing is known to be stored and not that it never will be.
            report(f"{self._name}: a commit of {len(jobs)} units", error)
            self._connection.drop()
            failure = unavailable(error)
        except Exception as error:  # noqa: BLE001 - a fault in us must fail the batch, not end the thread
            _logger.error("%s: a commit failed by a fault of ours: %s", self._name, type(error).__name__)
            self._connection.drop()
            failure = Internal()
        else:
            self._on_batch(len(jobs))
            return outcomes
        self._on_batch(0)
        return [_again(failure) for _ in jobs]


def _together(connection: apsw.Connection, jobs: list[Job[Any]]) -> list[Any] | None:
    """The outcomes of jobs that all succeed, as nearly all do; None when one does not, and then all must be undone.

    A savepoint around each job would cost every one of them two statements more.
    """
    try:
        return [job(connection) for job in jobs]
    except (SecretsdError, UnicodeEncodeError, OverflowError, apsw.ConstraintError):
        return None


def _attempt(connection: apsw.Connection, job: Job[Any]) -> Any:
    """Run a job in a savepoint of its own: its error undoes only itself. Failures of the file itself are raised."""
    connection.execute("SAVEPOINT unit")
    try:
        outcome = job(connection)
    except SecretsdError as error:
        outcome = error
    except (UnicodeEncodeError, OverflowError, apsw.ConstraintError) as error:
        # The text of these may quote what was to be stored, so it goes no further.
        report("a unit of work", error)
        outcome = Internal()
    else:
        connection.execute("RELEASE unit")
        return outcome
    connection.execute("ROLLBACK TO unit")
    connection.execute("RELEASE unit")
    return outcome


def _again(failure: SecretsdError) -> SecretsdError:
    """A copy for each waiter: one exception raised in several places would collect all their tracebacks."""
    return type(failure)(failure.message, retry_after_seconds=failure.retry_after_seconds)


def _resolve(futures: list[Future[Any]], outcomes: list[Any]) -> None:
    for future, outcome in zip(futures, outcomes, strict=True):
        if future.done():
            continue  # whoever waited was cancelled; the unit is committed all the same
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
