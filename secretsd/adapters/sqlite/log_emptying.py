"""Empties the write-ahead log of the events, so that it stays short and no loop waits for a disk."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from secretsd.adapters.sqlite.connections import AUDIT, Reopening, Use, connect, report
from secretsd.adapters.sqlite.statements import load

_START_LOG = load("events.sql")["start_log"].sql
_ROUNDS, _QUICK_SECONDS = 6, 0.005
_PATIENCE_MS = 5
"""How long emptying may hold up events for a reader that still looks at the old log; then it is tried another time."""


class LogEmptying:
    """Works in a thread of its own, in two parts: the long one disturbs nobody, the short one needs a pause."""

    def __init__(self, directory: Path) -> None:
        self._connection = Reopening(lambda: connect(directory / AUDIT, Use.WRITE_DURABLY, _PATIENCE_MS))
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="event log")

    async def run(self, pause: Callable[[bool], None]) -> bool:
        """Empty the log; `pause(True)` stops this process's events for a few milliseconds. Whether it is empty now."""
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._thread, self._copy):
            return False
        pause(True)
        try:
            return await loop.run_in_executor(self._thread, self._restart)
        finally:
            pause(False)

    async def close(self) -> None:
        """Close the connection; the last one of all processes copies the rest of the log into the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.drop)
        self._thread.shutdown(wait=False)

    def _copy(self) -> bool:
        """Copy the log into the file, as far as readers allow, while events go on being written behind it.

        Again until a round is quick: what is written during a round is what the pause would have to copy.
        """
        try:
            for _ in range(_ROUNDS):
                begun = time.monotonic()
                self._connection.get().wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                if time.monotonic() - begun < _QUICK_SECONDS:
                    break
        except apsw.Error as error:
            self._failed(error)
            return False
        return True

    def _restart(self) -> bool:
        """Copy the little that came since, begin the log anew, and pay for its header before any event has to.

        RESTART keeps the file and writes over it: giving its blocks back, as TRUNCATE does, made the pause three times
        as long (35 ms for 64 MiB, against 10).
        """
        try:
            connection = self._connection.get()
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
            connection.execute(_START_LOG)
        except apsw.Error as error:
            self._failed(error)
            return False
        return True

    def _failed(self, error: apsw.Error) -> None:
        if not isinstance(error, apsw.BusyError):
            report("emptying the event log", error)
            self._connection.drop()
