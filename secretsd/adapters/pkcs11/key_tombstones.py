"""Which key versions are destroyed, on disk before anybody is told so: no restored storage brings them back.

File: records of 29 bytes, a torn one at the end was never relied on.
    key id 16 | version u32 | first 9 bytes of the BLAKE2b of what stands before
"""

import fcntl
import hashlib
import os
import struct
import uuid
from pathlib import Path

from secretsd.domain.errors import InvalidState

_RECORD = struct.Struct(">16sI9s")


class KeyTombstones:
    """Tombstones in `path`, made if missing; OSError where the disk refuses. Several processes may share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._destroyed: dict[str, int] = {}
        self._whole = 0
        self._read()

    def add(self, key_id: str, up_to_version: int) -> None:
        """The key's versions up to that one are destroyed; durable when this returns."""
        start = struct.pack(">16sI", uuid.UUID(key_id).bytes, up_to_version)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read()  # what the other process has written meanwhile
            if self._destroyed.get(key_id, -1) >= up_to_version:
                return
            os.ftruncate(file, self._whole)
            if os.pwrite(file, start + _check(start), self._whole) != _RECORD.size:
                raise OSError("cannot keep a tombstone: the disk is full")
            os.fsync(file)
        finally:
            os.close(file)
        if self._whole == 0:
            self._sync_directory()
        self._whole += _RECORD.size
        self._remember(key_id, up_to_version)

    def require_alive(self, key_id: str, version: int) -> None:
        """Raise InvalidState for a version that was destroyed, by whichever process."""
        self._read()
        if version <= self._destroyed.get(key_id, -1):
            raise InvalidState(f"cannot use version {version} of key {key_id}: it is destroyed")

    def _read(self) -> None:
        """What stands behind the records that are known."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._whole + _RECORD.size:
                    return
                file.seek(self._whole)
                data = file.read()
        except FileNotFoundError:
            return
        for offset in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
            identifier, version, check = _RECORD.unpack_from(data, offset)
            if check != _check(data[offset : offset + 20]):
                break
            self._whole += _RECORD.size
            self._remember(str(uuid.UUID(bytes=identifier)), version)

    def _remember(self, key_id: str, version: int) -> None:
        self._destroyed[key_id] = max(version, self._destroyed.get(key_id, -1))

    def _sync_directory(self) -> None:
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _check(start: bytes) -> bytes:
    return hashlib.blake2b(start, digest_size=9).digest()
