"""Operations on the rotation of secrets: set it up, start it, stop its clock."""

import json
from dataclasses import replace

from secretsd.api.rotation import (
    CancelRotateSecretRequest,
    ListRotatorsRequest,
    ListRotatorsResponse,
    RotateSecretRequest,
    RotationResponse,
    RotatorSummary,
)
from secretsd.api.secrets import RotationDescription
from secretsd.domain.errors import Conflict, InvalidRequest, NotFound
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.domain.schedule import Schedule
from secretsd.domain.secrets import Secret
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.ports.rotator import RotationFailed


def describe_rotation(rotation: Rotation) -> RotationDescription:
    """A rotation as callers see it."""
    return RotationDescription(
        rotator=rotation.rotator,
        enabled=rotation.enabled,
        state=rotation.state.value,
        reason=rotation.reason,
        attempts=rotation.attempts,
        every_seconds=rotation.schedule.every_seconds,
        cron=rotation.schedule.cron,
        time_zone=rotation.schedule.time_zone,
        jitter_seconds=rotation.schedule.jitter_seconds,
        next_due_ms=rotation.next_due_ms,
        last_rotated_ms=rotation.last_rotated_ms,
    )


async def rotation_of(call: Call, secret: Secret) -> Rotation | None:
    """The secret's rotation, if it has one; always read fresh, because it changes with every step."""
    try:
        return await call.parts.storage.rotations.get(secret.account, secret.id)
    except NotFound:
        return None


@operation("RotateSecret", "POST /v1/secrets/{name}:rotate", audited=("rotator", "rotate_immediately"))
async def rotate_secret(call: Call, request: RotateSecretRequest) -> RotationResponse:
    """Set how a secret is rotated and start a rotation; a quarantined one is taken up where it stopped."""
    secret = await call.parts.rows.secret(call.account, request.name)
    secret.require_active()
    before = await rotation_of(call, secret)
    if before is None and request.rotator is None:
        raise InvalidRequest(f"cannot rotate secret {secret.name}: it has no rotation yet, so name a rotator")
    if before is not None and before.state not in (RotationState.IDLE, RotationState.QUARANTINED):
        raise Conflict(f"cannot change the rotation of secret {secret.name}: it is at {before.state.value}")
    rotation = before or Rotation(call.account, secret.id, secret.name, request.rotator or "", "{}")
    if request.rotator is not None and request.rotator != rotation.rotator and rotation.pending_version is not None:
        raise Conflict(f"cannot change the rotator of secret {secret.name} while a candidate waits")
    rotation = replace(
        rotation,
        rotator=request.rotator or rotation.rotator,
        schedule=_schedule(call, request, rotation),
        enabled=True,
        attempts=0,
        reason="",
    )
    if before is None or request.settings is not None or request.rotator is not None:
        wanted = rotation.settings if request.settings is None else json.dumps(dict(request.settings))
        rotation = replace(rotation, settings=await _checked(call, rotation.rotator, wanted))
    if rotation.state is RotationState.QUARANTINED:
        waits = rotation.pending_version is not None
        rotation = replace(rotation, state=RotationState.APPLYING if waits else RotationState.IDLE)
    # A candidate that waits may be what the target is on: it is never put off, and never left without a due moment.
    at_once = request.rotate_immediately or rotation.state is not RotationState.IDLE
    due = call.time_ms if at_once else next_due(call, rotation, call.time_ms)
    rotation = replace(rotation, next_due_ms=due)
    await call.commit(call.add(rotation) if before is None else call.replace(before, rotation))
    return RotationResponse(name=secret.name, rotation=describe_rotation(rotation))


@operation("CancelRotateSecret", "POST /v1/secrets/{name}:cancel-rotation")
async def cancel_rotate_secret(call: Call, request: CancelRotateSecretRequest) -> RotationResponse:
    """Stop the clock of a rotation. One that is between two steps is finished first: a candidate is never abandoned."""
    secret = await call.parts.rows.secret(call.account, request.name)
    before = await rotation_of(call, secret)
    if before is None:
        raise NotFound(f"cannot find a rotation of secret {secret.name}")
    between = before.state not in (RotationState.IDLE, RotationState.QUARANTINED)
    after = replace(before, enabled=False, next_due_ms=before.next_due_ms if between else None)
    await call.commit(call.replace(before, after))
    return RotationResponse(name=secret.name, rotation=describe_rotation(after))


@operation("ListRotators", "GET /v1/rotators")
async def list_rotators(call: Call, request: ListRotatorsRequest) -> ListRotatorsResponse:
    """List the rotators that this host may run, with the schema of their settings."""
    found = await call.parts.rotators.rotators()
    return ListRotatorsResponse(
        rotators=tuple(
            RotatorSummary(name=one.name, summary=one.summary, settings_schema=one.settings_schema) for one in found
        )
    )


def next_due(call: Call, rotation: Rotation, after_ms: int) -> int | None:
    """When the rotation is due next, drawn once; None when nobody set a rhythm."""
    if rotation.schedule.manual or not rotation.enabled:
        return None
    return call.parts.calendar.next_due_ms(rotation.schedule, after_ms)


def _schedule(call: Call, request: RotateSecretRequest, rotation: Rotation) -> Schedule:
    if request.schedule is None:
        return rotation.schedule
    asked = request.schedule
    schedule = Schedule(asked.every_seconds, asked.cron, asked.time_zone, asked.jitter_seconds)
    schedule.check(call.parts.min_interval_seconds)
    call.parts.calendar.check(schedule)
    return schedule


async def _checked(call: Call, rotator: str, settings: str) -> str:
    try:
        return await call.parts.rotators.check_settings(rotator, settings)
    except RotationFailed as failed:
        if failed.reason == "unknown-rotator":
            raise InvalidRequest("cannot rotate with that rotator: secretsd.yaml does not name it") from None
        if failed.reason == "bad-settings":
            raise InvalidRequest(f"cannot accept the settings: they do not fit the schema of {rotator}") from None
        raise Conflict(f"cannot check the settings: {failed.reason}") from None
