"""What processes have cost so far, as the kernel counts it: CPU time, memory, open sockets."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def family(pid: int) -> list[int]:
    """The process and all that descend from it, as they are now."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                children.setdefault(parent_in((entry / "stat").read_text()), []).append(int(entry.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def parent_in(stat: str) -> int:
    """The parent's pid in the text of /proc/PID/stat; the command before it may hold spaces and parentheses."""
    return int(stat.rpartition(")")[2].split()[1])


def ticks_in(stat: str) -> int:
    """User and system time in the text of /proc/PID/stat, in clock ticks."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time that the processes have spent so far; one that is gone raises OSError."""
    return sum(ticks_in((_PROC / str(pid) / "stat").read_text()) for pid in pids) / _TICKS


def resident_megabytes(pid: int) -> float:
    """The process's resident memory, in 10^6 bytes."""
    pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def sockets(pid: int) -> int:
    """How many sockets the process has open."""
    count = 0
    for entry in (_PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(entry.readlink()).startswith("socket:")
    return count
