"""Operations that show rotations: where one stands, all of them, what one did, and why."""

from secretsd.api.rotation_views import (
    AtTarget,
    DescribeRotationRequest,
    ExplainRotationRequest,
    ListRotationsRequest,
    ListRotationsResponse,
    ListRotationStepsRequest,
    ListRotationStepsResponse,
    RotationExplanation,
    RotationStatus,
)
from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.domain.secrets import CURRENT, Secret
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.operations.rotation import rotation_of
from secretsd.operations.rotation_probe import ask_target
from secretsd.operations.rotation_words import cause_of, next_command, served, status_of, step_of, with_refusal

LAST_STEPS = 5
AT_ONCE = 100
MOST_LOOKED_AT = 1_000
"""Rotations that one page looks through for those that fit: a rare one must not make a call long."""
NEWEST = 2**62


@operation("DescribeRotation", "GET /v1/secrets/{name}:rotation")
async def describe_one_rotation(call: Call, request: DescribeRotationRequest) -> RotationStatus:
    """Tell where the rotation of a secret stands, since when and why, and what a person does next."""
    _, rotation = await _rotated(call, request.name)
    return status_of(rotation)


@operation("ListRotations", "GET /v1/rotations", audited=("state", "quarantined"))
async def list_rotations(call: Call, request: ListRotationsRequest) -> ListRotationsResponse:
    """List the rotations of the account's secrets, all of them, or those in one state or in quarantine."""
    state = RotationState(request.state) if request.state is not None else None
    found: list[RotationStatus] = []
    after, looked_at, more = pages.after(request.next_token), 0, True
    while more and len(found) < request.limit and looked_at < MOST_LOOKED_AT:
        batch = await call.parts.storage.rotations.page(call.account, after, AT_ONCE)
        more = len(batch) == AT_ONCE
        for at, rotation in enumerate(batch, 1):
            after = rotation.secret_id
            if _fits(rotation, request, state):
                found.append(status_of(rotation))
                if len(found) == request.limit:
                    more = more or at < len(batch)
                    break
        looked_at += len(batch)
    return ListRotationsResponse(rotations=tuple(found), next_token=pages.token_for(after) if more else None)


def _fits(rotation: Rotation, request: ListRotationsRequest, state: RotationState | None) -> bool:
    if request.quarantined and rotation.state is not RotationState.QUARANTINED:
        return False
    return rotation.secret_name.startswith(request.prefix) and state in (None, rotation.state)


@operation("ListRotationSteps", "GET /v1/secrets/{name}:rotation-steps")
async def list_rotation_steps(call: Call, request: ListRotationStepsRequest) -> ListRotationStepsResponse:
    """List what the rotation of a secret did: each state that it came to, when and why, the newest first."""
    secret, _ = await _rotated(call, request.name)
    before = pages.after(request.next_token) or str(NEWEST)
    if not before.isdecimal() or len(before) > 19:
        raise InvalidRequest("cannot go on with the list: next_token is not one of ours")
    found = await call.parts.storage.rotations.steps(call.account, secret.id, int(before), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda step: str(step.number))
    return ListRotationStepsResponse(name=secret.name, steps=tuple(map(step_of, shown)), next_token=token)


@operation("ExplainRotation", "GET /v1/secrets/{name}:explain-rotation", audited=("probe_target",))
async def explain_rotation(call: Call, request: ExplainRotationRequest) -> RotationExplanation:
    """Tell why a rotation is where it is, what callers are served, what the target accepts, and what to do next."""
    secret, rotation = await _rotated(call, request.name)
    current = None
    if CURRENT in secret.stages:
        current = await call.parts.rows.version(secret, secret.stages[CURRENT])
    steps = await call.parts.storage.rotations.steps(call.account, secret.id, NEWEST, LAST_STEPS)
    versions: tuple[AtTarget, ...] = ()
    not_asked: str | None = "nobody wanted to know"
    if request.probe_target:
        versions, not_asked = await ask_target(call, secret, rotation)
    explanation = RotationExplanation(
        status=status_of(rotation),
        cause=cause_of(rotation),
        served=served(secret, current),
        versions=versions,
        not_asked=not_asked,
        steps=tuple(map(step_of, steps)),
        next_command=next_command(rotation),
    )
    refused = any(one.stage == CURRENT and one.acceptance == "refused" for one in versions)
    return with_refusal(explanation, rotation) if refused else explanation


async def _rotated(call: Call, name: str) -> tuple[Secret, Rotation]:
    secret = await call.parts.rows.secret(call.account, name)
    rotation = await rotation_of(call, secret)
    if rotation is None:
        raise NotFound(f"cannot find a rotation of secret {secret.name}")
    return secret, rotation
