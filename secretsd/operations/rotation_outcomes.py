"""The steps after an effect: find out what became of it, prove and promote, take back the old one, or go back.

What must hold: an unknown outcome is settled before it is probed; only what was proved is promoted; nothing is revoked
before its successor is promoted; a candidate is given up only when the target surely is on another version.
"""

from dataclasses import replace
from typing import Any

from secretsd.domain.errors import InvalidState
from secretsd.domain.rotation import MAX_ATTEMPTS, MachineKind, Rotation, RotationResult, RotationState
from secretsd.domain.secrets import CURRENT, PENDING, PREVIOUS, Secret
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.operations.rotation_moves import move, next_due, without_candidate
from secretsd.operations.rotation_orders import (
    StepRequest,
    able,
    candidate_of,
    job_order,
    notes_first,
    staged,
    stored_at,
)
from secretsd.operations.rotation_steps import StepResponse, at
from secretsd.ports.rotator import Acceptance, JobOrder, Outcome, RotationFailed, StagedSecret

MAX_OLDER_PROBES = 3
"""How many versions beside candidate and current are tried: each is a login at a target that may count them."""


@operation("ResolveRotation", None, audited=("epoch",))
async def resolve_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Find out whether the target is on the candidate: settle what may still be under way there, then probe."""
    secret, rotation = await stored_at(
        call, request, RotationState.APPLYING, RotationState.RESOLVING, RotationState.VERIFYING
    )
    if rotation.state is not RotationState.RESOLVING:
        reason = "interrupted" if rotation.state is RotationState.APPLYING else rotation.reason
        moved, changes = move(call, secret, rotation, RotationState.RESOLVING, reason=reason)
        await call.commit(*changes)
        return at(moved)
    order = await job_order(call, request, secret, rotation)
    await call.parts.rotators.settle(order)
    accepted = await _accepted(call, secret, rotation, order)
    call.fields["found"] = accepted or "none"
    if accepted == rotation.pending_version:
        return await _candidate_accepted(call, secret, rotation)
    if rotation.cancelled and (accepted is not None or rotation.machine is MachineKind.ALTERNATING):
        return await give_up(call, secret, rotation, rotation.reason)
    if accepted is not None and accepted != secret.stages.get(CURRENT):
        return await _adopt(call, secret, rotation, accepted)
    alone = order.target is not None and order.target.admin is None and order.current is not None
    if accepted is None and alone and rotation.machine is not MachineKind.ALTERNATING:
        raise RotationFailed("no-version-accepted")  # each login changes itself, and none can log in
    if rotation.attempts + 1 >= MAX_ATTEMPTS:
        return await _stopped(call, secret, rotation)
    # The same candidate again, byte for byte. What was noted about the attempt before is settled; and where the target
    # is on the current version, it is known again which one works.
    moved, changes = move(
        call, secret, rotation, RotationState.APPLYING,
        attempts=rotation.attempts + 1, journal=rotation.journal[:1], away=False,
        unnoted=await notes_first(call, rotation), restored=rotation.restored and accepted is None,
    )  # fmt: skip
    await call.commit(*changes)
    return at(moved)


async def _accepted(call: Call, secret: Secret, rotation: Rotation, order: JobOrder) -> str | None:
    """The version that the target is on: the candidate, the current one, or one of those kept; None when none is."""
    if order.candidate is None:
        raise InvalidState(f"cannot go on with the rotation of secret {secret.name}: it has no candidate")
    if await _probe(call, order, order.candidate):
        return order.candidate.version_id
    if rotation.machine is MachineKind.ALTERNATING:
        return None  # the current one is another login's, and always works
    if order.current is not None and await _probe(call, order, order.current):
        return order.current.version_id
    for version in await _older(call, secret, rotation):
        if await _probe(call, order, version):
            return version.version_id
    return None


async def _probe(call: Call, order: JobOrder, version: StagedSecret) -> bool:
    found = (await call.parts.rotators.probe(order, [version])).get(version.version_id, Acceptance.UNKNOWN)
    if found is Acceptance.UNKNOWN:
        raise RotationFailed("probe-unclear", away=True)
    return found is Acceptance.ACCEPTED


async def _older(call: Call, secret: Secret, rotation: Rotation) -> list[StagedSecret]:
    """What else the target may be on, the newest first."""
    named = {secret.stages.get(PREVIOUS), *rotation.kept} - {None, secret.stages.get(CURRENT), rotation.pending_version}
    found = [await staged(call, secret, rotation, version_id) for version_id in named]
    older = sorted((one for one in found if one is not None), key=lambda one: -one.number)
    return older[:MAX_OLDER_PROBES]


async def _candidate_accepted(call: Call, secret: Secret, rotation: Rotation) -> StepResponse:
    back = rotation.cancelled and await able(call, rotation, "restore") and CURRENT in secret.stages
    state = RotationState.ROLLING_BACK if back else RotationState.VERIFYING
    # Where there is no way back, it goes on: a person who cancelled it finds the new value proved and served.
    moved, changes = move(call, secret, rotation, state, away=False, attempts=0, cancelled=back)
    await call.commit(*changes)
    return at(moved)


async def _adopt(call: Call, secret: Secret, rotation: Rotation, version_id: str) -> StepResponse:
    """Go on with an older version that the target is on: it is proved and promoted, so that what we serve works."""
    changed = replace(secret, stages={**secret.stages, PENDING: version_id}, changed_ms=call.time_ms)
    note = rotation.kept.get(version_id)
    moved, changes = move(
        call, secret, rotation, RotationState.VERIFYING, changed=changed, pending_version=version_id,
        journal=(note,) if note else (), reason="older-version-accepted", away=False,
    )  # fmt: skip
    await call.commit(*changes)
    return at(moved)


async def _stopped(call: Call, secret: Secret, rotation: Rotation) -> StepResponse:
    moved, changes = move(
        call, secret, rotation, RotationState.QUARANTINED, attempts=rotation.attempts + 1, next_due_ms=None,
        reason="not-applied", result=RotationResult.QUARANTINED,
    )  # fmt: skip
    await call.commit(*changes)
    return at(moved)


async def give_up(call: Call, secret: Secret, rotation: Rotation, reason: str) -> StepResponse:
    """End the rotation without its candidate, which the target surely is not on: it is rolled back."""
    moved, changes = move(
        call, secret, rotation, RotationState.IDLE, changed=without_candidate(call, secret),
        pending_version=None, journal=(), attempts=0, reason=reason, away=False, cancelled=False, restored=False,
        next_due_ms=next_due(call, rotation, call.time_ms), result=RotationResult.ROLLED_BACK,
    )  # fmt: skip
    await call.commit(*changes)
    return at(moved)


@operation("PromoteRotation", None, audited=("epoch",))
async def promote_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Let the rotator prove the candidate, then make it current; the version it replaces becomes previous."""
    secret, rotation = await stored_at(call, request, RotationState.VERIFYING)
    order = await job_order(call, request, secret, rotation)
    await call.parts.rotators.verify(order)
    version_id, replaced = candidate_of(rotation), secret.stages.get(CURRENT)
    promoted = secret.with_stage_moved(CURRENT, replaced, version_id, call.time_ms)
    promoted = replace(promoted, stages={k: v for k, v in promoted.stages.items() if k != PENDING})
    call.fields["version_id"] = version_id
    fields: dict[str, Any] = {
        "pending_version": None, "journal": (), "attempts": 0, "reason": "", "away": False, "cancelled": False,
        "restored": False,
        "last_rotated_ms": call.time_ms, "kept": _kept(rotation, promoted),
    }  # fmt: skip
    revoke = rotation.machine is MachineKind.OVERLAPPING and await able(call, rotation, "revoke")
    if revoke and replaced not in (None, version_id):
        due_ms = call.time_ms + 1000 * rotation.grace_seconds
        moved, changes = move(
            call, secret, rotation, RotationState.DRAINING, changed=promoted, next_due_ms=due_ms, **fields
        )
    else:
        due = next_due(call, rotation, call.time_ms)
        moved, changes = move(
            call, secret, rotation, RotationState.IDLE, changed=promoted, next_due_ms=due,
            result=RotationResult.DONE, **fields,
        )  # fmt: skip
    await call.commit(*changes)
    return at(moved)


def _kept(rotation: Rotation, promoted: Secret) -> dict[str, str]:
    """The first note about each version that the target may be put back on."""
    notes = dict(rotation.kept)
    if rotation.journal and rotation.pending_version is not None:
        notes[rotation.pending_version] = rotation.journal[0]
    wanted = (promoted.stages.get(CURRENT), promoted.stages.get(PREVIOUS))
    return {version_id: note for version_id, note in notes.items() if version_id in wanted}


@operation("RevokeRotation", None, audited=("epoch",))
async def revoke_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Take back the version that was replaced, after its grace: recorded first, then done."""
    secret, rotation = await stored_at(call, request, RotationState.DRAINING, RotationState.REVOKING)
    if rotation.state is RotationState.DRAINING:
        moved, changes = move(call, secret, rotation, RotationState.REVOKING)
        await call.commit(*changes)
        return at(moved)
    order = await job_order(call, request, secret, rotation)
    if order.previous is not None:
        await call.parts.rotators.revoke(order, order.previous)
    due = next_due(call, rotation, call.time_ms)
    moved, changes = move(
        call, secret, rotation, RotationState.IDLE, next_due_ms=due, attempts=0, reason="", away=False,
        cancelled=False, result=RotationResult.DONE,
    )  # fmt: skip
    await call.commit(*changes)
    return at(moved)


@operation("RollBackRotation", None, audited=("epoch",))
async def roll_back_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Make the target accept the version before the candidate again, prove that it does, and give the candidate up."""
    secret, rotation = await stored_at(
        call, request, RotationState.ROLLING_BACK, RotationState.CANDIDATE_STORED, RotationState.CHECK_IDLE
    )
    if rotation.state is not RotationState.ROLLING_BACK:
        return await give_up(call, secret, rotation, "cancelled")  # nothing has left yet
    order = await job_order(call, request, secret, rotation)
    await call.parts.rotators.settle(order)
    outcome = await call.parts.rotators.restore(order)
    call.fields["outcome"] = outcome.value
    if outcome is not Outcome.APPLIED:
        raise RotationFailed(f"restore-{outcome.value}")
    alone = rotation.machine is not MachineKind.ALTERNATING
    if alone and order.current is not None and not await _probe(call, order, order.current):
        raise RotationFailed("restored-but-refused")
    return await give_up(call, secret, rotation, "cancelled" if rotation.cancelled else rotation.reason)
