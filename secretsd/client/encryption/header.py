"""The header of a message: who can open it, in what context, and how its body is cut into frames.

Written and read byte by byte as docs/reference/message-format.md says: version 2 of the AWS Encryption SDK.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from secretsd.client.encryption.source import MessageReader
from secretsd.client.encryption.suite import (
    ALGORITHM,
    COMMITMENT_BYTES,
    IV_BYTES,
    MESSAGE_ID_BYTES,
    TAG_BYTES,
    MessageKeys,
)
from secretsd.client.errors import ClientError
from secretsd.domain.errors import InvalidCiphertext

VERSION = 2
FRAMED = 2
PROVIDER = "secretsd"
"""Says in a message that the daemon opens this data key; the key info beside it is the CMK's id."""
MAX_PART_BYTES = 0xFFFF
MAX_ENCRYPTED_DATA_KEYS = 16
RESERVED = "aws-crypto-"
_START = struct.Struct(f">BH{MESSAGE_ID_BYTES}sH")
_END = struct.Struct(f">BI{COMMITMENT_BYTES}s")
_HEADER_IV = bytes(IV_BYTES)


@dataclass(frozen=True, slots=True)
class EncryptedDataKey:
    """The message's data key as one key provider has encrypted it."""

    provider: str
    key_info: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """What stands before the frames. All of it is readable by everybody, and authentic once `verify` has passed it."""

    message_id: bytes
    context: Mapping[str, str]
    data_keys: tuple[EncryptedDataKey, ...]
    frame_bytes: int
    commitment: bytes

    def pack(self) -> bytes:
        """The header's bytes without its tag. What does not fit raises ClientError."""
        context = pack_context(self.context)
        parts = [_START.pack(VERSION, ALGORITHM, self.message_id, len(context)), context]
        parts.append(len(self.data_keys).to_bytes(2, "big"))
        for one in self.data_keys:
            parts += map(_sized, (one.provider.encode(), one.key_info, one.ciphertext))
        parts.append(_END.pack(FRAMED, self.frame_bytes, self.commitment))
        return b"".join(parts)

    def seal(self, keys: MessageKeys) -> bytes:
        """The header's bytes with its tag."""
        packed = self.pack()
        return packed + keys.cipher.encrypt(_HEADER_IV, b"", packed)


@dataclass(frozen=True, slots=True)
class ReadHeader:
    """A header that was read; `packed` are its bytes as they came, and nothing is proved before `verify`."""

    header: MessageHeader
    packed: bytes
    tag: bytes

    def verify(self, keys: MessageKeys) -> bool:
        """Whether the data key is the one that the message commits to, and the header is as it was written."""
        if not keys.commits_to(self.header.commitment):
            return False
        try:
            keys.cipher.decrypt(_HEADER_IV, self.tag, self.packed)
        except InvalidTag:
            return False
        return True


def pack_context(context: Mapping[str, str]) -> bytes:
    """The encryption context as it stands in a message: nothing for none, else by name. ClientError says what is wrong.

    Names that begin with "aws-crypto-" are the format's own.
    """
    if not context:
        return b""
    if not all(isinstance(one, str) for pair in context.items() for one in pair):
        raise ClientError("cannot use the encryption context: its names and values have to be text")
    if any(name.startswith(RESERVED) for name in context):
        raise ClientError(f"cannot use the encryption context: names that begin with {RESERVED} are reserved")
    try:
        pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    except UnicodeEncodeError:
        pairs = []  # raised below, without the text that the encoder's error holds
    if not pairs:
        raise ClientError("cannot use the encryption context: it is not valid Unicode text")
    packed = b"".join([len(pairs).to_bytes(2, "big"), *(_sized(name) + _sized(value) for name, value in pairs)])
    if len(packed) > MAX_PART_BYTES:
        raise ClientError(f"cannot use the encryption context: it is longer than {MAX_PART_BYTES} bytes")
    return packed


def read_header(reader: MessageReader) -> ReadHeader:
    """The header at the beginning of a message; whatever is none of ours raises InvalidCiphertext with the reason.

    No more than 16 data keys of 64 KiB each are read, whatever the message says.
    """
    read = _Recorder(reader)
    version, algorithm, message_id, context_bytes = _START.unpack(read(_START.size))
    if version != VERSION:
        raise InvalidCiphertext("cannot open the message: it is none of the AWS Encryption SDK's version 2")
    if algorithm != ALGORITHM:
        raise InvalidCiphertext(
            f"cannot open the message: its algorithm suite is 0x{algorithm:04x}, and only 0x{ALGORITHM:04x} is read"
        )
    context = _read_context(read(context_bytes))
    count = int.from_bytes(read(2), "big")
    if not 1 <= count <= MAX_ENCRYPTED_DATA_KEYS:
        raise InvalidCiphertext(f"cannot open the message: it has {count} data keys; 1 to 16 are read")
    data_keys = tuple(EncryptedDataKey(_text(read.sized()), read.sized(), read.sized()) for _ in range(count))
    content_type, frame_bytes, commitment = _END.unpack(read(_END.size))
    if content_type != FRAMED or not frame_bytes:
        raise InvalidCiphertext("cannot open the message: its body is not framed")
    header = MessageHeader(message_id, context, data_keys, frame_bytes, commitment)
    return ReadHeader(header, bytes(read.taken), reader.take(TAG_BYTES))


class _Recorder:
    """Keeps what it hands out, because the header's tag is over the bytes as they came."""

    def __init__(self, reader: MessageReader) -> None:
        self.taken = bytearray()
        self._reader = reader

    def __call__(self, size: int) -> bytes:
        data = self._reader.take(size)
        self.taken += data
        return data

    def sized(self) -> bytes:
        """A part that says its own length."""
        return self(int.from_bytes(self(2), "big"))


def _read_context(packed: bytes) -> dict[str, str]:
    if not packed:
        return {}
    texts: list[str] = []
    place = 2
    while place < len(packed):
        end = place + 2 + int.from_bytes(packed[place : place + 2], "big")
        if end > len(packed):
            raise InvalidCiphertext(_CONTEXT)
        texts.append(_text(packed[place + 2 : end]))
        place = end
    context = dict(zip(texts[::2], texts[1::2], strict=False))
    if not texts or len(texts) != 2 * int.from_bytes(packed[:2], "big") or len(texts) != 2 * len(context):
        raise InvalidCiphertext(_CONTEXT)
    return context


_CONTEXT = "cannot open the message: its encryption context is malformed"


def _sized(part: bytes) -> bytes:
    if len(part) > MAX_PART_BYTES:
        raise ClientError(f"cannot write the message: a part of its header is longer than {MAX_PART_BYTES} bytes")
    return len(part).to_bytes(2, "big") + part


def _text(part: bytes) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError:
        pass  # raised below, without the bytes
    raise InvalidCiphertext("cannot open the message: a part of its header is not valid Unicode text")
