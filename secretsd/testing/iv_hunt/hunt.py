"""The hunt itself: a daemon under load, a plan of blows, and every IV and every count looked at."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from secretsd.adapters.keystore_process.data_directory import USES
from secretsd.testing.daemon import Daemon
from secretsd.testing.iv_hunt.blows import Striker
from secretsd.testing.iv_hunt.counts import CountsWatch
from secretsd.testing.iv_hunt.ledger import Ledger
from secretsd.testing.iv_hunt.load import LoadThread
from secretsd.testing.iv_hunt.plan import Strike
from secretsd.testing.iv_hunt.report import Report
from secretsd.testing.iv_hunt.stored import Stored

LOAD_THREADS = 4
_KEYS: Sequence[Mapping[str, Any]] = ({}, {"spec": "AES_192"}, {"spec": "AES_128"})
_LOOK_EVERY = 5


def hunt(
    state_dir: Path,
    *,
    plan: Sequence[Strike],
    seed: int,
    workers: int = 1,
    pause_seconds: float = 0.3,
    tell: Callable[[str], None] = lambda line: None,
) -> Report:
    """Run a hunt in a state directory that does not exist yet; other uids must be able to pass through its parent.

    `pause_seconds` lie between service and the next blow. RuntimeError when the daemon does not come back at all.
    """
    begun = time.monotonic()
    daemon = Daemon(state_dir, settings={"workers": workers})
    daemon.start()
    try:
        one = _Hunt(daemon, seed)
        try:
            one.strike(plan, pause_seconds, tell)
        finally:
            one.close()
        one.stored.look()
        one.ledger.look_at_all()
    finally:
        status = daemon.stop()
    if status != 0:
        one.ledger.finding(f"the daemon ended with exit status {status}")
    journals = [thread.journal for thread in one.threads]
    entries = [entry for journal in journals for entry in journal.entries]
    return Report(
        seed,
        workers,
        time.monotonic() - begun,
        one.hits,
        one.missed,
        one.ledger.ivs,
        len(one.ledger.made),
        one.ledger.purposes,
        one.watch.changes,
        one.striker.unused_blocks,
        max(one.ledger.bounds.values(), default=0),
        len(entries),
        sum(not entry.request_id for entry in entries),
        [*one.ledger.findings, *(sentence for journal in journals for sentence in journal.findings)],
    )


class _Hunt:
    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.hits: list[Strike] = []
        self.missed = 0
        counts = daemon.state_dir / "keystore" / USES
        self.ledger = Ledger(in_flight=LOAD_THREADS + 1)
        self.watch = CountsWatch(counts, self.ledger.counted)
        self.ledger.look = self.watch.look
        self.stored = Stored(daemon.state_dir / "storage", self.ledger)
        keys = [str(daemon.call("POST", "/v1/keys", body).body["id"]) for body in _KEYS]
        self.watch.look()
        self._load = [LoadThread(daemon, self.ledger, seed, number, keys) for number in range(LOAD_THREADS)]
        self._probe = LoadThread(daemon, self.ledger, seed, LOAD_THREADS, keys)
        self.threads = [*self._load, self._probe]
        self.striker = Striker(daemon, counts, self.ledger, self.watch, self._probe, seed)
        for thread in (self.watch, *self._load):
            thread.start()

    def strike(self, plan: Sequence[Strike], pause_seconds: float, tell: Callable[[str], None]) -> None:
        """Walk through the plan; a moment that could not be met is tried once more."""
        waiting = list(plan)
        again = len(plan) // 2
        while waiting:
            strike = waiting.pop(0)
            time.sleep(pause_seconds)
            if self.striker.strike(strike):
                self.hits.append(strike)
            else:
                self.missed += 1
                if again:
                    again -= 1
                    waiting.append(strike)
            begun = time.monotonic()
            self.striker.served()
            seconds = time.monotonic() - begun
            if len(self.hits) % _LOOK_EVERY == 0:
                self.stored.look()
            tell(
                f"{len(self.hits):4} {strike.blow.value}, {strike.moment.value}; encrypted again after {seconds:.3f} s,"
                f" IVs {self.ledger.ivs}, findings {len(self.ledger.findings)}"
            )

    def close(self) -> None:
        """End the load, and what watches the counts before the daemon ends in order."""
        for thread in self._load:
            thread.end()
        self.watch.end()
        for thread in self.threads:
            thread.close()
        self.striker.close()
