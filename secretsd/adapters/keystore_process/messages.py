"""What workers and the keystore process say to each other, decoded strictly: anything else ends the connection.

A call names its key by the digest of the key's row. The process asks for a row that it does not have by KeyUnknown;
the worker then sends Load and the call again. No message carries a CMK, and none lets its sender choose what is MACed.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from secretsd.domain.envelope import (
    COMMITMENT,
    IV_BYTES,
    MAX_PLAINTEXT_BYTES,
    TAG_BYTES,
    CiphertextHeader,
    Purpose,
)
from secretsd.domain.keys import KeyMetadata, KeyOrigin, KeySpec, KeyUsage, ProtectionLevel, WrappedKey

MAX_RANDOM_BYTES = 4096
MAX_DATA_KEY_BYTES = 1024
MAX_CONTEXT_PAIRS = 64
MAX_CONTEXT_BYTES = 8192
MAX_REQUEST_ID = 128
_HEADER_BYTES = len(CiphertextHeader(1, Purpose.API_CIPHERTEXT, "00000000-0000-0000-0000-000000000000", 1, b"").pack())
MAX_CIPHERTEXT_BYTES = _HEADER_BYTES + IV_BYTES + len(COMMITMENT) + MAX_PLAINTEXT_BYTES + TAG_BYTES

_Id = Annotated[int, Meta(ge=0, lt=1 << 32)]
_Account = Annotated[str, Meta(pattern=r"\A(?:[0-9]{12}|system)\Z")]
_RequestId = Annotated[str, Meta(max_length=MAX_REQUEST_ID)]
_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
_KeyId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
_Version = Annotated[int, Meta(ge=1, lt=1 << 32)]
_Short = Annotated[str, Meta(max_length=64)]
_Context = Annotated[dict[str, str], Meta(max_length=MAX_CONTEXT_PAIRS)]


class _Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    id: _Id

    def __repr__(self) -> str:
        """Without its fields: some hold plaintext."""
        return f"{type(self).__name__}(…)"


class KeyRow(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A WrappedKey on the wire, its fields bounded."""

    account: _Account
    key_id: _KeyId
    version: _Version
    spec: KeySpec
    usage: KeyUsage
    origin: KeyOrigin
    protection_level: ProtectionLevel
    suite: Annotated[int, Meta(ge=0, le=255)]
    kek_id: _Short
    blob: Annotated[bytes, Meta(max_length=4096)]
    mac: Annotated[bytes, Meta(max_length=64)]

    @classmethod
    def of(cls, key: WrappedKey) -> "KeyRow":
        """The row of a key."""
        kind = (key.spec, key.usage, key.origin, key.protection_level, key.suite)
        return cls(key.account, key.key_id, key.version, *kind, key.kek_id, key.blob, key.mac)

    def key(self) -> WrappedKey:
        """The key in the row; its revision is storage's own business."""
        kind = (self.spec, self.usage, self.origin, self.protection_level, self.suite)
        return WrappedKey(self.account, self.key_id, self.version, *kind, self.kek_id, self.blob, self.mac)


class Status(_Message, frozen=True, tag="status"):
    """How are you?"""


class StorageKey(_Message, frozen=True, tag="storage-key"):
    """The key that authenticates storage rows."""


class Random(_Message, frozen=True, tag="random"):
    """Random bytes."""

    size: Annotated[int, Meta(ge=1, le=MAX_RANDOM_BYTES)]


class GenerateKey(_Message, frozen=True, tag="generate-key"):
    """A new CMK version."""

    account: _Account
    key_id: _KeyId
    version: _Version
    spec: KeySpec
    usage: KeyUsage
    origin: KeyOrigin
    protection_level: ProtectionLevel

    @property
    def metadata(self) -> KeyMetadata:
        """What the key is bound to."""
        kind = (self.spec, self.usage, self.origin, self.protection_level)
        return KeyMetadata(self.account, self.key_id, self.version, *kind)


class Load(_Message, frozen=True, tag="load"):
    """The row that a KeyUnknown asked for."""

    row: KeyRow


class _Use(_Message, frozen=True):
    key: _Digest
    account: _Account
    purpose: Purpose
    request_id: _RequestId
    context: _Context


class Encrypt(_Use, frozen=True, tag="encrypt"):
    """Encrypt under a CMK."""

    plaintext: Annotated[bytes, Meta(max_length=MAX_PLAINTEXT_BYTES)]


class Decrypt(_Use, frozen=True, tag="decrypt"):
    """Decrypt under a CMK."""

    ciphertext: Annotated[bytes, Meta(max_length=MAX_CIPHERTEXT_BYTES)]


class GenerateDataKey(_Use, frozen=True, tag="generate-data-key"):
    """Random bytes, and the same encrypted under a CMK."""

    size: Annotated[int, Meta(ge=1, le=MAX_DATA_KEY_BYTES)]


class Done(_Message, frozen=True, tag="done"):
    """The bytes that were asked for; empty after Load."""

    value: bytes


class DataKey(_Message, frozen=True, tag="data-key"):
    """A data key and its ciphertext."""

    plaintext: bytes
    ciphertext: bytes


class Made(_Message, frozen=True, tag="made"):
    """A new CMK version's row."""

    row: KeyRow


class State(_Message, frozen=True, tag="state"):
    """How the key store is; `uses` counts those of the loaded key versions, by "key id/version"."""

    available: bool
    reason: str
    module: str
    kek_id: str
    loaded_keys: int
    uses: dict[str, int]


class KeyUnknown(_Message, frozen=True, tag="key-unknown"):
    """Send the key's row and ask again."""


class Failed(_Message, frozen=True, tag="failed"):
    """The error, as its kind (ErrorKind) and its sentence."""

    kind: str
    message: str
    retry_after_seconds: int | None


Call = Status | StorageKey | Random | GenerateKey | Load | Encrypt | Decrypt | GenerateDataKey
Use = Encrypt | Decrypt | GenerateDataKey
Answer = Done | DataKey | Made | State | KeyUnknown | Failed

encode = msgspec.msgpack.Encoder().encode
decode_calls = msgspec.msgpack.Decoder(list[Call]).decode
decode_answers = msgspec.msgpack.Decoder(list[Answer]).decode
