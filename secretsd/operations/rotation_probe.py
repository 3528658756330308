"""Asking a rotation's target which versions it accepts, for people who look: one login for each, nothing changed."""

import asyncio
from typing import Literal

from secretsd.api.rotation_views import AtTarget
from secretsd.domain.errors import AccessDenied, SecretsdError
from secretsd.domain.rotation import WAITING, MachineKind, Rotation, RotationState
from secretsd.domain.rotation_reasons import reason_of
from secretsd.domain.secrets import Secret
from secretsd.operations.call import Call
from secretsd.operations.rotation_orders import StepRequest, job_order
from secretsd.ports.rotator import Acceptance, JobOrder, RotationFailed, StagedSecret

PROBE_SECONDS = 6.0
"""Less than the deadline of a client, who should hear of all else even where the target hangs."""


async def ask_target(call: Call, secret: Secret, rotation: Rotation) -> tuple[tuple[AtTarget, ...], str | None]:
    """What the target says of the current version and the candidate; or nothing, and why it was not asked."""
    if rotation.machine is MachineKind.STANDALONE:
        return (), "there is no target: the secret itself is where the value is used"
    if _under_way(call, rotation):
        return (), "a step is under way"
    try:
        order = await job_order(call, StepRequest(name=secret.name, epoch=0), secret, rotation)
    except AccessDenied:
        return (), "access-denied: you may not use the key that guards the values"
    except RotationFailed as failed:
        if failed.reason == "target-not-allowed":
            return (), "target-not-allowed: you or the account may not use the target"
        return (), f"{failed.reason}: {reason_of(failed.reason).meaning}"
    except SecretsdError as error:
        return (), f"{error.kind.value}: {reason_of(error.kind.value).meaning}"
    stages: list[tuple[Literal["current", "candidate"], StagedSecret | None]] = [
        ("current", order.current),
        ("candidate", order.candidate),
    ]
    wanted = [(stage, version) for stage, version in stages if version is not None]
    call.fields["asked"] = tuple(version.version_id for _, version in wanted)
    return tuple(await asyncio.gather(*(_asked(call, order, stage, version) for stage, version in wanted))), None


def _under_way(call: Call, rotation: Rotation) -> bool:
    """True while a step is under way or about to begin: it may be changing the very login that would be tried."""
    if rotation.state is RotationState.QUARANTINED:
        return False
    return rotation.state not in WAITING | {RotationState.CHECK_IDLE} or rotation.due_at(call.time_ms)


async def _asked(
    call: Call, order: JobOrder, stage: Literal["current", "candidate"], version: StagedSecret
) -> AtTarget:
    found, reason = Acceptance.UNKNOWN, ""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            found = (await call.parts.rotators.probe(order, [version])).get(version.version_id, Acceptance.UNKNOWN)
    except TimeoutError:
        reason = "timed-out"
    except RotationFailed as failed:
        reason = failed.reason
    if found is Acceptance.UNKNOWN and not reason:
        reason = "probe-unclear"
    return AtTarget(
        stage=stage,
        version_id=version.version_id,
        number=version.number,
        acceptance=found.value,
        reason=reason,
        meaning=reason_of(reason).meaning or None,
    )
