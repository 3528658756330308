"""A real daemon for tests, benchmarks and the demo: started by its own command, reached over its own sockets."""

import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

ROLES = {
    "keystore": "secretsd.adapters.keystore_process",
    "keystore-slow": "secretsd.adapters.keystore_process.slow_lane",
    "rotator": "secretsd.adapters.rotator_host",
    "worker": "secretsd.app",
}
NAME_SAFE = "/_+=.@!-"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: HTTP status, decoded JSON body, request id."""

    status: int
    body: Any
    request_id: str

    @property
    def kind(self) -> str:
        """The kind of the error, empty for none."""
        return str(self.body.get("kind", "")) if isinstance(self.body, dict) else ""


class UnixHTTPConnection(http.client.HTTPConnection):
    """The standard library's HTTP client over a Unix socket."""

    def __init__(self, path: str, timeout: float = 30.0) -> None:
        super().__init__("secretsd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Watcher(Protocol):
    """Hears of every daemon: `secretsd.testing.canaries` looks for values where none may be."""

    def started(self, state_dir: Path, log: Path, token: str) -> None: ...
    def spoke(self, state_dir: Path, sent: Any, status: int, answer: Any) -> None: ...
    def running(self, state_dir: Path, pids: Iterable[int]) -> None: ...
    def ended(self, state_dir: Path, *, orderly: bool = True) -> None: ...


WATCHERS: list[Watcher] = []
"""Who hears of daemons; tests/conftest.py puts the canaries here."""


class Daemon:
    """`secretsd dev` with its state in a directory that other uids can pass through."""

    def __init__(
        self, state_dir: Path, *, settings: Mapping[str, Any] | None = None, listen: str = "127.0.0.1:0"
    ) -> None:
        self.state_dir = state_dir
        self.listen = listen
        self.socket = str(state_dir / "secretsd.sock")
        self.environment: dict[str, str] = {}
        self.tls: ssl.SSLContext | None = None
        """For connections over TCP where the settings name a certificate; a test sets it."""
        self.log = state_dir.with_name(state_dir.name + ".log")
        self._process: subprocess.Popen[str] | None = None
        if settings is not None:
            state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
            (state_dir / "secretsd.yaml").write_text(json.dumps(settings))  # JSON is YAML

    @property
    def pid(self) -> int:
        """The supervisor's pid."""
        if self._process is None:
            raise RuntimeError("cannot tell the pid: the daemon is not started")
        return self._process.pid

    def start(self, seconds: float = 60.0) -> "Daemon":
        """Start it and return once it serves; RuntimeError with the end of its log when it does not."""
        command = [sys.executable, "-I", "-m", "secretsd.cli.daemon", "dev"]
        command += ["--state-dir", str(self.state_dir), "--listen", self.listen]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
            )
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        timer = time.monotonic() + seconds
        line = self._process.stdout.readline()
        if line != "ready\n" or time.monotonic() > timer:
            self.kill()
            raise RuntimeError("cannot start the daemon:\n" + self.log.read_text()[-2000:])
        lines = (self.state_dir / "admin.env").read_text().splitlines()
        self.environment = dict(line.split("=", 1) for line in lines)
        for watcher in WATCHERS:
            watcher.started(self.state_dir, self.log, self.token)
        return self

    @property
    def token(self) -> str:
        """The administrator's token."""
        return self.environment["SECRETSD_TOKEN"]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the TCP listener."""
        host, _, port = self.environment["SECRETSD_ADDR"].rpartition("://")[2].rpartition(":")
        return host.strip("[]"), int(port)

    def stop(self, seconds: float = 30.0) -> int:
        """Ask it to stop and wait for its end."""
        if self._process is None:
            return 0
        try:
            for watcher in WATCHERS:
                watcher.running(self.state_dir, [self.pid, *(pid for role in ROLES for pid in self.children(role))])
        finally:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            status = self._process.wait(seconds)
            self._closed()
        for watcher in WATCHERS:
            watcher.ended(self.state_dir)
        return status

    def kill(self) -> None:
        """kill -9 the supervisor; its children go with it."""
        if self._process is None:
            return
        children = [pid for role in ROLES for pid in self.children(role)]
        self._process.kill()
        self._process.wait()
        self._closed()
        deadline = time.monotonic() + 10
        while any(_alive(pid) for pid in children) and time.monotonic() < deadline:
            time.sleep(0.002)
        for watcher in WATCHERS:
            watcher.ended(self.state_dir, orderly=False)

    def children(self, role: str) -> list[int]:
        """The pids of the processes of a role, the oldest first."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError, IndexError):
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                    arguments = (entry / "cmdline").read_bytes().split(b"\0")
                    if parent == self.pid and ROLES[role].encode() in arguments:
                        found.append(int(entry.name))
        return sorted(found)

    def connect(self, *, tcp: bool = False) -> http.client.HTTPConnection:
        """A connection that stays open between requests."""
        if tcp and self.environment["SECRETSD_ADDR"].startswith("https:"):
            return http.client.HTTPSConnection(*self.address, timeout=30, context=self.tls)
        if tcp:
            return http.client.HTTPConnection(*self.address, timeout=30)
        return UnixHTTPConnection(self.socket)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        token: str | None = None,
        tcp: bool = False,
        connection: http.client.HTTPConnection | None = None,
    ) -> Answered:
        """One request; over TCP as the administrator unless a token is given."""
        own = connection or self.connect(tcp=tcp)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            if token is None and tcp:
                token = self.token
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            target = path + ("?" + urlencode(query, doseq=True) if query else "")
            own.request(method, target, None if body is None else json.dumps(body), headers)
            with own.getresponse() as response:
                data = response.read()
            decoded = json.loads(data) if response.getheader("Content-Type", "").endswith("json") else data
            for watcher in WATCHERS:
                watcher.spoke(self.state_dir, body, response.status, decoded)
            return Answered(response.status, decoded, response.getheader("X-Request-Id", ""))
        finally:
            if connection is None:
                own.close()

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        """All events that fit, page by page."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 1000, **wanted}
        while True:
            page = self.call("GET", "/v1/events", query=query)
            if page.status != 200:
                raise RuntimeError(f"cannot look up events: {page.body}")
            found += page.body["events"]
            token = page.body.get("next_token")
            if token is None:
                return found
            query["next_token"] = token

    def _closed(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None


@contextlib.contextmanager
def running(state_dir: Path, **options: Any) -> Iterator[Daemon]:
    """A daemon that serves within the block and is stopped at its end."""
    daemon = Daemon(state_dir, **options)
    try:
        yield daemon.start()
    finally:
        daemon.stop()


def secret_path(name: str, verb: str = "") -> str:
    """The path of a secret in the native dialect."""
    return f"/v1/secrets/{quote(name, safe=NAME_SAFE)}" + (f":{verb}" if verb else "")


def _alive(pid: int) -> bool:
    """Whether the process still runs; one that has ended and that nobody has waited for yet holds nothing any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
