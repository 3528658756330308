"""The rotation kill hunt: a site, a plan, blows on both secrets at once and on all of it, and everything looked at."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from secretsd.testing.kill_hunt.caller import now_ms
from secretsd.testing.rotation_hunt.aftermath import SERVED_BAR_SECONDS, Aftermath
from secretsd.testing.rotation_hunt.blows import Killer
from secretsd.testing.rotation_hunt.ledger import Ledger
from secretsd.testing.rotation_hunt.plan import ALTERNATING, SINGLE, Strike, split
from secretsd.testing.rotation_hunt.report import Report
from secretsd.testing.rotation_hunt.site import CREATEROLE, Site, site
from secretsd.testing.rotation_hunt.striker import Hit, Striker

LOOK_SECONDS = 2.0
LOOK_EVERY = 5
LOG_LINES = 30
Tell = Callable[[str], None]


def hunt(
    state_dir: Path,
    plan: Sequence[Strike],
    *,
    seed: int,
    workers: int = 1,
    bar_seconds: float = SERVED_BAR_SECONDS,
    tell: Tell = lambda line: None,
    afterwards: Callable[[Site], None] = lambda site: None,
) -> Report:
    """Make the plan's strikes in a state directory that does not exist yet; other uids must be able to get there.

    `bar_seconds` is how soon a served credential must work after a restart. `afterwards` may do what it wants to what
    still runs; what is found meanwhile is not in the report.
    """
    ledger = Ledger()
    with site(state_dir, workers=workers, ledger=ledger) as one:
        one.set_up()
        begun = time.monotonic()
        running = _Hunt(one, seed, bar_seconds, tell)
        here, alone = split([_placed(one, strike) for strike in plan])
        running.both_at_once(here)
        running.one_by_one(alone)
        running.finish()
        seconds = time.monotonic() - begun
        applications = {place.machine: place.application for place in one.places.values()}
        strangers = {name for place in one.places.values() for name in place.proxy.course.strangers}
        if strangers:
            ledger.finding(f"the rotator sent messages that the plan does not know: {sorted(strangers)}")
        found = len(ledger.findings)
        log = "\n".join(one.daemon.log.read_text(errors="replace").splitlines()[-LOG_LINES:]) if found else ""
        afterwards(one)
        noticed = len(ledger.findings)
    return Report(
        seed=seed,
        workers=workers,
        seconds=seconds,
        hits=running.hits,
        missed=running.missed,
        requests=ledger.requests,
        unanswered=ledger.unanswered,
        events=one.events.found,
        applications={
            name: (app.logins, app.reread, app.failed, app.longest_gap_seconds) for name, app in applications.items()
        },
        notes=dict(ledger.notes),
        findings=[*ledger.findings[:found], *ledger.findings[noticed:]],
        log=log,
    )


def _placed(one: Site, strike: Strike) -> Strike:
    """The strike with its machine, where the plan left that to the administrators of this site."""
    if strike.machine:
        return strike
    machine = next(place.machine for place in one.places.values() if place.admin == CREATEROLE)
    return replace(strike, machine=machine, state="idle" if machine == SINGLE else "check-idle")


class _Hunt:
    def __init__(self, one: Site, seed: int, bar_seconds: float, tell: Tell) -> None:
        self.hits: list[Hit] = []
        self.missed: list[Strike] = []
        self._site = one
        self._tell = tell
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []
        self._strikers: dict[str, Striker] = {}
        self._aftermaths = {machine: Aftermath(one, place, bar_seconds) for machine, place in one.places.items()}
        for machine, place in one.places.items():
            rng = random.Random(f"{seed} {machine}")  # noqa: S311  # a hunt comes again from its seed
            killer = Killer(one.daemon, one.server, rng)
            self._strikers[machine] = Striker(one, place, self._aftermaths, killer, rng)

    def both_at_once(self, strikes: Sequence[Strike]) -> None:
        """Blows that only one secret feels: a thread for each."""
        threads = [
            threading.Thread(target=self._walk, args=([one for one in strikes if one.machine == machine],))
            for machine in (SINGLE, ALTERNATING)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(LOOK_SECONDS)
                self._site.events.look()
        if self._failures:
            raise self._failures[0]

    def one_by_one(self, strikes: Sequence[Strike]) -> None:
        """Blows that both secrets feel."""
        for number, strike in enumerate(strikes):
            self._strike(strike)
            if number % LOOK_EVERY == LOOK_EVERY - 1:
                self._site.events.look()

    def finish(self) -> None:
        """One more rotation of each without a blow, then all events, and all that was ever sent to the server."""
        for place in self._site.places.values():
            self._aftermaths[place.machine].goes_on()
            place.application.end()
        for place in self._site.places.values():
            for sentence in place.verifiers.check_log():
                self._site.ledger.finding(f"{place.secret}: {sentence}")
        self._site.events.look()

    def _walk(self, strikes: Sequence[Strike]) -> None:
        try:
            for strike in strikes:
                self._strike(strike)
        except BaseException as error:  # noqa: BLE001  # told by the thread that waits
            self._failures.append(error)

    def _strike(self, strike: Strike) -> None:
        begun_ms = now_ms()
        striker = self._strikers[strike.machine]
        hit = striker.strike(strike)
        with self._lock:
            if hit is None:
                self.missed.append(strike)
                self._tell(f"     {strike}: not met, {striker.why}, at {begun_ms} ms")
                return
            self.hits.append(hit)
            self._tell(
                f"{len(self.hits):4} {strike}; served after {hit.served_seconds:.2f} s, {hit.result} after"
                f" {hit.end_seconds:.2f} s, at {begun_ms} ms, findings {len(self._site.ledger.findings)}"
            )
