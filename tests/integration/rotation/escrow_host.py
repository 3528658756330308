"""A host on which the daemon starts again and again, and what tests ask of it."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from secretsd.adapters.file_escrow import FileEscrow
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.sqlite import open_storage
from secretsd.api.fields import TextValue
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.parts import assemble
from secretsd.operations.pipeline import Pipeline
from secretsd.services.escrow import EscrowKeeper
from secretsd.services.rotation import Rotations
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import authenticator

NAME = "prod/db/app"


class Host:
    """A host on which the daemon is started again and again; escrow, key store and target outlive each start."""

    def __init__(self, directory: Path, rotator_socket: Path, target: Any, tools: SimpleNamespace) -> None:
        self.target = target
        self.escrow_dir = directory / "escrow"
        self._storage, self._backups = directory / "storage", directory / "backup"
        self._socket, self._tools = rotator_socket, tools
        self._keystore, self._clock = MemoryKeyStore(), tools.Clock()
        self.replayed = 0

    @contextlib.asynccontextmanager
    async def running(self, nodes: int = 1) -> AsyncIterator[Any]:
        """Nodes as workers bring themselves up: the escrow is replayed before anything else. Yields the first."""
        async with contextlib.AsyncExitStack() as stack:
            made = []
            for _ in range(nodes):
                storage = await stack.enter_async_context(open_storage(self._storage, authenticator()))
                rotators = ProcessRotatorHost(self._socket)
                stack.callback(rotators.close)
                node = self._tools.Node(storage, self._keystore, rotators, self._clock)
                node.parts = assemble(
                    storage=storage, keystore=self._keystore, rotators=rotators,
                    escrow=FileEscrow(self.escrow_dir, Plaintext(bytes(32))), calendar=node.parts.calendar,
                    clock=self._clock, authenticator=authenticator(), min_interval_seconds=1,
                )  # fmt: skip
                node.pipeline = Pipeline(node.parts)
                node.rotations, node.keeper = Rotations(node.pipeline), EscrowKeeper(node.pipeline)
                made.append(node)
            account = await ensure_first_account(made[0].parts, (), "test")
            for node in made:
                node.account = account
            self.replayed = sum(await asyncio.gather(*(node.keeper.replay() for node in made)))
            yield made[0]

    def back_up(self) -> None:
        """Copy the storage; nothing runs."""
        shutil.rmtree(self._backups, ignore_errors=True)
        shutil.copytree(self._storage, self._backups)

    def put_back(self) -> None:
        """Throw the storage away and put the copy in its place; nothing runs."""
        shutil.rmtree(self._storage)
        shutil.copytree(self._backups, self._storage)

    def pass_seconds(self, seconds: float) -> None:
        self._clock.pass_seconds(seconds)

    async def rotate(self, node: Any, *script: str) -> None:
        """A rotation that goes as the script says."""
        self.target.script(*script)
        await node.call("RotateSecret", name=NAME)
        await node.work()


async def make_secret(host: Host, node: Any) -> None:
    (host.target.directory / "target").write_text("at first")
    await node.call("CreateSecret", name=NAME, text=TextValue.from_text("at first"))
    await node.call("RotateSecret", name=NAME, rotator="filed", settings={"directory": str(host.target.directory)})
    await node.work()


async def served(host: Host, node: Any) -> str:
    """What is served once nothing is under way: it is what the target accepts, or the test ends here."""
    for _ in range(10):
        await node.work()
        host.pass_seconds(2)
    rotation = await node.rotation()
    assert (rotation.state, rotation.attempts) == ("idle", 0)
    text = str(await node.text())
    assert text == host.target.accepts
    return text


async def replays(node: Any) -> list[str]:
    return [outcome for operation, outcome in await node.steps() if operation == "ReplayEscrow"]
