"""The escrow as an append-only file: one authenticated record a candidate, on the disk before its effect.

A record is: version u8 = 1 | length u32 | HMAC-SHA-256 of the body | body (MessagePack). Integers are big-endian.
Several workers append to one file, each record by one write under the file's lock.
"""

import asyncio
import errno
import fcntl
import hashlib
import hmac
import logging
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import msgspec

from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.escrow import EscrowEntry

FILE = "candidates"
VERSION = 1
MAX_BODY_BYTES = 4 * 1024 * 1024
_HEAD = struct.Struct(">BI32s")
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EscrowEntry).decode


class FileEscrow:
    """An Escrow in a directory, which is made when missing. `key` authenticates the records and is never in storage."""

    def __init__(self, directory: Path, key: Plaintext) -> None:
        self._path = directory / FILE
        self._code = hmac.new(key.reveal(), b"secretsd escrow v1\0", hashlib.sha256)

    async def keep(self, entry: EscrowEntry) -> None:
        """Append and wait for the disk; StorageUnavailable when that fails."""
        body = _encode(entry)
        try:
            await asyncio.to_thread(self._append, _HEAD.pack(VERSION, len(body), self._mac(body)) + body)
        except OSError as error:
            raise StorageUnavailable(f"cannot write to the escrow: {os.strerror(error.errno or 0)}") from None

    async def entries(self) -> Sequence[EscrowEntry]:
        """All that can be read and trusted, oldest first."""
        try:
            return await asyncio.to_thread(self._read)
        except OSError as error:
            raise StorageUnavailable(f"cannot read the escrow: {os.strerror(error.errno or 0)}") from None

    def _append(self, record: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            before = os.fstat(fd).st_size
            if os.write(fd, record) != len(record):
                os.ftruncate(fd, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(fd)
        finally:
            os.close(fd)

    def _read(self) -> list[EscrowEntry]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        found, at = [], 0
        while at + _HEAD.size <= len(data):
            version, length, mac = _HEAD.unpack_from(data, at)
            body = data[at + _HEAD.size : at + _HEAD.size + length]
            if version != VERSION or length > MAX_BODY_BYTES or len(body) < length:
                break  # torn: its effect never began
            at += _HEAD.size + length
            if not hmac.compare_digest(self._mac(body), mac):
                _log.critical("a record of the escrow was changed behind our back and is refused")
                continue
            found.append(_decode(body))
        return found

    def _mac(self, body: bytes) -> bytes:
        code = self._code.copy()
        code.update(body)
        return code.digest()
