"""A real rotator host, started as the supervisor does, and what tests ask of it."""

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path

import msgspec

from secretsd.adapters.rotator_host.configuration import RotatorHostConfiguration
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import JobOrder, StagedSecret
from secretsd.supervisor.spawn import reap, spawn
from secretsd.supervisor.specification import ChildSpec

OTHERS = Path(__file__).parent / "rotators_of_others"
# As `python -I -m secretsd.adapters.rotator_host`, with one more place where distributions are installed.
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(OTHERS)!r}); from secretsd.adapters.rotator_host.host import main; main()"
)
MODULE = "runpy.run_module('secretsd.adapters.rotator_host', run_name='__main__')"
CANARY = "c4nary-value"


class RunningHost:
    """A host started as the supervisor starts it."""

    def __init__(self, directory: Path, **configured) -> None:
        self.path = directory / "rotator.sock"
        self.errors = directory / "errors"
        self._configured = configured
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(self.path))
        self.listening.listen(64)
        self.start()

    def start(self) -> None:
        configuration = RotatorHostConfiguration(
            **{
                "rotators": ("random", "noting", "misbehaving", "misnamed", "broken"),
                "allowed_uids": (os.getuid(),),
                **self._configured,
            }
        )
        spec = ChildSpec(
            name="rotator",
            argv=(sys.executable, "-I", "-c", PROGRAM),
            uid=os.getuid(),
            gid=os.getgid(),
            configuration=msgspec.json.encode(configuration),
        )
        stderr = os.dup(2)
        with self.errors.open("a") as errors:
            os.dup2(errors.fileno(), 2)
            try:
                self.pid, self.control = spawn(spec, [self.listening.fileno()])
            finally:
                os.dup2(stderr, 2)
                os.close(stderr)
        self.control.settimeout(30)
        assert self.control.recv(1) == b"R", self.errors.read_text()

    def kill(self) -> None:
        reap(self.pid)
        self.control.close()

    def close(self) -> None:
        self.kill()
        self.listening.close()


def order(rotator="misbehaving", account="000000000001", **fields):
    settings = fields.pop("settings", {"target": "here"} if rotator == "noting" else {})
    candidate = StagedSecret("new", Plaintext(CANARY.encode()), 2, b"kept beside it")
    return JobOrder(
        account=account,
        rotator=rotator,
        secret="prod/db/app",
        settings=json.dumps(settings),
        epoch=fields.pop("epoch", 7),
        current=fields.pop("current", StagedSecret("old", Plaintext(b"old value"))),
        candidate=candidate,
        **fields,
    )


async def noted_nowhere(data: bytes) -> None:
    raise AssertionError("no note is due")


async def wait_for(what, condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        await asyncio.sleep(0.02)
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def written(path):
    done = Path(f"{path}.done")
    return json.loads(done.read_text()) if done.exists() else None
