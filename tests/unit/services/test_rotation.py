"""Rotations that are due are taken, step by step from the state that is stored, under a lease."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from secretsd.domain.errors import InvalidState, KeyStoreUnavailable, SecretsdError
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.operations.catalogue import catalogue
from secretsd.ports.rotator import RotationFailed
from secretsd.ports.storage import Fence, Lease
from secretsd.services.rotation import Rotations

catalogue()  # declares the operations, as the composition root does before any service runs
NOW_MS = 10_000
NEXT = {
    "StageRotationCandidate": RotationState.CANDIDATE_STORED,
    "BeginRotationApply": RotationState.APPLYING,
    "ApplyRotation": RotationState.VERIFYING,
}
WHOLE = [*NEXT, "PromoteRotation"]
AGAIN = {"ResolveRotation": RotationState.VERIFYING}


class MemoryParts:
    """As much of storage, clock, cache and pipeline as the service calls; steps do what their operations promise."""

    def __init__(self, *rotations: Rotation) -> None:
        self.stored = {rotation.secret_id: rotation for rotation in rotations}
        self.steps: list[tuple[str, str, Any]] = []
        self.errors: dict[str, SecretsdError] = {}
        self.fences: set[Fence | None] = set()
        self.principals: set[Principal] = set()
        self.taken_by_others: set[str] = set()
        self.held: list[str] = []
        self.rotations = self.leases = self
        self.parts = SimpleNamespace(storage=self, cache=self, clock=SimpleNamespace(now_ms=lambda: NOW_MS))

    def on_change(self, listener: Any) -> None:
        self.listener = listener

    async def due(self, now_ms: int, limit: int) -> list[Rotation]:
        found = [one for one in self.stored.values() if one.next_due_ms is not None and one.next_due_ms <= now_ms]
        return [one for one in found if one.state is not RotationState.QUARANTINED][:limit]

    async def get(self, account: str, secret_id: str) -> Rotation:
        return self.stored[secret_id]

    async def claim(self, name: str, seconds: float, above: int = 0) -> Lease | None:
        if name.rpartition("/")[2] in self.taken_by_others:
            return None
        if name not in self.held:
            self.held.append(name)
        return Lease(name, "me", 4)

    async def release(self, lease: Lease) -> None:
        self.held.remove(lease.name)

    async def run_scheduled(self, operation: Any, request: Any, principal: Principal, fence: Fence | None) -> None:
        await asyncio.sleep(0)
        self.steps.append((operation.name, request.name, request))
        self.fences.add(fence)
        self.principals.add(principal)
        if operation.name in self.errors:
            raise self.errors[operation.name]
        (secret_id,) = [one.secret_id for one in self.stored.values() if one.secret_name == request.name]
        rotation = self.stored[secret_id]
        if operation.name == "ResolveRotation" and rotation.cancelled:
            self.stored[secret_id] = replace(rotation, state=RotationState.ROLLING_BACK)
        elif operation.name in NEXT | AGAIN:
            self.stored[secret_id] = replace(rotation, state=(NEXT | AGAIN)[operation.name])
        else:  # promoted, or failed and to be tried again later
            self.stored[secret_id] = replace(rotation, state=RotationState.IDLE, next_due_ms=NOW_MS + 1)

    async def ensured(self) -> None:
        service = Rotations(self)  # type: ignore[arg-type]  # what it calls, and no more
        await service.ensure()
        async with asyncio.timeout(10):
            await service.settled()

    def names(self) -> list[str]:
        return [operation for operation, _, _ in self.steps]


def rotation(name: str = "a", state: RotationState = RotationState.IDLE, due_ms: int | None = NOW_MS) -> Rotation:
    return Rotation("100000000001", f"id-{name}", name, "random", "{}", state=state, next_due_ms=due_ms)


async def test_a_whole_rotation() -> None:
    parts = MemoryParts(rotation())
    await parts.ensured()
    assert parts.names() == WHOLE
    assert parts.principals == {Principal("100000000001", ROTATION_ROLE, "schedule")}
    assert parts.fences == {Fence("rotation/100000000001/id-a", "me", 4)}
    assert parts.held == []


@pytest.mark.parametrize(
    ("state", "steps"),
    [
        (RotationState.CANDIDATE_STORED, WHOLE[1:]),
        (RotationState.APPLYING, ["ResolveRotation", "PromoteRotation"]),
        (RotationState.RESOLVING, ["ResolveRotation", "PromoteRotation"]),
        (RotationState.VERIFYING, WHOLE[3:]),
        (RotationState.ROLLING_BACK, ["RollBackRotation"]),
    ],
)
async def test_what_a_crash_left_is_taken_up_where_it_stands(state: RotationState, steps: list[str]) -> None:
    """What an interrupted pass may have left at the target is found out before anything else is done there."""
    parts = MemoryParts(rotation(state=state))
    await parts.ensured()
    assert parts.names() == steps


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (RotationState.CHECK_IDLE, "RollBackRotation"),
        (RotationState.CANDIDATE_STORED, "RollBackRotation"),
        (RotationState.APPLYING, "ResolveRotation"),
        (RotationState.VERIFYING, "ResolveRotation"),
        (RotationState.ROLLING_BACK, "RollBackRotation"),
    ],
)
async def test_a_cancelled_rotation_takes_the_way_back(state: RotationState, step: str) -> None:
    parts = MemoryParts(replace(rotation(state=state), cancelled=True))
    await parts.ensured()
    assert parts.names()[0] == step


async def test_what_is_not_due_or_quarantined_is_left_alone() -> None:
    waiting = rotation("later", due_ms=NOW_MS + 1)
    parts = MemoryParts(waiting, rotation("never", due_ms=None), rotation("bad", RotationState.QUARANTINED))
    await parts.ensured()
    assert parts.steps == []


async def test_another_worker_has_it() -> None:
    parts = MemoryParts(rotation("a"), rotation("b"))
    parts.taken_by_others = {"id-a"}
    await parts.ensured()
    assert {name for _, name, _ in parts.steps} == {"b"}


async def test_a_rotators_reason_is_recorded() -> None:
    parts = MemoryParts(rotation())
    error = InvalidState("cannot go on with the rotation: too-short")
    error.__cause__ = RotationFailed("too-short", "Zq7Xe")
    parts.errors["ApplyRotation"] = error
    await parts.ensured()
    assert parts.names() == [*WHOLE[:3], "FailRotation"]
    assert (parts.steps[-1][2].reason, parts.steps[-1][2].sure) == ("too-short", True)


async def test_an_error_that_the_rotator_did_not_speak_of_is_not_sure() -> None:
    """The effect may be there: only the rotator itself can say that nothing was changed."""
    parts = MemoryParts(rotation())
    parts.errors["ApplyRotation"] = InvalidState("cannot take that step")
    await parts.ensured()
    assert (parts.steps[-1][2].reason, parts.steps[-1][2].sure) == ("invalid-state", False)


async def test_a_key_store_that_is_away_is_no_failure_of_the_rotation() -> None:
    """Its state stays as it is, so the next look goes on from there; the lease is free for whoever looks first."""
    parts = MemoryParts(rotation(state=RotationState.APPLYING))
    parts.errors["ResolveRotation"] = KeyStoreUnavailable()
    await parts.ensured()
    assert parts.names() == ["ResolveRotation"]
    assert parts.stored["id-a"].state is RotationState.APPLYING
    assert parts.held == []
    parts.errors.clear()
    await parts.ensured()
    assert parts.names() == ["ResolveRotation", "ResolveRotation", "PromoteRotation"]
