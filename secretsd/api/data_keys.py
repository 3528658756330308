"""Requests and responses about data keys: symmetric ones, key pairs, and data keys for somebody else's public key."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.cryptography import Base64, Context, OfCiphertext
from secretsd.api.fields import BinaryValue, Response
from secretsd.api.keys import OfKey

PublicKey = Annotated[
    bytes,
    Meta(min_length=1, max_length=1023, description="A SubjectPublicKeyInfo in DER (RFC 5280), in standard base64."),
    Base64,
]
WrappingName = Annotated[
    Literal["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"], Meta(description="How it is encrypted under the public key.")
]
KeyPairSpec = Literal[
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
]


class OfDataKey(OfKey, frozen=True, kw_only=True):
    """A data key of a spec or of a number of bytes, of one of the two; AES_256 where neither is given."""

    spec: Literal["AES_256", "AES_128"] | None = None
    number_of_bytes: Annotated[int, Meta(ge=1, le=1024)] | None = None
    context: Context = msgspec.field(default_factory=dict)


class GenerateDataKeyRequest(OfDataKey, frozen=True, kw_only=True):
    """A data key, in clear and encrypted under the CMK."""


class GenerateDataKeyResponse(Response, frozen=True, kw_only=True):
    """The data key, and the same as a ciphertext that Decrypt opens."""

    key_id: str
    key_version: int
    plaintext: BinaryValue
    ciphertext: bytes


class GenerateDataKeyWithoutPlaintextRequest(OfDataKey, frozen=True, kw_only=True):
    """A data key for later, or for somebody else."""


class GenerateDataKeyWithoutPlaintextResponse(Response, frozen=True, kw_only=True):
    """The data key as a ciphertext that Decrypt opens."""

    key_id: str
    key_version: int
    ciphertext: bytes


class OfDataKeyPair(OfKey, frozen=True, kw_only=True):
    """A key pair whose private key is encrypted under the CMK."""

    key_pair_spec: KeyPairSpec
    context: Context = msgspec.field(default_factory=dict)


class GenerateDataKeyPairRequest(OfDataKeyPair, frozen=True, kw_only=True):
    """A key pair, its private key in clear and encrypted under the CMK."""


class GenerateDataKeyPairResponse(Response, frozen=True, kw_only=True):
    """The public key as SubjectPublicKeyInfo and the private key as PKCS#8, both in DER, in base64."""

    key_id: str
    key_version: int
    key_pair_spec: str
    public_key: bytes
    private_key_plaintext: BinaryValue
    private_key_ciphertext: bytes


class GenerateDataKeyPairWithoutPlaintextRequest(OfDataKeyPair, frozen=True, kw_only=True):
    """A key pair for later, or for somebody else."""


class GenerateDataKeyPairWithoutPlaintextResponse(Response, frozen=True, kw_only=True):
    """The public key as SubjectPublicKeyInfo in DER; the private key as a ciphertext that Decrypt opens."""

    key_id: str
    key_version: int
    key_pair_spec: str
    public_key: bytes
    private_key_ciphertext: bytes


class ExportDataKeyRequest(OfCiphertext, frozen=True, kw_only=True):
    """A data key that was made here, encrypted anew under an RSA key of 2,048 to 4,096 bits."""

    public_key: PublicKey
    wrapping_algorithm: WrappingName = "RSAES_OAEP_SHA_256"
    context: Context = msgspec.field(default_factory=dict)


class ExportDataKeyResponse(Response, frozen=True, kw_only=True):
    """The data key under the public key, in base64."""

    key_id: str
    key_version: int
    exported_data_key: bytes


class GenerateAndExportDataKeyRequest(OfDataKey, frozen=True, kw_only=True):
    """A new data key, under the CMK and under an RSA key of 2,048 to 4,096 bits."""

    public_key: PublicKey
    wrapping_algorithm: WrappingName = "RSAES_OAEP_SHA_256"


class GenerateAndExportDataKeyResponse(Response, frozen=True, kw_only=True):
    """The data key as a ciphertext that Decrypt opens, and under the public key."""

    key_id: str
    key_version: int
    ciphertext: bytes
    exported_data_key: bytes
