"""Keeps SoftHSM2's tokens from being lost in a login: it empties a token's file and writes it anew each time.

SoftHSM2 (2.6.1) clears a flag of the token at every login, in place: open, lock, truncate, write. Whoever is killed in
between, or finds the disk full, leaves an empty file behind, and with it goes the only copy of the key that the PIN
opens: the token and all that is on it. So a copy of each whole file is kept beside it, and put back where the file
itself is torn. Nobody is writing while this holds the same lock that SoftHSM2 takes. Other modules have no such files.

File: attributes one after the other, u64 type | u64 kind | value, big-endian; kind 1 is a byte, 2 a u64, 3 a u64 length
and so many bytes.
"""

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from secretsd.adapters.pkcs11.durable_files import write_durably

SETTING = "SOFTHSM2_CONF"
TOKEN_DIRECTORY = "directories.tokendir"
FILE = "token.object"
COPY = "token.copy"
_MOST_BYTES = 1 << 20
_HEAD_BYTES = 16
_BYTE, _NUMBER, _BYTES = 1, 2, 3


def mend(environment: Mapping[str, str], *, keep: bool = False) -> None:
    """Put back each token's file that is torn; with `keep`, before a login, also keep a copy of each whole one.

    Never raises: what cannot be read or written here is the module's to complain of.
    """
    if SETTING not in environment:
        return
    with suppress(OSError, ValueError):
        lines = Path(environment[SETTING]).read_text().splitlines()
        places = [value.strip() for name, _, value in (line.partition("=") for line in lines)
                  if name.strip() == TOKEN_DIRECTORY]  # fmt: skip
        for place in places:
            for file in sorted(Path(place).glob(f"*/{FILE}")):
                with suppress(OSError):
                    _mend(file, keep=keep)


def torn(data: bytes) -> bool:
    """Whether the file ends before its last attribute does; what is of another form is not torn but unknown."""
    if not any(data):
        return True  # emptied, or what some file systems leave of a write that a power cut interrupted
    at = 0
    while at < len(data):
        if (end := _end(data, at)) is None:
            return False
        if end > len(data):
            return True
        at = end
    return False


def _end(data: bytes, at: int) -> int | None:
    """Where the attribute at that place ends; None for one of an unknown kind."""
    kind = int.from_bytes(data[at + 8 : at + _HEAD_BYTES], "big")
    value = at + _HEAD_BYTES
    if value > len(data):
        return value
    if kind == _BYTES:
        return value + 8 + int.from_bytes(data[value : value + 8], "big")
    return {_BYTE: value + 1, _NUMBER: value + 8}.get(kind)


def _mend(file: Path, *, keep: bool) -> None:
    descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX)
        data = os.pread(descriptor, _MOST_BYTES, 0)
        copy = file.with_name(COPY)
        kept = copy.read_bytes() if copy.is_file() else b""
        if not torn(data) and not (len(data) < len(kept) and kept.startswith(data)):
            if keep and data != kept:
                write_durably(copy, data)
        elif not torn(kept):
            os.pwrite(descriptor, kept, 0)
            os.ftruncate(descriptor, len(kept))
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
