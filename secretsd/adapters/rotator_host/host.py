"""The rotator host's own process: a synchronous loop of one thread, because what it does is fork."""

import contextlib
import gc
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

import msgspec

from secretsd.adapters.child import CONTROL_FD, PING, PONG, READY, configuration, harden, listener, refuse
from secretsd.adapters.frames import BadFrame
from secretsd.adapters.rotator_host import attempt
from secretsd.adapters.rotator_host.configuration import RotatorHostConfiguration
from secretsd.adapters.rotator_host.reaper import adopt_orphans, end, end_orphans
from secretsd.adapters.rotator_host.wire import MAX_HEADING_BYTES, METHODS, Failed, Heading, Names, decode, encode

GROUP = "secretsd.rotators"
HEADING_SECONDS = 5.0
_LENGTH = struct.Struct(">I")
_PEER = struct.Struct("3i")


@dataclass(slots=True)
class Attempt:
    """A connection: until its heading is complete it has no process."""

    connection: socket.socket
    deadline: float | None
    received: bytearray = field(default_factory=bytearray)
    pid: int = 0
    pidfd: int = -1
    timed_out: bool = False


class Host:
    """Accepts connections of the allowed uids, and forks an attempt for each heading that it may serve."""

    def __init__(self, wanted: RotatorHostConfiguration, listening: socket.socket, control: int) -> None:
        self._configuration = wanted
        self._rotators = allowed(wanted.rotators)
        self._listening = listening
        self._control = control
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._attempts: dict[int, Attempt] = {}
        self._accepting = False
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM, then until the attempts that run have ended."""
        os.set_blocking(self._control, False)
        self._watch(self._control, select.EPOLLIN, self._ping)
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(woken.fileno())
        self._watch(wake.fileno(), select.EPOLLIN, self._stop)
        adopt_orphans()
        gc.collect()
        gc.freeze()  # the pages of what is loaded now stay shared with every attempt
        os.write(self._control, READY)
        while not self._stopping or self._attempts:
            self._accept_or_not()
            deadlines = [one.deadline for one in self._attempts.values() if one.deadline is not None]
            timeout = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
            for fd, events in self._epoll.poll(timeout):
                if (handler := self._handlers.get(fd)) is not None:
                    handler(events)
            self._end_the_late()

    def _watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def _forget(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def _ping(self, _: int) -> None:
        try:
            data = os.read(self._control, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(1)  # the supervisor is gone, and the kernel ends the attempts with this process
        with contextlib.suppress(BlockingIOError):
            os.write(self._control, PONG * data.count(PING))

    def _stop(self, _: int) -> None:
        self._stopping = True
        for one in list(self._attempts.values()):
            if one.pid == 0:
                self._drop(one)

    def _accept_or_not(self) -> None:
        """Take connections only while a process would be free; the others wait in the kernel's backlog."""
        wanted = not self._stopping and len(self._attempts) < self._configuration.max_attempts
        if wanted and not self._accepting:
            self._watch(self._listening.fileno(), select.EPOLLIN, self._accept)
        elif self._accepting and not wanted:
            self._forget(self._listening.fileno())
        self._accepting = wanted

    def _accept(self, _: int) -> None:
        try:
            connection, _address = self._listening.accept()
        except OSError:
            return
        _pid, uid, _gid = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
        if uid not in self._configuration.allowed_uids:
            connection.close()
            return
        connection.setblocking(False)
        one = Attempt(connection, time.monotonic() + HEADING_SECONDS)
        self._attempts[connection.fileno()] = one
        self._watch(connection.fileno(), select.EPOLLIN | select.EPOLLRDHUP, lambda _: self._read(one))

    def _read(self, one: Attempt) -> None:
        """Read the heading and not a byte more: what follows is for the attempt's eyes only."""
        size = self._heading_size(one)
        try:
            data = one.connection.recv(size - len(one.received))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        one.received += data
        size = self._heading_size(one)
        if not data or size > MAX_HEADING_BYTES:
            self._drop(one)
        elif len(one.received) == size > _LENGTH.size:
            try:
                heading = decode(bytes(one.received[_LENGTH.size :]), Heading)
            except BadFrame:
                self._drop(one)
            else:
                self._begin(one, heading)

    @staticmethod
    def _heading_size(one: Attempt) -> int:
        """The bytes of length and heading together, as far as they are known."""
        known = len(one.received) >= _LENGTH.size
        return _LENGTH.size + (_LENGTH.unpack_from(one.received)[0] if known else 0)

    def _begin(self, one: Attempt, heading: Heading) -> None:
        if heading.method == "list":
            self._answer(one, Names(tuple(sorted(self._rotators))))
        elif heading.rotator not in self._rotators:
            self._answer(one, Failed("unknown-rotator"))
        elif heading.method not in METHODS or not 0 < heading.deadline_seconds <= self._configuration.attempt_seconds:
            self._drop(one)
        else:
            self._fork(one, heading)

    def _fork(self, one: Attempt, heading: Heading) -> None:
        host_pid = os.getpid()
        # A signal between the fork and the attempt's own handlers would wake the host.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                attempt.run(one.connection, heading, self._rotators[heading.rotator], host_pid)
        except OSError:
            self._answer(one, Failed("host-away"))
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        one.pid, one.pidfd = pid, os.pidfd_open(pid)
        one.deadline = time.monotonic() + heading.deadline_seconds
        self._watch(one.pidfd, select.EPOLLIN, lambda _: self._ended(one))
        # From here on only the end of the connection is ours: a worker that hung up must not leave an orphan at work.
        self._handlers[one.connection.fileno()] = lambda _: self._abandon(one)
        self._epoll.modify(one.connection.fileno(), select.EPOLLRDHUP)

    def _abandon(self, one: Attempt) -> None:
        self._forget(one.connection.fileno())
        self._kill(one)

    def _end_the_late(self) -> None:
        now = time.monotonic()
        for one in list(self._attempts.values()):
            if one.deadline is None or one.deadline > now:
                continue
            if one.pid == 0:
                self._drop(one)
            else:
                one.timed_out = True
                self._kill(one)

    def _kill(self, one: Attempt) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(one.pidfd, signal.SIGKILL)
        one.deadline = None  # its pidfd is what we wait for now

    def _ended(self, one: Attempt) -> None:
        end(one.pid)
        end_orphans({other.pid for other in self._attempts.values()} - {one.pid})
        self._forget(one.pidfd)
        os.close(one.pidfd)
        if one.timed_out:
            self._answer(one, Failed("timed-out"))
        else:
            self._drop(one)

    def _answer(self, one: Attempt, answer: msgspec.Struct) -> None:
        with contextlib.suppress(OSError):
            one.connection.send(encode(answer), socket.MSG_NOSIGNAL)
        self._drop(one)

    def _drop(self, one: Attempt) -> None:
        self._attempts.pop(one.connection.fileno(), None)
        self._forget(one.connection.fileno())
        one.connection.close()


def allowed(names: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The entry points of the rotators that may load, none of them imported; ends this child when one is not there."""
    found: dict[str, EntryPoint] = {}
    for name in names:
        registered = {entry_point.value: entry_point for entry_point in entry_points(group=GROUP, name=name)}
        if len(registered) != 1:
            refuse(f"cannot use the rotator {name}: it is installed {len(registered)} times, not once")
        (found[name],) = registered.values()
    return found


def main() -> None:
    """The process: hardened before it reads anything, forking only from a state without rotators and values."""
    harden()
    wanted = configuration(RotatorHostConfiguration)
    Host(wanted, listener(wanted.listen_fd), CONTROL_FD).run()
