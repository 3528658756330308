"""Whether the extra `sm` is installed, and its two libraries, each proved by known answers before it is first used."""

from functools import cache
from importlib.util import find_spec
from typing import Any

from secretsd.adapters.sm import vectors
from secretsd.adapters.sm.quiet import quiet
from secretsd.domain.errors import Internal, Unsupported

MISSING = "has no SM algorithms: install secretsd[sm]"
"""Why a key store without the extra makes no SM keys, as half a sentence."""


def installed() -> bool:
    """Whether both libraries are there; loads neither."""
    return find_spec("gmssl_pyx") is not None and find_spec("cryptography") is not None


@cache
def gmssl() -> Any:
    """GmSSL; Unsupported where it is not installed, Internal where it gives a wrong answer."""
    try:
        import gmssl_pyx  # large, and most key stores hold no SM key
    except ImportError:
        raise Unsupported(f"cannot use SM2: this installation {MISSING}") from None
    with quiet():
        signed = gmssl_pyx.sm2_verify_sm3_digest(vectors.PUBLIC, vectors.DIGEST, vectors.SIGNATURE)
        other = gmssl_pyx.sm2_verify_sm3_digest(vectors.PUBLIC, vectors.ANOTHER_DIGEST, vectors.SIGNATURE)
        text = gmssl_pyx.sm2_decrypt(vectors.PRIVATE, vectors.CIPHERTEXT)
    if not signed or other or text != vectors.TEXT:
        raise Internal("cannot use SM2: the library gives a wrong answer")
    return gmssl_pyx


@cache
def openssl() -> Any:
    """`cryptography.hazmat.primitives` with ciphers and hashes; Unsupported, Internal, as above."""
    try:
        from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
        from cryptography.hazmat import primitives
        from cryptography.hazmat.primitives import ciphers, hashes  # loads them into `primitives`
        from cryptography.hazmat.primitives.ciphers import algorithms, modes
    except ImportError:
        raise Unsupported(f"cannot use SM3 and SM4: this installation {MISSING}") from None
    try:
        hashed = hashes.Hash(hashes.SM3())
        hashed.update(vectors.HASHED)
        found = hashed.finalize()
        mode = modes.GCM(vectors.GCM_IV, vectors.GCM_ANSWER[-16:])
        opening = ciphers.Cipher(algorithms.SM4(vectors.SM4_KEY), mode).decryptor()
        opening.authenticate_additional_data(vectors.GCM_BOUND)
        text = opening.update(vectors.GCM_ANSWER[:-16]) + opening.finalize()
    except UnsupportedAlgorithm:
        raise Unsupported("cannot use SM3 and SM4: this OpenSSL was built without them") from None
    except InvalidTag:
        found = text = b""
    if found != vectors.HASH or text != vectors.GCM_TEXT:
        raise Internal("cannot use SM3 and SM4: the library gives a wrong answer")
    return primitives
