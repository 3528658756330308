"""Requests and responses about what is encrypted and decrypted with CMKs, and random bytes."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.fields import BASE64_PATTERN, BinaryValue, KeyReference, Request, Response
from secretsd.api.keys import OfKey, key_path
from secretsd.domain.envelope import named_key
from secretsd.domain.names import split_reference

MAX_CIPHERTEXT_BYTES = 8190
"""More than any ciphertext has; the key store knows the exact bound."""

Base64 = Meta(extra_json_schema={"pattern": BASE64_PATTERN})
Ciphertext = Annotated[
    bytes,
    Meta(min_length=1, max_length=MAX_CIPHERTEXT_BYTES, description="A ciphertext, in standard base64."),
    Base64,
]
Context = Annotated[
    Mapping[str, str],
    Meta(max_length=64, description="Bound into the ciphertext, and needed again to open it; 8 KiB at most in all."),
]
EncryptionName = Annotated[
    Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"],
    Meta(description="How it is encrypted; may be left out where the key has one algorithm only."),
]


class OfCiphertext(Request, frozen=True, kw_only=True):
    """A request about a ciphertext, which says by itself under which key it is; those of RSA and SM2 keys do not.

    The right to it is asked on the key that the ciphertext names, before anything of it is told. One that is too short
    to name a key raises InvalidCiphertext here.
    """

    ciphertext: Ciphertext
    key: KeyReference | None = None

    @property
    def resource_path(self) -> str:
        """The key, as it is given or as the ciphertext names it."""
        return f"key/{named_key(self.ciphertext)}" if self.key is None else key_path(self.key)

    @property
    def resource_account(self) -> str | None:
        """The account of the key that is given; a ciphertext names none, so it is looked up whose its key is."""
        return None if self.key is None else split_reference(self.key)[0]


class EncryptRequest(OfKey, frozen=True, kw_only=True):
    """At most 6 KiB of plaintext; an RSA or SM2 key takes what its size leaves room for, and no context."""

    plaintext: BinaryValue
    context: Context = msgspec.field(default_factory=dict)
    algorithm: EncryptionName | None = None


class EncryptResponse(Response, frozen=True, kw_only=True):
    """The ciphertext; docs/reference/ciphertext.md describes its bytes."""

    key_id: str
    key_version: int
    algorithm: str
    ciphertext: bytes


class DecryptRequest(OfCiphertext, frozen=True, kw_only=True):
    """The context has to be what it was at encryption. Where a key is given, the ciphertext is to be under that one."""

    context: Context = msgspec.field(default_factory=dict)
    algorithm: EncryptionName | None = None


class DecryptResponse(Response, frozen=True, kw_only=True):
    """The plaintext."""

    key_id: str
    key_version: int
    algorithm: str
    plaintext: BinaryValue


class ReEncryptRequest(OfCiphertext, frozen=True, kw_only=True):
    """`key`, `context` and `algorithm` are those of the ciphertext as it is; the others those of what comes of it."""

    destination_key: KeyReference
    context: Context = msgspec.field(default_factory=dict)
    algorithm: EncryptionName | None = None
    destination_context: Context = msgspec.field(default_factory=dict)
    destination_algorithm: EncryptionName | None = None


class ReEncryptResponse(Response, frozen=True, kw_only=True):
    """The same under another key, key version or context."""

    source_key_id: str
    source_key_version: int
    key_id: str
    key_version: int
    algorithm: str
    ciphertext: bytes


class GenerateRandomRequest(Request, frozen=True, kw_only=True):
    """How many bytes."""

    number_of_bytes: Annotated[int, Meta(ge=1, le=4096)] = 32

    @property
    def resource_path(self) -> str:
        """No stored thing."""
        return "random"


class GenerateRandomResponse(Response, frozen=True, kw_only=True):
    """The bytes."""

    plaintext: BinaryValue
