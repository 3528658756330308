"""Strikes one secret's rotation at the wanted moment, and has a look at what became of it afterwards."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from secretsd.testing.rotation_hunt.aftermath import END_SECONDS, Aftermath
from secretsd.testing.rotation_hunt.blows import Killer
from secretsd.testing.rotation_hunt.moments import Met, Moments, NotMet
from secretsd.testing.rotation_hunt.plan import GLOBAL, MUCH_LATER, Strike
from secretsd.testing.rotation_hunt.points import Passage
from secretsd.testing.rotation_hunt.site import Place, Site

TRIES = 2
ARRIVAL_SECONDS = 0.2
TRIES_AT_GOODBYE = 12
"""Whoever says goodbye ends by itself, and every other time before the blow falls."""
TRIES_BETWEEN = 20
"""A state in which nothing is sent may be over within a millisecond or two; then the rotation is simply let go on."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A blow that fell. `states` are the stored ones of all machines that felt it; `passage` is the message, if any.

    `served_seconds` is the time until the served credential logged in, counted from when what was killed was back.
    `end_seconds` is how long the rotation took to come to its end.
    """

    strike: Strike
    states: tuple[tuple[str, str], ...]
    passage: Passage | None
    served_seconds: float
    end_seconds: float
    result: str


class Striker:
    """One secret's. `why` says why the last moment was not met."""

    def __init__(
        self, site: Site, place: Place, aftermaths: Mapping[str, Aftermath], killer: Killer, rng: random.Random
    ) -> None:
        self.why = ""
        self._place = place
        self._rng = rng
        self._others = [one for one in site.places.values() if one is not place]
        self._aftermath = aftermaths[place.machine]
        self._all = [self._aftermath, *(aftermaths[one.machine] for one in self._others)]
        self._moments = Moments(site, place, self._others, killer, rng)

    def strike(self, strike: Strike) -> Hit | None:
        """Make the strike and look at what is left; None when the moment could not be met."""
        tries = TRIES_AT_GOODBYE if strike.message == "terminate" else TRIES
        for _ in range(tries if strike.method else TRIES_BETWEEN):
            try:
                return self._once(strike)
            except NotMet as missed:
                self.why = str(missed)
        return None

    def _once(self, strike: Strike) -> Hit:
        place = self._place
        before = place.stored.standing()
        if not before.ended and not place.ends(END_SECONDS):
            self._aftermath.finding(strike, "an earlier rotation does not end")
            raise NotMet("an earlier rotation does not end")
        place.proxy.heal()
        if place.stored.standing().state == "quarantined" and not self._aftermath.resumed(strike):
            raise NotMet("it stays quarantined")
        for looked_at in self._all:
            looked_at.begin()
        along = [one for one in self._others if strike.blow in GLOBAL and self._rng.random() < 0.5]
        try:
            for one in along:
                one.rotate()
            met = self._moments.at_message(strike) if strike.method else self._moments.between(strike)
            return self._looked_at(strike, met)
        finally:
            place.proxy.disarm()
            place.proxy.resume()

    def _looked_at(self, strike: Strike, met: Met) -> Hit:
        felt = self._all if strike.blow in GLOBAL else self._all[:1]
        served = max(one.served(strike, met.back) for one in felt)
        for one in felt:
            one.ends(strike)
        ended = time.monotonic() - met.begun
        if strike.late == MUCH_LATER and strike.method:
            self._place.rotate()
            self._aftermath.ends(strike)
            self._place.proxy.resume()  # what the killed process had sent arrives at what is left of its session
            time.sleep(ARRIVAL_SECONDS)
        for one in felt:
            one.sound(strike)
        return Hit(strike, met.states, met.passage, served, ended, self._aftermath.result(strike))
