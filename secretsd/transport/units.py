"""The systemd unit of the process at the other end of a Unix socket, told by its cgroup. What has ended has no unit."""

import contextlib
import re
import socket
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from secretsd.transport import processes

_SERVICE = re.compile(r"[A-Za-z0-9:_.\\@-]{1,247}\.service")
_MOUNTS = Path("/proc/self/mountinfo")


def unit_of_peer(connection: socket.socket, accepted: float) -> str:
    """The peer's unit, such as `nginx.service`; "" where it is in none, has ended, or cannot be told for sure.

    `accepted` is when the connection was, in seconds of CLOCK_BOOTTIME.
    """
    try:
        text = processes.read_of_peer(connection, accepted, "cgroup")
    except (OSError, ValueError):
        return ""
    unit = unit_of_cgroup(text)
    return unit if unit and system_slice_is_roots() else ""


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
