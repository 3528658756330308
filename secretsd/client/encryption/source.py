"""What is read from and written to: any file-like thing, in pieces that do not have to be copied."""

import io
from collections.abc import Callable
from typing import Any, Protocol

from secretsd.client.errors import ClientError
from secretsd.domain.errors import InvalidCiphertext

TOO_SHORT = "cannot open the message: it ends too early"


class Source(Protocol):
    """Gives at most `size` bytes, and none at its end; None, for not yet, is refused. A `readinto` is used instead."""

    def read(self, size: int, /) -> bytes | None: ...


class Sink(Protocol):
    """Takes bytes; an answer that is a number says how many of them."""

    def write(self, data: bytes, /) -> Any: ...


def filler(source: Source) -> Callable[[memoryview], int]:
    """Reads into a view until it is full or the source has ended, and tells how many bytes that were."""
    piece: Callable[[memoryview], int | None] = getattr(source, "readinto", None) or _by_read(source)

    def fill(view: memoryview) -> int:
        filled = 0
        while filled < len(view):
            read = piece(view[filled:])
            if read is None:
                raise ClientError("cannot read the source: it does not wait for its data")
            if not read:
                break
            filled += read
        return filled

    return fill


def writer(sink: Sink) -> Callable[[memoryview], None]:
    """Writes all of a view. Only the standard library's own files are given the view itself: others might keep it."""
    direct = isinstance(sink, io.IOBase)

    def write(view: memoryview) -> None:
        while len(view):
            written = sink.write(view if direct else bytes(view))  # type: ignore[arg-type]  # files take any buffer
            if not isinstance(written, int) or written >= len(view):
                return
            if written <= 0:
                raise ClientError("cannot write to the sink: it takes nothing")
            view = view[written:]

    return write


class MessageReader:
    """Takes a message from a source piece by piece."""

    def __init__(self, source: Source) -> None:
        self._fill = filler(source)
        self._buffer = bytearray()

    def take(self, size: int) -> bytes:
        """Exactly so many bytes; InvalidCiphertext where fewer are left."""
        data = bytearray(size)
        if self._fill(memoryview(data)) < size:
            raise InvalidCiphertext(TOO_SHORT)
        return bytes(data)

    def view(self, size: int) -> memoryview:
        """As `take`, without a copy: valid until the next call."""
        if len(self._buffer) < size:
            self._buffer = bytearray(size)
        view = memoryview(self._buffer)[:size]
        if self._fill(view) < size:
            raise InvalidCiphertext(TOO_SHORT)
        return view

    def require_end(self) -> None:
        """Nothing may follow a message: InvalidCiphertext where something does."""
        if self._fill(memoryview(bytearray(1))):
            raise InvalidCiphertext("cannot open the message: something follows its end")


def _by_read(source: Source) -> Callable[[memoryview], int | None]:
    def piece(view: memoryview) -> int | None:
        data = source.read(len(view))
        if data is None:
            return None
        if len(data) > len(view):
            raise ClientError("cannot read the source: it gives more than it was asked for")
        view[: len(data)] = data
        return len(data)

    return piece
