"""What happens to whom, and when: drawn from a seed, each blow equally often, and its moments in turn."""

import random
from dataclasses import dataclass
from enum import Enum


class Blow(Enum):
    """What is done to the daemon."""

    KILL_KEYSTORE = "kill keystore process"
    KILL_WORKER = "kill worker"
    KILL_DAEMON = "kill daemon"
    STOP_KEYSTORE = "stop keystore process, then kill"
    STOP_WORKER = "stop worker, then kill"
    END_DAEMON = "end daemon in order"
    OLDER_COUNTS = "older counts put back"
    LOST_COUNTS = "counts lost"


class Moment(Enum):
    """When it is done. At `RESERVING` the file of counts has just changed, and what it is for is not yet done."""

    LOAD = "under load"
    RESERVING = "between reserving and use"
    STARTING = "while it starts"


MOMENTS = {
    Blow.KILL_KEYSTORE: tuple(Moment),
    Blow.KILL_WORKER: (Moment.LOAD, Moment.RESERVING),
    Blow.KILL_DAEMON: tuple(Moment),
    Blow.STOP_KEYSTORE: (Moment.LOAD, Moment.RESERVING),
    Blow.STOP_WORKER: (Moment.LOAD, Moment.RESERVING),
    Blow.END_DAEMON: (Moment.LOAD,),
    Blow.OLDER_COUNTS: (Moment.LOAD, Moment.RESERVING),
    Blow.LOST_COUNTS: (Moment.LOAD, Moment.RESERVING),
}
CELLS = [(blow, moment) for blow, moments in MOMENTS.items() for moment in moments]


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow to be made."""

    blow: Blow
    moment: Moment


def draw(strikes: int, seed: int) -> list[Strike]:
    """So many strikes in random order, shared out evenly over all blows with their moments."""
    rng = random.Random(seed)  # noqa: S311  # a plan, not a secret: it must come again from its seed
    order = rng.sample(CELLS, len(CELLS))
    drawn = [Strike(*order[number % len(order)]) for number in range(strikes)]
    return rng.sample(drawn, len(drawn))
