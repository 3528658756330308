"""The rotation of a secret: its settings, its schedule and the state that is stored before each step runs."""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from secretsd.domain.errors import InvalidState
from secretsd.domain.schedule import Schedule


class RotationState(Enum):
    """Where a rotation stands. Stored before the step runs, so that a crash is one of these states."""

    IDLE = "idle"
    CANDIDATE_STORED = "candidate-stored"
    APPLYING = "applying"
    VERIFYING = "verifying"
    QUARANTINED = "quarantined"


TRANSITIONS: dict[RotationState, frozenset[RotationState]] = {
    RotationState.IDLE: frozenset({RotationState.CANDIDATE_STORED, RotationState.QUARANTINED}),
    RotationState.CANDIDATE_STORED: frozenset({RotationState.APPLYING, RotationState.IDLE, RotationState.QUARANTINED}),
    RotationState.APPLYING: frozenset({RotationState.VERIFYING, RotationState.IDLE, RotationState.QUARANTINED}),
    RotationState.VERIFYING: frozenset({RotationState.IDLE, RotationState.APPLYING, RotationState.QUARANTINED}),
    RotationState.QUARANTINED: frozenset({RotationState.IDLE, RotationState.APPLYING, RotationState.VERIFYING}),
}
MAX_ATTEMPTS = 5
MAX_NOTES = 32


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a secret is rotated and where that stands. `settings` is the rotator's own JSON, checked by its schema.

    `next_due_ms` is drawn once and stored. `pending_version` is the candidate while the state is not idle. `reason` is
    a typed word (an error kind or the rotator's), never a target's text. `enabled` False keeps all but the clock.
    `journal` holds what the rotator noted about the candidate, each note sealed like a value, in base64.
    """

    account: str
    secret_id: str
    secret_name: str
    rotator: str
    settings: str
    schedule: Schedule = field(default_factory=Schedule)
    enabled: bool = True
    state: RotationState = RotationState.IDLE
    next_due_ms: int | None = None
    last_rotated_ms: int | None = None
    pending_version: str | None = None
    attempts: int = 0
    reason: str = ""
    journal: tuple[str, ...] = ()
    revision: int = 0

    def due_at(self, now_ms: int) -> bool:
        """True when its time has come; a rotation whose clock was stopped is never due."""
        return self.next_due_ms is not None and self.next_due_ms <= now_ms

    def become(self, state: RotationState, **changes: Any) -> "Rotation":
        """The rotation in its next state, with other fields changed beside it; an illegal move raises InvalidState."""
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise InvalidState(
                f"cannot move the rotation of secret {self.secret_name} from {self.state.value} to {state.value}"
            )
        return replace(self, state=state, **changes)
