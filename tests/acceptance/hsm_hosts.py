"""Hosts for the key ceremony: each a directory with its configuration, on which `secretsd` runs as on a host."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from secretsd.testing.daemon import Answered, Daemon

COMMAND = (sys.executable, "-I", "-m", "secretsd.cli.daemon")
PIN = "an operator's own PIN"


def hsm(*arguments: str, given: str = "", fds: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "hsm", *arguments], input=given, capture_output=True, text=True, timeout=300, pass_fds=fds
    )


def done(ran: subprocess.CompletedProcess[str]) -> str:
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


class Host:
    """A host of its own in a directory: configuration, PIN, and the daemon on it."""

    def __init__(self, directory: Path, **keystore: Any) -> None:
        directory.mkdir(mode=0o711)
        self.directory = directory
        self.pin = directory / "pin"
        self.pin.write_text(PIN + "\n")
        self.pin.chmod(0o600)
        self.config = directory / "secretsd.yaml"
        self.socket = directory / "api.sock"
        document: dict[str, Any] = {
            "state_dir": str(directory / "state"),
            "runtime_dir": str(directory / "run"),
            "unix": {"path": str(self.socket)},
            "keystore": {"pin_file": str(self.pin), **keystore},
            "users": {"worker": "61701", "keystore": "61702", "rotator": "61703"},
        }
        self.config.write_text(yaml.safe_dump(document))
        self.so_pin = directory / "so-pin"

    def run(self, command: str, *arguments: str, so: bool = False) -> subprocess.CompletedProcess[str]:
        more = ("--so-pin-file", str(self.so_pin)) if so else ()
        return hsm(command, "--config", str(self.config), *arguments, *more)

    def keep_so_pin(self, document: Path) -> None:
        self.so_pin.write_text(json.loads(document.read_text())["so_pin"])
        self.so_pin.chmod(0o600)

    @contextmanager
    def serving(self) -> Iterator[Callable[..., Answered]]:
        """The daemon; what it yields calls it as root."""
        process = subprocess.Popen([*COMMAND, "serve", "--config", str(self.config)])
        client = Daemon(self.directory / "client")
        client.socket = str(self.socket)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if client.call("GET", "/v1/health").status == 200:
                    break
            except OSError:
                time.sleep(0.02)
        yield client.call
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


class Receiving:
    """`receive-root` on another host, in wait for the document."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.key, self.document = host.directory / "token.pub.pem", host.directory / "root.json"
        self.output = host.directory / "recovery.json"
        arguments = ["--config", str(host.config), "--key-output", str(self.key), "--document", str(self.document)]
        if host.so_pin.exists():
            arguments += ["--so-pin-file", str(host.so_pin)]
        self.process = subprocess.Popen(
            [*COMMAND, "hsm", "receive-root", *arguments, "--output", str(self.output)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.told = self.process.stdout.readline()
        assert "wrap the root for" in self.told, self.process.communicate()

    def finish(self, document: Path) -> str:
        shutil.copy(document, beside := self.document.with_suffix(".part"))
        beside.rename(self.document)
        output, errors = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, errors
        return output
