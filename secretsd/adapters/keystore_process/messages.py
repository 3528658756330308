"""What workers and the keystore process say to each other, decoded strictly: anything else ends the connection.

A call names its key by the digest of the key's row. The process asks for a row that it does not have by KeyUnknown;
the worker then sends Load and the call again. No message carries a CMK, and none lets its sender choose what is MACed.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from secretsd.domain.algorithms import MAX_MESSAGE_BYTES, EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import (
    CBC_IV_BYTES,
    COMMITMENT,
    MAC_TAG_BYTES,
    MAX_PLAINTEXT_BYTES,
    CiphertextHeader,
    Purpose,
)
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, KeyOrigin, ProtectionLevel, WrappedKey, protection_level
from secretsd.domain.root_keys import RootKey

MAX_RANDOM_BYTES = 4096
MAX_DATA_KEY_BYTES = 1024
MAX_CONTEXT_PAIRS = 64
MAX_CONTEXT_BYTES = 8192
MAX_REQUEST_ID = 128
MAX_MATERIAL_BYTES = 8192
MAX_RSA_BYTES = 512
_HEADER_BYTES = len(CiphertextHeader(1, Purpose.API_CIPHERTEXT, "00000000-0000-0000-0000-000000000000", 1, b"").pack())
# Suite 2 makes the longest ones: the text is filled up by 1 to 16 bytes.
MAX_CIPHERTEXT_BYTES = _HEADER_BYTES + CBC_IV_BYTES + len(COMMITMENT) + MAX_PLAINTEXT_BYTES + 16 + MAC_TAG_BYTES

_Id = Annotated[int, Meta(ge=0, lt=1 << 32)]
_Account = Annotated[str, Meta(pattern=r"\A(?:[0-9]{12}|system)\Z")]
_RequestId = Annotated[str, Meta(max_length=MAX_REQUEST_ID)]
_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
_KeyId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
# Version 0 is an import's key pair, which is no version of the key.
_Version = Annotated[int, Meta(ge=0, lt=1 << 32)]
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
    public_key: Annotated[bytes, Meta(max_length=1024)]
    fingerprint: Annotated[bytes, Meta(max_length=64)]

    @classmethod
    def of(cls, key: WrappedKey) -> "KeyRow":
        """The row of a key."""
        kind = (key.spec, key.usage, key.origin, key.protection_level, key.suite)
        material = (key.kek_id, key.blob, key.mac, key.public_key, key.fingerprint)
        return cls(key.account, key.key_id, key.version, *kind, *material)

    def key(self) -> WrappedKey:
        """The key in the row; its revision is storage's own business."""
        return WrappedKey(
            self.account, self.key_id, self.version, self.spec, self.usage, self.origin, self.protection_level,
            self.suite, self.kek_id, self.blob, self.mac, public_key=self.public_key, fingerprint=self.fingerprint,
        )  # fmt: skip


class Status(_Message, frozen=True, tag="status"):
    """How are you?"""


class Able(_Message, frozen=True, tag="able"):
    """Has the module that spec or algorithm? Done then holds why not, as half a sentence, or nothing."""

    name: _Short


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


class KeyCall(_Message, frozen=True):
    """A use of a key: what all of them carry."""

    key: _Digest
    account: _Account
    purpose: Purpose
    request_id: _RequestId
    context: _Context


class Encrypt(KeyCall, frozen=True, tag="encrypt"):
    """Encrypt under a CMK."""

    plaintext: Annotated[bytes, Meta(max_length=MAX_PLAINTEXT_BYTES)]


class Decrypt(KeyCall, frozen=True, tag="decrypt"):
    """Decrypt under a CMK."""

    ciphertext: Annotated[bytes, Meta(max_length=MAX_CIPHERTEXT_BYTES)]


class GenerateDataKey(KeyCall, frozen=True, tag="generate-data-key"):
    """Random bytes, and the same encrypted under a CMK."""

    size: Annotated[int, Meta(ge=1, le=MAX_DATA_KEY_BYTES)]


class DecryptAsymmetric(KeyCall, frozen=True, tag="decrypt-asymmetric"):
    """Decrypt what was encrypted under a CMK's public half; there is no context."""

    algorithm: EncryptionAlgorithm
    ciphertext: Annotated[bytes, Meta(max_length=MAX_RSA_BYTES)]


class Sign(KeyCall, frozen=True, tag="sign"):
    """Sign a digest, or for Ed25519 a message; there is no context."""

    algorithm: SigningAlgorithm
    message: Annotated[bytes, Meta(max_length=MAX_MESSAGE_BYTES)]


class GenerateMac(KeyCall, frozen=True, tag="generate-mac"):
    """The MAC of a message; there is no context."""

    algorithm: MacAlgorithm
    message: Annotated[bytes, Meta(max_length=MAX_MESSAGE_BYTES)]


class GenerateImportKey(_Message, frozen=True, tag="generate-import-key"):
    """A key pair under which material of a key comes in."""

    account: _Account
    key_id: _KeyId
    spec: WrappingSpec


class ImportKey(_Message, frozen=True, tag="import-key"):
    """Wrapped material, to become a key version; `key` is the import's key pair."""

    key: _Digest
    account: _Account
    key_id: _KeyId
    version: _Version
    spec: KeySpec
    usage: KeyUsage
    algorithm: WrappingAlgorithm
    material: Annotated[bytes, Meta(max_length=MAX_MATERIAL_BYTES)]
    before: KeyRow | None

    @property
    def metadata(self) -> KeyMetadata:
        """What the key will be bound to."""
        kind = (self.spec, self.usage, KeyOrigin.EXTERNAL, protection_level(self.spec))
        return KeyMetadata(self.account, self.key_id, self.version, *kind)


class Rewrap(_Message, frozen=True, tag="rewrap"):
    """A key version under the current root KEK."""

    row: KeyRow


class DestroyKey(_Message, frozen=True, tag="destroy-key"):
    """Never load the key's versions up to that one again."""

    account: _Account
    key_id: _KeyId
    up_to_version: _Version


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
    inabilities: dict[str, str]
    seconds: dict[str, float]
    counts: dict[str, list[int]]
    errors: dict[str, int]
    worn: list[tuple[str, str, int]]
    roots: list[RootKey]


class KeyUnknown(_Message, frozen=True, tag="key-unknown"):
    """Send the key's row and ask again."""


class Failed(_Message, frozen=True, tag="failed"):
    """The error, as its kind (ErrorKind) and its sentence."""

    kind: str
    message: str
    retry_after_seconds: int | None


Use = Encrypt | Decrypt | GenerateDataKey | DecryptAsymmetric | Sign | GenerateMac
Managing = GenerateKey | Load | GenerateImportKey | ImportKey | Rewrap | DestroyKey | Random | StorageKey
Call = Status | Able | Use | Managing
Answer = Done | DataKey | Made | State | KeyUnknown | Failed

encode = msgspec.msgpack.Encoder().encode
decode_calls = msgspec.msgpack.Decoder(list[Call]).decode
decode_answers = msgspec.msgpack.Decoder(list[Answer]).decode
