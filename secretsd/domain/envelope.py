"""What a ciphertext says about itself: layout of CMK ciphertexts and of sealed secret values, and the bytes they bind.

CMK ciphertext (made and opened by the key store alone):
    version u8 = 1 | suite u8 | purpose u8 | key id 16 | key version u32 | iv length u8 | iv | ciphertext ‖ tag
    additional data = the header up to and including the iv ‖ canonical context
    the encrypted text starts with 32 zero bytes, checked after decryption (key commitment)
Sealed value (made and opened by a worker under a data key):
    version u8 = 1 | suite u8 = 1 | purpose u8 | data key id 16 | iv 12 | ciphertext ‖ tag
    additional data = the header up to and including the iv ‖ canonical context
All integers are big-endian. Suites 1, 3 and 4 are AES-256, AES-192 and AES-128 in GCM (NIST SP 800-38D), 5 is SM4 in
GCM (RFC 8998), each with a 96-bit random IV and a 128-bit tag. Suite 2 is AES-256 in CBC with PKCS#7 padding and a
128-bit IV, then HMAC-SHA-256 under a key of its own over additional data ‖ ciphertext, as a 256-bit tag.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.key_specs import KeySpec

VERSION = 1
SUITE_NONE = 0
"""Of keys that make no ciphertext of this form: those that sign, that authenticate, and RSA and SM2 that encrypt."""
SUITE_AES_256_GCM = 1
SUITE_AES_256_CBC_HMAC = 2
SUITE_AES_192_GCM = 3
SUITE_AES_128_GCM = 4
SUITE_SM4_GCM = 5
GCM_SUITES: dict[KeySpec, int] = {
    KeySpec.AES_256: SUITE_AES_256_GCM,
    KeySpec.AES_192: SUITE_AES_192_GCM,
    KeySpec.AES_128: SUITE_AES_128_GCM,
    KeySpec.SM4: SUITE_SM4_GCM,
}
IV_BYTES = 12
TAG_BYTES = 16
CBC_IV_BYTES = 16
MAC_TAG_BYTES = 32
"""Of suite 2."""
DATA_KEY_BYTES = 32
COMMITMENT = bytes(32)
MAX_PLAINTEXT_BYTES = 6 * 1024

_CMK_HEADER = struct.Struct(">BBB16sIB")
_VALUE_HEADER = struct.Struct(">BBB16s12s")


class Purpose(IntEnum):
    """What a key is used for. Callers of the API reach those below 16 only; the rest never leaves the daemon.

    Those of signatures and MACs stand in no ciphertext.
    """

    API_CIPHERTEXT = 1
    API_DATA_KEY = 2
    API_SIGNATURE = 3
    API_MAC = 4
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


_NO_PAIRS = bytes(4)


def canonical_context(context: Mapping[str, str]) -> bytes:
    """The encryption context as bytes: count u32, then names and values by name, each with a u32 length."""
    if not context:
        return _NO_PAIRS
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
        return header_start(self.suite, self.purpose, self.key_id, self.key_version, len(self.iv)) + self.iv

    @classmethod
    def split(cls, ciphertext: bytes) -> "tuple[CiphertextHeader, bytes, bytes]":
        """The header, its bytes, and the encrypted rest; whatever is no such ciphertext raises InvalidCiphertext."""
        if len(ciphertext) < _CMK_HEADER.size:
            raise InvalidCiphertext
        version, suite, purpose, identifier, key_version, iv_bytes = _CMK_HEADER.unpack_from(ciphertext)
        end = _CMK_HEADER.size + iv_bytes
        if version != VERSION or purpose not in Purpose._value2member_map_ or len(ciphertext) < end + TAG_BYTES:
            raise InvalidCiphertext
        header = cls(suite, Purpose(purpose), _key_id(identifier), key_version, ciphertext[_CMK_HEADER.size : end])
        return header, ciphertext[:end], ciphertext[end:]


def header_start(suite: int, purpose: Purpose, key_id: str, key_version: int, iv_bytes: int) -> bytes:
    """A CMK ciphertext's header up to the iv; all ciphertexts of a key version for a purpose begin with it."""
    identifier = bytes.fromhex(key_id.replace("-", ""))
    return _CMK_HEADER.pack(VERSION, suite, purpose, identifier, key_version, iv_bytes)


def named_key(ciphertext: bytes) -> str:
    """The key that a CMK ciphertext names, in 36 characters, whatever else is in it; InvalidCiphertext: too short."""
    if len(ciphertext) < _CMK_HEADER.size:
        raise InvalidCiphertext
    return _key_id(ciphertext[3:19])


def _key_id(identifier: bytes) -> str:
    """The UUID in its 36-character form; what every Decrypt needs is put together directly."""
    digits = identifier.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


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
