"""SoftHSM2 for tests and benchmarks: a fresh token with its root keys, and a keystore process without the supervisor.

token = SoftHSM.create(directory)
with KeyStoreProcess(token) as process:
    keystore = ProcessKeyStore(process.path)
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
_FIRST_FREE_FD = 64
_PATIENCE_SECONDS = 60.0
COMMAND = (sys.executable, "-I", "-m", "secretsd.adapters.keystore_process")


def softhsm_module() -> str:
    """The path of SoftHSM2's library; FileNotFoundError where it is not installed."""
    for path in _MODULES:
        if Path(path).is_file():
            return path
    raise FileNotFoundError("cannot find SoftHSM2: install softhsm2")


@dataclass(frozen=True, slots=True)
class SoftHSM:
    """A token with root keys, and the data directory of the keystore process that goes with it."""

    directory: Path
    module: str
    pin: str = field(repr=False)
    environment: Mapping[str, str]
    initialised: Mapping[str, Any] = field(repr=False)
    token_label: str = "secretsd"
    uid: int | None = None

    @property
    def data_dir(self) -> Path:
        """Where the keystore process keeps its own files."""
        return self.directory / "data"

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        module: str | None = None,
        environment: Mapping[str, str] | None = None,
        recovery_public_key: str | None = None,
        uid: int | None = None,
    ) -> "SoftHSM":
        """Token and data directory in `directory` (made if missing), owned by `uid` if given; takes about 0.2 s.

        `module` stands in front of SoftHSM2 (a shim) and may need `environment`. RuntimeError when it fails.
        """
        for name in ("tokens", "data"):
            (directory / name).mkdir(parents=True, mode=0o700)
        settings = directory / "softhsm2.conf"
        settings.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
        for path in (directory, directory / "tokens", directory / "data"):
            os.chown(path, -1 if uid is None else uid, -1)
        found = {"SOFTHSM2_CONF": str(settings), **(environment or {})}
        token = cls(directory, module or softhsm_module(), secrets.token_urlsafe(12), found, {}, uid=uid)
        document = token.configuration(
            "initialise", recovery_public_key=recovery_public_key, refuse_recovery=recovery_public_key is None
        )
        status, output, errors = run_once(document, uid)
        if status != 0:
            raise RuntimeError(f"cannot initialise the token: {errors}")
        return cls(directory, token.module, token.pin, found, json.loads(output), uid=uid)

    def configuration(self, command: str, **more: Any) -> dict[str, Any]:
        """The document for descriptor 0, with whatever `more` changes in it."""
        return {
            "command": command,
            "module": self.module,
            "token_label": self.token_label,
            "pin": self.pin,
            "environment": dict(self.environment),
            "data_dir": str(self.data_dir),
            "allowed_uids": [os.geteuid()],
            **more,
        }


def run_once(configuration: Mapping[str, Any], uid: int | None = None) -> tuple[int, str, str]:
    """Run the process to its end: exit status, standard output, standard error."""
    mine, theirs = socket.socketpair()
    output_read, output_write = os.pipe()
    error_read, error_write = os.pipe()
    with mine, theirs:
        pid = _spawn(configuration, {1: output_write, 2: error_write, 3: theirs.fileno()}, uid)
        os.close(output_write)
        os.close(error_write)
        # Both texts are short: neither pipe can fill up while the other is read.
        with os.fdopen(output_read) as output, os.fdopen(error_read) as errors:
            texts = output.read(), errors.read()
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), *texts


class KeyStoreProcess:
    """A keystore process on a socket; this object plays the supervisor. `path` stays the same over restarts.

    Start it from a thread that lives on (not from asyncio.to_thread): the kernel ends it with the thread that did.
    """

    def __init__(self, token: SoftHSM, *, path: Path | None = None, **configuration: Any) -> None:
        self.token = token
        self.path = path or token.directory / "keystore.sock"
        self.log_path = token.directory / "keystore.log"
        self.pid = 0
        self._configuration = configuration
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self.path.chmod(0o600)
        self._listener.listen(64)
        self._control: socket.socket | None = None

    def __enter__(self) -> "KeyStoreProcess":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it is ready; RuntimeError with its last words when it ends instead."""
        self.spawn()
        if not self.heard(b"R"):
            status = self.wait()
            raise RuntimeError(f"cannot start the keystore process, status {status}: {self.log()}")

    def spawn(self) -> None:
        """Start it without waiting."""
        document = self.token.configuration("serve", **{"listen_fd": 4, **self._configuration})
        mine, theirs = socket.socketpair()
        mine.settimeout(_PATIENCE_SECONDS)
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        places = {1: log, 2: log, 3: theirs.fileno(), 4: self._listener.fileno()}
        self.pid = _spawn(document, places, self.token.uid)
        os.close(log)
        theirs.close()
        self._control = mine

    def ping(self, seconds: float = _PATIENCE_SECONDS) -> bool:
        """Whether the process's loop answers within so many seconds."""
        assert self._control is not None  # noqa: S101  # for the type: it was started
        self._control.sendall(b"p")
        return self.heard(b"P", seconds)

    def heard(self, wanted: bytes, seconds: float = _PATIENCE_SECONDS) -> bool:
        """Whether the process says `wanted` on the control channel within so many seconds."""
        assert self._control is not None  # noqa: S101  # for the type: it was started
        self._control.settimeout(seconds)
        try:
            while said := self._control.recv(1):
                if said == wanted:
                    return True
        except (TimeoutError, ConnectionError):
            pass
        return False

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def forget(self) -> None:
        """Close the control channel, as the end of the supervisor would."""
        if self._control is not None:
            self._control.close()

    def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self) -> None:
        """What the supervisor does for a process that crashed."""
        self.kill()
        self.start()

    def stop(self) -> int:
        """End it politely; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end, bounded; its exit status (negative: the signal). TimeoutError."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                if self._control is not None:
                    self._control.close()
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        raise TimeoutError("the keystore process did not end")

    def log(self) -> str:
        """All that it has logged."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def close(self) -> None:
        """End it if it runs, and remove its socket."""
        if self.pid:
            self.kill()
        self._listener.close()
        self.path.unlink(missing_ok=True)


def _spawn(configuration: Mapping[str, Any], places: Mapping[int, int], uid: int | None) -> int:
    """fork+exec with exactly these descriptors and the configuration on descriptor 0; the pid."""
    document_read, document_write = os.pipe()
    os.set_blocking(document_write, False)
    os.write(document_write, json.dumps(configuration).encode())
    os.close(document_write)
    # First out of the way of the places themselves: a descriptor to be moved may stand where another one goes.
    high = {place: _move(fd) for place, fd in {0: document_read, **places}.items()}
    actions = [(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in high.items()]
    as_user = () if uid is None else ("/usr/bin/setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--")
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    command = (*as_user, *COMMAND)
    pid = os.posix_spawn(command[0], command, environment, file_actions=actions, setsigdef=[signal.SIGPIPE])
    for fd in (*high.values(), document_read):
        os.close(fd)
    return pid


def _move(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD)
