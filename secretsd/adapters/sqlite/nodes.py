"""Tells living nodes from dead ones on this host, by file locks that the kernel releases with their process."""

import contextlib
import fcntl
import os
import time
import uuid
from pathlib import Path

_UNFINISHED_SECONDS = 60


class Node:
    """This storage instance as an owner of leases.

    A node holds an exclusive flock on `nodes/<incarnation>` for as long as it lives; incarnations are never used twice.
    Whoever can take a shared lock on that file, or finds no file, knows that the owner is gone, `kill -9` included: no
    heartbeat, no process ids that the kernel could have given to somebody else. The file gets its name only once it
    is locked, so it is never seen unlocked while its owner lives. Testers take shared locks, so that two of them at
    once do not each take the other for the owner.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.incarnation = uuid.uuid4().hex
        directory.mkdir(mode=0o700, exist_ok=True)
        unfinished = directory / f".{self.incarnation}"
        self._descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unfinished.rename(directory / self.incarnation)
        except BaseException:
            os.close(self._descriptor)
            raise

    def alive(self, incarnation: str) -> bool:
        """Whether another node of this host still lives."""
        return incarnation == self.incarnation or _locked(self._directory / incarnation)

    def sweep(self) -> None:
        """Remove the files of dead nodes. May run in several processes at once; a file that is gone is no error."""
        for path in self._directory.iterdir():
            with contextlib.suppress(OSError):
                # A dot marks a file on its way to its name: its owner may be about to lock it.
                unfinished = path.name.startswith(".")
                if unfinished and time.time() - path.stat().st_mtime < _UNFINISHED_SECONDS:
                    continue
                if path.name != self.incarnation and not _locked(path):
                    path.unlink()

    def close(self) -> None:
        """Die: what this node has leased is free from now on."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                (self._directory / self.incarnation).unlink()
            os.close(self._descriptor)
            self._descriptor = -1


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
