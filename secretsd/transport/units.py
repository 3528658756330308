"""The systemd unit of the process at the other end of a Unix socket, read in an order that no process can cheat.

The kernel tells which process connected (SO_PEERCRED) and lends a handle on it that never means another (pidfd). Its
cgroup is read from /proc by number, and then the handle is asked whether the process still runs: if so, the number was
its own all the while. What has ended has no unit.
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
from functools import lru_cache
from pathlib import Path

SO_PEERPIDFD = 77
"""Linux 6.5 and later, asm-generic; the module `socket` does not name it."""
_CREDENTIALS = struct.Struct("3i")
_DESCRIPTOR = struct.Struct("i")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SERVICE = re.compile(r"[A-Za-z0-9:_.\\@-]{1,247}\.service")
_PROC = "/proc"
_MOUNTS = Path("/proc/self/mountinfo")


def credentials(connection: socket.socket) -> tuple[int, int]:
    """Pid and uid of the process that connected, as they were then; OSError."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(packed)
    return pid, uid


def unit_of_peer(connection: socket.socket, accepted: float) -> str:
    """The peer's unit, such as `nginx.service`; "" where it is in none, has ended, or cannot be told for sure.

    `accepted` is when the connection was, in seconds of CLOCK_BOOTTIME.
    """
    try:
        pid, uid = credentials(connection)
        if pid <= 0:
            return ""  # of another pid namespace: it has no number here
        with _handle_on(connection, pid, uid, accepted) as handle:
            unit = unit_of_cgroup(_read(pid, "cgroup"))
            return unit if unit and _runs(handle) and system_slice_is_roots() else ""
    except (OSError, ValueError):
        return ""


def unit_of_cgroup(text: str) -> str:
    """The unit that /proc/PID/cgroup tells of: the first `.service` under `system.slice` and slices of its own; "".

    Never one further down, nor one under a scope or a user's manager: whoever runs there names cgroups as he likes.
    """
    for line in text.splitlines():
        if line.startswith("0::"):
            return _unit_of_path(line.removeprefix("0::"))
    return ""


def _unit_of_path(path: str) -> str:
    root, *parts = path.split("/")
    if root or parts[:1] != ["system.slice"]:
        return ""
    parent = "system"
    for part in parts[1:]:
        if part.endswith(".slice"):
            name = part.removesuffix(".slice")
            if name.rpartition("-")[0] != parent:
                return ""
            parent = name
            continue
        # systemd puts "_" before names that the kernel could take for a file of its own, such as memory.service.
        unit = part.removeprefix("_")
        return unit if _SERVICE.fullmatch(unit) else ""
    return ""


@lru_cache(maxsize=1)
def system_slice_is_roots() -> bool:
    """Whether root alone can make cgroups right under `system.slice`, as this process sees them.

    It does not hold where the daemon runs in a cgroup namespace that somebody else manages.
    """
    for mount in _cgroup2_mounts():
        with contextlib.suppress(OSError):
            found = (mount / "system.slice").stat()
            return found.st_uid == 0 and not found.st_mode & 0o022
    return False


def _cgroup2_mounts() -> Iterator[Path]:
    """Where the whole of the unified hierarchy is mounted, for all that this process can see of it (proc(5))."""
    for line in _MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            _, _, _, root, place, *_ = before.split(" ")
            if root == "/":
                yield Path(place)


@contextlib.contextmanager
def _handle_on(connection: socket.socket, pid: int, uid: int, accepted: float) -> Iterator[int]:
    """A pidfd of the peer; OSError where it has ended, or may be another process by now."""
    handle = _peer_handle(connection)
    if handle is None:
        handle = os.pidfd_open(pid)
        if not _can_be_the_peer(pid, uid, accepted):
            os.close(handle)
            raise ProcessLookupError
    try:
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
    began_ticks = int(_read(pid, "stat").rpartition(")")[2].split()[19])
    effective = re.search(r"^Uid:\t\d+\t(\d+)\t", _read(pid, "status"), re.MULTILINE)
    return effective is not None and int(effective[1]) == uid and began_ticks <= accepted * _TICKS_PER_SECOND


def _runs(handle: int) -> bool:
    """Whether the process has not ended. A pidfd is readable once it has, whatever signals we may send it.

    (A signal 0 would also succeed for one that has ended and nobody has waited for.)
    """
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return not poll.poll(0)


def _read(pid: int, name: str) -> str:
    descriptor = os.open(f"{_PROC}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 65_536).decode(errors="surrogateescape")
    finally:
        os.close(descriptor)


def boot_time() -> float:
    """Seconds since the host started, as the kernel counts them for its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
