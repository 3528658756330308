"""The process at the other end of a Unix socket: what /proc says of it, read in an order that no process can cheat.

The kernel tells which process connected (SO_PEERCRED) and lends a handle on it that never means another (pidfd). What
is wanted is read from /proc by number, and then the handle is asked whether the process still runs: if so, the number
was its own all the while. Nothing is read of what has ended.
"""

import contextlib
import errno
import os
import re
import select
import socket
import struct
import time
from collections.abc import Iterator

SO_PEERPIDFD = 77
"""Linux 6.5 and later, asm-generic; the module `socket` does not name it."""
_CREDENTIALS = struct.Struct("3i")
_DESCRIPTOR = struct.Struct("i")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = "/proc"
_NUMBERS = re.compile(r"^NSpid:((?:\t\d+)+)$", re.MULTILINE)
"""Of a process its number in each pid namespace that it is in, from the one of this /proc inwards (proc(5))."""


def credentials(connection: socket.socket) -> tuple[int, int]:
    """Pid and uid of the process that connected, as they were then; OSError."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(packed)
    return pid, uid


def read_of_peer(connection: socket.socket, accepted: float, name: str) -> str:
    """What /proc/PID/`name` says of the peer; OSError where it has ended, has no number, or cannot be told for sure.

    `accepted` is when the connection was, in seconds of CLOCK_BOOTTIME.
    """
    pid, uid = credentials(connection)
    if pid <= 0:
        raise ProcessLookupError  # of another pid namespace: it has no number here
    with _handle_on(connection, pid, uid, accepted) as handle:
        text = read(pid, name)
        if not _runs(handle):
            raise ProcessLookupError
        return text


def is_of_this_host(connection: socket.socket, accepted: float) -> bool:
    """Whether the peer runs in the daemon's own pid namespace, and so in no container; False where it is not sure.

    A container that was given the host's pid namespace is not told apart.
    """
    try:
        numbers = _NUMBERS.search(read_of_peer(connection, accepted, "status"))
    except (OSError, ValueError):
        return False
    return numbers is not None and len(numbers[1].split()) == 1


@contextlib.contextmanager
def _handle_on(connection: socket.socket, pid: int, uid: int, accepted: float) -> Iterator[int]:
    """A pidfd of the peer; OSError where it has ended, or may be another process by now."""
    lent = _peer_handle(connection)
    handle = os.pidfd_open(pid) if lent is None else lent
    try:
        if lent is None and not _can_be_the_peer(pid, uid, accepted):
            raise ProcessLookupError
        yield handle
    finally:
        os.close(handle)


def _peer_handle(connection: socket.socket) -> int | None:
    """The kernel's own handle on the peer; None where it has no such thing (before 6.5: Debian 12 has 6.1)."""
    try:
        packed = connection.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, _DESCRIPTOR.size)
    except OSError as error:
        if error.errno == errno.ENOPROTOOPT:
            return None
        raise
    return int(_DESCRIPTOR.unpack(packed)[0])


def _can_be_the_peer(pid: int, uid: int, accepted: float) -> bool:
    """False where the number went to another process: one of another uid, or one that began after the connection."""
    began_ticks = int(read(pid, "stat").rpartition(")")[2].split()[19])
    effective = re.search(r"^Uid:\t\d+\t(\d+)\t", read(pid, "status"), re.MULTILINE)
    return effective is not None and int(effective[1]) == uid and began_ticks <= accepted * _TICKS_PER_SECOND


def _runs(handle: int) -> bool:
    """Whether the process has not ended. A pidfd is readable once it has, whatever signals we may send it.

    (A signal 0 would also succeed for one that has ended and nobody has waited for.)
    """
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return not poll.poll(0)


def read(pid: int, name: str) -> str:
    """What /proc/PID/`name` says now, of whichever process has that number; OSError."""
    descriptor = os.open(f"{_PROC}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65_536).decode(errors="surrogateescape")
    finally:
        os.close(descriptor)


def boot_time() -> float:
    """Seconds since the host started, as the kernel counts them for its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
