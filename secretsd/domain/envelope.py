"""What a ciphertext says about itself: layout of CMK ciphertexts and of sealed secret values, and the bytes they bind.

CMK ciphertext (made and opened by the key store alone):
    version u8 = 1 | suite u8 | purpose u8 | key id 16 | key version u32 | iv length u8 | iv | ciphertext ‖ tag
    additional data = the header up to and including the iv ‖ canonical context
    the encrypted text starts with 32 zero bytes, checked after decryption (key commitment)
Sealed value (made and opened by a worker under a data key):
    version u8 = 1 | suite u8 = 1 | purpose u8 | data key id 16 | iv 12 | ciphertext ‖ tag
    additional data = the header up to and including the iv ‖ canonical context
All integers are big-endian. Suite 1 is AES-256-GCM with a 96-bit random IV and a 128-bit tag (NIST SP 800-38D).
"""

import hashlib
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from secretsd.domain.errors import InvalidCiphertext

VERSION = 1
SUITE_AES_256_GCM = 1
IV_BYTES = 12
TAG_BYTES = 16
DATA_KEY_BYTES = 32
COMMITMENT = bytes(32)
MAX_PLAINTEXT_BYTES = 6 * 1024

_CMK_HEADER = struct.Struct(">BBB16sIB")
_VALUE_HEADER = struct.Struct(">BBB16s12s")


class Purpose(IntEnum):
    """What a ciphertext is for. Callers of the API reach those below 16 only; the rest never leaves the daemon."""

    API_CIPHERTEXT = 1
    API_DATA_KEY = 2
    SECRET_DATA_KEY = 16
    SECRET_VALUE = 17
    CREDENTIAL = 18
    TARGET = 19
    IMPORT_TOKEN = 20
    BACKUP = 21
    STORAGE_KEY = 22
    ROTATION_JOURNAL = 23

    @property
    def internal(self) -> bool:
        """True where no API call may make or open such a ciphertext."""
        return self >= 16


def canonical_context(context: Mapping[str, str]) -> bytes:
    """The encryption context as bytes: count u32, then names and values by name, each with a u32 length."""
    pairs = sorted((name.encode(), value.encode()) for name, value in context.items())
    parts = [struct.pack(">I", len(pairs))]
    for name, value in pairs:
        parts += (struct.pack(">I", len(name)), name, struct.pack(">I", len(value)), value)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class CiphertextHeader:
    """The clear part of a CMK ciphertext; `key_id` is a UUID in its 36-character form."""

    suite: int
    purpose: Purpose
    key_id: str
    key_version: int
    iv: bytes

    def pack(self) -> bytes:
        """The header's bytes, iv included."""
        identifier = uuid.UUID(self.key_id).bytes
        return _CMK_HEADER.pack(VERSION, self.suite, self.purpose, identifier, self.key_version, len(self.iv)) + self.iv

    @classmethod
    def split(cls, ciphertext: bytes) -> "tuple[CiphertextHeader, bytes, bytes]":
        """The header, its bytes, and the encrypted rest; whatever is no such ciphertext raises InvalidCiphertext."""
        if len(ciphertext) < _CMK_HEADER.size:
            raise InvalidCiphertext
        version, suite, purpose, identifier, key_version, iv_bytes = _CMK_HEADER.unpack_from(ciphertext)
        end = _CMK_HEADER.size + iv_bytes
        if version != VERSION or purpose not in Purpose._value2member_map_ or len(ciphertext) < end + TAG_BYTES:
            raise InvalidCiphertext
        header = cls(
            suite, Purpose(purpose), str(uuid.UUID(bytes=identifier)), key_version, ciphertext[_CMK_HEADER.size : end]
        )
        return header, ciphertext[:end], ciphertext[end:]


_SECRET_NAMES = tuple(struct.pack(">I", len(name)) + name for name in (b"account", b"secret", b"version"))
_THREE = struct.pack(">I", 3)
_length = struct.Struct(">I").pack


def secret_binding(account: str, secret_id: str, version_id: str) -> bytes:
    """`canonical_context(secret_context(…))`, put together directly because every read of a value needs it."""
    a, s, v = account.encode(), secret_id.encode(), version_id.encode()
    names = _SECRET_NAMES
    return b"".join((_THREE, names[0], _length(len(a)), a, names[1], _length(len(s)), s, names[2], _length(len(v)), v))


VALUE_HEADER_BYTES = _VALUE_HEADER.size


@dataclass(frozen=True, slots=True)
class ValueHeader:
    """The clear part of a sealed value; `data_key_id` is 16 bytes, `iv` 12."""

    purpose: Purpose
    data_key_id: bytes
    iv: bytes

    def pack(self) -> bytes:
        """The header's bytes."""
        return _VALUE_HEADER.pack(VERSION, SUITE_AES_256_GCM, self.purpose, self.data_key_id, self.iv)

    @classmethod
    def split(cls, sealed: bytes) -> "tuple[ValueHeader, bytes, bytes]":
        """The header, its bytes, and the encrypted rest; raises InvalidCiphertext."""
        if len(sealed) < _VALUE_HEADER.size + TAG_BYTES:
            raise InvalidCiphertext
        version, suite, purpose, data_key_id, iv = _VALUE_HEADER.unpack_from(sealed)
        if version != VERSION or suite != SUITE_AES_256_GCM or purpose not in Purpose._value2member_map_:
            raise InvalidCiphertext
        return cls(Purpose(purpose), data_key_id, iv), sealed[: _VALUE_HEADER.size], sealed[_VALUE_HEADER.size :]


def data_key_id(wrapped: bytes) -> bytes:
    """What names a data key in the values under it: the first 16 bytes of SHA-256 of its ciphertext."""
    return hashlib.sha256(wrapped).digest()[:16]


def secret_context(account: str, secret_id: str, version_id: str) -> dict[str, str]:
    """What a secret version's data key and value are bound to: rows cannot be swapped between secrets or accounts."""
    return {"account": account, "secret": secret_id, "version": version_id}
