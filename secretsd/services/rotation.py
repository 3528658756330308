"""Rotations: whatever is due is taken step by step under a lease, and whatever a crash left is taken up again."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

import msgspec

from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.domain.rotation import MachineKind, Rotation, RotationState
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.rotation_orders import StepRequest
from secretsd.ports.rotator import RotationFailed
from secretsd.ports.storage import Fence, Lease, LeaseLost, RecordName

log = logging.getLogger("secretsd.rotations")
LEASE_SECONDS = 60.0
AT_ONCE = 8
# Other nodes' changes are heard of when this node looks, and a look costs microseconds.
LONGEST_SLEEP_SECONDS = 1.0
PAUSE_SECONDS = 0.25
_S = RotationState
STEPS = {
    _S.IDLE: "StageRotationCandidate",
    _S.CHECK_IDLE: "StageRotationCandidate",
    _S.CANDIDATE_STORED: "BeginRotationApply",
    _S.APPLYING: "ApplyRotation",
    _S.RESOLVING: "ResolveRotation",
    _S.VERIFYING: "PromoteRotation",
    _S.DRAINING: "RevokeRotation",
    _S.REVOKING: "RevokeRotation",
    _S.ROLLING_BACK: "RollBackRotation",
}
BACK = {
    _S.CHECK_IDLE: "RollBackRotation",
    _S.CANDIDATE_STORED: "RollBackRotation",
    _S.APPLYING: "ResolveRotation",
    _S.VERIFYING: "ResolveRotation",
}
"""The other way, of a rotation that was cancelled."""


def next_step(rotation: Rotation, first: bool) -> str:
    """The operation that goes on from where a rotation stands.

    `first` is True at the beginning of a pass: what an earlier one was doing at the target may still be going on.
    """
    if rotation.cancelled and rotation.state in BACK:
        return BACK[rotation.state]
    if rotation.state is _S.IDLE and rotation.machine is MachineKind.ALTERNATING:
        return "CheckRotationIdle"
    if rotation.state is _S.APPLYING and first:
        return "ResolveRotation"
    return STEPS[rotation.state]


class Rotations:
    """One a worker; leases decide which worker takes which rotation."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage
        self._clock = pipeline.parts.clock
        self._wake = asyncio.Event()
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        pipeline.parts.cache.on_change(self._changed)

    async def run(self) -> None:
        """Until cancelled: make sure, then sleep until something is due or somebody changed a rotation."""
        while True:
            self._wake.clear()
            try:
                await self.ensure()
                seconds = await self._idle_seconds()
            except SecretsdError as error:
                log.warning("cannot look after rotations: %s", error.kind.value)
                seconds = 1.0
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                self._storage.refresh()

    async def ensure(self) -> None:
        """Start what is due and not under way; returns once it is started."""
        for rotation in await self._storage.rotations.due(self._clock.now_ms(), AT_ONCE * 4):
            name = rotation.account, rotation.secret_id
            if name not in self._running and len(self._running) < AT_ONCE:
                task = asyncio.create_task(self._take(rotation))
                self._running[name] = task
                task.add_done_callback(partial(self._ended, name))

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _ended(self, name: tuple[str, str], _: asyncio.Task[None]) -> None:
        self._running.pop(name, None)
        self._wake.set()

    def _changed(self, names: Sequence[RecordName]) -> None:
        if not names or any(table == "rotations" for table, _ in names):
            self._wake.set()

    async def _idle_seconds(self) -> float:
        next_ms = await self._storage.rotations.next_due_ms()
        if next_ms is None:
            return LONGEST_SLEEP_SECONDS
        wait = (next_ms - self._clock.now_ms()) / 1000
        # Due and yet not started: it is under way here, or another node holds its lease.
        return min(max(wait, PAUSE_SECONDS), LONGEST_SLEEP_SECONDS)

    async def _take(self, rotation: Rotation) -> None:
        try:
            name = f"rotation/{rotation.account}/{rotation.secret_id}"
            lease = await self._storage.leases.claim(name, LEASE_SECONDS, rotation.epoch_floor)
            if lease is None:
                await asyncio.sleep(PAUSE_SECONDS)  # another node has it: look again, but not at once
                return
            keeping = asyncio.create_task(self._keep(lease))
            try:
                await self._steps(rotation, Fence(lease.name, lease.owner, lease.epoch))
            finally:
                keeping.cancel()
                await self._storage.leases.release(lease)
        except (KeyStoreUnavailable, StorageUnavailable, LeaseLost) as error:
            log.warning("cannot go on with the rotation of secret %s now: %s", rotation.secret_name, error.kind.value)
            await asyncio.sleep(0.5)
        except SecretsdError as error:
            log.error("cannot go on with the rotation of secret %s: %s", rotation.secret_name, error.kind.value)
            await asyncio.sleep(1.0)

    async def _steps(self, rotation: Rotation, fence: Fence) -> None:
        """Step by step until idle again. The stored state is the only memory: each pass begins with reading it."""
        principal = Principal(rotation.account, ROTATION_ROLE, "schedule")
        first = True  # and so something may be left at the target from a pass that ended in the middle
        while True:
            rotation = await self._storage.rotations.get(rotation.account, rotation.secret_id)
            now_ms = self._clock.now_ms()
            waits = rotation.next_due_ms is None or rotation.next_due_ms > now_ms
            if waits or rotation.state is RotationState.QUARANTINED:
                return
            if not await self._prolonged(fence.lease, fence.epoch):
                raise LeaseLost  # before the step, because a step may reach the target before it commits
            step = OPERATIONS[next_step(rotation, first)]
            request = StepRequest(name=rotation.secret_name, epoch=fence.epoch)
            try:
                await self._pipeline.run_scheduled(step, request, principal, fence)
            except (KeyStoreUnavailable, StorageUnavailable, LeaseLost):
                raise
            except SecretsdError as error:
                failed = _failed(request, error)
                await self._pipeline.run_scheduled(OPERATIONS["FailRotation"], failed, principal, fence)
                return
            first = False

    async def _keep(self, lease: Lease) -> None:
        """Hold the lease for as long as steps run: one may take longer than it, and nobody else may act meanwhile."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            try:
                if not await self._prolonged(lease.name, lease.epoch):
                    log.warning("cannot hold %s any longer: another node has it", lease.name)
                    return
            except SecretsdError:
                continue  # the storage is away; what is left of the lease may outlast that

    async def _prolonged(self, name: str, epoch: int) -> bool:
        lease = await self._storage.leases.claim(name, LEASE_SECONDS)
        if lease is not None and lease.epoch != epoch:
            await self._storage.leases.release(lease)  # it was another's in between, so what we knew may be old
        return lease is not None and lease.epoch == epoch


def _failed(request: StepRequest, error: SecretsdError) -> StepRequest:
    """What went wrong, in one word: the rotator's own where it spoke, else the kind of error."""
    cause = error.__cause__
    if isinstance(cause, RotationFailed):
        return msgspec.structs.replace(request, reason=cause.reason, away=cause.away, sure=True)
    return msgspec.structs.replace(request, reason=error.kind.value)
