"""What a connection proves about its peer."""

import socket
import struct
from dataclasses import dataclass, field

from secretsd.operations.request_facts import Way

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a connection comes from, and what the kernel says of the process at the other end of a Unix socket.

    `proofs` are what proves it besides its uid, the more telling ones first.
    """

    source: str
    uid: int | None
    tcp: bool
    way: Way = field(default_factory=Way)
    proofs: tuple[str, ...] = ()


def peer_of(connection: socket.socket) -> Peer:
    """The peer of an accepted connection (SO_PEERCRED: as it was when the peer connected)."""
    if connection.family == socket.AF_UNIX:
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(packed)
        return Peer(f"unix:pid/{pid}", uid, False, Way(uid=uid))
    host, port, *_ = connection.getpeername()
    source = f"tcp:{host}:{port}" if ":" not in host else f"tcp:[{host}]:{port}"
    return Peer(source, None, True, Way(host, secure=False))
