"""Reads the file of use counts by its description alone, and watches how the counts in it change."""

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

RECORD_BYTES = 45
_CHECK_BYTES = 9
_LOOK_SECONDS = 0.001
KeyName = tuple[str, int]
Bounds = Mapping[KeyName, int]
FILE_ITSELF: KeyName = (str(uuid.UUID(int=0)), 0)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many encryptions each key version has room for: `began` when the file was made, `now` by the last records.

    A file is made of one record a key version and one for itself; each addition ends with one for itself as well.
    `floor` is what a version has room for that has no record, at either time.
    """

    inode: int
    began: Bounds
    now: Bounds
    floor: int

    def room(self, name: KeyName) -> int:
        """What a key version has room for now."""
        return self.now.get(name, self.floor)


def read(path: Path) -> Counts:
    """What is in the file now; nothing where there is none."""
    try:
        with path.open("rb") as file:
            inode, data = os.fstat(file.fileno()).st_ino, file.read()
    except FileNotFoundError:
        return Counts(0, {}, {}, 0)
    began: dict[KeyName, int] | None = None
    now: dict[KeyName, int] = {}
    floor = 0
    for name, encryptions, decryptions in _records(data):
        if name != FILE_ITSELF:
            now[name] = encryptions
        else:
            floor = decryptions
            began = dict(now) if began is None else began
    return Counts(inode, began or {}, now, floor)


def _records(data: bytes) -> Iterator[tuple[KeyName, int, int]]:
    for offset in range(0, len(data) - RECORD_BYTES + 1, RECORD_BYTES):
        record, check = data[offset : offset + 36], data[offset + 36 : offset + RECORD_BYTES]
        if hashlib.blake2b(record, digest_size=_CHECK_BYTES).digest() != check:
            return
        name = str(uuid.UUID(bytes=record[:16])), int.from_bytes(record[16:20], "big")
        yield name, int.from_bytes(record[20:28], "big"), int.from_bytes(record[28:36], "big")


def stamp(path: Path) -> tuple[int, int]:
    """Inode and length: others whenever the process has written something; zeros where there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_size


class CountsWatch(threading.Thread):
    """Looks at the file a thousand times a second and hands on what is in it whenever it has changed."""

    def __init__(self, path: Path, seen: Callable[[Counts], None]) -> None:
        super().__init__(name="counts", daemon=True)
        self._path, self._seen = path, seen
        self._looking = threading.Lock()
        self._ended = threading.Event()
        self._last = 0, 0
        self.changes = 0

    def run(self) -> None:
        """Until `end`."""
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Hand on what is there now, if it is new."""
        with self._looking:
            now = stamp(self._path)
            if now not in (self._last, (0, 0)):
                self._last = now
                self.changes += 1
                self._seen(read(self._path))

    def replace(self, change: Callable[[Path], None]) -> None:
        """Let `change` do something to the file that is not to be seen: the next thing that is seen comes after it."""
        with self._looking:
            change(self._path)
            self._last = stamp(self._path)

    def end(self) -> None:
        """Stop, and wait for it."""
        self._ended.set()
        if self.is_alive():
            self.join()


def wait_for_change(path: Path, before: tuple[int, int], seconds: float) -> bool:
    """Whether the file becomes another one, or a longer one, within so many seconds."""
    deadline = time.monotonic() + seconds
    while stamp(path) in (before, (0, 0)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    return True
