"""The load under which the hunt goes on: threads that each change what is theirs and read what is anybody's."""

import random
import threading
import time
from collections.abc import Sequence

from secretsd.testing.daemon import Daemon
from secretsd.testing.kill_hunt.access_owner import AccessOwner
from secretsd.testing.kill_hunt.caller import Caller
from secretsd.testing.kill_hunt.journal import Journal
from secretsd.testing.kill_hunt.owner import Owner
from secretsd.testing.kill_hunt.plan import Kind
from secretsd.testing.kill_hunt.secret_owner import SecretOwner, Values

SECRETS_A_THREAD = 3
WEIGHTS = {
    Kind.READ: 30,
    Kind.PUT: 15,
    Kind.BATCH_READ: 8,
    Kind.UPDATE: 8,
    Kind.MOVE_STAGE: 8,
    Kind.TAG: 8,
    Kind.ACCESS: 6,
    Kind.DELETE: 4,
    Kind.RESTORE: 4,
    Kind.CREATE: 4,
    Kind.ROTATE: 3,
}


class LoadThread(threading.Thread):
    """One client that never gives up. Odd ones come over TCP with the token, even ones over the Unix socket."""

    def __init__(self, daemon: Daemon, journal: Journal, seed: int, number: int, account: str, values: Values) -> None:
        super().__init__(name=f"load {number}", daemon=True)
        rng = random.Random(f"{seed} {number}")  # noqa: S311  # a load, not a secret: it comes again from its seed
        caller = Caller(daemon, journal, tcp=number % 2 == 1)
        secrets: Sequence[Owner] = [
            SecretOwner(caller, rng, account, values, f"load/{number}/{index}") for index in range(SECRETS_A_THREAD)
        ]
        self._access = AccessOwner(caller, rng, account, number + 1)
        self.owners: list[Owner] = [*secrets, self._access]
        self._secrets = secrets
        self._caller = caller
        self._rng = rng
        self._journal = journal
        self._ended = threading.Event()
        self._longest_pause_seconds = 0.04

    def run(self) -> None:
        """One act after the other, with pauses, until asked to end."""
        try:
            while not self._ended.is_set():
                (kind,) = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
                owner = self._access if kind is Kind.ACCESS else self._rng.choice(self._secrets)
                owner.do(owner.act(kind))
                time.sleep(self._rng.uniform(0.0, self._longest_pause_seconds))
        except Exception as error:  # noqa: BLE001  # whatever ends this thread ends the hunt's claim to have had a load
            self._journal.finding(f"{self.name} ended: {type(error).__name__}: {error}")

    def end(self) -> None:
        """Ask it to end, and wait; its things can still be verified."""
        self._ended.set()
        self.join()

    def close(self) -> None:
        """Let go of its connection."""
        self._caller.close()
