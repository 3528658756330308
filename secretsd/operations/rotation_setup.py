"""How a rotation is set up: its rotator, settings, target and logins, each checked before anything is stored."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from secretsd.api.rotation import RotateSecretRequest
from secretsd.domain.errors import Conflict, InvalidRequest
from secretsd.domain.rotation import MachineKind, Rotation
from secretsd.domain.secrets import CURRENT, Secret
from secretsd.operations.call import Call
from secretsd.operations.rotation_orders import StepRequest, description_of, job_order
from secretsd.operations.target_access import claim_logins, require_target
from secretsd.ports.rotator import Acceptance, RotationFailed, RotatorDescription
from secretsd.ports.storage import Change


async def configured(
    call: Call, secret: Secret, before: Rotation | None, rotation: Rotation, request: RotateSecretRequest
) -> tuple[Rotation, list[Change]]:
    """The rotation as the request wants it, and the changes that claim its logins.

    InvalidRequest names what does not fit, AccessDenied a target or login that is not the caller's to use, Conflict a
    login that another secret holds, or a change that a waiting candidate forbids.
    """
    wanted = request.rotator or rotation.rotator
    target = rotation.target if request.target is None else request.target
    logins = rotation.logins if request.logins is None else request.logins
    elsewhere = (wanted, target, logins) != (rotation.rotator, rotation.target, rotation.logins)
    if elsewhere and rotation.pending_version is not None:
        raise Conflict(f"cannot change where secret {secret.name} is rotated while a candidate waits")
    grace = rotation.grace_seconds if request.grace_seconds is None else request.grace_seconds
    if request.grace_seconds is not None and grace < call.parts.min_grace_seconds:
        raise InvalidRequest(f"cannot accept grace_seconds: it is at least {call.parts.min_grace_seconds}")
    rotation = replace(rotation, rotator=wanted, target=target, logins=logins, grace_seconds=grace)
    if before is None or elsewhere or request.settings is not None:
        settings = rotation.settings if request.settings is None else json.dumps(dict(request.settings))
        rotation = replace(rotation, settings=await checked_settings(call, wanted, settings))
    if before is not None and not elsewhere:
        return rotation, []
    description = await description_of(call, wanted)
    if description is None:
        raise Conflict(f"cannot rotate with {wanted} now: it cannot be loaded")
    rotation = replace(rotation, machine=_machine(description, rotation))
    if description.address_schema is None:
        return rotation, await claim_logins(call, None, (), secret, before)
    found = await require_target(call, target, wanted, logins)
    return rotation, await claim_logins(call, found, logins, secret, before)


def _machine(description: RotatorDescription, rotation: Rotation) -> MachineKind:
    if description.address_schema is None:
        if rotation.target or rotation.logins:
            raise InvalidRequest(f"cannot rotate with {description.name} at a target: it needs none")
        return description.machine
    if not rotation.target or not rotation.logins:
        raise InvalidRequest(f"cannot rotate with {description.name}: name a target, and the logins there")
    if len(rotation.logins) == 1:
        return description.machine
    if len(set(rotation.logins)) != len(rotation.logins):
        raise InvalidRequest("cannot let two logins take turns: they are the same one")
    if "idle" not in description.abilities:
        raise InvalidRequest(f"cannot let two logins take turns with {description.name}: it knows one only")
    return MachineKind.ALTERNATING


async def checked_settings(call: Call, rotator: str, settings: str) -> str:
    """The settings in canonical JSON; InvalidRequest when they do not fit the rotator, Conflict when it is away."""
    try:
        return await call.parts.rotators.check_settings(rotator, settings)
    except RotationFailed as failed:
        if failed.reason == "unknown-rotator":
            raise InvalidRequest("cannot rotate with that rotator: secretsd.yaml does not name it") from None
        if failed.reason == "bad-settings":
            raise InvalidRequest(f"cannot accept the settings: they do not fit the schema of {rotator}") from None
        raise Conflict(f"cannot check the settings: {failed.reason}") from None


async def require_accepted(call: Call, secret: Secret, before: Rotation | None, rotation: Rotation) -> None:
    """Where a current value is taken over without a rotation, the target has to accept it: what we serve was proved."""
    moved = before is None or (before.target, before.logins) != (rotation.target, rotation.logins)
    if not moved or not rotation.target or CURRENT not in secret.stages:
        return
    try:
        order = await job_order(call, StepRequest(name=secret.name, epoch=0), secret, rotation)
        if order.current is None:
            return
        found: Mapping[str, Any] = await call.parts.rotators.probe(order, [order.current])
    except RotationFailed as failed:
        raise Conflict(f"cannot take over the value of secret {secret.name}: {failed.reason}") from None
    acceptance = found.get(order.current.version_id, Acceptance.UNKNOWN)
    if acceptance is Acceptance.REFUSED:
        raise InvalidRequest(f"cannot take over the value of secret {secret.name}: the target refuses it")
    if acceptance is Acceptance.UNKNOWN:
        raise Conflict(f"cannot take over the value of secret {secret.name}: the target cannot be asked now")
