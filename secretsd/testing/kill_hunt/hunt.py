"""The hunt itself: a daemon, a load, a plan of kills, and everything looked at in the end."""

import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from secretsd.testing.daemon import WATCHERS, Daemon
from secretsd.testing.kill_hunt import files
from secretsd.testing.kill_hunt.caller import Caller
from secretsd.testing.kill_hunt.journal import Journal
from secretsd.testing.kill_hunt.load import LoadThread
from secretsd.testing.kill_hunt.owner import Owner
from secretsd.testing.kill_hunt.plan import Kind, Strike, draw
from secretsd.testing.kill_hunt.report import Report
from secretsd.testing.kill_hunt.secret_owner import Values
from secretsd.testing.kill_hunt.service import Service
from secretsd.testing.kill_hunt.strikes import MISSED, Hit, Striker
from secretsd.testing.kill_hunt.trail import Trail
from secretsd.testing.kill_hunt.victims import Victims

LOAD_THREADS = 4
LOOK_EVERY = 10


def hunt(
    state_dir: Path,
    *,
    kills: int,
    seed: int,
    workers: int = 1,
    pause_seconds: float = 0.6,
    settings: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Run a hunt in a state directory that does not exist yet; other uids must be able to pass through its parent.

    `pause_seconds` lie between service and the next kill. RuntimeError when the daemon does not come back at all.
    """
    begun = time.monotonic()
    daemon = Daemon(state_dir, settings={**(settings or {}), "workers": workers})
    daemon.start()
    try:
        one = _Hunt(daemon, seed)
        try:
            one.set_up()
            one.kill(draw(kills, seed), pause_seconds, tell)
            tell("all kills are made; looking at everything")
            one.look_at_everything()
        finally:
            one.close()
    finally:
        status = daemon.stop()
    if status != 0:
        one.journal.finding(f"the daemon ended with exit status {status}")
    stored = files.check(state_dir / "storage", one.trail.events, one.journal)
    unanswered = [entry for entry in one.journal.entries if not entry.request_id]
    return Report(
        seed,
        workers,
        time.monotonic() - begun,
        one.hits,
        one.missed,
        len(one.journal.entries),
        len(unanswered),
        sum(entry.stored is True for entry in unanswered),
        stored,
        one.journal.findings,
    )


class _Hunt:
    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.journal = Journal()
        self.hits: list[Hit] = []
        self.missed = 0
        rng = random.Random(seed)  # noqa: S311  # a hunt comes again from its seed, as far as the machine allows
        found = daemon.events(limit=1, operation="InitialiseAccount")
        account = str(found[0]["accounts"][1])
        key = next(key for key in daemon.call("GET", "/v1/keys").body["keys"] if key["owner"] == "service")
        values = Values(key["id"])
        self._callers = [Caller(daemon, self.journal, watchers=WATCHERS) for _ in range(3)]
        striking, looking, probing = self._callers
        self.trail = Trail(looking, account)
        self._service = Service(probing, rng, account, values)
        self._striker = Striker(striking, rng, account, values, Victims(daemon, rng), self._service)
        self._load = [LoadThread(daemon, self.journal, seed, number, account, values) for number in range(LOAD_THREADS)]

    def set_up(self) -> None:
        """Everything that the kills need, and the load."""
        self.trail.begin()
        self._service.wait()
        self._striker.rotations.set_up()
        for thread in self._load:
            thread.start()

    def kill(self, plan: list[Strike], pause_seconds: float, tell: Callable[[str], None]) -> None:
        """Walk through the plan. Where a rotation was faster than its kill, what was hit instead counts, and another
        kill is made.
        """
        waiting = list(plan)
        again = len(plan) // 4
        while waiting:
            strike = waiting.pop(0)
            hit = self._striker.strike(strike)
            if hit is None:
                self.missed += 1
            else:
                self.hits.append(hit)
            if again and (hit is None or hit.kind is not strike.kind or hit.moment == MISSED):
                again -= 1
                waiting.append(strike)
            if hit is not None:
                tell(
                    f"{len(self.hits):4} {hit.kind.value}, {hit.victim.value} killed {hit.moment},"
                    f" served again after {hit.back_seconds:.3f} s, findings {len(self.journal.findings)}"
                )
            if len(self.hits) % LOOK_EVERY == 0:
                self.trail.look()
            time.sleep(pause_seconds)

    def look_at_everything(self) -> None:
        """Stop the load, let the rotations end, and hold everything against what was answered."""
        for thread in self._load:
            thread.end()
        self._striker.rotations.finish()
        owners: list[Owner] = [self._service.owner, *self._striker.owners]
        for thread in self._load:
            owners += thread.owners
        for owner in owners:
            owner.verify(wholly=True)
            if owner.state.get("deletion_ms") is not None:
                owner.act(Kind.READ)  # takes it back out of its window, so that its values can be looked at
                owner.verify(wholly=True)
        self.trail.settle()

    def close(self) -> None:
        """End the load, where that was not done, and let go of all connections."""
        for thread in self._load:
            if thread.is_alive():
                thread.end()
            thread.close()
        for caller in self._callers:
            caller.close()
