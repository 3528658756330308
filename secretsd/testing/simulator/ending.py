"""What must hold once nothing is due any more: no silent end, a history that tells it, one event a step."""

import json
from collections import Counter
from itertools import pairwise

from secretsd.domain.rotation import RotationResult, RotationState
from secretsd.domain.secrets import CURRENT, PENDING, Barrier
from secretsd.testing.simulator.durable import Durable
from secretsd.testing.simulator.watch import Watch

_ENDED = (RotationState.IDLE, RotationState.QUARANTINED)


def at_rest(watch: Watch) -> None:
    """I9: done, rolled back or quarantined, told as such, and never without a next moment where its clock runs."""
    stored = watch.stored
    rotation, secret = stored.rotation, stored.secret
    if rotation.state not in _ENDED:
        watch.found("I9", f"it rests at {rotation.state.value}")
        return
    if rotation.last_result is RotationResult.NONE:
        watch.found("I9", "it ended without a result")
    if rotation.state is RotationState.QUARANTINED:
        if not rotation.reason:
            watch.found("I9", "quarantined without a reason")
        if rotation.last_result is not RotationResult.QUARANTINED:
            watch.found("I9", "quarantined, and told as something else")
        if secret.barrier is Barrier.HOLD:
            watch.found("I9", "reads wait for a rotation that waits for a person")
        return
    if rotation.enabled and not rotation.schedule.manual and rotation.next_due_ms is None:
        watch.found("I9", "its clock runs, and it is never due")
    if rotation.pending_version is not None or PENDING in secret.stages:
        watch.found("I9", "it ended with a candidate")
    if secret.barrier is not Barrier.OPEN or secret.pinned:
        watch.found("I9", "it ended with the barrier closed or versions pinned")
    current = secret.stages.get(CURRENT)
    if current is None or (not watch.excused and not watch.works(current)):
        watch.found("I4", "it ended with a served value that does not work")


def history(watch: Watch, durable: Durable) -> None:
    """The history is without gaps, in order of epochs, each run ends with a result; each step has exactly one event."""
    steps = durable.steps()
    if [step.number for step in steps] != list(range(len(steps))):
        watch.found("I9", "the history has gaps")
    epochs = [step.epoch for step in steps if step.epoch]
    if epochs != sorted(epochs):
        watch.found("I6", "the history is not in order of epochs")
    for before, after in pairwise(steps):
        if after.run not in (before.run, before.run + 1) and not watch.gone_back:
            watch.found("I9", "the history leaves out a run")
    ended = {step.run for step in steps if step.result is not RotationResult.NONE}
    if {step.run for step in steps} - ended - {0}:
        watch.found("I9", "a run ended without a result")
    if any(step.result is not RotationResult.NONE and step.state not in _ENDED for step in steps):
        watch.found("I9", "a result in the middle of a run")
    told: Counter[str] = Counter()
    ids: Counter[tuple[str, str]] = Counter()
    for data in durable.events():
        event = json.loads(data)
        ids[event["id"], event["outcome"]] += 1
        entries = [key[2] for table, key, _, _ in event.get("changes", ()) if table == "rotation_steps"]
        if len(entries) > 1:
            watch.found("events", "one event tells of several steps")
        told.update(entries)
    if any(count > 1 for count in ids.values()):
        watch.found("events", "an event is stored twice")
    if told != Counter(str(step.number) for step in steps):
        watch.found("events", "not exactly one event for each step")
