"""Makes the blows that kill: exactly the process that is meant, and what was killed is started again."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from secretsd.testing.daemon import Daemon
from secretsd.testing.kill_hunt.plan import Victim
from secretsd.testing.kill_hunt.victims import Victims
from secretsd.testing.postgres import PostgresServer
from secretsd.testing.rotation_hunt.plan import Blow

_VICTIMS = {
    Blow.HOST: Victim.ROTATOR_HOST,
    Blow.KEYSTORE: Victim.KEYSTORE,
    Blow.WORKER: Victim.WORKER,
    Blow.WHOLE: Victim.WHOLE,
}
LONGEST_DOWN_SECONDS = 1.5
_ESTABLISHED = "01"


class Killer:
    """Kills processes of one daemon, and one server."""

    def __init__(self, daemon: Daemon, server: PostgresServer, rng: random.Random) -> None:
        self._daemon = daemon
        self._server = server
        self._rng = rng
        self._victims = Victims(daemon, rng)

    @contextlib.contextmanager
    def stopped(self, workers: Sequence[int] = ()) -> Iterator[None]:
        """The workers stand still within the block, as far as they are still there. To look for them takes a while."""
        workers = workers or self.workers()
        for pid in workers:
            _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                _signal(pid, signal.SIGCONT)

    def workers(self) -> list[int]:
        """Their pids."""
        return self._daemon.children("worker")

    def kill(self, blow: Blow, port: int) -> bool:
        """kill -9; False where there was nothing to kill. `port` is that of the proxy that leads to the target."""
        if blow is Blow.POSTGRES:
            self._server.kill9()
            return True
        if blow is Blow.ATTEMPT:
            return self._kill_attempt(port)
        victim = _VICTIMS[blow]
        try:
            return self._victims.aim(victim) and self._victims.kill(victim)
        finally:
            self._victims.rest()

    def revive(self, blow: Blow) -> float:
        """Start again what does not start by itself; the monotonic moment from which it is back.

        A server stays down for a moment or two, for it would not be back at once either.
        """
        if blow is Blow.POSTGRES:
            time.sleep(self._rng.uniform(0.0, LONGEST_DOWN_SECONDS))
            self._server.start()
        elif blow is Blow.WHOLE:
            begun = time.monotonic()
            self._victims.revive(Victim.WHOLE)
            return begun
        return time.monotonic()

    def _kill_attempt(self, port: int) -> bool:
        """The attempt that is connected to the port; any, where none is."""
        pids = self._victims.attempts()
        connected = _sockets_to(port)
        chosen = [pid for pid in pids if connected & _sockets_of(pid)] or pids
        return bool(chosen) and _signal(self._rng.choice(chosen), signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _sockets_to(port: int) -> set[str]:
    """The inodes of the sockets that are connected to a port of loopback."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = (line.split() for line in lines)
    return {row[9] for row in rows if row[3] == _ESTABLISHED and int(row[2].rpartition(":")[2], 16) == port}


def _sockets_of(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                name = os.readlink(entry)
                found.add(name.removeprefix("socket:[").removesuffix("]"))
    return found
