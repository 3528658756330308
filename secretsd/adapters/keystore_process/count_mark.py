"""How far counting has come, beside the file of counts: an older file in its place, or none, is noticed by it.

File: two slots of 16 bytes, written in turn, the higher sound one counts.
    ticket u64 | first 8 bytes of the BLAKE2b of what stands before
"""

import hashlib
import os
import struct
from pathlib import Path

_SLOT = struct.Struct(">Q8s")


class CountMark:
    """The highest ticket in `path`, made if missing; it only ever rises. OSError where the disk refuses.

    It is handed to the operating system before the counts are put on the disk, and not waited for: a process that is
    killed leaves it exact. After a loss of power it may be behind a file of counts that is there, which does no harm.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        found = [_read(os.pread(self._file, _SLOT.size, at)) for at in (0, _SLOT.size)]
        self.ticket = max(found)
        self._next = found.index(min(found)) * _SLOT.size

    def raise_to(self, ticket: int) -> None:
        """From now on no file of counts is believed that has not come as far."""
        if ticket <= self.ticket:
            return
        start = struct.pack(">Q", ticket)
        if os.pwrite(self._file, start + _check(start), self._next) != _SLOT.size:
            raise OSError("cannot count uses: the disk is full")
        self.ticket, self._next = ticket, _SLOT.size - self._next

    def close(self) -> None:
        """Put it on the disk, and let go of the file."""
        os.fsync(self._file)
        os.close(self._file)


def _read(slot: bytes) -> int:
    if len(slot) != _SLOT.size or _check(slot[:8]) != slot[8:]:
        return 0
    return int.from_bytes(slot[:8], "big")


def _check(start: bytes) -> bytes:
    return hashlib.blake2b(start, digest_size=8).digest()
