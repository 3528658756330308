"""Kills exactly the process that is meant, and brings the whole daemon back where it was that."""

import contextlib
import os
import random
import signal
import time
from pathlib import Path

from secretsd.testing.daemon import Daemon
from secretsd.testing.kill_hunt.plan import Victim

ROLES = {Victim.WORKER: "worker", Victim.KEYSTORE: "keystore", Victim.ROTATOR_HOST: "rotator"}
ATTEMPT_SECONDS = 2.0


class Victims:
    """The daemon's processes. Their pids are looked up ahead, so that nothing stands between the moment and the kill.

    A process is killed by its pidfd: a pid could have been given to somebody else in the meantime.
    """

    def __init__(self, daemon: Daemon, rng: random.Random) -> None:
        self._daemon = daemon
        self._rng = rng
        self._aimed: int | None = None

    def aim(self, victim: Victim) -> bool:
        """Choose the process; False when there is none of the kind now. An attempt is waited for a little."""
        self.rest()
        if victim is Victim.WHOLE:
            return True
        if victim is Victim.ATTEMPT:
            deadline = time.monotonic() + ATTEMPT_SECONDS
            while not (pids := self.attempts()) and time.monotonic() < deadline:
                time.sleep(0.0005)
        else:
            pids = self._daemon.children(ROLES[victim])
        if pids:
            with contextlib.suppress(ProcessLookupError):
                self._aimed = os.pidfd_open(self._rng.choice(pids))
        return self._aimed is not None

    def kill(self, victim: Victim) -> bool:
        """kill -9 what was aimed at; False when it has ended by itself before."""
        if victim is Victim.WHOLE:
            os.kill(self._daemon.pid, signal.SIGKILL)
            return True
        if self._aimed is None or _ended(self._aimed):
            return False
        signal.pidfd_send_signal(self._aimed, signal.SIGKILL)
        return True

    def rest(self) -> None:
        """Aim at nothing."""
        if self._aimed is not None:
            os.close(self._aimed)
            self._aimed = None

    def revive(self, victim: Victim) -> None:
        """Start the whole daemon again where it was killed; whatever else died is the supervisor's business."""
        if victim is Victim.WHOLE:
            self._daemon.kill()
            self._daemon.start()

    def attempts(self) -> list[int]:
        """The pids of the rotators' attempts that are alive."""
        found = []
        for host in self._daemon.children("rotator"):
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in Path(f"/proc/{host}/task/{host}/children").read_text().split()]
        return found


def _ended(pidfd: int) -> bool:
    """Whether the process has ended; one that nobody has waited for yet still takes signals, to no effect."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pid":
            with contextlib.suppress(OSError):
                state = Path(f"/proc/{int(value)}/stat").read_text().rpartition(")")[2].split()[0]
                return state in "ZX"
    return True
