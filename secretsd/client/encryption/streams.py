"""Messages sealed and opened under a data key: in memory, or from a file to a file with bounded memory."""

import os
from collections.abc import Callable, Mapping

from secretsd.client.encryption.data_keys import DataKey
from secretsd.client.encryption.frames import LAST_OVERHEAD, REGULAR_OVERHEAD, FrameOpener, FrameSealer
from secretsd.client.encryption.header import PROVIDER, EncryptedDataKey, MessageHeader
from secretsd.client.encryption.source import MessageReader, Sink, Source, filler, writer
from secretsd.client.encryption.suite import MESSAGE_ID_BYTES, MessageKeys
from secretsd.domain.sensitive import Plaintext

Progress = Callable[[int], None]
"""Told of the plaintext bytes of each frame; an error that it raises ends the work."""


def seal(data: Plaintext, data_key: DataKey, context: Mapping[str, str], frame_bytes: int) -> bytes:
    """The message of what is in memory."""
    header, sealer = _begin(data_key, context, frame_bytes)
    content = memoryview(data.reveal())
    frames = max(1, -(-len(content) // frame_bytes))
    message = bytearray(len(header) + len(content) + (frames - 1) * REGULAR_OVERHEAD + LAST_OVERHEAD)
    message[: len(header)] = header
    place, into = len(header), memoryview(message)
    for start in range(0, frames * frame_bytes, frame_bytes):
        frame = content[start : start + frame_bytes]
        place += sealer.seal(frame, into[place:], last=start == (frames - 1) * frame_bytes)
    return bytes(message)


class StreamSealing:
    """A source on its way into a message: first `begin`, then the data key can be chosen, then `seal`."""

    def __init__(self, source: Source, frame_bytes: int) -> None:
        self._fill = filler(source)
        self._frame_bytes = frame_bytes
        self._now = memoryview(bytearray(frame_bytes))
        self._next = memoryview(bytearray(frame_bytes))
        self._filled = 0
        self._ahead = 0

    def begin(self) -> int | None:
        """Read the first frame and look beyond it: the length of all there is if one frame holds it, else None."""
        self._filled = self._fill(self._now)
        self._look_ahead()
        return None if self._ahead else self._filled

    def seal(self, data_key: DataKey, context: Mapping[str, str], sink: Sink, progress: Progress | None) -> int:
        """Write the message, and return how many bytes of plaintext it holds. What source and sink raise is raised."""
        header, sealer = _begin(data_key, context, self._frame_bytes)
        write = writer(sink)
        write(memoryview(header))
        into = memoryview(bytearray(min(self._frame_bytes, self._filled) + LAST_OVERHEAD))
        total = 0
        while True:
            last = not self._ahead
            write(into[: sealer.seal(self._now[: self._filled], into, last=last)])
            total += self._filled
            if progress is not None:
                progress(self._filled)
            if last:
                return total
            self._now, self._next, self._filled = self._next, self._now, self._ahead
            self._look_ahead()

    def _look_ahead(self) -> None:
        """Whether a frame is the last can only be known by reading on; one that is not full surely is."""
        self._ahead = self._fill(self._next) if self._filled == self._frame_bytes else 0


def open_frames(reader: MessageReader, opener: FrameOpener, sink: Sink, progress: Progress | None) -> int:
    """Write the plaintext, each frame as soon as it is authentic, and return its length.

    That the message is whole is known at its end only: InvalidCiphertext can come after frames were written.
    """
    write = writer(sink)
    total = 0
    last = False
    while not last:
        content, last = opener.open(reader)
        if last:
            reader.require_end()
        write(content)
        total += len(content)
        if progress is not None:
            progress(len(content))
    return total


def _begin(data_key: DataKey, context: Mapping[str, str], frame_bytes: int) -> tuple[bytes, FrameSealer]:
    message_id = os.urandom(MESSAGE_ID_BYTES)
    keys = MessageKeys.derive(data_key.plaintext, message_id)
    encrypted = EncryptedDataKey(PROVIDER, data_key.key_id.encode(), data_key.ciphertext)
    header = MessageHeader(message_id, context, (encrypted,), frame_bytes, keys.commitment)
    return header.seal(keys), FrameSealer(keys.cipher, message_id)
