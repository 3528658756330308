"""What a connection proves about its peer."""

import socket
import struct
from dataclasses import dataclass

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a connection comes from; `uid` is the kernel's word about the process at the other end of a Unix socket."""

    source: str
    uid: int | None
    tcp: bool


def peer_of(connection: socket.socket) -> Peer:
    """The peer of an accepted connection (SO_PEERCRED: as it was when the peer connected)."""
    if connection.family == socket.AF_UNIX:
        packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _ = _CREDENTIALS.unpack(packed)
        return Peer(f"unix:pid/{pid}", uid, False)
    host, port, *_ = connection.getpeername()
    return Peer(f"tcp:{host}:{port}" if ":" not in host else f"tcp:[{host}]:{port}", None, True)
