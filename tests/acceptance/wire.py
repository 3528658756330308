"""HTTP by hand: bytes as they are sent, answers as they come, and what a daemon has recorded and stored meanwhile."""

import contextlib
import hashlib
import json
import re
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secretsd.testing.daemon import Daemon, running

SECONDS = 20.0
HEALTHY_LOG = re.compile(r"^(INFO|WARNING) [a-z_.]+: ")


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came: `raw` is all of it."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")

    @property
    def problem(self) -> dict[str, Any]:
        """The error, after checking that it is one in our form."""
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        assert found["request_id"] == self.request_id
        assert found["detail"].startswith("cannot ")
        return found


class Wire:
    """A connection to the daemon's Unix socket, or over TCP."""

    def __init__(self, daemon: Daemon, *, tcp: bool = True) -> None:
        self.socket = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(daemon.address if tcp else daemon.socket)
        self._buffer = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send it all; a daemon that has had enough and closed is no error, its answer is what counts."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def receive(self, *, head_only: bool = False) -> Received:
        """The next answer; EOFError when the connection ends before it is complete."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        size = 0 if head_only or status == 100 else int(headers["content-length"])
        self._buffer = rest
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return Received(status, headers, body, head + b"\r\n\r\n" + body)

    def ends(self) -> bool:
        """Whether the daemon closes the connection and sends nothing more before that."""
        try:
            return self._buffer == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data


@contextlib.contextmanager
def daemon_in_passable_place(**settings: Any) -> Iterator[Daemon]:
    """A daemon whose state lies where other users can pass, with these settings."""
    place = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    place.chmod(0o711)
    try:
        with running(place / "state", settings=settings) as daemon:
            yield daemon
    finally:
        shutil.rmtree(place, ignore_errors=True)


def stored(daemon: Daemon) -> str:
    """A digest of all records, leases apart: those are taken and given back all the time."""
    path = daemon.state_dir / "storage" / "main.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as main:
        tables = [name for (name,) in main.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        digest = hashlib.sha256()
        for table in tables:
            if table != "leases":
                rows = sorted(repr(row) for row in main.execute(f"SELECT * FROM {table}"))
                digest.update("\n".join([table, *rows]).encode())
    return digest.hexdigest()


def events_of(daemon: Daemon, request_id: str) -> list[dict[str, Any]]:
    """Every event of a request, whichever account it is in."""
    own = daemon.events(request_id=request_id)
    return own + daemon.events(request_id=request_id, account="system")


def resident_kib(daemon: Daemon) -> int:
    """Memory of all workers together."""
    total = 0
    for pid in daemon.children("worker"):
        status = Path(f"/proc/{pid}/status").read_text()
        total += int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]  # every process has the line
    return total


def wait_for(what: str, condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What `condition` returns as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return found
