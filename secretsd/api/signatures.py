"""Requests and responses about signatures and MACs."""

from typing import Annotated, Literal

from msgspec import Meta

from secretsd.api.cryptography import Base64
from secretsd.api.fields import BinaryValue, Response
from secretsd.api.keys import OfKey

SigningName = Annotated[
    Literal[
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
        "ECDSA_SHA_256",
        "ECDSA_SHA_384",
        "ECDSA_SHA_512",
        "ED25519_SHA_512",
        "SM2DSA",
    ],
    Meta(description="How it is signed; may be left out where the key has one algorithm only."),
]
MacName = Annotated[
    Literal["HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"], Meta(description="The key's algorithm, its only one.")
]
Signature = Annotated[
    bytes,
    Meta(min_length=1, max_length=1023, description="A signature as the algorithm writes it, in base64; ECDSA in DER."),
    Base64,
]
Mac = Annotated[bytes, Meta(min_length=1, max_length=66, description="A whole MAC, in standard base64."), Base64]


class OfMessage(OfKey, frozen=True, kw_only=True):
    """A message of at most 4 KiB, or with the message type DIGEST the digest of one by the algorithm's hash."""

    message: BinaryValue
    message_type: Literal["RAW", "DIGEST"] = "RAW"
    algorithm: SigningName | None = None


class SignRequest(OfMessage, frozen=True, kw_only=True):
    """What to sign."""


class SignResponse(Response, frozen=True, kw_only=True):
    """The signature, in base64."""

    key_id: str
    key_version: int
    algorithm: str
    signature: bytes


class VerifyRequest(OfMessage, frozen=True, kw_only=True):
    """What was signed, and the signature."""

    signature: Signature


class VerifyResponse(Response, frozen=True, kw_only=True):
    """Whether the signature is the key's signature of the message. One that cannot be read is not valid."""

    key_id: str
    key_version: int
    algorithm: str
    valid: bool


class GenerateMacRequest(OfKey, frozen=True, kw_only=True):
    """A message of at most 4 KiB."""

    message: BinaryValue
    algorithm: MacName | None = None


class GenerateMacResponse(Response, frozen=True, kw_only=True):
    """The MAC, in base64."""

    key_id: str
    key_version: int
    algorithm: str
    mac: bytes


class VerifyMacRequest(OfKey, frozen=True, kw_only=True):
    """A message and what is said to be its MAC."""

    message: BinaryValue
    mac: Mac
    algorithm: MacName | None = None


class VerifyMacResponse(Response, frozen=True, kw_only=True):
    """Whether it is."""

    key_id: str
    key_version: int
    algorithm: str
    valid: bool
