"""What a hunt kills, and when: drawn from a seed, so many times in each kind of operation and of process."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Victim(Enum):
    """What is killed. The whole daemon dies by its supervisor, whose children the kernel ends with it."""

    WHOLE = "whole daemon"
    WORKER = "worker"
    KEYSTORE = "keystore process"
    ROTATOR_HOST = "rotator host"
    ATTEMPT = "rotator's attempt"


class Kind(Enum):
    """The operation that is under way at the kill; the last four are rotations, by their stored state."""

    READ = "read"
    BATCH_READ = "batch read"
    PUT = "put"
    CREATE = "create"
    UPDATE = "update"
    MOVE_STAGE = "move stage"
    DELETE = "delete"
    RESTORE = "restore"
    TAG = "tag"
    ACCESS = "users, tokens, policies"
    CREATE_KEY = "create key"
    ROTATE = "set rotation"
    IDLE = "rotation at idle"
    CANDIDATE_STORED = "rotation at candidate-stored"
    APPLYING = "rotation at applying"
    VERIFYING = "rotation at verifying"

    @property
    def rotates(self) -> bool:
        """Whether this is a state of a rotation, and not a request."""
        return self in ROTATION_STATES


ROTATION_STATES = {
    Kind.IDLE: "idle",
    Kind.CANDIDATE_STORED: "candidate-stored",
    Kind.APPLYING: "applying",
    Kind.VERIFYING: "verifying",
}
AFTER_THE_ANSWER_EVERY = 5


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill to be made. `answered`: right after the answer has come, instead of while it is waited for."""

    kind: Kind
    victim: Victim
    answered: bool = False


def draw(kills: int, seed: int, kinds: Sequence[Kind] = tuple(Kind)) -> list[Strike]:
    """So many strikes in random order, shared out evenly over the kinds, and for each kind over the victims.

    At candidate-stored a rotation is between two steps: only what keeps its state, the worker, can be struck then.
    """
    rng = random.Random(seed)  # noqa: S311  # a plan, not a secret: it must come again from its seed
    kinds = rng.sample(kinds, len(kinds))
    strikes = []
    for number in range(kills):
        turn, at = divmod(number, len(kinds))
        kind = kinds[at]
        victims = [Victim.WHOLE, Victim.WORKER] if kind is Kind.CANDIDATE_STORED else list(Victim)
        answered = not kind.rotates and turn % AFTER_THE_ANSWER_EVERY == AFTER_THE_ANSWER_EVERY - 1
        strikes.append(Strike(kind, victims[(turn + at) % len(victims)], answered))
    return rng.sample(strikes, len(strikes))
