"""The supervisor's loop: one thread, one selector, no event from a child or a signal ever waits for another."""

import ctypes
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence

from secretsd.supervisor.child import PING_SECONDS, RUNNING, Child, State
from secretsd.supervisor.notify import Notifier
from secretsd.supervisor.sockets import CannotListen, Sockets
from secretsd.supervisor.spawn import CONFIGURATION_FAULT
from secretsd.supervisor.specification import ChildSpec, Listener

LATE_SECONDS = 1.0
_PR_SET_DUMPABLE = 4


def _say(sentence: str) -> None:
    sys.stderr.write(f"secretsd supervisor: {sentence}\n")
    sys.stderr.flush()


class Supervisor:
    """Runs the children until SIGTERM or SIGINT.

    Those that others wait for (`ChildSpec.after`) start first and stop last. `on_ready` is called once, when every
    child serves, with the address of every listener. Each round of stopping may take `stop_seconds`; a second signal
    kills what is left. `environment` is the process's own: systemd's variables are taken out of it.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        on_ready: Callable[[Mapping[Listener, str]], None] | None = None,
        stop_seconds: float = 10.0,
        environment: MutableMapping[str, str] | None = None,
        say: Callable[[str], None] = _say,
    ) -> None:
        names = [spec.name for spec in children]
        if len(set(names)) != len(names) or any(name not in names for spec in children for name in spec.after):
            raise ValueError("cannot supervise: two children share a name, or one waits for a child that is not there")
        self._children = {spec.name: Child(spec, say) for spec in children}
        self._on_ready = on_ready
        self._stop_seconds = stop_seconds
        self._say = say
        environment = os.environ if environment is None else environment
        self._notifier = Notifier(environment)
        self._sockets = Sockets(environment)
        self._selector = selectors.DefaultSelector()
        self._was_ready = False
        self._stopping = False
        self._kill_at = 0.0
        self._exit_status = 0

    def run(self) -> int:
        """Serve to the end: 0 when asked to stop, 78 when a configuration was at fault at the start, 1 when a socket
        cannot be opened. Takes over the process's signals; call it in the main thread of a process with no other."""
        harden()
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ, self._signalled)
        self._wake = wake
        try:
            for child in self._children.values():
                self._sockets.open(child.spec.listeners)
            self._loop()
        except CannotListen as error:
            self._say(str(error))
            return 1
        finally:
            signal.set_wakeup_fd(-1)
            for child in self._children.values():
                if child.pidfd >= 0:  # only after an error of our own: nothing may outlive us
                    child.kill("the supervisor failed")
            self._sockets.close()
            self._selector.close()
            self._notifier.close()
            wake.close()
            woken.close()
        return self._exit_status

    def _loop(self) -> None:
        now = time.monotonic()
        next_watchdog = now
        while True:
            self._start_what_is_due(now)
            self._report()
            if self._stopping and self._stop_on(now):
                return
            if self._notifier.watchdog_seconds is not None and now >= next_watchdog:
                self._notifier.watchdog()
                next_watchdog = now + self._notifier.watchdog_seconds
            until = self._next_deadline(now, next_watchdog)
            for key, _ in self._selector.select(max(0.0, until - now)):
                key.data(time.monotonic())
            now = time.monotonic()
            # A stopped or starved supervisor must not take its own sleep for the children's.
            late = now - until > LATE_SECONDS
            for child in self._children.values():
                child.check(now, late)

    def _next_deadline(self, now: float, next_watchdog: float) -> float:
        times = [now + 60.0 if self._notifier.watchdog_seconds is None else next_watchdog]
        if self._stopping:
            times.append(max(self._kill_at, now + PING_SECONDS))
        else:
            times += [at for child in self._children.values() if (at := self._deadline(child)) is not None]
        return min(times)

    def _deadline(self, child: Child) -> float | None:
        return None if child.state is State.WAITING and not self._may_start(child) else child.deadline()

    def _may_start(self, child: Child) -> bool:
        """The first time it waits for the others; one that has failed once already is not waited for any longer."""
        others = (self._children[name] for name in child.spec.after)
        if child.spec.waits_itself or child.failures > 0:
            return True
        return all(other.state is State.SERVING or other.failures > 0 for other in others)

    def _start_what_is_due(self, now: float) -> None:
        for child in self._children.values():
            if self._stopping or child.state is not State.WAITING or child.start_at > now:
                continue
            if self._may_start(child):
                child.start([self._sockets.fd(listener) for listener in child.spec.listeners], now)
                if child.control is not None:
                    self._selector.register(child.pidfd, selectors.EVENT_READ, self._reaper(child))
                    self._selector.register(child.control, selectors.EVENT_READ, self._receiver(child))

    def _receiver(self, child: Child) -> Callable[[float], None]:
        def receive(now: float) -> None:
            control = child.control
            if control is not None:
                child.receive(now)
                if child.control is None:
                    self._selector.unregister(control)

        return receive

    def _reaper(self, child: Child) -> Callable[[float], None]:
        def reap(now: float) -> None:
            self._selector.unregister(child.pidfd)
            if child.control is not None:
                self._selector.unregister(child.control)
            child.reap(now)
            if child.state is State.REFUSED and not self._was_ready and not self._stopping:
                self._exit_status = CONFIGURATION_FAULT
                self._stop(now)

        return reap

    def _report(self) -> None:
        if self._stopping:
            return
        missing = [child.spec.name for child in self._children.values() if child.state is not State.SERVING]
        self._notifier.status("serving" if not missing else "not serving: " + ", ".join(missing))
        if not missing and not self._was_ready:
            self._was_ready = True
            self._notifier.ready()
            if self._on_ready is not None:
                self._on_ready(self._sockets.addresses())

    def _signalled(self, now: float) -> None:
        for number in self._wake.recv(4096):
            if number == signal.SIGHUP:
                for child in self._children.values():
                    child.reload()
            if number not in (signal.SIGTERM, signal.SIGINT):
                continue
            if self._stopping:
                for child in self._children.values():
                    child.kill("a second signal asked for the end at once")
            else:
                self._stop(now)

    def _stop(self, now: float) -> None:
        self._stopping = True
        self._notifier.stopping()
        self._notifier.status("stopping")
        self._next_round(now)

    def _stop_on(self, now: float) -> bool:
        """One look at how far stopping has come; True when nobody is left."""
        running = [child for child in self._children.values() if child.state in RUNNING]
        if not running:
            return True
        if all(child.state is not State.STOPPING for child in running):
            self._next_round(now)
        elif now >= self._kill_at:
            for child in running:
                if child.state is State.STOPPING:
                    child.kill(f"it did not end within {self._stop_seconds:g} s")
        return False

    def _next_round(self, now: float) -> None:
        """Ask those to end that no running child still waits for."""
        self._kill_at = now + self._stop_seconds
        needed = {name for child in self._children.values() if child.state in RUNNING for name in child.spec.after}
        for child in self._children.values():
            if child.spec.name not in needed:
                child.terminate()


def harden() -> None:
    """Close the supervisor, which holds the PIN for the keystore process, to other processes of its uid.

    The children's own (`adapters/child.py`) does more, and this package may not see it. OSError when refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, *(ctypes.c_ulong(word) for word in (0, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), "cannot harden the supervisor: prctl failed")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
