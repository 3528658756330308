"""A daemon, its administrator's client and the installed command: what the tests of envelope encryption work with."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secretsd.client import Client, Plaintext
from secretsd.client.sync import SyncClient
from secretsd.testing.daemon import Daemon, running


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: bytes
    err: str


Ctl = Callable[..., Outcome]
COMMAND = str(Path(sys.executable).with_name("secretsctl"))


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    base = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    base.chmod(0o711)
    with running(base / "state") as found:
        yield found
    shutil.rmtree(base)


def environment(daemon: Daemon) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **daemon.environment}


@pytest.fixture
def ctl(daemon: Daemon) -> Ctl:
    """The installed command, as the administrator."""

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        done = subprocess.run([COMMAND, *arguments], input=stdin, capture_output=True, env=environment(daemon))
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    return run


@pytest.fixture(scope="module")
def client(daemon: Daemon) -> Iterator[SyncClient]:
    with SyncClient(Client(socket=daemon.socket, token=Plaintext.from_text(daemon.token))) as found:
        yield found


@pytest.fixture(scope="module")
def key(client: SyncClient) -> str:
    return client.run(lambda c: c.create_key(description="of messages")).id
