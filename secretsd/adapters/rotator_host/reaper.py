"""The end of an attempt, and of whatever it may have started beside itself."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Set
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Have the kernel hand us what an attempt leaves behind, even if it moved to a session of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, *(ctypes.c_ulong(word) for word in (1, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "cannot adopt orphans: prctl failed")


def end(pid: int) -> None:
    """Kill the attempt's process group and reap it; called while it is alive or a zombie, so the group is its own."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def end_orphans(attempts: Set[int]) -> None:
    """Kill and reap every child of ours that is no running attempt, until none is left."""
    while orphans := _children() - attempts:
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> set[int]:
    """Children of this process, which has one thread; none where the kernel does not list them."""
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except FileNotFoundError:
        return set()
    return {int(pid) for pid in listed.split()}
