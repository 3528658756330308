"""A rotation in words: why it is where it is, what callers are served meanwhile, and what a person does next."""

import re
import shlex

import msgspec

from secretsd.api.rotation_views import (
    RotationExplanation,
    RotationStatus,
    RotationStepDescription,
    ServedDescription,
)
from secretsd.domain.rotation import MAX_ATTEMPTS, WAITING, Rotation, RotationResult, RotationState, RotationStep
from secretsd.domain.rotation_reasons import STATES, reason_of
from secretsd.domain.secrets import CURRENT, Barrier, Secret, SecretVersion
from secretsd.operations.read_barrier import HOLD_SECONDS
from secretsd.operations.rotation import describe_rotation

_PLACES = re.compile(r"\b(?:NAME|TARGET|ROTATOR)\b")
_ENDED = {
    RotationResult.NONE: "it has never been rotated",
    RotationResult.DONE: "the last rotation was done",
    RotationResult.ROLLED_BACK: "the last rotation was rolled back",
    RotationResult.QUARANTINED: "the last rotation ended in quarantine",
}


def status_of(rotation: Rotation) -> RotationStatus:
    """The rotation as it stands, its reason in words, and the next human action."""
    return RotationStatus(
        name=rotation.secret_name,
        rotation=describe_rotation(rotation),
        since_ms=rotation.since_ms or None,
        run=rotation.run,
        candidate=rotation.pending_version,
        cancelled=rotation.cancelled,
        meaning=reason_of(rotation.reason).meaning or None,
        next_action=next_action(rotation),
    )


def step_of(step: RotationStep) -> RotationStepDescription:
    """An entry of the history as callers see it."""
    return RotationStepDescription(
        number=step.number,
        run=step.run,
        time_ms=step.time_ms,
        state=step.state.value,
        reason=step.reason,
        version_id=step.version_id or None,
        epoch=step.epoch,
        attempts=step.attempts,
        result=None if step.result is RotationResult.NONE else step.result.value,
    )


def cause_of(rotation: Rotation) -> str:
    """Why the rotation is where it is."""
    parts = [STATES[rotation.state]]
    if rotation.cancelled:
        parts.append("somebody cancelled it, so it takes the way back")
    if rotation.reason:
        parts.append(f"{rotation.reason}: {reason_of(rotation.reason).meaning}")
    elif rotation.state is RotationState.IDLE:
        parts.append(_ENDED[rotation.last_result])
    if rotation.away:
        parts.append("the target is away, which costs no attempt")
    elif rotation.attempts:
        parts.append(f"attempt {rotation.attempts} of {MAX_ATTEMPTS} failed")
    if rotation.state is RotationState.IDLE:
        if not rotation.enabled:
            parts.append("its clock is stopped")
        elif rotation.next_due_ms is None:
            parts.append("it has no rhythm, so it rotates when somebody asks for it")
    return "; ".join(parts)


def with_refusal(explanation: RotationExplanation, rotation: Rotation) -> RotationExplanation:
    """The explanation where the target refuses what is served and nothing is under way: somebody changed it there."""
    if rotation.state is RotationState.QUARANTINED:
        return explanation  # as its cause says
    action = explanation.status.next_action or (
        "rotate it now, or, where the login changes itself, set the current value at the target by hand"
    )
    return msgspec.structs.replace(
        explanation,
        status=msgspec.structs.replace(explanation.status, next_action=action),
        cause=f"{explanation.cause}; the target refuses the value that is served",
        next_command=f"secretsctl rotate {shlex.quote(rotation.secret_name)}",
    )


def next_command(rotation: Rotation) -> str | None:
    """The command that leads on from here; None where there is none to give."""
    name = shlex.quote(rotation.secret_name)
    if rotation.state is RotationState.QUARANTINED or (rotation.state is RotationState.IDLE and not rotation.enabled):
        return f"secretsctl rotation resume {name}"
    if rotation.state is RotationState.IDLE and (rotation.attempts or rotation.next_due_ms is None):
        return f"secretsctl rotate {name}"
    return None if rotation.state in WAITING else f"secretsctl rotation status {name}"


def next_action(rotation: Rotation) -> str | None:
    """What a person does next, in words; None where it goes on by itself."""
    action = _PLACES.sub(lambda place: _named(rotation)[place[0]], reason_of(rotation.reason).action)
    if rotation.state is not RotationState.QUARANTINED:
        return action or None
    command = f"secretsctl rotation resume {_named(rotation)['NAME']}"
    return f"{action}; then {command}" if action else command


def served(secret: Secret, version: SecretVersion | None) -> ServedDescription:
    """What callers are served who ask for the current value; `version` is the current one."""
    if secret.deletion_ms is not None:
        return ServedDescription(how="nothing", meaning="the secret waits to be erased")
    if version is None or CURRENT not in secret.stages:
        return ServedDescription(how="nothing", meaning="the secret has no current version")
    if secret.barrier is Barrier.HOLD:
        return ServedDescription(
            how="held",
            meaning=f"reads wait until it is known which value works, {HOLD_SECONDS:g} s at most; after that they are "
            "told to come again (rotation-in-progress)",
            version_id=version.id,
            number=version.number,
        )
    if secret.barrier is Barrier.UNPROVED:
        return ServedDescription(
            how="unproved",
            meaning="the value that was proved last, marked unproved: the target may be on another one",
            version_id=version.id,
            number=version.number,
        )
    return ServedDescription(
        how="as-usual", meaning="the current version", version_id=version.id, number=version.number
    )


def _named(rotation: Rotation) -> dict[str, str]:
    """What stands in the place of the capital words of a reason's action."""
    return {
        "NAME": shlex.quote(rotation.secret_name),
        "TARGET": rotation.target or "its target",
        "ROTATOR": rotation.rotator,
    }
