"""How often each key version was used, on disk before the use: after a crash never lower than the truth.

Uses are reserved in blocks, so that one fsync covers many: a crash loses the rest of a block, which counts as used.
AES-GCM with random IVs allows 2^32 encryptions under one key (NIST SP 800-38D); there is no such bound on decryptions.

File: records of 45 bytes, the last one for a key wins, a torn one at the end was never relied on.
    key id 16 | version u32 | encryptions u64 | decryptions u64 | first 9 bytes of the BLAKE2b of what stands before
Key id and version 0 stand for the file itself: in place of encryptions its ticket, which grows whenever room is
reserved, by the most that one key version got, and in place of decryptions the count of versions that have no record.

The same ticket is kept beside the file (`count_mark.py`). Where an older file was put in its place, or none is there,
every key version may have been used as often as the tickets differ: so many uses are added to all of them.
"""

import contextlib
import hashlib
import os
import struct
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from secretsd.adapters.keystore_process.count_mark import CountMark
from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.domain.errors import InvalidState

ALARM = 1 << 31
LIMIT = 1 << 32
BLOCK = 1024
_FIELDS = struct.Struct(">16sIQQ")
_CHECK_BYTES = 9
_RECORD_BYTES = _FIELDS.size + _CHECK_BYTES
_COMPACT_BYTES = 4 * 1024 * 1024
KeyName = tuple[str, int]
_FILE_ITSELF: KeyName = (str(uuid.UUID(int=0)), 0)
_MARK = "-mark"


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
        self._mark = CountMark(path.with_name(path.name + _MARK))
        read = 0
        for name, encryptions, decryptions in _read(path):
            self._counts[name] = _counted(encryptions, decryptions)
            read += 1
        as_written = 0 < read == len(self._counts) and path.stat().st_size == read * _RECORD_BYTES
        itself = self._counts.pop(_FILE_ITSELF, _Count())
        self._ticket, self._floor = itself.encryptions, itself.decryptions
        missing = max(0, self._mark.ticket - self._ticket)
        self._ticket += missing
        self._floor += missing
        if missing:
            for name, count in self._counts.items():
                self._counts[name] = _counted(count.encryptions + missing, count.decryptions + missing)
        if missing > 2 * block:  # less is what a crash between mark and file leaves
            alarm(f"the counts of uses in {path} are missing or older ones: {missing} are added to every key version")
        self._mark.raise_to(self._ticket)
        if as_written and not missing:  # as an orderly end left it; a rewrite costs as much as reading does
            self._append_behind(read * _RECORD_BYTES)
        else:
            self._rewrite()

    def born(self, key_id: str, version: int) -> None:
        """The key version was made just now, so it was never used; others that have no record may have been.

        On the disk as well, or a crash before its first use would give it what the others may have been used. That it
        is new is the caller's word, and in the end a worker's: it is believed of a version that has no record. Where
        it cannot be written, the version counts as the others do.
        """
        name = (key_id, version)
        if not self._floor or name in self._counts:
            return
        with contextlib.suppress(OSError):
            self._append(_pack(name, 0, 0))
            self._counts[name] = _Count()

    def reserve(self, uses: Iterable[tuple[KeyName, int, int]]) -> None:
        """Make room for that many encryptions and decryptions of each key, with at most one fsync for all."""
        wanted: dict[KeyName, list[int]] = {}
        for name, encryptions, decryptions in uses:
            sums = wanted.setdefault(name, [0, 0])
            sums[0] += encryptions
            sums[1] += decryptions
        records = b""
        raised = []
        most = 0
        for name, (encryptions, decryptions) in wanted.items():
            count = self._count(name)
            room = (count.reserved_encryptions, count.reserved_decryptions)
            if encryptions and count.encryptions + encryptions > room[0]:
                room = (count.encryptions + encryptions + self._block, room[1])
            if decryptions and count.decryptions + decryptions > room[1]:
                room = (room[0], count.decryptions + decryptions + self._block)
            if room != (count.reserved_encryptions, count.reserved_decryptions):
                records += _pack(name, *room)
                raised.append((count, room))
                most = max(most, room[0] - count.reserved_encryptions, room[1] - count.reserved_decryptions)
        if records:
            ticket = self._ticket + most
            self._mark.raise_to(ticket)
            self._append(records + _pack(_FILE_ITSELF, ticket, self._floor))
            self._ticket = ticket
            for count, room in raised:
                count.reserved_encryptions, count.reserved_decryptions = room

    def has_room(self, name: KeyName, encryptions: int, decryptions: int) -> bool:
        """Whether so many uses of a key are counted without a write."""
        count = self._counts.get(name)
        return count is not None and (
            count.encryptions + encryptions <= count.reserved_encryptions
            and count.decryptions + decryptions <= count.reserved_decryptions
        )

    def encrypting(self, key_id: str, version: int) -> None:
        """Count one encryption before it is done; InvalidState at the limit of what one key may encrypt."""
        name = (key_id, version)
        count = self._counts.get(name) or self._count(name)
        if count.encryptions + 1 >= LIMIT:
            raise InvalidState(f"cannot encrypt under key {key_id} version {version}: it is used up, rotate it")
        self._encrypted(name, count)

    def loading(self, key_id: str, version: int) -> None:
        """Count the known answer of a key that is loaded: a ciphertext like any other, but nobody is refused for it.

        Whoever may encrypt no more has to decrypt all the same, also where the counts are too high because they were
        lost.
        """
        name = (key_id, version)
        self._encrypted(name, self._count(name))

    def _encrypted(self, name: KeyName, count: _Count) -> None:
        if count.encryptions >= count.reserved_encryptions:
            self.reserve([(name, 1, 0)])
        count.encryptions += 1
        if count.encryptions == ALARM:
            self._alarm(f"key {name[0]} version {name[1]} has made half of the ciphertexts that it may: rotate it")

    def decrypting(self, key_id: str, version: int) -> None:
        """Count one decryption before it is done."""
        name = (key_id, version)
        count = self._counts.get(name) or self._count(name)
        if count.decryptions >= count.reserved_decryptions:
            self.reserve([(name, 0, 1)])
        count.decryptions += 1

    def of(self, name: KeyName) -> int:
        """All uses of a key version so far."""
        count = self._counts.get(name)
        return 2 * self._floor if count is None else count.encryptions + count.decryptions

    def worn(self, name: KeyName) -> bool:
        """Whether a key version has made half of the ciphertexts that it may."""
        count = self._counts.get(name)
        return (self._floor if count is None else count.encryptions) >= ALARM

    def close(self) -> None:
        """Write the exact counts: nothing of the blocks is lost by an orderly end."""
        self._ticket = self._mark.ticket  # above ours where room could not be reserved
        self._rewrite()
        self._let_go()
        self._mark.close()

    def _count(self, name: KeyName) -> _Count:
        return self._counts.setdefault(name, _counted(self._floor, self._floor))

    def _append(self, records: bytes) -> None:
        if self._file < 0 or self._size > _COMPACT_BYTES + 2 * _RECORD_BYTES * len(self._counts):
            self._rewrite(reserved=True)
        start = self._size
        try:
            if os.write(self._file, records) != len(records):
                raise OSError("cannot count uses: the disk is full")
            os.fsync(self._file)
        except OSError:
            try:
                os.ftruncate(self._file, start)
            except OSError:
                self._let_go()  # what was torn would hide all that comes behind it
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
        if self._ticket:
            records += _pack(_FILE_ITSELF, self._ticket, self._floor)
        write_durably(self._path, records)
        if not reserved:
            for count in self._counts.values():
                count.reserved_encryptions, count.reserved_decryptions = count.encryptions, count.decryptions
        self._append_behind(len(records))

    def _append_behind(self, size: int) -> None:
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        self._size = size

    def _let_go(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _counted(encryptions: int, decryptions: int) -> _Count:
    return _Count(encryptions, decryptions, encryptions, decryptions)


def _pack(name: KeyName, encryptions: int, decryptions: int) -> bytes:
    # Not by `uuid`, which takes five times as long: a start reads and writes the records of all keys ever used.
    start = _FIELDS.pack(bytes.fromhex(name[0].replace("-", "")), name[1], encryptions, decryptions)
    return start + _check(start)


def _check(start: bytes) -> bytes:
    return hashlib.blake2b(start, digest_size=_CHECK_BYTES).digest()


def _read(path: Path) -> Iterable[tuple[KeyName, int, int]]:
    """The records up to the first that is not sound: what stands behind it is as if it had never been written."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for at in range(0, len(data) - _RECORD_BYTES + 1, _RECORD_BYTES):
        start = data[at : at + _FIELDS.size]
        if _check(start) != data[at + _FIELDS.size : at + _RECORD_BYTES]:
            return
        key_id, version, encryptions, decryptions = _FIELDS.unpack(start)
        name = key_id.hex()
        name = f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
        yield (name, version), encryptions, decryptions
