"""The steps that lead a rotation to its effect. Each is an operation without a route, run as the rotation role.

Between two steps the state is in storage, so a crash anywhere leaves a state from which the next pass goes on; each
step may run twice. What must hold: a candidate is stored, and in the escrow, before anything outside is touched.
"""

import asyncio
from dataclasses import replace

from secretsd.api.fields import Response
from secretsd.domain.rotation import MAX_NOTES, MachineKind, Rotation, RotationState
from secretsd.domain.secrets import PENDING, DataType, Secret
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.pinned_keys import hold_material
from secretsd.operations.registry import operation
from secretsd.operations.rotation_moves import Moved, commit_after_effect, guarded, move
from secretsd.operations.rotation_orders import (
    StepRequest,
    candidate_of,
    job_order,
    notes_first,
    rest_on_note,
    sealed_note,
    stored,
    stored_at,
)
from secretsd.operations.versions import make_version, prune, require_key_use
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.rotator import JobOrder, Outcome, RotationFailed

IDLE_CHECK_SECONDS = 5.0
BARRIER_SECONDS = 0.02
"""How long the effect waits for the barrier to be known: every node looks at the feed once a loop turn, and a read that
looked just before may still be on its way out."""


class NoteRequest(StepRequest, frozen=True, kw_only=True):
    """A note of the rotator's, sealed."""

    note: str


class StepResponse(Response, frozen=True, kw_only=True):
    """Where the rotation is after the step."""

    state: str


def at(rotation: Rotation) -> StepResponse:
    """The answer of a step."""
    return StepResponse(state=rotation.state.value)


@operation("CheckRotationIdle", None, audited=("epoch",))
async def check_rotation_idle(call: Call, request: StepRequest) -> StepResponse:
    """Begin a rotation of two logins that take turns: nothing is done before nobody uses the one that is next."""
    secret, rotation = await stored(call, request)
    if not rotation.due_at(call.time_ms):
        return at(rotation)  # its clock was stopped, or put off, since it was found due
    secret, rotation = await stored_at(call, request, RotationState.IDLE)
    if opens_ms := _closed_until(call, rotation):
        return await _await_window(call, rotation, opens_ms)
    moved, changes = move(call, secret, rotation, RotationState.CHECK_IDLE, run=rotation.next_run, reason="")
    await call.commit(*changes, *await hold_material(call, secret, rotation))
    return at(moved)


@operation("StageRotationCandidate", None, audited=("epoch",))
async def stage_rotation_candidate(call: Call, request: StepRequest) -> StepResponse:
    """Let the rotator prepare a candidate and store it as the pending version."""
    secret, rotation = await stored(call, request)
    if not rotation.due_at(call.time_ms):
        return at(rotation)
    secret, rotation = await stored_at(call, request, RotationState.IDLE, RotationState.CHECK_IDLE)
    if opens_ms := _closed_until(call, rotation):
        return await _await_window(call, rotation, opens_ms)
    order = await job_order(call, request, secret, rotation)
    run = rotation.next_run
    if rotation.state is RotationState.CHECK_IDLE:
        run = rotation.run
        if reason := await _in_use(call, rotation, order):
            return await _put_off(call, secret, rotation, reason)
    await require_key_use(call, "GenerateDataKey", secret.account, secret.key_id)
    candidate = await call.parts.rotators.prepare(order)
    version_id = new_id()
    data_type = DataType.TEXT if candidate.text else DataType.BINARY
    version, sealed = await make_version(call, secret, candidate.value, data_type, version_id, secret.key_id)
    journal: tuple[str, ...] = ()
    if candidate.journal:
        journal = (await sealed_note(call, secret, version_id, Plaintext(candidate.journal)),)
    kept, pruned = await prune(call, secret)
    # The first version of a secret becomes current at once in every dialect; a candidate that nobody verified must not.
    changed = replace(
        kept,
        stages={**kept.stages, PENDING: version_id},
        next_number=kept.next_number + 1,
        version_count=kept.version_count + 1,
        changed_ms=call.time_ms,
    )
    call.fields["version_id"] = version_id
    moved, changes = move(
        call, secret, rotation, RotationState.CANDIDATE_STORED,
        changed=changed, pending_version=version_id, journal=journal, run=run, away=False,
    )  # fmt: skip
    held = await hold_material(call, secret, rotation)
    await call.commit(call.add(version), call.add(sealed), *changes, *pruned, *held)
    return at(moved)


def _closed_until(call: Call, rotation: Rotation) -> int | None:
    """When the next window opens, for a rotation that missed its own; None where it may begin.

    A due moment outside every window was set by a person, who wants it now.
    """
    calendar, due_ms = call.parts.calendar, rotation.next_due_ms or 0
    opens_ms = calendar.opening_ms(rotation.schedule, call.time_ms)
    missed = opens_ms > call.time_ms and calendar.opening_ms(rotation.schedule, due_ms) == due_ms
    return opens_ms if missed else None


async def _await_window(call: Call, rotation: Rotation, opens_ms: int) -> StepResponse:
    waiting = replace(rotation, next_due_ms=opens_ms)
    await call.commit(call.replace(rotation, waiting))
    return at(waiting)


async def _in_use(call: Call, rotation: Rotation, order: JobOrder) -> str:
    """Why the login that is next must be left alone for now; "" when nobody uses it."""
    last_ms = rotation.last_rotated_ms
    if last_ms is not None and call.time_ms < last_ms + 1000 * rotation.grace_seconds:
        return "grace-not-over"
    return "" if await call.parts.rotators.idle(order) else "login-in-use"


async def _put_off(call: Call, secret: Secret, rotation: Rotation, reason: str) -> StepResponse:
    again_ms = call.time_ms + int(1000 * IDLE_CHECK_SECONDS)
    if reason == "grace-not-over" and rotation.last_rotated_ms is not None:
        again_ms = rotation.last_rotated_ms + 1000 * rotation.grace_seconds
    call.fields["reason"] = reason
    if reason == rotation.reason:  # told already: looking again is no entry of the history
        put_off = replace(rotation, away=False, next_due_ms=again_ms)
        await call.commit(call.replace(rotation, put_off))
        return at(put_off)
    moved, changes = move(
        call, secret, rotation, RotationState.CHECK_IDLE, reason=reason, away=False, next_due_ms=again_ms
    )
    await call.commit(*changes)
    return at(moved)


@operation("BeginRotationApply", None, audited=("epoch",))
async def begin_rotation_apply(call: Call, request: StepRequest) -> StepResponse:
    """Record that the candidate is about to be applied, in the escrow and in storage, before the first byte leaves."""
    secret, rotation = await stored_at(call, request, RotationState.CANDIDATE_STORED)
    # Started now, because while they start nobody has to wait yet.
    await call.parts.rotators.warm(rotation.rotator, call.account, ("apply", "verify"))
    since_ms = rotation.since_ms if rotation.away else call.time_ms
    # What was noted about an attempt that surely changed nothing is of no use any more.
    journal = rotation.journal[:1]
    moved, changes = move(
        call, secret, rotation, RotationState.APPLYING, since_ms=since_ms, away=False, journal=journal,
        unnoted=await notes_first(call, rotation),
    )  # fmt: skip
    if moved.machine is not MachineKind.STANDALONE:
        await _keep(call, request, secret, moved)
    await call.commit(*changes)
    await _until_held(moved)
    return at(moved)


async def _until_held(rotation: Rotation) -> None:
    """Return once every read that is answered from now on has met the barrier, where the rotation holds reads."""
    if rotation.holds_reads:
        await asyncio.sleep(BARRIER_SECONDS)


async def _keep(call: Call, request: StepRequest, secret: Secret, rotation: Rotation) -> None:
    version = await call.parts.rows.version(secret, candidate_of(rotation))
    sealed = await call.parts.rows.value(secret, version.id)
    key = await call.parts.rows.key(secret.account, version.key_id)
    key_version = await call.parts.rows.key_version(secret.account, version.key_id, version.key_version)
    kept = replace(rotation, unnoted=False)  # whoever comes back to this cannot know
    entry = EscrowEntry(call.time_ms, request.epoch, secret, kept, version, sealed, key, key_version)
    await call.parts.escrow.keep(entry)


@operation("ApplyRotation", None, audited=("epoch",))
async def apply_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Apply the candidate at the target. What is not known to have been applied has to be found out."""
    secret, rotation = await stored_at(call, request, RotationState.APPLYING)
    order = await job_order(call, request, secret, rotation)

    async def note(data: bytes) -> None:
        sealed = await sealed_note(call, secret, candidate_of(rotation), Plaintext(data))
        await call.run_step("RecordRotationNote", NoteRequest(name=request.name, epoch=request.epoch, note=sealed))

    outcome = await call.parts.rotators.apply(order, note)
    call.fields["outcome"] = outcome.value
    if outcome is Outcome.REJECTED:
        raise RotationFailed(outcome.value)

    def moved(secret: Secret, rotation: Rotation) -> Moved:
        if outcome is Outcome.APPLIED:
            return move(call, secret, rotation, RotationState.VERIFYING, away=False, reason="")
        return move(call, secret, rotation, RotationState.RESOLVING, reason="unknown")

    return at(await commit_after_effect(call, lambda: stored_at(call, request, RotationState.APPLYING), moved))


@operation("RecordRotationNote", None, audited=("epoch",))
async def record_rotation_note(call: Call, request: NoteRequest) -> StepResponse:
    """Store what the rotator noted about the candidate, durably, before it goes on; from then on reads wait."""
    secret, rotation = await stored_at(call, request, RotationState.APPLYING)
    if len(rotation.journal) >= MAX_NOTES:
        raise RotationFailed("too-many-notes")
    await rest_on_note(call, request.note)
    noted = replace(rotation, journal=(*rotation.journal, request.note), unnoted=False)
    changes = [call.replace(rotation, noted)]
    wanted = guarded(secret, noted, call.time_ms)
    if wanted != secret:
        changes.append(call.replace(secret, wanted))
    await call.commit(*changes)
    if rotation.unnoted:
        await _until_held(noted)
    return at(noted)
