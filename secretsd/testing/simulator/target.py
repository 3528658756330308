"""A target that accepts logins: one value a login, or several where old and new overlap. What it does may come late."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

LATE_SECONDS = 3.0
"""When an effect whose request was left alone comes by itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a login: values that it accepts from then on, or those that it accepts no longer."""

    login: str
    value: str
    taken_away: bool = False


@dataclass(slots=True)
class InFlight:
    """A request whose effect has not come yet. Settling it awaits the effect where `lands`, else ends it."""

    change: Change
    lands: bool
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class SimulatedTarget:
    """What is accepted, by login. `effects` and `proofs` count in one sequence, so that each tells what came first.

    `mark` is the highest epoch that has changed something here. `unsettled` says that the outcome of a request was not
    answered and nobody settled it since. `refused` counts refused logins in a row, by login.
    """

    overlapping: bool = False
    open_to_all: bool = False
    accepts: dict[str, frozenset[str]] = field(default_factory=dict)
    mark: int = 0
    unsettled: bool = False
    in_flight: list[InFlight] = field(default_factory=list)
    sessions_ended: int = 0
    """How often settling has ended the sessions of earlier attempts; one of before gets no effect any more."""
    moment: int = 0
    last_effect: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    last_proof: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    most_refused: int = 0
    on_effect: Callable[[], None] = lambda: None

    def works(self, login: str, value: str) -> bool:
        """Whether a login with that value would work now; nobody logs in for that."""
        return self.open_to_all or value in self.accepts.get(login, frozenset())

    def log_in(self, login: str, value: str) -> bool:
        """Log in, which the target counts."""
        if self.works(login, value):
            self.refused[login] = 0
            return True
        self.refused[login] += 1
        self.most_refused = max(self.most_refused, self.refused[login])
        return False

    def prove(self, login: str, value: str) -> bool:
        """Log in to prove the value; a success is remembered with its moment."""
        worked = self.log_in(login, value)
        if worked:
            self.moment += 1
            self.last_proof[login, value] = self.moment
        return worked

    def proved_since_last_effect(self, login: str, value: str) -> bool:
        """Whether that login was proved with that value after everything that happened to it."""
        return self.last_proof[login, value] > self.last_effect[login]

    def take(self, change: Change) -> None:
        """The effect itself."""
        if self.open_to_all:
            return
        held = self.accepts.get(change.login, frozenset())
        if change.taken_away:
            after = held - {change.value}
        else:
            after = held | {change.value} if self.overlapping else frozenset({change.value})
        if after != held:
            self.accepts[change.login] = after
            self.moment += 1
            self.last_effect[change.login] = self.moment
        self.on_effect()

    def take_later(self, change: Change, lands: bool) -> None:
        """The effect comes later: by itself after some seconds, or when it is settled."""
        waiting = InFlight(change, lands)
        waiting.timer = asyncio.get_running_loop().call_later(LATE_SECONDS, self._land, waiting)
        self.in_flight.append(waiting)

    def settle(self) -> None:
        """Nothing is in flight afterwards, and nothing that was comes any more."""
        for waiting in list(self.in_flight):
            if waiting.lands:
                self._land(waiting)
            else:
                self._end(waiting)
        self.unsettled = False
        self.sessions_ended += 1

    def restore(self, older: dict[str, frozenset[str]]) -> None:
        """What a backup of the target brings back."""
        self.accepts = dict(older)
        self.moment += 1
        for login in older:
            self.last_effect[login] = self.moment
        self.on_effect()

    def copy(self) -> "SimulatedTarget":
        """The same target, to be led into another future; nothing may be in flight."""
        return replace(
            self,
            accepts=dict(self.accepts),
            in_flight=[],
            last_effect=defaultdict(int, self.last_effect),
            last_proof=defaultdict(int, self.last_proof),
            refused=defaultdict(int),
            most_refused=0,
            on_effect=lambda: None,
        )

    def _land(self, waiting: InFlight) -> None:
        if waiting in self.in_flight:
            self._end(waiting)
            self.take(waiting.change)

    def _end(self, waiting: InFlight) -> None:
        self.in_flight.remove(waiting)
        if waiting.timer is not None:
            waiting.timer.cancel()
