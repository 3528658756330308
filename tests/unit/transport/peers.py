"""Real processes at the other end of a Unix socket, and kernels with and without a handle on them."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secretsd.transport import processes, units

SHOP = "0::/system.slice/shop.service\n"
NO_SUCH_OPTION = 9999
CLIENT = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
sys.stdin.read(1)
"""


class Peers:
    """Connections of real processes; `cgroup` is what their /proc/PID/cgroup says."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cgroup: Callable[[], str] = lambda: SHOP
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(place))
        self._listening.listen()
        self._place = place
        self._stack = contextlib.ExitStack()
        self._stack.callback(self._listening.close)
        genuine = processes.read
        monkeypatch.setattr(
            processes, "read", lambda pid, name: self.cgroup() if name == "cgroup" else genuine(pid, name)
        )
        monkeypatch.setattr(units, "system_slice_is_roots", lambda: True)

    def __enter__(self) -> "Peers":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def connect(self, *within: str) -> tuple[socket.socket, "subprocess.Popen[bytes]"]:
        """The daemon's end of a connection, and the process at the other one, or the command `within` that ran it."""
        command = [*within, sys.executable, "-c", CLIENT, str(self._place)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self._stack.callback(end, process)
        accepted, _ = self._listening.accept()
        self._stack.callback(accepted.close)
        return accepted, process


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()
