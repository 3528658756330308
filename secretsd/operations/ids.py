"""Random and time-ordered identifiers, drawn from the kernel a page at a time because every request needs several."""

import os
import secrets
import uuid

_POOL_BYTES = 4096


class RandomPool:
    """Hands out slices of kernel randomness, each once. One a process; never kept across a fork."""

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """`size` fresh random bytes, at most 4,096."""
        end = self._at + size
        if end > len(self._bytes):
            self._bytes = os.urandom(_POOL_BYTES)
            self._at, end = 0, size
        taken = self._bytes[self._at : end]
        self._at = end
        return taken


_pool = RandomPool()
take_random = _pool.take


def new_request_id(now_ms: int) -> bytes:
    """A UUIDv7 (RFC 9562 section 5.7) as 16 bytes: 48 bits of milliseconds, then 74 random bits."""
    random = int.from_bytes(take_random(10), "big")
    value = (now_ms & 0xFFFFFFFFFFFF) << 80 | random
    value = (value & ~(0xF << 76) | 0x7 << 76) & ~(0x3 << 62) | 0x2 << 62
    return value.to_bytes(16, "big")


def new_id() -> str:
    """A random UUID (version 4) as text."""
    return str(uuid.UUID(bytes=take_random(16), version=4))


def choose(count: int) -> int:
    """A uniform random number from 0 to `count` - 1, as password generators ask for one."""
    return secrets.randbelow(count)
