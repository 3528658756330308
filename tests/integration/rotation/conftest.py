"""Rotations in one process: real SQLite, the real rotator host, a key store in memory, a clock that tests turn."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from secretsd.adapters.calendar import TriggerCalendar
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.rotator_host.configuration import RotatorHostConfiguration
from secretsd.adapters.sqlite import open_storage
from secretsd.api.fields import TextValue
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.authenticator import Caller
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.catalogue import catalogue
from secretsd.operations.parts import assemble
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.rotation_orders import StepRequest
from secretsd.ports.storage import EventFilter
from secretsd.services.rotation import Rotations
from secretsd.supervisor.spawn import reap, spawn
from secretsd.supervisor.specification import ChildSpec
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import authenticator
from tests.integration.rotation.escrow_host import Host

OPERATIONS = catalogue()
PLUGINS = Path(__file__).parent / "rotators_for_tests"
PROGRAM = (
    f"import sys; sys.path.insert(0, {str(PLUGINS)!r}); from secretsd.adapters.rotator_host.host import main; main()"
)
NAME = "prod/db/app"


class Clock:
    """Wall time that moves when a test says so, and by a millisecond with every look."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        self.ms += 1
        return self.ms

    def pass_seconds(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


class Node:
    """A worker's inner part: its own storage and cache over the shared files and host."""

    def __init__(self, storage: Any, keystore: MemoryKeyStore, rotators: ProcessRotatorHost, clock: Clock) -> None:
        self.storage, self.keystore, self.clock = storage, keystore, clock
        self.parts = assemble(
            storage=storage, keystore=keystore, rotators=rotators, escrow=MemoryEscrow(), calendar=TriggerCalendar(1),
            clock=clock, authenticator=authenticator(), min_interval_seconds=1,
        )  # fmt: skip
        self.pipeline = Pipeline(self.parts)
        self.rotations = Rotations(self.pipeline)
        self.account = ""

    async def call(self, name: str, /, **fields: Any) -> Any:
        operation = OPERATIONS[name]
        answer = await self.pipeline.run(operation, lambda: operation.request(**fields), Caller("unix", uid=0))
        if answer.error is not None:
            raise answer.error
        return answer.response

    async def work(self) -> None:
        """What the service does when something is due, to its end."""
        self.storage.refresh()
        await self.rotations.ensure()
        await self.rotations.settled()

    async def step(self, operation: str) -> None:
        """One step of scheduled work by hand, as if the process died right after it."""
        principal = Principal(self.account, ROTATION_ROLE, "schedule")
        await self.pipeline.run_scheduled(OPERATIONS[operation], StepRequest(name=NAME, epoch=1), principal, None)

    async def text(self, stage: str = "current") -> str:
        found = await self.call("GetSecretValue", name=NAME, stage=stage)
        return str(found.text.reveal().decode())

    async def rotation(self) -> Any:
        return (await self.call("DescribeSecret", name=NAME)).rotation

    async def steps(self) -> list[tuple[str, str]]:
        """Operation and outcome of every event that scheduled work left."""
        found, _ = await self.storage.audit.lookup(EventFilter(self.account), None, 1000)
        events = [msgspec.json.decode(data) for data in found]
        return [(one["operation"], one["outcome"]) for one in events if one["source"] == "schedule"]


class Target:
    """The file that the rotator of these tests writes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def script(self, *words: str) -> None:
        (self.directory / "script").write_text("\n".join(words))

    @property
    def accepts(self) -> str:
        path = self.directory / "target"
        return path.read_text() if path.exists() else ""

    @property
    def log(self) -> list[str]:
        path = self.directory / "log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def target(tmp_path: Path) -> Target:
    directory = tmp_path / "target"
    directory.mkdir()
    return Target(directory)


@pytest.fixture(scope="module")
def rotator_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("host") / "rotator.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(16)
        names = ("random", "filed", "filed-noting")
        configuration = RotatorHostConfiguration(rotators=names, allowed_uids=(os.getuid(),))
        spec = ChildSpec(
            "rotator", (sys.executable, "-I", "-c", PROGRAM), os.getuid(), os.getgid(),
            msgspec.json.encode(configuration),
        )  # fmt: skip
        pid, control = spawn(spec, [listening.fileno()])
        with control:
            control.settimeout(30)
            assert control.recv(1) == b"R"
            yield path
            reap(pid)


@pytest.fixture
async def nodes(tmp_path: Path, rotator_socket: Path) -> AsyncIterator[list[Node]]:
    """Two nodes on the same data, and an account."""
    keystore, clock = MemoryKeyStore(), Clock()
    directory = tmp_path / "storage"
    async with open_storage(directory, authenticator()) as one, open_storage(directory, authenticator()) as two:
        hosts = [ProcessRotatorHost(rotator_socket) for _ in range(2)]
        made = [Node(storage, keystore, host, clock) for storage, host in zip((one, two), hosts, strict=True)]
        account = await ensure_first_account(made[0].parts, (), "test")
        for node in made:
            node.account = account
        yield made
        for host in hosts:
            host.close()


@pytest.fixture
async def node(nodes: list[Node], target: Target) -> Node:
    """One node with a secret that the target accepts and that is due for rotation now."""
    await nodes[0].call("CreateSecret", name=NAME, text=TextValue.from_text("at first"))
    (target.directory / "target").write_text("at first")
    await nodes[0].call("RotateSecret", name=NAME, rotator="filed", settings={"directory": str(target.directory)})
    return nodes[0]


@pytest.fixture
def tools() -> SimpleNamespace:
    """What tests need that bring their own nodes up and down."""
    return SimpleNamespace(Node=Node, Clock=Clock)


@pytest.fixture
def host(tmp_path: Path, rotator_socket: Path, target: Any, tools: SimpleNamespace) -> Host:
    return Host(tmp_path, rotator_socket, target, tools)
