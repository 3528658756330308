"""Lets the writers of several processes take turns, so that one that always has more to write starves nobody."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_PAUSE_SECONDS = 0.0005


class Turnstile:
    """Whoever wants to write passes through first, and holds it until SQLite's own write lock is his.

    Without it a writer that commits and begins again at once always wins against one that sleeps between two tries:
    SQLite's lock keeps no queue. With it, the one that just wrote has to wait here behind the one that holds the
    turnstile, until that one has got the lock. A file lock, so the kernel opens it when its holder dies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @contextlib.contextmanager
    def turn(self, seconds: float) -> Iterator[None]:
        """Hold the turnstile for the body; TimeoutError after `seconds`, OSError when its file cannot be used."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError("cannot get a turn to write: another process keeps it") from None
                time.sleep(_PAUSE_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
