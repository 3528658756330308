"""The step after a failure: when to try again, when to go back, and when a person has to look."""

from typing import Any

from secretsd.domain.rotation import MAX_ATTEMPTS, MAX_VERIFICATIONS, Rotation, RotationResult, RotationState
from secretsd.domain.secrets import CURRENT, Secret
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.operations.rotation_moves import move, without_candidate
from secretsd.operations.rotation_orders import StepRequest, able, stored
from secretsd.operations.rotation_steps import StepResponse, at
from secretsd.ports.rotator import Outcome

RETRY_SECONDS = (5, 30, 120, 600)
IN_DOUBT_RETRY_SECONDS = (1, 2, 4, 8)
"""While the target may be on the candidate, callers may be waiting."""
AWAY_FIRST_MS = 500
AWAY_LONGEST_MS = 300_000
AWAY_IN_DOUBT_MS = 1_500
"""How often a target that is away is asked again while it may be on the candidate: it has to be found soon after."""


@operation("FailRotation", None, audited=("epoch", "reason", "away"))
async def fail_rotation(call: Call, request: StepRequest) -> StepResponse:
    """Record a failed attempt: a later one is drawn, until a person has to look. What was proved last stays served.

    Only a candidate that the target rejected is given up for a new one. Where surely nothing was changed the same one
    waits; where that is not sure it is found out first, because the target may be on it.
    """
    secret, rotation = await stored(call, request)
    attempts = rotation.attempts + (0 if request.away else 1)
    state, fields, changed = await _next(call, secret, rotation, request, attempts)
    still_away = request.away and (rotation.away or rotation.state is RotationState.APPLYING)
    since_ms = rotation.since_ms if still_away else call.time_ms
    fields = {"attempts": attempts, "reason": request.reason, "away": request.away, "since_ms": since_ms, **fields}
    if rotation.state is RotationState.IDLE:
        fields["run"] = rotation.next_run
    if state is not RotationState.QUARANTINED and "next_due_ms" not in fields:
        fields["next_due_ms"] = call.time_ms + _wait_ms(state, request.away, attempts, call.time_ms - since_ms)
        if state in (RotationState.IDLE, RotationState.CANDIDATE_STORED):
            fields["next_due_ms"] = call.parts.calendar.opening_ms(rotation.schedule, fields["next_due_ms"])
        if state is RotationState.IDLE and not rotation.enabled:
            # Somebody stopped its clock meanwhile, and no candidate waits: this run ends here.
            fields |= {"next_due_ms": None, "cancelled": False, "result": RotationResult.ROLLED_BACK}
    moved, changes = move(call, secret, rotation, state, changed=changed, **fields)
    await call.commit(*changes)
    return at(moved)


async def _next(
    call: Call, secret: Secret, rotation: Rotation, request: StepRequest, attempts: int
) -> tuple[RotationState, dict[str, Any], Secret]:
    """The state to go on from, the fields that go with it, and the secret as it is then."""
    state, fields, changed = rotation.state, dict[str, Any](), secret
    not_applied = state in (RotationState.IDLE, RotationState.CHECK_IDLE, RotationState.CANDIDATE_STORED)
    if state is RotationState.APPLYING:
        if request.reason == Outcome.REJECTED.value:
            state, changed = RotationState.IDLE, without_candidate(call, secret)
            fields = {"pending_version": None, "journal": ()}
            not_applied = True
        elif request.sure:
            state, not_applied = RotationState.CANDIDATE_STORED, True
        else:
            state = RotationState.RESOLVING
    if request.away:
        return state, fields, changed
    unfit = rotation.state is RotationState.VERIFYING and attempts >= MAX_VERIFICATIONS and CURRENT in secret.stages
    if unfit and await able(call, rotation, "restore"):
        return RotationState.ROLLING_BACK, {"attempts": 0, "next_due_ms": call.time_ms}, secret
    if attempts >= MAX_ATTEMPTS or request.reason == "no-version-accepted":
        if not_applied:
            changed = without_candidate(call, secret)
            fields = {"pending_version": None, "journal": ()}
        fields |= {"next_due_ms": None, "result": RotationResult.QUARANTINED}
        return RotationState.QUARANTINED, fields, changed
    return state, fields, changed


def _wait_ms(state: RotationState, away: bool, attempts: int, away_ms: int) -> int:
    in_doubt = state in (RotationState.RESOLVING, RotationState.VERIFYING, RotationState.ROLLING_BACK)
    if away:
        longest = AWAY_IN_DOUBT_MS if in_doubt else AWAY_LONGEST_MS
        return min(max(away_ms // 4, AWAY_FIRST_MS), longest)
    seconds = IN_DOUBT_RETRY_SECONDS if in_doubt else RETRY_SECONDS
    return 1000 * seconds[min(attempts, len(seconds)) - 1]
