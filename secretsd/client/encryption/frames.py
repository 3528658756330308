"""The body of a message: frames, each encrypted and authenticated by itself, in their order, the last one marked."""

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secretsd.client.encryption.source import MessageReader
from secretsd.client.encryption.suite import IV_BYTES, TAG_BYTES
from secretsd.client.errors import ClientError
from secretsd.domain.errors import InvalidCiphertext

DEFAULT_FRAME_BYTES = 256 * 1024
MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Of messages that are written or read here: what one frame may take of memory."""
MAX_FRAMES = 0xFFFFFFFF - 1
LAST = 0xFFFFFFFF
REGULAR_OVERHEAD = 4 + IV_BYTES + TAG_BYTES
LAST_OVERHEAD = REGULAR_OVERHEAD + 4 + 4
_REGULAR = struct.Struct(f">I{IV_BYTES}s")
_LAST = struct.Struct(f">II{IV_BYTES}sI")
_BOUND = struct.Struct(">IQ")
_REGULAR_LABEL = b"AWSKMSEncryptionClient Frame"
_LAST_LABEL = b"AWSKMSEncryptionClient Final Frame"


class FrameSealer:
    """Makes the frames of one message, one after the other; it belongs to the process in which it was made.

    The number of a frame is its IV, so in a copy after a fork the same IV could meet another content: it refuses.
    """

    def __init__(self, cipher: AESGCM, message_id: bytes) -> None:
        self._cipher = cipher
        self._regular = message_id + _REGULAR_LABEL
        self._last = message_id + _LAST_LABEL
        self._process = os.getpid()
        self._number = 0
        self._ended = False

    def seal(self, content: memoryview, into: memoryview, *, last: bool) -> int:
        """Write the next frame to the beginning of `into` and return its length, at most LAST_OVERHEAD above content's.

        After a fork, or after the last frame, or where the message has 2^32 - 2 frames, it raises ClientError.
        """
        if os.getpid() != self._process:
            raise ClientError("cannot go on with the message after a fork: begin a new one in this process")
        if self._ended or self._number == MAX_FRAMES:
            raise ClientError("cannot add a frame to the message: it has ended, or has as many as there can be")
        self._number += 1
        self._ended = last
        iv = self._number.to_bytes(IV_BYTES, "big")
        bound = _BOUND.pack(self._number, len(content))
        if last:
            _LAST.pack_into(into, 0, LAST, self._number, iv, len(content))
            start, label = _LAST.size, self._last
        else:
            _REGULAR.pack_into(into, 0, self._number, iv)
            start, label = _REGULAR.size, self._regular
        end = start + len(content) + TAG_BYTES
        self._cipher.encrypt_into(iv, content, label + bound, into[start:end])
        return end


class FrameOpener:
    """Opens the frames of one message in their order: one that is changed, missing, moved or repeated is refused."""

    def __init__(self, cipher: AESGCM, message_id: bytes, frame_bytes: int) -> None:
        if frame_bytes > MAX_FRAME_BYTES:
            raise InvalidCiphertext(
                f"cannot open the message: its frames are of {frame_bytes} bytes; up to {MAX_FRAME_BYTES} are read"
            )
        self._cipher = cipher
        self._regular = message_id + _REGULAR_LABEL
        self._last = message_id + _LAST_LABEL
        self._frame_bytes = frame_bytes
        self._number = 0
        self._content = bytearray()

    def open(self, reader: MessageReader) -> tuple[memoryview, bool]:
        """The content of the next frame, authenticated and valid until the next call, and whether it is the last.

        Whatever is not that frame raises InvalidCiphertext.
        """
        self._number += 1
        number, iv = _REGULAR.unpack(reader.take(_REGULAR.size))
        size, label = self._frame_bytes, self._regular
        last = number == LAST
        if last:
            rest = reader.take(_LAST.size - _REGULAR.size)
            _, number, iv, size = _LAST.unpack(_REGULAR.pack(number, iv) + rest)
            label = self._last
        if number != self._number:
            raise InvalidCiphertext(f"cannot open the message: frame {self._number} is not in its place")
        if size > self._frame_bytes:
            raise InvalidCiphertext("cannot open the message: its last frame is longer than a frame")
        sealed = reader.view(size + TAG_BYTES)
        if len(self._content) < size:
            self._content = bytearray(size)
        content = memoryview(self._content)[:size]
        try:
            self._cipher.decrypt_into(iv, sealed, label + _BOUND.pack(number, size), content)
        except InvalidTag:
            pass  # raised below, so that nothing of the cipher's error hangs on it
        else:
            return content, last
        raise InvalidCiphertext(f"cannot open the message: frame {self._number} is not as it was written")
