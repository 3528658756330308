"""What a connection may take of time and memory."""

from dataclasses import dataclass

from secretsd.domain.errors import Throttled


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to wait and bytes to hold; every one is answered and recorded when it is passed.

    `max_head_bytes` bounds what is held of a head that comes in pieces, `max_bodies_bytes` the bodies of all
    connections together: one of either is small, thousands of them from callers whom nobody proved need not be.
    `max_field_bytes` is for a header's value: the largest JWT (operations.jwt_proofs) with `Bearer ` before it.
    `linger_seconds` is how long a refused peer may go on sending before its connection is cut.
    """

    header_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    idle_seconds: float = 300.0
    linger_seconds: float = 2.0
    max_line_bytes: int = 8190
    max_field_bytes: int = 16 * 1024 + 64
    max_headers: int = 64
    max_head_bytes: int = 32 * 1024
    max_body_bytes: int = 512 * 1024
    max_bodies_bytes: int = 64 * 1024 * 1024
    max_discarded_bytes: int = 16 * 1024 * 1024
    max_connections: int = 4096


class BodyRoom:
    """The memory for bodies that a listener's connections share."""

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Count `size` bytes as held; Throttled when they do not fit, and then they are not counted."""
        if self.held + size > self._limit:
            raise Throttled("cannot take more request bodies now", retry_after_seconds=1)
        self.held += size

    def give(self, size: int) -> None:
        """Let go of `size` bytes."""
        self.held -= size
