"""Frames between our own processes: a 4-byte big-endian length, then one msgpack array of messages (a batch)."""

import struct
from collections.abc import Sequence

import msgspec

MAX_FRAME_BYTES = 4 * 1024 * 1024
MAX_MESSAGES = 512
_LENGTH = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode


class BadFrame(Exception):
    """The peer sent something that is no frame of ours; its connection is dropped."""


def pack(messages: Sequence[object]) -> bytes:
    """A frame with the messages; the caller keeps within MAX_MESSAGES and MAX_FRAME_BYTES."""
    body = _encode(messages)
    if len(body) > MAX_FRAME_BYTES or len(messages) > MAX_MESSAGES:
        raise BadFrame("cannot send the frame: it is over the limit")
    return _LENGTH.pack(len(body)) + body


def joined(encoded: Sequence[bytes]) -> bytes:
    """A frame with messages that are encoded already; the bounds are those of `pack`."""
    count = len(encoded)
    # An array of msgpack: up to 15 elements in one byte, up to 65,535 in three.
    head = bytes((0x90 | count,)) if count < 16 else b"\xdc" + count.to_bytes(2)
    size = len(head) + sum(map(len, encoded))
    if size > MAX_FRAME_BYTES or count > MAX_MESSAGES:
        raise BadFrame("cannot send the frame: it is over the limit")
    return b"".join((_LENGTH.pack(size), head, *encoded))


class Unpacker:
    """Collects bytes and yields whole frames' bodies; raises BadFrame for a length over the limit before reading it."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes | memoryview) -> list[bytes]:
        """The bodies that are complete now, in order; the caller decodes them with its own strict type.

        One frame at a time, and that a whole one, is what nearly always comes: it is copied once.
        """
        if not self._buffer and len(data) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(data)
            if len(data) == _LENGTH.size + size and size <= MAX_FRAME_BYTES:
                return [bytes(data[_LENGTH.size :])]
        self._buffer += data
        bodies = []
        while len(self._buffer) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer)
            if size > MAX_FRAME_BYTES:
                raise BadFrame("cannot read the frame: it is over the limit")
            end = _LENGTH.size + size
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[_LENGTH.size : end]))
            del self._buffer[:end]
        return bodies
