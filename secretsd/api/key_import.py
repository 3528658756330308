"""Requests and responses about importing the material of CMKs (BYOK)."""

from typing import Annotated, Literal

from msgspec import Meta

from secretsd.api.cryptography import Base64
from secretsd.api.fields import Milliseconds, Response
from secretsd.api.keys import OfKey

MAX_MATERIAL_BYTES = 8190
MAX_TOKEN_BYTES = 8190
"""Both more than any has, and whole groups of base64."""

WrappingName = Annotated[
    Literal["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "SM2PKE"],
    Meta(
        description="How the material will be wrapped. RSA_AES_KEY_WRAP: an AES key under RSAES-OAEP, behind it the "
        "material under that key (RFC 5649); the only way for private keys."
    ),
]
WrappingKeyName = Annotated[
    Literal["RSA_2048", "RSA_3072", "RSA_4096", "SM2"], Meta(description="What the import's public key is.")
]
ImportToken = Annotated[
    bytes, Meta(min_length=1, max_length=MAX_TOKEN_BYTES, description="The import's token, in standard base64."), Base64
]
WrappedMaterial = Annotated[
    bytes,
    Meta(
        min_length=1,
        max_length=MAX_MATERIAL_BYTES,
        description="The material, wrapped under the import's public key, in standard base64.",
    ),
    Base64,
]


class GetParametersForImportRequest(OfKey, frozen=True, kw_only=True):
    """How the material will be wrapped. The key's origin is EXTERNAL."""

    wrapping_algorithm: WrappingName
    wrapping_key_spec: WrappingKeyName = "RSA_2048"


class GetParametersForImportResponse(Response, frozen=True, kw_only=True):
    """The public key to wrap the material under, and the token that belongs to it; both are valid for a day.

    `public_key` is a SubjectPublicKeyInfo (RFC 5280) in DER. They serve for this key alone.
    """

    id: str
    wrapping_algorithm: str
    wrapping_key_spec: str
    public_key: bytes
    import_token: bytes
    expires_ms: int


class ImportKeyMaterialRequest(OfKey, frozen=True, kw_only=True):
    """The wrapped material. A key that had material before takes the same again, and no other.

    `expires_ms` is when the daemon takes the material away again; without it, never.
    """

    import_token: ImportToken
    encrypted_material: WrappedMaterial
    expires_ms: Milliseconds | None = None


class ImportKeyMaterialResponse(Response, frozen=True, kw_only=True):
    """The key as it is now, and when its material goes."""

    id: str
    state: str
    expires_ms: int | None = None


class DeleteImportedKeyMaterialRequest(OfKey, frozen=True, kw_only=True):
    """The imported material goes at once; the key waits for the same material to be imported again."""
