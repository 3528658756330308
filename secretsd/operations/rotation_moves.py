"""How a rotation moves from state to state: the row, its history, and what its secret has to do meanwhile, as one."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from secretsd.domain.errors import InvalidState
from secretsd.domain.rotation import KEPT_STEPS, Rotation, RotationResult, RotationState, RotationStep
from secretsd.domain.secrets import PENDING, Barrier, Secret
from secretsd.operations.call import Call
from secretsd.ports.storage import Change, DeleteSteps, StaleRecord

Moved = tuple[Rotation, list[Change]]
MOST_TRIES = 20
TRIM_EVERY = 50
"""Entries between two looks at how long a history is."""


def move(
    call: Call,
    secret: Secret,
    rotation: Rotation,
    state: RotationState,
    *,
    changed: Secret | None = None,
    result: RotationResult = RotationResult.NONE,
    **fields: Any,
) -> Moved:
    """The rotation in its next state, and the changes of this one move: rotation, history entry, secret.

    `changed` is the secret as the step leaves it, where it changes more than barrier and pin. A move that the machine
    does not know raises InvalidState.
    """
    if result is not RotationResult.NONE:
        fields["last_result"] = result
    version_id = fields.get("pending_version", rotation.pending_version) or rotation.pending_version or ""
    after = rotation.become(state, call.time_ms, steps=rotation.steps + 1, **fields)
    step = RotationStep(
        rotation.account,
        rotation.secret_id,
        rotation.steps,
        after.run,
        call.time_ms,
        state,
        after.reason,
        version_id,
        call.fence.epoch if call.fence else 0,
        after.attempts,
        result,
    )
    changes: list[Change] = [call.replace(rotation, after), call.add(step)]
    if after.steps > KEPT_STEPS and after.steps % TRIM_EVERY == 0:
        changes.append(DeleteSteps(rotation.account, rotation.secret_id, after.steps - KEPT_STEPS))
    wanted = guarded(changed or secret, after, call.time_ms)
    if wanted != secret:
        changes.append(call.replace(secret, wanted))
    return after, changes


async def commit_after_effect(
    call: Call, read: Callable[[], Awaitable[tuple[Secret, Rotation]]], make: Callable[[Secret, Rotation], Moved]
) -> Rotation:
    """Commit the move that `make` makes of what is stored now, and again when somebody changes that meanwhile.

    For steps whose effect has happened: to begin such a step anew would repeat the effect without settling it first.
    """
    for _ in range(MOST_TRIES):
        moved, changes = make(*await read())
        with contextlib.suppress(StaleRecord):
            await call.commit(*changes)
            return moved
    raise InvalidState(f"cannot record what became of {call.resource.path}: it is changed all the time")


def guarded(secret: Secret, rotation: Rotation, now_ms: int) -> Secret:
    """The secret with the barrier and the pin that go with where its rotation is.

    One connection that breaks is no target that cannot be reached: reads wait on until a second look has failed too.
    """
    pinned = rotation.state in rotation.rules.pinned
    barrier = Barrier.OPEN
    if rotation.holds_reads:
        gone = rotation.away and rotation.since_ms < now_ms
        barrier = Barrier.UNPROVED if gone else Barrier.HOLD
    elif rotation.state is RotationState.QUARANTINED and rotation.pending_version is not None:
        # Nobody knows which version works until a person has looked, so nobody is made to wait, and all are told.
        pinned = bool(rotation.rules.pinned)
        barrier = Barrier.UNPROVED if rotation.rules.held or rotation.restored else Barrier.OPEN
    return replace(secret, barrier=barrier, pinned=pinned)


def without_candidate(call: Call, secret: Secret) -> Secret:
    """The secret after its candidate was given up; the version stays, unlabelled."""
    stages = {stage: holder for stage, holder in secret.stages.items() if stage != PENDING}
    return replace(secret, stages=stages, changed_ms=call.time_ms)


def next_due(call: Call, rotation: Rotation, after_ms: int) -> int | None:
    """When the rotation is due next, drawn once; None when nobody set a rhythm."""
    if rotation.schedule.manual or not rotation.enabled:
        return None
    return call.parts.calendar.next_due_ms(rotation.schedule, after_ms)
