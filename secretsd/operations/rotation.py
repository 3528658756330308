"""Operations on the rotation of secrets: set it up, start it, stop its clock, take it up again."""

from dataclasses import replace

from secretsd.api.rotation import (
    CancelRotateSecretRequest,
    ListRotatorsRequest,
    ListRotatorsResponse,
    PauseRotationRequest,
    ResumeRotationRequest,
    RotateSecretRequest,
    RotationResponse,
    RotatorSummary,
)
from secretsd.api.secrets import RotationDescription, WindowDescription
from secretsd.domain.errors import AlreadyExists, Conflict, InvalidRequest, InvalidState, NotFound
from secretsd.domain.rotation import WAITING, Rotation, RotationResult, RotationState
from secretsd.domain.schedule import Schedule, Window
from secretsd.domain.secrets import Secret
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.operations.rotation_moves import Moved, move, next_due
from secretsd.operations.rotation_setup import configured, require_accepted
from secretsd.ports.storage import Change, Replace, StaleRecord


def describe_rotation(rotation: Rotation) -> RotationDescription:
    """A rotation as callers see it."""
    schedule = rotation.schedule
    return RotationDescription(
        rotator=rotation.rotator,
        enabled=rotation.enabled,
        state=rotation.state.value,
        reason=rotation.reason,
        attempts=rotation.attempts,
        machine=rotation.machine.value,
        target=rotation.target or None,
        logins=rotation.logins,
        grace_seconds=rotation.grace_seconds if rotation.target else None,
        away=rotation.away,
        last_result=rotation.last_result.value,
        every_seconds=schedule.every_seconds,
        cron=schedule.cron,
        time_zone=schedule.time_zone,
        jitter_seconds=schedule.jitter_seconds,
        windows=tuple(
            WindowDescription(days=one.days, start=one.start, minutes=one.minutes) for one in schedule.windows
        ),
        next_due_ms=rotation.next_due_ms,
        last_rotated_ms=rotation.last_rotated_ms,
    )


async def rotation_of(call: Call, secret: Secret) -> Rotation | None:
    """The secret's rotation, if it has one; always read fresh, because it changes with every step."""
    try:
        return await call.parts.storage.rotations.get(secret.account, secret.id)
    except NotFound:
        return None


async def require_own_key(call: Call, secret: Secret, key_id: str) -> None:
    """Raise InvalidState for a key of another account: the account's rotation role has no rights there."""
    if await call.parts.rows.owner_of_key(key_id, secret.account) != secret.account:
        raise InvalidState(f"cannot rotate secret {secret.name} under key {key_id}: it is another account's")


@operation("RotateSecret", "POST /v1/secrets/{name}:rotate", audited=("rotator", "target", "rotate_immediately"))
async def rotate_secret(call: Call, request: RotateSecretRequest) -> RotationResponse:
    """Set how a secret is rotated and start a rotation; a quarantined one is taken up where it stopped."""
    secret = await call.parts.rows.secret(call.account, request.name)
    secret.require_active()
    before = await rotation_of(call, secret)
    if before is None and request.rotator is None:
        raise InvalidRequest(f"cannot rotate secret {secret.name}: it has no rotation yet, so name a rotator")
    if before is not None and before.state not in WAITING:
        raise Conflict(f"cannot change the rotation of secret {secret.name}: it is at {before.state.value}")
    await require_own_key(call, secret, secret.key_id)
    call.rest_on(secret)
    rotation = before or Rotation(call.account, secret.id, secret.name, request.rotator or "", "{}")
    rotation, claims = await configured(call, secret, before, rotation, request)
    rotation = replace(
        rotation, schedule=_schedule(call, request, rotation), enabled=True, attempts=0, reason="", cancelled=False
    )
    if not request.rotate_immediately and rotation.state is RotationState.IDLE:
        await require_accepted(call, secret, before, rotation)
    changes: list[Change] = [*claims]
    if rotation.state is RotationState.QUARANTINED:
        # A candidate that waits may be what the target is on: it is never put off, and never left without a due moment.
        state = RotationState.IDLE if rotation.pending_version is None else RotationState.RESOLVING
        rotation, moves = move(call, secret, rotation, state, next_due_ms=call.time_ms, away=False)
        changes += [one for one in moves if not (isinstance(one, Replace) and isinstance(one.after, Rotation))]
    else:
        due = call.time_ms if request.rotate_immediately else next_due(call, rotation, call.time_ms)
        rotation = replace(rotation, next_due_ms=due)
    try:
        await call.commit(call.add(rotation) if before is None else call.replace(before, rotation), *changes)
    except AlreadyExists:
        raise StaleRecord from None  # another call was faster; with what it stored, the second look says why not
    return RotationResponse(name=secret.name, rotation=describe_rotation(rotation))


@operation("CancelRotateSecret", "POST /v1/secrets/{name}:cancel-rotation")
async def cancel_rotate_secret(call: Call, request: CancelRotateSecretRequest) -> RotationResponse:
    """Stop the clock of a rotation; one that is under way is led back to the value before, where the target can."""
    secret, before = await _rotated(call, request.name)
    between = before.state not in WAITING
    after, changes = _stopped(call, secret, before)
    if between:
        after = replace(after, cancelled=True, next_due_ms=call.time_ms)
        changes = [call.replace(before, after)]
    await call.commit(*changes)
    return RotationResponse(name=secret.name, rotation=describe_rotation(after))


@operation("PauseRotation", "POST /v1/secrets/{name}:pause-rotation")
async def pause_rotation(call: Call, request: PauseRotationRequest) -> RotationResponse:
    """Stop the clock of a rotation. One that is between two steps is finished first: a candidate is never abandoned."""
    secret, before = await _rotated(call, request.name)
    after, changes = _stopped(call, secret, before)
    await call.commit(*changes)
    return RotationResponse(name=secret.name, rotation=describe_rotation(after))


@operation("ResumeRotation", "POST /v1/secrets/{name}:resume-rotation")
async def resume_rotation(call: Call, request: ResumeRotationRequest) -> RotationResponse:
    """Start the clock of a rotation again; a quarantined one is taken up where it stopped."""
    secret, before = await _rotated(call, request.name)
    secret.require_active()
    if before.state is RotationState.QUARANTINED:
        state = RotationState.IDLE if before.pending_version is None else RotationState.RESOLVING
        after, changes = move(
            call, secret, before, state, next_due_ms=call.time_ms, attempts=0, enabled=True, away=False
        )
        await call.commit(*changes)
        return RotationResponse(name=secret.name, rotation=describe_rotation(after))
    after = replace(before, enabled=True, cancelled=False)
    if before.state is RotationState.IDLE and before.next_due_ms is None:
        after = replace(after, next_due_ms=next_due(call, after, call.time_ms))
    await call.commit(call.replace(before, after))
    return RotationResponse(name=secret.name, rotation=describe_rotation(after))


def _stopped(call: Call, secret: Secret, before: Rotation) -> Moved:
    """The rotation without its clock. A run whose attempts have failed so far, and no candidate waits, ends here."""
    if before.state is RotationState.IDLE and (before.attempts or before.away):
        return move(
            call, secret, before, RotationState.IDLE, result=RotationResult.ROLLED_BACK,
            enabled=False, next_due_ms=None, attempts=0, away=False,
        )  # fmt: skip
    due = None if before.state in WAITING else before.next_due_ms
    after = replace(before, enabled=False, next_due_ms=due)
    return after, [call.replace(before, after)]


async def _rotated(call: Call, name: str) -> tuple[Secret, Rotation]:
    secret = await call.parts.rows.secret(call.account, name)
    rotation = await rotation_of(call, secret)
    if rotation is None:
        raise NotFound(f"cannot find a rotation of secret {secret.name}")
    return secret, rotation


@operation("ListRotators", "GET /v1/rotators")
async def list_rotators(call: Call, request: ListRotatorsRequest) -> ListRotatorsResponse:
    """List the rotators that this host may run, with the schema of their settings."""
    found = await call.parts.rotators.rotators()
    return ListRotatorsResponse(
        rotators=tuple(
            RotatorSummary(name=one.name, summary=one.summary, settings_schema=one.settings_schema) for one in found
        )
    )


def _schedule(call: Call, request: RotateSecretRequest, rotation: Rotation) -> Schedule:
    if request.schedule is None:
        return rotation.schedule
    asked = request.schedule
    windows = tuple(Window(one.days, one.start, one.minutes) for one in asked.windows)
    schedule = Schedule(asked.every_seconds, asked.cron, asked.time_zone, asked.jitter_seconds, windows)
    schedule.check(call.parts.min_interval_seconds)
    call.parts.calendar.check(schedule)
    return schedule
