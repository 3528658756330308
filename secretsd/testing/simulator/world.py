"""One case's world: its files, its target, the nodes that come and go, and the watch over all of them."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from secretsd.api.values import GetSecretValueResponse
from secretsd.domain.errors import ErrorKind
from secretsd.domain.rotation import RotationState
from secretsd.operations.sealing import Sealer
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.simulator.base import NAME, copy_files
from secretsd.testing.simulator.durable import Durable
from secretsd.testing.simulator.gate import Crashed, Door, Fault, Gate
from secretsd.testing.simulator.host import SimulatedHost
from secretsd.testing.simulator.node import Node, Services, open_node
from secretsd.testing.simulator.profiles import Profile
from secretsd.testing.simulator.target import SimulatedTarget
from secretsd.testing.simulator.virtual_time import VirtualClock
from secretsd.testing.simulator.watch import Watch

MAX_PASSES = 120
LEASE_SECONDS = 61.0
HORIZON_MS = 20 * 24 * 3600 * 1000
"""What is due later than this is the next rotation, not another attempt at this one."""
_REFUSALS = {ErrorKind.ROTATION_IN_PROGRESS}
"""How a read may be refused while a rotation is under way."""


class World:
    """Runs what is due on a node; when that dies another one is opened, when it freezes another one takes over."""

    def __init__(
        self,
        directory: Path,
        profile: Profile,
        target: SimulatedTarget,
        escrow: MemoryEscrow,
        keystore: MemoryKeyStore,
        services: Services,
        *,
        plan: Mapping[int, Fault],
        script: Mapping[str, Sequence[Fault | None]],
        older: dict[str, frozenset[str]],
        passwords: int,
        backup: Path | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.target = target
        self.escrow = escrow
        self.passwords = passwords
        self.durable = Durable(directory, NAME)
        self.gate = Gate(plan, script, self._state, self._look, self._act)
        self._directory = directory
        self._profile = profile
        self._keystore = keystore
        self._services = services
        self._backup = backup
        self._older = older
        self._nodes: list[Node] = []
        self.watch: Watch | None = None

    @property
    def node(self) -> Node:
        """The node that works now."""
        return self._nodes[-1]

    async def begin(self) -> None:
        """Open the first node; from now on everything is watched, where there is a rotation already."""
        await self._open()

    def watched(self) -> Watch:
        """The watch, which begins now unless it has begun already."""
        if self.watch is None:
            sealer = Sealer(self._keystore)
            self.watch = Watch(self._profile, self.target, self.durable, self.escrow, sealer, self.clock.now_ms)
            self.watch.look()
        return self.watch

    async def until_rest(self) -> None:
        """Let everything happen that is due before the next rotation, whatever becomes of the node."""
        for _ in range(MAX_PASSES):
            rotation = self.durable.look().rotation
            due_ms = rotation.next_due_ms
            if rotation.state is RotationState.QUARANTINED or due_ms is None:
                return
            now_ms = self.clock.now_ms()
            if due_ms > now_ms + HORIZON_MS:
                return
            if due_ms > now_ms:
                await asyncio.sleep((due_ms - now_ms) / 1000)
            await self.work()
        if self.watch is not None:
            self.watch.found("I9", "it does not come to rest")

    async def work(self) -> None:
        """One pass of the node; afterwards there is a node that lives."""
        node = self.node
        await node.work()
        if node.door.dead:
            await self._close(node)
            await self._open(node.door.storage_lost)
        elif node.door.frozen:
            await asyncio.sleep(LEASE_SECONDS)  # its lease ends, and nobody prolongs it
            await self._open()
            await self.until_rest()
            await node.thaw()
            await self._close(node)

    async def next_rotation(self) -> None:
        """Wait until the schedule has the rotation due, then let it happen."""
        due_ms = self.durable.look().rotation.next_due_ms
        if due_ms is not None:
            await asyncio.sleep(max(0, due_ms - self.clock.now_ms()) / 1000)
        await self.until_rest()

    def loop_seconds(self) -> float:
        """The virtual time."""
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Throw everything away but the files."""
        self.target.on_effect = lambda: None
        self.gate.faulty = False
        for node in list(self._nodes):
            await self._close(node)
        self.durable.close()

    async def copy_storage(self, directory: Path) -> None:
        """A backup of the storage, taken while no node is there."""
        await self._close(self.node)
        copy_files(self._directory, directory)
        await self._open()

    async def _open(self, storage_lost: bool = False) -> None:
        while True:
            if storage_lost and not self._nodes:
                self._go_back()
            door = Door(self.gate)
            host = SimulatedHost(self._profile, self.target, door, self._ear, self._password)
            node = await open_node(
                self._directory,
                door,
                keystore=self._keystore,
                rotators=host,
                escrow=self.escrow,
                services=self._services,
            )
            self._nodes.append(node)
            try:
                await self._started(node)
                return
            except Crashed:
                await self._close(node)
                storage_lost = door.storage_lost

    async def _started(self, node: Node) -> None:
        if self.watch is not None:
            self.watch.asleep = True
        await node.start()
        if self.watch is not None:
            self.watch.asleep = False

    def _go_back(self) -> None:
        """Put the older copy in the place of the files."""
        if self._backup is None:
            return
        self.durable.close()
        for path in self._directory.iterdir():
            if path.is_file():
                path.unlink()
        copy_files(self._backup, self._directory)
        self.durable.reopen()
        if self.watch is not None:
            self.watch.begin_anew()

    async def _close(self, node: Node) -> None:
        self._nodes.remove(node)
        await node.close()

    def _ear(self) -> Watch | None:
        return self.watch

    def _password(self) -> str:
        self.passwords += 1
        return f"password-{self.passwords}"

    def _state(self) -> str:
        return self.durable.look().rotation.state.value

    def _look(self) -> None:
        if self.watch is None or self.watch.asleep:
            return
        self.watch.look()
        for node in self._nodes:
            node.read(lambda node=node: self._read(node))  # type: ignore[misc]  # bound now, not when it runs

    async def _read(self, node: Node) -> None:
        met, excused = self.durable.look().secret.barrier, self.watch is not None and self.watch.excused
        answer = await node.ask_here("GetSecretValue", name=NAME)
        if self.watch is None or node.door.dead:
            return
        if answer.error is not None:
            if answer.error.kind not in _REFUSALS:
                self.watch.found("I4", f"a read was refused: {answer.error.kind.value}")
        elif isinstance(answer.response, GetSecretValueResponse):
            self.watch.served(answer.response.version_id, answer.response.unproved, met, excused)

    async def _act(self, fault: Fault, door: Door) -> None:
        if fault is Fault.RESTORE:
            watch = self.watched()
            watch.restored = watch.excused = True
            self.target.restore(self._older)
            return
        node = next(node for node in self._nodes if node.door is door)
        await node.ask("CancelRotateSecret" if fault is Fault.CANCEL else "PauseRotation", name=NAME)
