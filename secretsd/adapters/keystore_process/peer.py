"""One worker's connection as the keystore process sees it: bounded both ways, dropped when it breaks the rules."""

import socket
import struct
import time

import msgspec

from secretsd.adapters import frames
from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.fair_queue import FairQueue

_READ_BYTES = 256 * 1024
# One for all peers, because one thread reads: a new one of that size for each read would be mapped and unmapped.
_arrived = memoryview(bytearray(_READ_BYTES))
MOST_WAITING_CALLS = 4096
MOST_UNSENT_BYTES = 8 * 1024 * 1024
_PAUSE_UNSENT_BYTES = 1024 * 1024
_CREDENTIALS = struct.Struct("3i")


class Dropped(Exception):
    """The connection has ended or must end; the message says why, without anything that the peer sent."""


class Peer:
    """A connected worker: calls that wait, answers that are not sent yet."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.waiting = FairQueue()
        self._unpacker = frames.Unpacker()
        self._unsent = bytearray()
        self._stuck_since: float | None = None

    @property
    def uid(self) -> int:
        """The uid of the process at the other end, by the kernel's word."""
        raw = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(raw)[1])

    @property
    def wants_read(self) -> bool:
        """Whether more calls are taken: a peer that does not take its answers, or asks too much, waits."""
        return len(self.waiting) < MOST_WAITING_CALLS and len(self._unsent) < _PAUSE_UNSENT_BYTES

    @property
    def wants_write(self) -> bool:
        """Whether answers wait for room in the socket."""
        return bool(self._unsent)

    @property
    def may_work(self) -> bool:
        """Whether its calls are worked on now."""
        return bool(self.waiting) and len(self._unsent) < _PAUSE_UNSENT_BYTES

    def read(self) -> None:
        """Take what has arrived; Dropped at the end, or for anything that is no call."""
        try:
            size = self.connection.recv_into(_arrived)
        except BlockingIOError:
            return
        except OSError:
            raise Dropped("cannot read from a worker: the connection broke") from None
        if not size:
            raise Dropped("")
        try:
            for body in self._unpacker.feed(_arrived[:size]):
                calls = m.decode_calls(body)
                if len(calls) > frames.MAX_MESSAGES:
                    raise Dropped("cannot take a batch of calls: it is over the limit")
                for call in calls:
                    self.waiting.append(call)
        except (frames.BadFrame, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Dropped("cannot understand a worker: what it sent is no batch of calls") from None
        finally:
            _arrived[:size] = bytes(size)  # it lives on, and plaintext must not live with it

    def send(self, answers: list[m.Answer]) -> None:
        """One write for all answers; what does not fit waits, up to a bound."""
        frame = frames.pack(answers)
        if self._unsent:
            self._unsent += frame
        else:
            sent = self._write(frame)
            self._unsent += frame[sent:]
        if len(self._unsent) > MOST_UNSENT_BYTES:
            raise Dropped("cannot answer a worker: it does not read")

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        sent = self._write(bytes(self._unsent[: 1024 * 1024]))
        del self._unsent[:sent]

    def stuck_for(self, now: float) -> float:
        """Seconds since the peer last took anything of what waits for it."""
        return 0.0 if self._stuck_since is None else now - self._stuck_since

    def _write(self, data: bytes) -> int:
        try:
            sent = self.connection.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise Dropped("cannot answer a worker: the connection broke") from None
        if sent == len(data) and len(self._unsent) <= sent:
            self._stuck_since = None
        elif sent or self._stuck_since is None:
            self._stuck_since = time.monotonic()
        return sent
