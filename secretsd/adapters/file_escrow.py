"""The escrow as a file: one authenticated record a candidate, on the disk before its effect.

A record is: mark 4 bytes | version u8 = 1 | length u32 | HMAC-SHA-256 over version, length and body | body
(MessagePack). Integers are big-endian. Several workers append to one file, each record by one write under the file's
lock. Whatever is no record is passed over to the next mark, so nothing that was cut short hides what came after it.
"""

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import hmac
import logging
import os
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.escrow import CandidateName, EscrowEntry

FILE, DRAFT = "candidates", "candidates.new"
MARK = b"\x89sdE"
VERSION = 1
MAX_BODY_BYTES = 4 * 1024 * 1024
_HEAD = struct.Struct(">4sBI32s")
_COVERED = struct.Struct(">BI")
_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EscrowEntry).decode
T = TypeVar("T")


class FileEscrow:
    """An Escrow in a directory, which is made when missing. `key` authenticates the records and is never in storage."""

    def __init__(self, directory: Path, key: Plaintext) -> None:
        self._path = directory / FILE
        self._code = hmac.new(key.reveal(), b"secretsd escrow v1\0", hashlib.sha256)

    async def keep(self, entry: EscrowEntry) -> None:
        """Append and wait for the disk; StorageUnavailable when that fails."""
        record = self._record(entry)
        await _off_the_loop("write to", lambda: self._append(record))

    async def entries(self, wanted: Callable[[EscrowEntry], bool] | None = None) -> Sequence[EscrowEntry]:
        """All that can be read and trusted, oldest first."""
        return await _off_the_loop("read", lambda: self._read(wanted))

    async def replace(self, changed: Sequence[tuple[EscrowEntry, EscrowEntry]]) -> int:
        """Write the file anew with the second of each pair for the first, and put it in the place of the old one."""

        def written(entry: EscrowEntry) -> bytes | None:
            return next((self._record(after) for before, after in changed if before == entry), None)

        return await _off_the_loop("rewrite", lambda: self._rewrite(written)) if changed else 0

    async def drop(self, names: Collection[CandidateName]) -> int:
        """Write the file anew without them, and put it in the place of the old one."""

        def written(entry: EscrowEntry) -> bytes | None:
            return b"" if entry.name in names else None

        return await _off_the_loop("rewrite", lambda: self._rewrite(written)) if names else 0

    def _record(self, entry: EscrowEntry) -> bytes:
        body = _encode(entry)
        if len(body) > MAX_BODY_BYTES:
            raise StorageUnavailable(f"cannot write to the escrow: an entry is over {MAX_BODY_BYTES} bytes")
        return _HEAD.pack(MARK, VERSION, len(body), self._mac(VERSION, body)) + body

    def _append(self, record: bytes) -> None:
        with self._locked(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as fd:
            before = os.fstat(fd).st_size
            if os.write(fd, record) != len(record):
                os.ftruncate(fd, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(fd)
            if before == 0:  # the file may be new, and its name has to be on the disk as well
                _sync_directory(self._path.parent)

    def _read(self, wanted: Callable[[EscrowEntry], bool] | None) -> list[EscrowEntry]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        found = (entry for _, entry in self._records(data) if entry is not None)
        return [entry for entry in found if wanted is None or wanted(entry)]

    def _rewrite(self, written: Callable[[EscrowEntry], bytes | None]) -> int:
        """The number of records that changed. `written` says what an entry becomes, nothing too; None lets it be."""
        if not self._path.exists():
            return 0
        with self._locked(os.O_RDONLY):
            records = list(self._records(self._path.read_bytes()))
            becomes = [None if entry is None else written(entry) for _, entry in records]
            parts = [part if new is None else new for (part, _), new in zip(records, becomes, strict=True)]
            changed = len(becomes) - becomes.count(None)
            if not changed:
                return 0
            draft = self._path.with_name(DRAFT)
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(b"".join(parts))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            _sync_directory(self._path.parent)
            return changed

    @contextlib.contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        """The file, open and locked. Another node may put a new one in its place while we wait for the old one."""
        if flags & os.O_CREAT and not self._path.parent.exists():
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_directory(self._path.parent.parent)
        while True:
            fd = os.open(self._path, flags | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is_at(fd, self._path):
                    yield fd
                    return
            finally:
                os.close(fd)

    def _records(self, data: bytes) -> Iterator[tuple[bytes, EscrowEntry | None]]:
        """The parts of the file, each with its entry; None for what is no record of ours, which is told in the log."""
        at = odd = 0
        while at < len(data):
            end = self._end_of_record(data, at)
            if end is None:
                following = data.find(MARK, at + 1)
                at = len(data) if following < 0 else following
                continue
            if odd < at:
                _log.critical("cannot trust %d bytes of the escrow: cut short, or changed behind our back", at - odd)
                yield data[odd:at], None
            yield data[at:end], _entry(data[at:end])
            at = odd = end
        if odd < len(data):
            if not _cut_short(data[odd:]):
                _log.critical("cannot trust the last %d bytes of the escrow: they are no record", len(data) - odd)
            yield data[odd:], None

    def _end_of_record(self, data: bytes, at: int) -> int | None:
        """Where the record at `at` ends; None unless there is a whole one, and it is ours."""
        if at + _HEAD.size > len(data) or not data.startswith(MARK, at):
            return None
        _, version, length, mac = _HEAD.unpack_from(data, at)
        end: int = at + _HEAD.size + length
        if end > len(data) or not hmac.compare_digest(self._mac(version, data[at + _HEAD.size : end]), mac):
            return None
        return end

    def _mac(self, version: int, body: bytes) -> bytes:
        code = self._code.copy()
        code.update(_COVERED.pack(version, len(body)) + body)
        return code.digest()


def _entry(record: bytes) -> EscrowEntry | None:
    try:
        if record[len(MARK)] == VERSION:
            return _decode(record[_HEAD.size :])
    except msgspec.MsgspecError:
        pass
    _log.critical("cannot read a record of the escrow: another release wrote it")
    return None


def _cut_short(tail: bytes) -> bool:
    """Whether it is the beginning of a record whose rest was never written; its effect never began."""
    if len(tail) < _HEAD.size:
        return tail[: len(MARK)] == MARK[: len(tail)]
    mark, _, length, _ = _HEAD.unpack_from(tail)
    return bool(mark == MARK and len(tail) < _HEAD.size + length)


async def _off_the_loop(verb: str, work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise StorageUnavailable(f"cannot {verb} the escrow: {os.strerror(error.errno or 0)}") from None


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
