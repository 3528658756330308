"""The rotation of a secret: its settings, its schedule, and the machine whose state is stored before each step runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from secretsd.domain.errors import InvalidState
from secretsd.domain.schedule import Schedule


class RotationState(Enum):
    """Where a rotation stands. Stored before the step runs, so that a crash is one of these states."""

    IDLE = "idle"
    CHECK_IDLE = "check-idle"
    CANDIDATE_STORED = "candidate-stored"
    APPLYING = "applying"
    RESOLVING = "resolving"
    VERIFYING = "verifying"
    DRAINING = "draining"
    REVOKING = "revoking"
    ROLLING_BACK = "rolling-back"
    QUARANTINED = "quarantined"


class RotationResult(Enum):
    """How the last rotation of a secret ended; NONE before the first."""

    NONE = "none"
    DONE = "done"
    ROLLED_BACK = "rolled-back"
    QUARANTINED = "quarantined"


class MachineKind(Enum):
    """What the target is like, which decides the machine.

    STANDALONE: there is no target, the secret itself is where the value is used. SINGLE_USER: the target accepts one
    value at a time. ALTERNATING: two users take turns, and one of them always works. OVERLAPPING: the target accepts
    the old and the new value together.
    """

    STANDALONE = "standalone"
    SINGLE_USER = "single-user"
    ALTERNATING = "alternating"
    OVERLAPPING = "overlapping"


@dataclass(frozen=True, slots=True)
class Machine:
    """States and moves as data. `held` are the states in which reads of the current value wait (the read barrier).

    `pinned` are those in which the target may be on more than one version, so none may be moved, put or deleted.
    """

    moves: Mapping[RotationState, frozenset[RotationState]]
    held: frozenset[RotationState]
    pinned: frozenset[RotationState]


_S = RotationState
_MOVES: dict[RotationState, frozenset[RotationState]] = {
    _S.IDLE: frozenset({_S.CANDIDATE_STORED, _S.QUARANTINED}),
    _S.CANDIDATE_STORED: frozenset({_S.APPLYING, _S.IDLE, _S.QUARANTINED}),
    # Back to the stored candidate where the target surely took nothing; to idle where it will never take this one.
    _S.APPLYING: frozenset({_S.RESOLVING, _S.VERIFYING, _S.CANDIDATE_STORED, _S.IDLE, _S.QUARANTINED}),
    # To idle where it was cancelled, and the target surely is on another version.
    _S.RESOLVING: frozenset({_S.APPLYING, _S.VERIFYING, _S.ROLLING_BACK, _S.IDLE, _S.QUARANTINED}),
    _S.VERIFYING: frozenset({_S.IDLE, _S.DRAINING, _S.RESOLVING, _S.ROLLING_BACK, _S.QUARANTINED}),
    _S.DRAINING: frozenset({_S.REVOKING, _S.QUARANTINED}),
    _S.REVOKING: frozenset({_S.IDLE, _S.QUARANTINED}),
    _S.ROLLING_BACK: frozenset({_S.IDLE, _S.QUARANTINED}),
    # A person has looked: with a candidate its fate is found out first, without one it starts over.
    _S.QUARANTINED: frozenset({_S.IDLE, _S.RESOLVING, _S.ROLLING_BACK, _S.REVOKING}),
}
_IN_DOUBT = frozenset({_S.APPLYING, _S.RESOLVING, _S.VERIFYING, _S.ROLLING_BACK})
_BETWEEN = _IN_DOUBT | {_S.CANDIDATE_STORED, _S.DRAINING, _S.REVOKING}
_CHECKED_FIRST = {
    **_MOVES,
    _S.IDLE: frozenset({_S.CHECK_IDLE, _S.QUARANTINED}),
    _S.CHECK_IDLE: frozenset({_S.CANDIDATE_STORED, _S.IDLE, _S.QUARANTINED}),
}
MACHINES: dict[MachineKind, Machine] = {
    MachineKind.STANDALONE: Machine(_MOVES, frozenset(), frozenset()),
    MachineKind.SINGLE_USER: Machine(_MOVES, _IN_DOUBT, _BETWEEN),
    MachineKind.ALTERNATING: Machine(_CHECKED_FIRST, frozenset(), _BETWEEN | {_S.CHECK_IDLE}),
    MachineKind.OVERLAPPING: Machine(_MOVES, frozenset(), _BETWEEN),
}
WAITING = frozenset({RotationState.IDLE, RotationState.QUARANTINED})
"""The states in which nothing is under way."""

MAX_ATTEMPTS = 5
MAX_VERIFICATIONS = 3
"""Failed proofs of an applied candidate after which it is rolled back, where the rotator can do that."""
MAX_NOTES = 32
DEFAULT_GRACE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a secret is rotated and where that stands. `settings` is the rotator's own JSON, checked by its schema.

    `target` names an operator's target (account `system`), "" where the rotator has none; `logins` are the accounts
    there: one, or two that take turns. `next_due_ms` is drawn once and stored. `pending_version` is the candidate while
    there is one. `reason` is a typed word (an error kind or the rotator's), never a target's text; `away` says that it
    tells of a target that cannot be reached, which costs no attempt. `enabled` False keeps all but the clock.
    `journal` holds what the rotator noted about the candidate and `kept` its first note about each older version that
    matters, by id; each note is sealed like a value, in base64. `cancelled` asks for the way back at the next step.
    `run` counts rotations, `steps` the entries of the history. `epoch_floor`: the next lease's epoch is above it.
    `restored` is set while nobody knows which version works because the storage is an older one than the target.
    `unnoted` is set while a rotator that notes before its effect has noted nothing: what it applies cannot be applied.
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
    machine: MachineKind = MachineKind.STANDALONE
    target: str = ""
    logins: tuple[str, ...] = ()
    grace_seconds: int = DEFAULT_GRACE_SECONDS
    kept: Mapping[str, str] = field(default_factory=dict)
    cancelled: bool = False
    away: bool = False
    since_ms: int = 0
    last_result: RotationResult = RotationResult.NONE
    run: int = 0
    steps: int = 0
    epoch_floor: int = 0
    restored: bool = False
    unnoted: bool = False

    @property
    def next_run(self) -> int:
        """The number of the run that begins now: further attempts after a failed one belong to the same."""
        return self.run if self.attempts or self.away else self.run + 1

    @property
    def holds_reads(self) -> bool:
        """True in the states of the read barrier; after a restore no machine's current version is known to work."""
        if self.restored:
            return self.state not in WAITING
        return self.state in self.rules.held and not (self.state is RotationState.APPLYING and self.unnoted)

    @property
    def rules(self) -> Machine:
        """The machine that this rotation runs on."""
        return MACHINES[self.machine]

    @property
    def in_doubt(self) -> bool:
        """True while the target may be on the candidate."""
        return self.state in _IN_DOUBT

    def due_at(self, now_ms: int) -> bool:
        """True when its time has come; a rotation whose clock was stopped is never due."""
        return self.next_due_ms is not None and self.next_due_ms <= now_ms

    def become(self, state: RotationState, now_ms: int, **changes: Any) -> "Rotation":
        """The rotation in its next state, with other fields changed beside it; an illegal move raises InvalidState."""
        if state is not self.state and state not in self.rules.moves.get(self.state, frozenset()):
            raise InvalidState(
                f"cannot move the rotation of secret {self.secret_name} from {self.state.value} to {state.value}"
            )
        if state is not self.state:
            changes.setdefault("since_ms", now_ms)
            changes.setdefault("unnoted", False)
        return replace(self, state=state, **changes)


@dataclass(frozen=True, slots=True)
class RotationStep:
    """An entry of a rotation's history: which state it came to, when and why. `number` counts from 0 without gaps.

    Written in the same unit of work as the move itself. `result` is set on the entry that ends a run.
    """

    account: str
    secret_id: str
    number: int
    run: int
    time_ms: int
    state: RotationState
    reason: str
    version_id: str
    epoch: int
    attempts: int
    result: RotationResult = RotationResult.NONE
    revision: int = 0


KEPT_STEPS = 500
"""How many entries of its history a rotation keeps."""
