"""What a connection may take of time and memory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to wait and bytes to hold; every one is answered and recorded when it is passed."""

    header_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    idle_seconds: float = 300.0
    max_line_bytes: int = 8190
    max_headers: int = 64
    max_body_bytes: int = 512 * 1024
    max_connections: int = 4096
