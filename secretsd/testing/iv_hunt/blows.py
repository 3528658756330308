"""Strikes the process that is meant at the moment that is meant, and brings the daemon back where it was that."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from secretsd.adapters.keystore_process.use_counts import BLOCK
from secretsd.testing.daemon import Daemon
from secretsd.testing.iv_hunt.counts import CountsWatch, stamp, wait_for_change
from secretsd.testing.iv_hunt.ledger import Ledger
from secretsd.testing.iv_hunt.load import ENCRYPT, LoadThread
from secretsd.testing.iv_hunt.plan import Blow, Moment, Strike
from secretsd.testing.kill_hunt.caller import Caller, Unanswered
from secretsd.testing.kill_hunt.journal import Request

_TRAP_SECONDS = 3.0
_START_SECONDS = 20.0
_LONGEST_DELAY_SECONDS = 0.2
_STOPPED_SECONDS = (0.05, 1.5)
_VICTIMS = {
    Blow.KILL_KEYSTORE: "keystore",
    Blow.STOP_KEYSTORE: "keystore",
    Blow.KILL_WORKER: "worker",
    Blow.STOP_WORKER: "worker",
}
_COUNTING = frozenset({Blow.KILL_KEYSTORE, Blow.STOP_KEYSTORE})
_STOPS = frozenset({Blow.STOP_KEYSTORE, Blow.STOP_WORKER})


class Striker:
    """Makes strikes. `counts` is the file of counts; what it held at earlier strikes is kept, to be put back.

    A newcomer is a key that was just made: what has to be reserved for its first use is what a trap waits for.
    """

    def __init__(
        self, daemon: Daemon, counts: Path, ledger: Ledger, watch: CountsWatch, probe: LoadThread, seed: int
    ) -> None:
        self._daemon, self._counts, self._ledger, self._watch = daemon, counts, ledger, watch
        self._probe, self._caller = probe, Caller(daemon, probe.journal)
        self._rng = random.Random(f"{seed} strikes")  # noqa: S311  # it has to come again from its seed
        self._older: list[bytes] = []
        self._new = self._interrupted = ""
        self.unused_blocks = 0
        self._newcomers: list[threading.Thread] = []

    def strike(self, strike: Strike) -> bool:
        """Make one; False where its moment could not be met. The daemon serves again only after `served`."""
        self._older.append(self._counts.read_bytes())
        if strike.blow is Blow.END_DAEMON:
            time.sleep(self._rng.uniform(0.0, _LONGEST_DELAY_SECONDS))
            self._end_in_order()
            return True
        if strike.moment is Moment.STARTING:
            return self._while_it_starts(strike.blow)
        victim = self._victim(strike.blow)
        if victim is None:
            return False
        number = signal.SIGSTOP if strike.blow in _STOPS else signal.SIGKILL
        if strike.moment is Moment.RESERVING:
            met = self._between(victim, number)
            self._interrupted = self._new if met and strike.blow in _COUNTING else ""
        else:
            time.sleep(self._rng.uniform(0.0, _LONGEST_DELAY_SECONDS))
            met = _send(victim, number)
        if strike.blow in _STOPS:
            time.sleep(self._rng.uniform(*_STOPPED_SECONDS))
            _send(victim, signal.SIGKILL)
        elif strike.blow in (Blow.KILL_DAEMON, Blow.OLDER_COUNTS, Blow.LOST_COUNTS):
            self._daemon.kill()
            self._tamper(strike.blow)
            self._daemon.start()
        return met

    def served(self, seconds: float = _START_SECONDS) -> None:
        """Return once ciphertexts are made again; RuntimeError where that takes longer."""
        while self._newcomers:
            self._newcomers.pop().join()
        deadline = time.monotonic() + seconds
        while not self._newcomer():
            if time.monotonic() > deadline:
                raise RuntimeError(f"cannot encrypt again within {seconds:g} s")
            time.sleep(0.01)
        if self._interrupted:
            self._ask_again(self._interrupted)
            self._interrupted = ""

    def close(self) -> None:
        """Let go of the connection."""
        self._caller.close()

    def _victim(self, blow: Blow) -> int | None:
        if blow not in _VICTIMS:
            return self._daemon.pid
        found = self._daemon.children(_VICTIMS[blow])
        return self._rng.choice(found) if found else None

    def _between(self, victim: int, number: signal.Signals) -> bool:
        """Let a trap strike as soon as the file of counts changes, and a newcomer ask for room in it."""
        with _trap(self._counts, number, victim) as struck:
            caller = threading.Thread(target=self._newcomer)
            caller.start()
            try:
                return struck()
            finally:
                self._newcomers.append(caller)

    def _newcomer(self) -> bool:
        """A key that was never used is used: the counts have to be written for it first."""
        try:
            made = self._caller.call(Request("CreateKey", "POST", "/v1/keys", "", {}))
        except Unanswered:
            return False
        if made.status != 200:
            return False
        self._new = made.body["id"]
        return self._probe.call(ENCRYPT, self._new)

    def _ask_again(self, key: str) -> None:
        """Where the blow fell before the first use of a key, there is a block for it that nobody used, and another."""
        if self._probe.call(ENCRYPT, key):
            self._watch.look()
            self.unused_blocks += self._ledger.bounds.get((key, 1), 0) > 2 * BLOCK

    def _while_it_starts(self, blow: Blow) -> bool:
        """Kill it, and once more as soon as it has taken up the counts."""
        if blow is Blow.KILL_KEYSTORE:
            first = self._victim(blow)
            before = stamp(self._counts)
            if first is None or not _send(first, signal.SIGKILL):
                return False
            inode = before[0]
            met = _wait(lambda: stamp(self._counts)[0] not in (0, inode), _START_SECONDS)
            others = [pid for pid in self._daemon.children("keystore") if pid != first]
            return met and bool(others) and _send(others[-1], signal.SIGKILL)
        self._daemon.kill()
        again_met: list[bool] = []
        before = stamp(self._counts)

        def again() -> None:
            if wait_for_change(self._counts, before, _START_SECONDS):
                again_met.append(_send(self._daemon.pid, signal.SIGKILL))

        thread = threading.Thread(target=again)
        thread.start()
        with contextlib.suppress(RuntimeError):
            self._daemon.start()
        thread.join()
        self._daemon.kill()
        self._daemon.start()
        return any(again_met)

    def _end_in_order(self) -> None:
        self._ledger.ending_in_order(True)
        status = self._daemon.stop()
        if status != 0:
            self._ledger.finding(f"the daemon ended with exit status {status}")
        self._watch.look()
        self._daemon.start()
        self._watch.look()
        self._ledger.ending_in_order(False)

    def _tamper(self, blow: Blow) -> None:
        self._watch.look()
        if blow in (Blow.LOST_COUNTS, Blow.OLDER_COUNTS):
            self._ledger.tampered()
        if blow is Blow.LOST_COUNTS:
            self._watch.replace(Path.unlink)
        elif blow is Blow.OLDER_COUNTS:
            older = self._rng.choice(self._older)
            self._watch.replace(lambda path: put_back(path, older))


def put_back(path: Path, older: bytes) -> None:
    """Let a file have an older content, and the same owner."""
    owner = path.stat()
    beside = path.with_name("older-counts")
    beside.write_bytes(older)
    beside.chmod(0o600)
    os.chown(beside, owner.st_uid, owner.st_gid)
    beside.rename(path)


@contextlib.contextmanager
def _trap(path: Path, number: signal.Signals, victim: int) -> Iterator[Callable[[], bool]]:
    command = [sys.executable, "-m", "secretsd.testing.iv_hunt.trap"]
    command += [str(path), str(int(number)), str(_TRAP_SECONDS), str(victim)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101  # a pipe was asked for
        said = process.stdout
        said.readline()
        yield lambda: said.readline() == "struck\n"


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _wait(met: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.0005)
    return True
