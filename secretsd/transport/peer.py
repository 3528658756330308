"""What a connection proves about its peer."""

import socket
from dataclasses import dataclass, field
from functools import partial

from secretsd.operations.request_facts import Way
from secretsd.transport.processes import boot_time, credentials, is_of_this_host
from secretsd.transport.units import unit_of_peer


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a connection comes from, and what the kernel says of the process at the other end of a Unix socket."""

    source: str
    uid: int | None
    tcp: bool
    way: Way = field(default_factory=Way)
    tls: bool = False


def peer_of(connection: socket.socket, *, tls: bool = False) -> Peer:
    """The peer of an accepted connection (SO_PEERCRED: as it was when the peer connected), over TCP by `tls` or not."""
    if connection.family == socket.AF_UNIX:
        pid, uid = credentials(connection)
        accepted = boot_time()
        way = Way(
            uid=uid,
            find_unit=partial(unit_of_peer, connection, accepted),
            is_of_host=partial(is_of_this_host, connection, accepted),
        )
        return Peer(f"unix:pid/{pid}", uid, False, way)
    host, port, *_ = connection.getpeername()
    source = f"tcp:{host}:{port}" if ":" not in host else f"tcp:[{host}]:{port}"
    return Peer(source, None, True, Way(host, secure=tls), tls=tls)
