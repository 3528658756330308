"""Leads one secret's rotation to the wanted moment, and lets the blow fall there."""

import contextlib
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from secretsd.testing.cutting_proxy import Fault
from secretsd.testing.rotation_hunt.blows import Killer
from secretsd.testing.rotation_hunt.plan import CONNECTION, GLOBAL, IN_DOUBT, MUCH_LATER, Blow, Strike
from secretsd.testing.rotation_hunt.points import Passage
from secretsd.testing.rotation_hunt.site import Place, Site

MOMENT_SECONDS = 25.0
"""How long a moment is waited for; a rotation that retries comes by within that."""
TURN_SECONDS = 0.0003
"""How long the workers go on between two looks at them: far less than they need from an order to its first step."""
CHANGES_THAT_FAIL = 5
"""So many changes in a row that surely did not arrive quarantine a rotation."""
LATEST_SECONDS = 0.3
CHANGE = ("apply", "change")
_FAULTS = {"late": Fault.PAUSE, MUCH_LATER: Fault.PAUSE, "lost": Fault.BLACK_HOLE, "before": Fault.REPLY_LOST}


class NotMet(Exception):
    """The moment did not come, or was over too soon."""


@dataclass(frozen=True, slots=True)
class Met:
    """Where and when the blow fell, in monotonic seconds; `back` is when what was killed began to come back."""

    passage: Passage | None
    states: tuple[tuple[str, str], ...]
    begun: float
    back: float


class Moments:
    """One secret's. `others` are the other places, which feel it too when a process is killed."""

    def __init__(self, site: Site, place: Place, others: list[Place], killer: Killer, rng: random.Random) -> None:
        self._site = site
        self._place = place
        self._others = others
        self._killer = killer
        self._rng = rng

    def at_message(self, strike: Strike) -> Met:
        """Lead the rotation to the message, and let the blow fall there."""
        place, proxy = self._place, self._place.proxy
        fault = CONNECTION.get(strike.blow) or _FAULTS[strike.late]

        def wanted(passage: Passage) -> bool:
            # When the last message passes by, the next state may be stored already.
            there = passage.state == strike.state or passage.message == "terminate"
            return there and passage.point == (strike.method, strike.message)

        if strike.state in IN_DOUBT:
            back = strike.state == "rolling-back"
            # Of two logins one is probed, and only one that is let in says goodbye: the change has to arrive for that.
            goodbye = (strike.method, strike.message) == ("probe", "terminate")
            lost = [Fault.CUT_AFTER] if goodbye else [Fault.CUT_BEFORE, Fault.CUT_AFTER]
            if not self._changing(Fault.PAUSE if back else self._rng.choice(lost)):
                raise NotMet("the change did not come by")
            if back and (kind := place.ask("CancelRotateSecret", "cancel-rotation")):
                raise NotMet(f"cancelling it gave {kind}")
            if back:
                proxy.resume()  # before the next one is armed, which may have to hold its own message
            proxy.strike(fault, wanted)
        else:
            proxy.strike(fault, wanted)
            place.rotate()
        if proxy.wait_for_strike(MOMENT_SECONDS) is None or proxy.hit is None:
            raise NotMet("the message did not come by")
        return self._fallen(strike, proxy.hit)

    def between(self, strike: Strike) -> Met:
        """Lead the rotation to a state in which it sends nothing, and let the blow fall while the workers stand."""
        place, workers = self._place, self._killer.workers()
        if strike.state == "quarantined":
            for at in range(CHANGES_THAT_FAIL):
                if not self._changing(Fault.CUT_BEFORE, start=at == 0):
                    raise NotMet("the change did not come by")
        elif strike.state == "idle":
            return self._just_due(strike)
        elif kind := place.ask("RotateSecret", "rotate"):
            raise NotMet(f"rotating it gave {kind}")
        deadline = time.monotonic() + MOMENT_SECONDS
        while (standing := place.stored.standing()).state != strike.state:
            if time.monotonic() > deadline or (standing.ended and strike.state != "quarantined"):
                raise NotMet(f"it was at {standing.state}")
        return self._fallen(strike, None, workers)

    def _just_due(self, strike: Strike) -> Met:
        """Let the blow fall when the order to rotate is stored and nothing has begun.

        The answer would come too late, and so would a look at what runs on: the workers take one short turn after the
        other, and are looked at while they stand.
        """
        place, workers = self._place, self._killer.workers()
        with ThreadPoolExecutor(1) as asking, contextlib.ExitStack() as stopped:
            asked = asking.submit(place.ask, "RotateSecret", "rotate")
            while True:
                last = asked.done()
                stopped.enter_context(self._killer.stopped(workers))
                if place.stored.standing().due_ms is not None:
                    return self._fallen(strike, None, workers)
                if last:
                    raise NotMet(f"rotating it gave {asked.result() or 'nothing that is due'}")
                stopped.close()
                time.sleep(TURN_SECONDS)

    def _changing(self, fault: Fault, *, start: bool = True) -> bool:
        """Strike at the change itself, to lead the rotation where it is wanted."""
        self._place.proxy.strike(fault, lambda passage: passage.point == CHANGE)
        if start:
            self._place.rotate()
        return self._place.proxy.wait_for_strike(MOMENT_SECONDS) is not None

    def _fallen(self, strike: Strike, passage: Passage | None, workers: Sequence[int] = ()) -> Met:
        """What fell where. A process is killed while the workers stand still, so that the states are those it met.

        Whoever has a short moment to meet has looked for the workers before.
        """
        place = self._place
        begun = time.monotonic()
        if strike.blow in CONNECTION:
            return Met(passage, ((place.machine, passage.state if passage else ""),), begun, begun)
        with self._killer.stopped(workers):
            felt = [place, *(self._others if strike.blow in GLOBAL else ())]
            states = tuple((one.machine, one.stored.state()) for one in felt)
            if states[0][1] != strike.state and not (passage and passage.message == "terminate"):
                raise NotMet(f"it was at {states[0][1]} by then")
            if strike.blow is Blow.POSTGRES:
                for one in self._site.places.values():
                    one.application.server_down.begin()
            if not self._killer.kill(strike.blow, place.proxy.port):
                raise NotMet("there was nothing to kill")
        if strike.late == "late" and passage is not None:
            if strike.blow is not Blow.POSTGRES:
                time.sleep(self._rng.uniform(0.0, LATEST_SECONDS))
            place.proxy.resume()
        back = self._killer.revive(strike.blow)
        if strike.blow is Blow.WHOLE:
            for one in self._site.places.values():
                one.stored.close()
        if strike.blow is Blow.POSTGRES:
            for one in self._site.places.values():
                one.application.server_down.end(0.5)
        return Met(passage, states, begun, back)
