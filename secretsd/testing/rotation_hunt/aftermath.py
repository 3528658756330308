"""Holds what is left after a blow against what must be."""

import time

from secretsd.testing.rotation_hunt.application import log_in
from secretsd.testing.rotation_hunt.plan import HANGING, Blow, Strike
from secretsd.testing.rotation_hunt.site import Place, Site
from secretsd.testing.rotation_hunt.stored import Entry

END_SECONDS = 75.0
SERVED_BAR_SECONDS = 5.0
SERVED_AT_LAST_SECONDS = 40.0
HANGING_BAR_SECONDS = 20.0
RESUMES = 5
SHOWN_ENTRIES = 14


class Aftermath:
    """One secret's. `bar_seconds` is how soon a served credential must log in."""

    def __init__(self, site: Site, place: Place, bar_seconds: float) -> None:
        self._site = site
        self._place = place
        self._bar_seconds = bar_seconds
        self._since = -1

    def begin(self) -> None:
        """From now on the history is looked at."""
        self._since = self._place.stored.standing().steps - 1

    def finding(self, strike: Strike, sentence: str) -> None:
        """Tell what is wrong with all that is needed to see it again."""
        history = "; ".join(map(str, self._place.stored.history(self._since)[-SHOWN_ENTRIES:]))
        standing = self._place.stored.standing()
        self._site.ledger.finding(
            f"{strike}: {sentence}. Stands at {standing.state} ({standing.reason or '-'}), due {standing.due_ms}."
            f" History: {history}"
        )

    def served(self, strike: Strike, back: float) -> float:
        """Seconds until the served credential logs in, from a monotonic moment on."""
        place = self._place
        hangs = strike.blow in HANGING
        bar = HANGING_BAR_SECONDS if hangs else self._bar_seconds
        told = "nothing was served"
        while True:
            found = place.fetcher.fetch()
            if found is not None:
                told = log_in(self._site.server.port, found)
                if not told:
                    break
                told += f" with {found!r}{', unproved' * found.unproved}"
            if time.monotonic() - back > SERVED_AT_LAST_SECONDS:
                self.finding(strike, f"{place.secret} had no working credential for long: {told}")
                return time.monotonic() - back
        seconds = time.monotonic() - back
        if seconds > bar:
            self.finding(strike, f"{place.secret} had no working credential for {seconds:.1f} s: {told}")
        return seconds

    def ends(self, strike: Strike) -> None:
        """The rotation comes to its end within bounded time."""
        if not self._place.ends(END_SECONDS):
            self.finding(strike, f"the rotation of secret {self._place.secret} does not end in {END_SECONDS:g} s")

    def sound(self, strike: Strike) -> None:
        """At rest: the login is on one of the versions, as it always was, and what is served works."""
        for sentence in self._place.verifiers.check():
            self.finding(strike, sentence)
        found = self._place.fetcher.fetch()
        outcome = "not served" if found is None else log_in(self._site.server.port, found)
        if outcome:
            self.finding(strike, f"after its end the served credential of {self._place.secret} is {outcome}")

    def result(self, strike: Strike) -> str:
        """How the last run since then ended; each one that began and is over must say how."""
        entries = self._place.stored.history(self._since)
        before = self._place.stored.history(self._since - 1)[:1]
        runs: dict[int, list[Entry]] = {}
        for entry in entries:
            if not before or entry.run > before[0].run:  # failures before a candidate are told under the run before
                runs.setdefault(entry.run, []).append(entry)
        for run, told in runs.items():
            if all(entry.result == "none" for entry in told) and self._place.stored.standing().ended:
                self.finding(strike, f"run {run} has ended and its history does not say how")
        results = [entry.result for entry in entries if entry.result != "none"]
        result = results[-1] if results else "nothing begun"
        if result == "quarantined" and strike.state != "quarantined":
            self.finding(strike, "one fault was enough to need a person")
        return result

    def resumed(self, strike: Strike) -> bool:
        """As a person would: take a quarantined rotation up again."""
        for _ in range(RESUMES):
            answered = self._place.ask("ResumeRotation", "resume-rotation")
            ended = answered in ("", "unanswered") and self._place.ends(END_SECONDS)
            if ended and self._place.stored.standing().state != "quarantined":
                return True
        self.finding(strike, "a resumed rotation does not end")
        return False

    def goes_on(self) -> None:
        """After all blows it rotates once more, by itself, to a good end."""
        place = self._place
        last = Strike(-1, place.machine, Blow.CUT_BEFORE, "idle")
        place.proxy.heal()
        if place.stored.standing().state == "quarantined":
            self.resumed(last)
        self.begin()
        if not place.rotate() or not place.ends(END_SECONDS) or self.result(last) != "done":
            self.finding(last, "after the last blow no rotation ends well")
        self.sound(last)
