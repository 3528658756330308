"""Algorithms of keys that encrypt, sign and authenticate: their names, which key can do which, and sizes in bytes.

Names are those that AWS and Alibaba share (API references, Sign, Encrypt, GenerateMac); SM2 has Alibaba's.
"""

from enum import Enum

from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec, KeyUsage


class EncryptionAlgorithm(Enum):
    """How a plaintext is encrypted. SYMMETRIC_DEFAULT makes the self-describing ciphertext of `domain/envelope.py`."""

    SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"
    RSAES_OAEP_SHA_1 = "RSAES_OAEP_SHA_1"
    RSAES_OAEP_SHA_256 = "RSAES_OAEP_SHA_256"
    SM2PKE = "SM2PKE"


class SigningAlgorithm(Enum):
    """How a message is signed. RSA as in RFC 8017, salts as long as the digest; ECDSA signatures are DER (X9.62)."""

    RSASSA_PSS_SHA_256 = "RSASSA_PSS_SHA_256"
    RSASSA_PSS_SHA_384 = "RSASSA_PSS_SHA_384"
    RSASSA_PSS_SHA_512 = "RSASSA_PSS_SHA_512"
    RSASSA_PKCS1_V1_5_SHA_256 = "RSASSA_PKCS1_V1_5_SHA_256"
    RSASSA_PKCS1_V1_5_SHA_384 = "RSASSA_PKCS1_V1_5_SHA_384"
    RSASSA_PKCS1_V1_5_SHA_512 = "RSASSA_PKCS1_V1_5_SHA_512"
    ECDSA_SHA_256 = "ECDSA_SHA_256"
    ECDSA_SHA_384 = "ECDSA_SHA_384"
    ECDSA_SHA_512 = "ECDSA_SHA_512"
    ED25519_SHA_512 = "ED25519_SHA_512"
    """Pure Ed25519 (RFC 8032): takes messages, never a digest."""
    SM2DSA = "SM2DSA"
    """GB/T 32918.2 with SM3; the digest of a message includes Z of the default id 1234567812345678."""


class MacAlgorithm(Enum):
    """How a MAC is computed (RFC 2104)."""

    HMAC_SHA_256 = "HMAC_SHA_256"
    HMAC_SHA_384 = "HMAC_SHA_384"
    HMAC_SHA_512 = "HMAC_SHA_512"


class MessageType(Enum):
    """Whether what is to be signed is the message, or its digest by the algorithm's hash."""

    RAW = "RAW"
    DIGEST = "DIGEST"


MAX_MESSAGE_BYTES = 4096
"""The longest message that is signed or authenticated; whoever has more sends its digest."""

_S = SigningAlgorithm
_RSA_SIGNING = tuple(one for one in SigningAlgorithm if one.value.startswith("RSASSA"))
_SIGNING: dict[KeySpec, tuple[SigningAlgorithm, ...]] = {
    KeySpec.RSA_2048: _RSA_SIGNING,
    KeySpec.RSA_3072: _RSA_SIGNING,
    KeySpec.RSA_4096: _RSA_SIGNING,
    KeySpec.ECC_NIST_P256: (_S.ECDSA_SHA_256,),
    KeySpec.ECC_NIST_P384: (_S.ECDSA_SHA_384,),
    KeySpec.ECC_NIST_P521: (_S.ECDSA_SHA_512,),
    KeySpec.ECC_SECG_P256K1: (_S.ECDSA_SHA_256,),
    KeySpec.ECC_NIST_EDWARDS25519: (_S.ED25519_SHA_512,),
    KeySpec.SM2: (_S.SM2DSA,),
}
_MACS = {
    KeySpec.HMAC_256: (MacAlgorithm.HMAC_SHA_256,),
    KeySpec.HMAC_384: (MacAlgorithm.HMAC_SHA_384,),
    KeySpec.HMAC_512: (MacAlgorithm.HMAC_SHA_512,),
}
_ENCRYPTION = {
    KeyFamily.AES: (EncryptionAlgorithm.SYMMETRIC_DEFAULT,),
    KeyFamily.SM4: (EncryptionAlgorithm.SYMMETRIC_DEFAULT,),
    KeyFamily.RSA: (EncryptionAlgorithm.RSAES_OAEP_SHA_256, EncryptionAlgorithm.RSAES_OAEP_SHA_1),
    KeyFamily.SM2: (EncryptionAlgorithm.SM2PKE,),
}
_HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}
_HASH_BYTES = {"sha256": 32, "sha384": 48, "sha512": 64, "sm3": 32}


def encryption_algorithms(spec: KeySpec) -> tuple[EncryptionAlgorithm, ...]:
    """What a key of the spec may encrypt by, the default first; none for keys that do not encrypt."""
    return _ENCRYPTION.get(SPECS[spec].family, ())


def signing_algorithms(spec: KeySpec) -> tuple[SigningAlgorithm, ...]:
    """What a key of the spec may sign by, the default first; none for keys that do not sign."""
    return _SIGNING.get(spec, ())


def mac_algorithms(spec: KeySpec) -> tuple[MacAlgorithm, ...]:
    """What a key of the spec may authenticate by; none for keys that do not."""
    return _MACS.get(spec, ())


def algorithm_names(spec: KeySpec, usage: KeyUsage) -> tuple[str, ...]:
    """The names of the algorithms that a key of that spec and usage knows."""
    known: dict[KeyUsage, tuple[EncryptionAlgorithm | SigningAlgorithm | MacAlgorithm, ...]] = {
        KeyUsage.ENCRYPT_DECRYPT: encryption_algorithms(spec),
        KeyUsage.SIGN_VERIFY: signing_algorithms(spec),
        KeyUsage.GENERATE_VERIFY_MAC: mac_algorithms(spec),
    }
    return tuple(one.value for one in known[usage])


def hash_of(algorithm: SigningAlgorithm | MacAlgorithm) -> str:
    """hashlib's name of the algorithm's hash; "sm3" for SM2DSA."""
    return "sm3" if algorithm is SigningAlgorithm.SM2DSA else _HASHES[algorithm.value[-3:]]


def digest_bytes(algorithm: SigningAlgorithm) -> int | None:
    """How long a digest for the algorithm is; None where it takes messages only."""
    return None if algorithm is SigningAlgorithm.ED25519_SHA_512 else _HASH_BYTES[hash_of(algorithm)]
