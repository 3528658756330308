"""How often each key version was used, on disk before the use: after a crash never lower than the truth.

Uses are reserved in blocks, so that one fsync covers many: a crash loses the rest of a block, which counts as used.
AES-GCM with random IVs allows 2^32 encryptions under one key (NIST SP 800-38D); there is no such bound on decryptions.

File: records of 45 bytes, the last one for a key wins, a torn one at the end was never relied on.
    key id 16 | version u32 | encryptions u64 | decryptions u64 | first 9 bytes of the BLAKE2b of what stands before
"""

import hashlib
import os
import struct
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.domain.errors import InvalidState

ALARM = 1 << 31
LIMIT = 1 << 32
BLOCK = 1024
_RECORD = struct.Struct(">16sIQQ9s")
_COMPACT_BYTES = 4 * 1024 * 1024
KeyName = tuple[str, int]


@dataclass(slots=True)
class _Count:
    encryptions: int = 0
    decryptions: int = 0
    reserved_encryptions: int = 0
    reserved_decryptions: int = 0


class UseCounts:
    """Counts in `path`. OSError where the disk refuses: then nothing may be used. `alarm` gets one line a key."""

    def __init__(self, path: Path, alarm: Callable[[str], None], block: int = BLOCK) -> None:
        self._path, self._alarm, self._block = path, alarm, block
        self._counts: dict[KeyName, _Count] = {}
        self._file, self._size = -1, 0
        for name, encryptions, decryptions in _read(path):
            self._counts[name] = _Count(encryptions, decryptions, encryptions, decryptions)
        self._rewrite()

    def reserve(self, uses: Iterable[tuple[KeyName, int, int]]) -> None:
        """Make room for that many encryptions and decryptions of each key, with at most one fsync for all."""
        wanted: dict[KeyName, list[int]] = {}
        for name, encryptions, decryptions in uses:
            sums = wanted.setdefault(name, [0, 0])
            sums[0] += encryptions
            sums[1] += decryptions
        records = b""
        raised = []
        for name, (encryptions, decryptions) in wanted.items():
            count = self._counts.setdefault(name, _Count())
            room = (count.reserved_encryptions, count.reserved_decryptions)
            if encryptions and count.encryptions + encryptions > room[0]:
                room = (count.encryptions + encryptions + self._block, room[1])
            if decryptions and count.decryptions + decryptions > room[1]:
                room = (room[0], count.decryptions + decryptions + self._block)
            if room != (count.reserved_encryptions, count.reserved_decryptions):
                records += _pack(name, *room)
                raised.append((count, room))
        if records:
            self._append(records)
            for count, room in raised:
                count.reserved_encryptions, count.reserved_decryptions = room

    def encrypting(self, key_id: str, version: int) -> None:
        """Count one encryption before it is done; InvalidState at the limit of what one key may encrypt."""
        name = (key_id, version)
        count = self._counts.setdefault(name, _Count())
        if count.encryptions + 1 >= LIMIT:
            raise InvalidState(f"cannot encrypt under key {key_id} version {version}: it is used up, rotate it")
        if count.encryptions >= count.reserved_encryptions:
            self.reserve([(name, 1, 0)])
        count.encryptions += 1
        if count.encryptions == ALARM:
            self._alarm(f"key {key_id} version {version} has made half of the ciphertexts that it may: rotate it")

    def decrypting(self, key_id: str, version: int) -> None:
        """Count one decryption before it is done."""
        name = (key_id, version)
        count = self._counts.setdefault(name, _Count())
        if count.decryptions >= count.reserved_decryptions:
            self.reserve([(name, 0, 1)])
        count.decryptions += 1

    def of(self, name: KeyName) -> int:
        """All uses of a key version so far."""
        count = self._counts.get(name, _Count())
        return count.encryptions + count.decryptions

    def worn(self, name: KeyName) -> bool:
        """Whether a key version has made half of the ciphertexts that it may."""
        count = self._counts.get(name)
        return count is not None and count.encryptions >= ALARM

    def close(self) -> None:
        """Write the exact counts: nothing of the blocks is lost by an orderly end."""
        self._rewrite()
        self._let_go()

    def _append(self, records: bytes) -> None:
        if self._file < 0 or self._size > _COMPACT_BYTES + 2 * _RECORD.size * len(self._counts):
            self._rewrite(reserved=True)
        start = self._size
        try:
            if os.write(self._file, records) != len(records):
                raise OSError("cannot count uses: the disk is full")
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self._size += len(records)

    def _rewrite(self, *, reserved: bool = False) -> None:
        """Replace the file. Where that fails there is none to append to, for its name may stand for either by now."""
        self._let_go()
        records = b"".join(
            _pack(name, count.reserved_encryptions, count.reserved_decryptions)
            if reserved
            else _pack(name, count.encryptions, count.decryptions)
            for name, count in self._counts.items()
        )
        write_durably(self._path, records)
        if not reserved:
            for count in self._counts.values():
                count.reserved_encryptions, count.reserved_decryptions = count.encryptions, count.decryptions
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._size = len(records)

    def _let_go(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _pack(name: KeyName, encryptions: int, decryptions: int) -> bytes:
    start = _RECORD.pack(uuid.UUID(name[0]).bytes, name[1], encryptions, decryptions, b"")[:-9]
    return start + hashlib.blake2b(start, digest_size=9).digest()


def _read(path: Path) -> Iterable[tuple[KeyName, int, int]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for offset in range(0, len(data) - _RECORD.size + 1, _RECORD.size):
        key_id, version, encryptions, decryptions, check = _RECORD.unpack_from(data, offset)
        if hashlib.blake2b(data[offset : offset + _RECORD.size - 9], digest_size=9).digest() == check:
            yield (str(uuid.UUID(bytes=key_id)), version), encryptions, decryptions
