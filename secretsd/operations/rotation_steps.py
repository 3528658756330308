"""The steps of a scheduled rotation. Each is an operation without a route, run as the account's rotation role.

Between two steps the state is in storage, so a crash anywhere leaves a state from which the next pass goes on; each
step may run twice. What must hold: a candidate is stored before anything outside is touched, and only a candidate
that was verified is promoted.
"""

import base64
from dataclasses import replace

from secretsd.api.fields import Response
from secretsd.api.secrets import OfSecret
from secretsd.domain.envelope import CiphertextHeader
from secretsd.domain.errors import InvalidState
from secretsd.domain.rotation import MAX_ATTEMPTS, MAX_NOTES, Rotation, RotationState
from secretsd.domain.secrets import CURRENT, PENDING, DataType, Secret
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.registry import operation
from secretsd.operations.rotation import next_due
from secretsd.operations.versions import current_key_version, make_version, open_version, prune, require_key_use
from secretsd.ports.rotator import Acceptance, JobOrder, Outcome, RotationFailed, StagedSecret
from secretsd.ports.storage import Change

RETRY_SECONDS = (5, 30, 120, 600)


class StepRequest(OfSecret, frozen=True, kw_only=True):
    """Which secret; `epoch` is the lease's, `resumed` that another pass may have left something at the target."""

    epoch: int
    resumed: bool = False
    reason: str = ""


class NoteRequest(StepRequest, frozen=True, kw_only=True):
    """A note of the rotator's, sealed."""

    note: str


class StepResponse(Response, frozen=True, kw_only=True):
    """Where the rotation is after the step."""

    state: str


@operation("StageRotationCandidate", None, audited=("epoch",))
async def stage_rotation_candidate(call: Call, request: StepRequest) -> StepResponse:
    """Let the rotator prepare a candidate and store it as the pending version."""
    secret, rotation = await _stored(call, request)
    if not rotation.due_at(call.time_ms):
        return StepResponse(state=rotation.state.value)  # its clock was stopped, or put off, since it was found due
    secret, rotation = await _state(call, request, RotationState.IDLE)
    order = await _order(call, request, secret, rotation)
    await require_key_use(call, "GenerateDataKey", secret.key_id)
    candidate = await call.parts.rotators.prepare(order)
    version_id = new_id()
    data_type = DataType.TEXT if candidate.text else DataType.BINARY
    version, sealed = await make_version(call, secret, candidate.value, data_type, version_id, secret.key_id)
    journal: tuple[str, ...] = ()
    if candidate.journal:
        journal = (await _sealed_note(call, secret, version_id, Plaintext(candidate.journal)),)
    # The first version of a secret becomes current at once in every dialect; a candidate that nobody verified must not.
    staged = replace(
        secret,
        stages={**secret.stages, PENDING: version_id},
        next_number=secret.next_number + 1,
        version_count=secret.version_count + 1,
        changed_ms=call.time_ms,
    )
    call.fields["version_id"] = version_id
    moved = rotation.become(RotationState.CANDIDATE_STORED, pending_version=version_id, journal=journal)
    await call.commit(call.replace(secret, staged), call.add(version), call.add(sealed), call.replace(rotation, moved))
    return StepResponse(state=moved.state.value)


@operation("BeginRotationApply", None, audited=("epoch",))
async def begin_rotation_apply(call: Call, request: StepRequest) -> StepResponse:
    """Record that the candidate is about to be applied, before the first byte leaves."""
    _, rotation = await _state(call, request, RotationState.CANDIDATE_STORED)
    moved = rotation.become(RotationState.APPLYING)
    await call.commit(call.replace(rotation, moved))
    return StepResponse(state=moved.state.value)


@operation("ApplyRotation", None, audited=("epoch", "resumed"))
async def apply_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Apply the candidate at the target; after an interruption settle and probe first."""
    secret, rotation = await _state(call, request, RotationState.APPLYING)
    order = await _order(call, request, secret, rotation)
    rotators = call.parts.rotators
    applied = False
    if request.resumed and order.candidate is not None:
        await rotators.settle(order)
        found = await rotators.probe(order, [order.candidate])
        applied = found.get(order.candidate.version_id) is Acceptance.ACCEPTED
    if not applied:

        async def note(data: bytes) -> None:
            sealed = await _sealed_note(call, secret, _pending(rotation), Plaintext(data))
            await call.run_step("RecordRotationNote", NoteRequest(name=request.name, epoch=request.epoch, note=sealed))

        outcome = await rotators.apply(order, note)
        if outcome is not Outcome.APPLIED:
            raise RotationFailed(outcome.value)
        _, rotation = await _state(call, request, RotationState.APPLYING)
    moved = rotation.become(RotationState.VERIFYING)
    await call.commit(call.replace(rotation, moved))
    return StepResponse(state=moved.state.value)


@operation("RecordRotationNote", None, audited=("epoch",))
async def record_rotation_note(call: Call, request: NoteRequest) -> StepResponse:
    """Store what the rotator noted about the candidate, durably, before the rotator goes on."""
    _, rotation = await _state(call, request, RotationState.APPLYING)
    if len(rotation.journal) >= MAX_NOTES:
        raise RotationFailed("too-many-notes")
    noted = replace(rotation, journal=(*rotation.journal, request.note))
    await call.commit(call.replace(rotation, noted))
    return StepResponse(state=noted.state.value)


@operation("PromoteRotation", None, audited=("epoch",))
async def promote_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Let the rotator prove the candidate, then make it current; the version it replaces becomes previous."""
    secret, rotation = await _state(call, request, RotationState.VERIFYING)
    order = await _order(call, request, secret, rotation)
    await call.parts.rotators.verify(order)
    version_id = _pending(rotation)
    promoted = secret.with_stage_moved(CURRENT, secret.stages.get(CURRENT), version_id, call.time_ms)
    promoted = replace(promoted, stages={k: v for k, v in promoted.stages.items() if k != PENDING})
    promoted, pruned = await prune(call, promoted)
    done = rotation.become(
        RotationState.IDLE,
        pending_version=None,
        journal=(),
        attempts=0,
        reason="",
        last_rotated_ms=call.time_ms,
        next_due_ms=next_due(call, rotation, call.time_ms),
    )
    call.fields["version_id"] = version_id
    await call.commit(call.replace(secret, promoted), call.replace(rotation, done), *pruned)
    return StepResponse(state=done.state.value)


@operation("FailRotation", None, audited=("epoch", "reason"))
async def fail_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Record a failed attempt: a later one is drawn, until after five a person has to look. The current value stays.

    Only a candidate that the target rejected is given up for a new one; where the outcome is unknown the same one is
    applied again, because the target may be on it.
    """
    secret, rotation = await _stored(call, request)
    attempts = rotation.attempts + 1
    changes: list[Change] = []
    before = rotation
    if request.reason == Outcome.REJECTED.value and rotation.state is RotationState.APPLYING:
        stages = {stage: holder for stage, holder in secret.stages.items() if stage != PENDING}
        changes.append(call.replace(secret, replace(secret, stages=stages, changed_ms=call.time_ms)))
        rotation = rotation.become(RotationState.IDLE, pending_version=None, journal=())
    if attempts >= MAX_ATTEMPTS:
        moved = rotation.become(RotationState.QUARANTINED, attempts=attempts, reason=request.reason, next_due_ms=None)
    else:
        again_ms: int | None = call.time_ms + 1000 * RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
        if rotation.state is RotationState.IDLE and not rotation.enabled:
            again_ms = None  # somebody stopped its clock meanwhile, and no candidate waits
        moved = replace(rotation, attempts=attempts, reason=request.reason, next_due_ms=again_ms)
    await call.commit(call.replace(before, moved), *changes)
    return StepResponse(state=moved.state.value)


async def _stored(call: Call, request: StepRequest) -> tuple[Secret, Rotation]:
    secret = await call.parts.storage.secrets.get(call.account, request.name)
    return secret, await call.parts.storage.rotations.get(call.account, secret.id)


async def _state(call: Call, request: StepRequest, wanted: RotationState) -> tuple[Secret, Rotation]:
    secret, rotation = await _stored(call, request)
    secret.require_active()
    if rotation.state is not wanted:
        raise InvalidState(f"cannot take that step: the rotation of secret {secret.name} is at {rotation.state.value}")
    return secret, rotation


def _pending(rotation: Rotation) -> str:
    if rotation.pending_version is None:
        raise InvalidState(f"cannot go on with the rotation of secret {rotation.secret_name}: it has no candidate")
    return rotation.pending_version


async def _staged(call: Call, secret: Secret, version_id: str | None) -> StagedSecret | None:
    if version_id is None:
        return None
    version = await call.parts.rows.version(secret, version_id)
    await require_key_use(call, "Decrypt", version.key_id)
    return StagedSecret(version_id, Plaintext(await open_version(call, secret, version)))


async def _order(call: Call, request: StepRequest, secret: Secret, rotation: Rotation) -> JobOrder:
    return JobOrder(
        secret.account,
        rotation.rotator,
        secret.name,
        rotation.settings,
        request.epoch,
        current=await _staged(call, secret, secret.stages.get(CURRENT)),
        candidate=await _staged(call, secret, rotation.pending_version),
        journal=tuple([await _opened_note(call, secret, rotation, note) for note in rotation.journal]),
    )


async def _sealed_note(call: Call, secret: Secret, version_id: str, data: Plaintext) -> str:
    key = await current_key_version(call, secret.key_id)
    return await call.parts.sealer.seal_note(key, secret.account, secret.id, version_id, data, call.request_name)


async def _opened_note(call: Call, secret: Secret, rotation: Rotation, note: str) -> bytes:
    # Under the key that it was sealed under, which the secret may have left since.
    header, _, _ = CiphertextHeader.split(base64.b64decode(note))
    key = await call.parts.rows.key_version(secret.account, header.key_id, header.key_version)
    version_id = _pending(rotation)
    return await call.parts.sealer.open_note(key, secret.account, secret.id, version_id, note, call.request_name)
