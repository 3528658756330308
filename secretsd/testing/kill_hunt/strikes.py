"""Makes one strike after the other: an operation is under way, a process dies, and what is left is looked at."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from secretsd.testing.kill_hunt.access_owner import AccessOwner, KeyRing
from secretsd.testing.kill_hunt.caller import Caller, now_ms
from secretsd.testing.kill_hunt.owner import Owner
from secretsd.testing.kill_hunt.plan import ROTATION_STATES, Kind, Strike, Victim
from secretsd.testing.kill_hunt.rotations import Rotations
from secretsd.testing.kill_hunt.secret_owner import SecretOwner, Values
from secretsd.testing.kill_hunt.service import Service
from secretsd.testing.kill_hunt.victims import Victims

TRIES = 60
LONGEST_DELAY_SECONDS = 0.003
LONGEST_STEP_SECONDS = 0.012
ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 0.1


IN_FLIGHT, ANSWERED, MISSED = "in flight", "after the answer", "in vain"


@dataclass(frozen=True, slots=True)
class Hit:
    """A kill that was made. `kind` is what it really hit; `back_seconds` from the kill to full service.

    `moment` is MISSED where the rotation that was meant had just ended: such a kill counts for no kind of operation.
    """

    kind: Kind
    victim: Victim
    moment: str
    back_seconds: float


class Striker:
    """The one thread that kills; its own secrets, user and keys are what the struck operations act on."""

    def __init__(
        self, caller: Caller, rng: random.Random, account: str, values: Values, victims: Victims, service: Service
    ) -> None:
        self._caller = caller
        self._rng = rng
        self._values = values
        self._victims = victims
        self._service = service
        self._latency: dict[str, float] = {}
        self._keys = KeyRing(caller, rng, account)
        self.rotations = Rotations(caller, account)
        access = AccessOwner(caller, rng, account, 0)
        self._updated = SecretOwner(caller, rng, account, values, "struck/update")
        others: Mapping[Kind, Owner] = {
            Kind.ACCESS: access,
            Kind.CREATE_KEY: self._keys,
            Kind.UPDATE: self._updated,
        }
        self._owners = {
            kind: others.get(kind) or SecretOwner(caller, rng, account, values, f"struck/{kind.name.lower()}")
            for kind in Kind
            if not kind.rotates
        }

    @property
    def owners(self) -> list[Owner]:
        """All whose things are to be verified in the end."""
        return list(self._owners.values())

    def strike(self, strike: Strike) -> Hit | None:
        """Make the strike, wait until all is served again, look; None when the moment could not be met."""
        for _ in range(TRIES):
            made = self._rotation(strike) if strike.kind.rotates else self._request(strike)
            self._victims.rest()
            if made is not None:
                return made
        return None

    def _request(self, strike: Strike) -> Hit | None:
        """Send, kill before the answer (or just after it), and only then read it."""
        owner = self._owners[strike.kind]
        act = owner.act(strike.kind)
        operation = act.request.operation
        # What checks a rotation's settings is an attempt itself, so there the request makes its own victim.
        checks = strike.victim is Victim.ATTEMPT and strike.kind is Kind.ROTATE
        if strike.victim is Victim.ATTEMPT and not checks and self.rotations.start() is None:
            time.sleep(PAUSE_SECONDS)
            return None
        if not checks and not self._victims.aim(strike.victim):
            return None
        usual = self._latency.get(operation, 0.001)
        delay = self._rng.uniform(0.0, min(LONGEST_DELAY_SECONDS, usual))
        back: list[float] = []
        taken: list[float] = []

        def under_way() -> None:
            begun = time.perf_counter()
            if checks and not self._victims.aim(strike.victim):
                return
            while time.perf_counter() - begun < (ANSWER_SECONDS if strike.answered else delay):
                if self._caller.answering():
                    taken.append(time.perf_counter() - begun)
                    break
                time.sleep(0)
            if self._caller.answering() is strike.answered:
                back.extend(self._kill(strike.victim))

        owner.do(act, under_way)
        if taken:
            self._latency[operation] = 0.7 * usual + 0.3 * taken[0]
        else:
            self._latency[operation] = 1.1 * usual
        if not back:
            return None
        owner.verify(wholly=False)
        if strike.kind is Kind.CREATE_KEY:
            self._use_newest_key()
        return Hit(strike.kind, strike.victim, ANSWERED if strike.answered else IN_FLIGHT, back[0])

    def _rotation(self, strike: Strike) -> Hit | None:
        """Start a rotation, kill when it is at the wanted state, and ask its events what state it really was."""
        attempt = strike.victim is Victim.ATTEMPT
        if not attempt and not self._victims.aim(strike.victim):
            return None
        started = self.rotations.start()
        if started is None or not self.rotations.reach(started, ROTATION_STATES[strike.kind]):
            time.sleep(PAUSE_SECONDS)
            return None
        if attempt and not self._victims.aim(strike.victim):
            return None
        if not attempt and strike.kind is not Kind.CANDIDATE_STORED:  # that one is over before a pause would be
            time.sleep(self._rng.uniform(0.0, LONGEST_STEP_SECONDS))
        killed_ms = now_ms()
        back = self._kill(strike.victim)
        if not back:
            return None
        state = self.rotations.found(started, strike.victim, killed_ms)
        for kind, name in ROTATION_STATES.items():
            if name == state:
                return Hit(kind, strike.victim, IN_FLIGHT, back[0])
        return Hit(strike.kind, strike.victim, MISSED, back[0])

    def _kill(self, victim: Victim) -> list[float]:
        """Kill and wait for full service: the seconds that it took, or nothing where the victim had ended before."""
        begun = time.monotonic()
        if not self._victims.kill(victim):
            return []
        self._victims.revive(victim)
        self._service.wait()
        return [time.monotonic() - begun]

    def _use_newest_key(self) -> None:
        """A key that is there must be of use: a secret is sealed under it, and so are others later on."""
        for key_id in (str(id) for id, _ in self._keys.state.values()):
            if key_id not in self._values.keys:
                self._values.keys.append(key_id)
                self._updated.surely(self._updated.under_key(key_id))
