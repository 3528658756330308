"""One child as the supervisor sees it: starting, serving, waiting for its next start, or at its end."""

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from enum import Enum

from secretsd.supervisor.backoff import Backoff
from secretsd.supervisor.spawn import CONFIGURATION_FAULT, reap, spawn
from secretsd.supervisor.specification import ChildSpec

PING_SECONDS = 0.25
PING, PONG, READY = b"p", b"P", b"R"


class State(Enum):
    """Where a child is in its life."""

    WAITING = "waiting"
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"
    REFUSED = "refused"
    ENDED = "ended"


TRANSITIONS = {
    State.WAITING: frozenset({State.STARTING, State.WAITING, State.ENDED}),
    State.STARTING: frozenset({State.SERVING, State.WAITING, State.STOPPING, State.REFUSED}),
    State.SERVING: frozenset({State.WAITING, State.STOPPING, State.REFUSED}),
    State.STOPPING: frozenset({State.ENDED}),
    State.REFUSED: frozenset({State.ENDED}),
    State.ENDED: frozenset[State](),
}
RUNNING = frozenset({State.STARTING, State.SERVING, State.STOPPING})


class Child:
    """Owns the process, its pidfd and its control channel. Times are seconds of one monotonic clock.

    `pidfd` and `control` are there exactly while the process is; the supervisor's selector watches both.
    """

    def __init__(self, spec: ChildSpec, say: Callable[[str], None]) -> None:
        self.spec = spec
        self.state = State.WAITING
        self.pid = 0
        self.pidfd = -1
        self.control: socket.socket | None = None
        self.start_at = 0.0
        self.failures = 0
        self._say = say
        self._backoff = Backoff()
        self._since = 0.0
        self._next_ping = 0.0
        self._unanswered_since: float | None = None
        self._killed_for = ""

    def start(self, listening_fds: Sequence[int], now: float) -> None:
        """Start the process; when there is none to be had, wait as after a death."""
        try:
            self.pid, self.control = spawn(self.spec, listening_fds)
        except OSError as error:
            self._say(f"cannot start {self.spec.name}: {error.strerror or error}")
            self._wait(None, now)
            return
        self.pidfd = os.pidfd_open(self.pid)
        self._become(State.STARTING)
        self._since = now
        self._unanswered_since = None
        self._killed_for = ""

    def receive(self, now: float) -> None:
        """Read what the child says: that it is ready, or that it is alive."""
        if self.control is None:
            return
        try:
            data = self.control.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            # It is ending, and the pidfd is about to say so; one that only closed the channel cannot answer any more.
            self._close_control()
            if self._unanswered_since is None:
                self._unanswered_since = now
            return
        if READY in data and self.state is State.STARTING:
            self._become(State.SERVING)
            self._since = self._next_ping = now
        if PONG in data:
            self._unanswered_since = None

    def check(self, now: float, late: bool) -> None:
        """Ping, and kill what is too late. `late`: we did not run ourselves for a while, so nobody is to blame."""
        if self.state is State.STARTING:
            if late:
                self._since = now
            elif now - self._since > self.spec.start_seconds:
                self.kill(f"it was not ready within {self.spec.start_seconds:g} s")
        elif self.state is State.SERVING:
            if self._unanswered_since is not None:
                if late:
                    self._unanswered_since = now
                elif now - self._unanswered_since > self.spec.stall_seconds:
                    self.kill(f"it did not answer for {self.spec.stall_seconds:g} s")
            if now >= self._next_ping and self.control is not None:
                self._next_ping = now + PING_SECONDS
                with contextlib.suppress(OSError):  # full or broken: the missing answers or the pidfd will tell
                    self.control.send(PING)
                if self._unanswered_since is None:
                    self._unanswered_since = now

    def terminate(self) -> None:
        """Ask the process to end; one that waits for its start is at its end already."""
        if self.state in RUNNING:
            self._become(State.STOPPING)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)
        elif self.state is not State.ENDED:
            self._become(State.ENDED)

    def reload(self) -> None:
        """Tell a process that serves, and knows what to do then, to read its files again."""
        if self.spec.reloads and self.state is State.SERVING:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGHUP)

    def kill(self, reason: str) -> None:
        """End the process at once; once is enough, however often it is called before the process is reaped."""
        if self.state in RUNNING and not self._killed_for:
            self._killed_for = reason
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def reap(self, now: float) -> None:
        """Take the status of the process that has ended, and decide what is next."""
        status = reap(self.pid)
        os.close(self.pidfd)
        self.pidfd = -1
        self._close_control()
        served = now - self._since if self.state is State.SERVING else None
        name = f"{self.spec.name} (pid {self.pid})"
        if self.state is State.STOPPING:
            if self._killed_for:
                self._say(f"cannot end {name} politely: {self._killed_for}; it was killed")
            self._become(State.ENDED)
        elif status == CONFIGURATION_FAULT:
            self._say(f"cannot run {name}: its configuration is at fault, so it is not started again")
            self._become(State.REFUSED)
        else:
            self._wait(served, now)
            how = self._killed_for or (f"signal {status - 128}" if status > 128 else f"exit status {status}")
            when = f" in {self.start_at - now:g} s" if self.start_at > now else ""
            self._say(f"cannot keep {name} running: {how}; starting it again{when}")

    def deadline(self) -> float | None:
        """When `check` or `start` has work next, if ever by itself."""
        if self.state is State.WAITING:
            return self.start_at
        if self._killed_for:
            return None
        if self.state is State.STARTING:
            return self._since + self.spec.start_seconds
        if self.state is State.SERVING and self.control is None and self._unanswered_since is not None:
            return self._unanswered_since + self.spec.stall_seconds
        return self._next_ping if self.state is State.SERVING else None

    def _wait(self, served: float | None, now: float) -> None:
        self.failures += 1
        self.start_at = now + self._backoff.died(served)
        self._become(State.WAITING)

    def _become(self, state: State) -> None:
        if state not in TRANSITIONS[self.state]:
            raise AssertionError(f"a child cannot go from {self.state.value} to {state.value}")
        self.state = state

    def _close_control(self) -> None:
        if self.control is not None:
            self.control.close()
            self.control = None
