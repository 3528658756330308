"""Standard input, read so that an interrupt ends the wait for more whenever it comes."""

import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from secretsd.client.errors import ClientError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@contextmanager
def standard_input() -> Iterator[BinaryIO]:
    """What the program is given, as it comes. Left open; ClientError where there is none."""
    if sys.stdin is None:
        raise ClientError("cannot read standard input: it is closed")
    try:
        number = sys.stdin.fileno()
    except io.UnsupportedOperation:  # something in this process stands in its place, and waits for nobody
        yield sys.stdin.buffer
        return
    with io.BufferedReader(_Interruptible(number)) as opened:
        yield opened


class _Interruptible(io.RawIOBase):
    """A descriptor that is read only when there is something, or when a signal has come meanwhile.

    Python notes a signal, and acts on it between two steps of a program; a read that begins after it was noted waits
    all the same. `sys.stdin.buffer` makes many reads in one step, so some interrupts under a stream did nothing.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting = select.poll()
        self._waiting.register(number, select.POLLIN)
        self._woken, self._waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._waiting.register(self._woken, select.POLLIN)
        self._before: int | None = None
        if threading.current_thread() is threading.main_thread():  # only there are signals acted on
            self._before = signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """What is there, up to the buffer's length; 0 at the end."""
        while True:
            if self._is_ready():
                try:
                    return os.readv(self._number, [buffer])
                except BlockingIOError:  # another process has taken it
                    continue

    def _is_ready(self) -> bool:
        ready = [number for number, _ in self._waiting.poll()]
        if self._woken in ready:
            os.read(self._woken, select.PIPE_BUF)  # what the signal asks for happens by now, here
        return self._number in ready

    def close(self) -> None:
        """Leave the descriptor as it is, open."""
        if self.closed:
            return
        super().close()
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
        os.close(self._woken)
        os.close(self._waking)
