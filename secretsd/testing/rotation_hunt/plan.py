"""What the hunt does, drawn from a seed: so many blows at every point and in every stored state."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from secretsd.testing.cutting_proxy import Fault
from secretsd.testing.rotation_hunt.points import ALTERNATING_ONLY, POINTS

SINGLE, ALTERNATING = "single-user", "alternating"
STATES = {
    SINGLE: ("idle", "candidate-stored", "applying", "resolving", "verifying", "rolling-back", "quarantined"),
    ALTERNATING: (
        "idle", "check-idle", "candidate-stored", "applying", "resolving", "verifying", "rolling-back", "quarantined",
    ),
}  # fmt: skip
"""Every state that these two machines can be in."""
UNREACHABLE = {
    "draining": "belongs to the overlapping machine, which PostgreSQL's one password a role cannot have",
    "revoking": "belongs to the overlapping machine, which PostgreSQL's one password a role cannot have",
    "check-idle (single-user)": "belongs to the alternating machine: one login is not waited for",
}


class Blow(Enum):
    """What is done at the moment. The first ones harm one connection, the others a process."""

    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    HALF_OPEN = "half-open"
    BLACK_HOLE = "black hole"
    REPLY_LOST = "reply lost"
    ATTEMPT = "kill attempt"
    HOST = "kill rotator host"
    KEYSTORE = "kill key store"
    WORKER = "kill worker"
    WHOLE = "kill daemon"
    POSTGRES = "kill PostgreSQL"


CONNECTION = {
    Blow.CUT_BEFORE: Fault.CUT_BEFORE,
    Blow.CUT_AFTER: Fault.CUT_AFTER,
    Blow.HALF_OPEN: Fault.HALF_OPEN,
    Blow.BLACK_HOLE: Fault.BLACK_HOLE,
    Blow.REPLY_LOST: Fault.REPLY_LOST,
}
GLOBAL = frozenset({Blow.HOST, Blow.KEYSTORE, Blow.WORKER, Blow.WHOLE, Blow.POSTGRES})
"""Blows that both secrets feel; the others are made on both at once, each by a thread of its own."""
HANGING = frozenset({Blow.BLACK_HOLE, Blow.REPLY_LOST})
"""After these the rotator waits for an answer until its deadline."""
BETWEEN_STATES: tuple[tuple[str, str], ...] = (
    (SINGLE, "candidate-stored"),
    (ALTERNATING, "candidate-stored"),
    (ALTERNATING, "idle"),
    (SINGLE, "quarantined"),
    (ALTERNATING, "quarantined"),
)
"""States in which the rotator sends nothing: they are met by stopping the workers and looking at the file."""
MUCH_LATER = "much later"
LATE = ("late", MUCH_LATER, "lost", "before")
FULL_TURNS = len(Blow)
NO_STATEMENTS = ("sasl-1", "sasl-2", "terminate")
QUICK_SILENT = 10
QUICK_ALTERNATING = frozenset({("apply", "comment"), ("settle", "end"), ("restore", "begin"), ("probe", "startup")})
"""Of the points that both secrets have, a quick plan leaves these to the alternating one, which has its own besides."""
IN_DOUBT = ("resolving", "rolling-back")
"""The states in which the rotator settles, and probes one login."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow: at a message of a method (in a state, where it can be sent in two), or in a state alone.

    `machine` is "" where whichever secret has the administrator without superuser's rights is meant. `late` says what
    becomes of the message when a process is killed: it arrives after that, only after one more rotation, never, or
    before that with its reply lost.
    """

    number: int
    machine: str
    blow: Blow
    state: str
    method: str = ""
    message: str = ""
    late: str = "late"

    def __str__(self) -> str:
        place = f"{self.method}/{self.message}" if self.method else "between statements"
        manner = f", message {self.late}" * (self.blow not in CONNECTION and bool(self.method))
        return f"#{self.number} {self.machine or 'any'} {self.state} {place}: {self.blow.value}{manner}"


def draw(turns: int, seed: int, *, quick: bool = False, workers: int = 1) -> list[Strike]:
    """A plan that strikes at every point and in every silent state so many times; eleven turns bring every blow.

    A quick one has each statement and each silent state, a few of the other messages, and prefers blows after which
    nobody has to wait for seconds.
    """
    rng = random.Random(seed)  # noqa: S311  # a plan, not a secret: it must come again from its seed
    points = [(method, message) for method, messages in POINTS.items() for message in messages]
    cycle = list(Blow)
    if quick:
        silent = [point for point in points if point[1] in NO_STATEMENTS]
        points = [point for point in points if point not in silent] + rng.sample(silent, QUICK_SILENT)
        cycle = _quick_cycle(rng, len(points))
    strikes: list[Strike] = []
    for turn in range(turns):
        for at, (method, message) in enumerate(points):
            blow = cycle[(turn + at) % len(cycle)]
            quick_turn = int((method, message) in QUICK_ALTERNATING)
            machine = _machine(method, message, quick_turn if quick else turn + at)
            state = _state(method, machine, rng.choice(IN_DOUBT) if not quick else IN_DOUBT[at % 2])
            strikes.append(Strike(len(strikes), machine, blow, state, method, message, _late(rng, blow, workers)))
        for at, (machine, state) in enumerate(BETWEEN_STATES):
            blows = [*sorted(GLOBAL, key=lambda blow: blow.value), *[Blow.ATTEMPT] * (state == "candidate-stored")]
            strikes.append(Strike(len(strikes), machine, blows[(turn + at) % len(blows)], state))
        # What nothing but settling can meet: a change that was sent and arrives when nobody expects it any more.
        machine = (ALTERNATING, SINGLE)[turn % 2]
        strikes.append(Strike(len(strikes), machine, Blow.ATTEMPT, "applying", "apply", "change", MUCH_LATER))
    return rng.sample(strikes, len(strikes))


def _quick_cycle(rng: random.Random, length: int) -> list[Blow]:
    """Each blow once, and then those that cost the least."""
    cheap = [Blow.CUT_BEFORE, Blow.CUT_AFTER, Blow.HALF_OPEN]
    cycle = [*Blow, *(cheap[at % len(cheap)] for at in range(length - len(Blow)))]
    return rng.sample(cycle, len(cycle))


def _machine(method: str, message: str, turn: int) -> str:
    if message == "admin-option":
        return ""
    if (method, message) in ALTERNATING_ONLY:
        return ALTERNATING
    return (SINGLE, ALTERNATING)[turn % 2]


def _state(method: str, machine: str, in_doubt: str) -> str:
    known = {"apply": "applying", "verify": "verifying", "idle": "check-idle", "restore": "rolling-back"}
    if method == "prepare":
        return "check-idle" if machine == ALTERNATING else "idle"
    if method == "probe" and machine == ALTERNATING:
        return "resolving"  # on the way back the other login is served, and this one need not be tried
    return known.get(method) or in_doubt


def _late(rng: random.Random, blow: Blow, workers: int) -> str:
    """An attempt that lives on would wait for a lost message until its deadline: only where it dies may one be lost."""
    dies = blow in (Blow.ATTEMPT, Blow.HOST, Blow.WHOLE) or (blow is Blow.WORKER and workers == 1)
    drawn = rng.choice(LATE)
    return drawn if dies else "late"


def shares(plan: Sequence[Strike]) -> tuple[list[Strike], list[Strike]]:
    """Two thirds of a plan for a daemon with one worker, the rest for one with two."""
    one = [strike for at, strike in enumerate(plan) if at % 3 < 2]
    return one, [strike for at, strike in enumerate(plan) if at % 3 == 2]


def split(plan: Sequence[Strike]) -> tuple[list[Strike], list[Strike]]:
    """Those that can be made on both secrets at once, and those that must be made alone."""
    here = [one for one in plan if one.blow not in GLOBAL]
    return here, [one for one in plan if one.blow in GLOBAL]
