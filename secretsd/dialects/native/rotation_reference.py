"""Renders the reference page of rotations from the domain's own tables: states, machines, reasons."""

from collections.abc import Iterator

from secretsd.domain.rotation import MACHINES, MachineKind, RotationState
from secretsd.domain.rotation_reasons import REASONS, STATES

_KINDS = {
    MachineKind.STANDALONE: "There is no target: the secret itself is where the value is used.",
    MachineKind.SINGLE_USER: "The target accepts one value at a time, so reads wait while it changes.",
    MachineKind.ALTERNATING: "Two logins take turns, and one of them always works, so no read waits.",
    MachineKind.OVERLAPPING: "The target accepts the old and the new value together, until the old one is revoked.",
}
_OPENING = "What the engine goes by; how to work with it: [the guide](../guides/rotation.md). Made by `./dev generate`."
_MACHINES = (
    "Which machine a rotation runs on follows from its rotator and the number of its logins. A state that is not in a "
    "machine's table is never reached there. *Held*: reads of the current value wait. *Pinned*: versions and stages "
    "stay as they are, because the target may be on any of them. In quarantine with a candidate they are pinned as "
    "well, and a machine that holds reads serves the last proved value then, marked `unproved`."
)
_REASONS = (
    "The one word that history, `status` and events tell of a failure; a target's own text is never shown. Where no "
    "action is named it goes on by itself. A rotation in quarantine is resumed after the action, with "
    "`secretsctl rotation resume NAME`."
)


def render() -> str:
    """The text of `docs/reference/rotation.md`."""
    lines = [
        "# Rotation: states, machines, reasons",
        "",
        _OPENING,
        "",
        "## States",
        "",
        "| State | What it means |",
        "|---|---|",
        *(f"| {state.value} | {STATES[state]} |" for state in RotationState),
        "",
        "## Machines",
        "",
        _MACHINES,
    ]
    for kind in MachineKind:
        lines += ["", f"### {kind.value}", "", _KINDS[kind], "", "| From | To | Held | Pinned |", "|---|---|---|---|"]
        lines += _moves(kind)
    lines += [
        "",
        "## Reasons",
        "",
        _REASONS,
        "",
        "| Reason | What it means | What a person does |",
        "|---|---|---|",
        *(f"| `{word}` | {reason.meaning} | {reason.action or '-'} |" for word, reason in sorted(REASONS.items())),
    ]
    return "\n".join([*lines, ""])


def _moves(kind: MachineKind) -> Iterator[str]:
    machine = MACHINES[kind]
    reached, waiting = {RotationState.IDLE}, [RotationState.IDLE]
    while waiting:
        fresh = machine.moves.get(waiting.pop(), frozenset()) - reached
        reached |= fresh
        waiting += fresh
    for state in RotationState:
        if state in reached:
            following = ", ".join(one.value for one in RotationState if one in machine.moves.get(state, frozenset()))
            marks = ("yes" if state in states else "" for states in (machine.held, machine.pinned))
            yield f"| {state.value} | {following} | {' | '.join(marks)} |"
