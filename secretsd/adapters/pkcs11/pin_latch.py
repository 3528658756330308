"""The PIN latch: a PIN that the token refused is never tried again, over restarts too, until the PIN is changed.

Hardware tokens lock after a few wrong PINs; a process that is restarted all the time would spend those tries.
"""

import contextlib
import hashlib
import hmac
import os
from pathlib import Path

from secretsd.adapters.pkcs11.durable_files import write_durably
from secretsd.adapters.pkcs11.faults import PinRefused

_SALT_BYTES = 16
# scrypt at 16 MiB: the file must not help whoever steals it to guess what the right PIN is like.
_N, _R, _P = 1 << 14, 8, 1


class PinLatch:
    """Remembers the refused PIN as a salted scrypt digest in `path` (0600)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self, pin: str) -> None:
        """PinRefused where this very PIN was refused before; costs nothing where none was."""
        try:
            stored = self._path.read_bytes()
        except FileNotFoundError:
            return
        salt, digest = stored[:_SALT_BYTES], stored[_SALT_BYTES:]
        if hmac.compare_digest(digest, _digest(salt, pin)):
            raise PinRefused(
                f"cannot log in to the token: it refused this PIN before; change the PIN, or remove {self._path}"
            )

    def close(self, pin: str) -> None:
        """Remember, durably, that this PIN was refused."""
        salt = os.urandom(_SALT_BYTES)
        write_durably(self._path, salt + _digest(salt, pin))

    def open(self) -> None:
        """Forget: a PIN was taken. Where the disk refuses, what stays is about another PIN and does no harm."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def _digest(salt: bytes, pin: str) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, n=_N, r=_R, p=_P, dklen=32)
