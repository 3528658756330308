"""SM4 (GB/T 32907) by OpenSSL: in GCM as in RFC 8998, and one block of it."""

from typing import Any

from secretsd.adapters.sm.extra import openssl
from secretsd.domain.envelope import TAG_BYTES
from secretsd.domain.errors import InvalidCiphertext

KEY_BYTES = 16


def seal(key: bytes, iv: bytes, bound: bytes, text: bytes) -> bytes:
    """Ciphertext ‖ tag of 16 bytes."""
    sealing = _cipher(key, openssl().ciphers.modes.GCM(iv)).encryptor()
    sealing.authenticate_additional_data(bound)
    return bytes(sealing.update(text) + sealing.finalize() + sealing.tag)


def unseal(key: bytes, iv: bytes, bound: bytes, encrypted: bytes) -> bytes:
    """The text; InvalidCiphertext."""
    from cryptography.exceptions import InvalidTag  # only with the extra, as all of it

    tag = encrypted[-TAG_BYTES:]
    if len(tag) != TAG_BYTES:
        raise InvalidCiphertext
    opening = _cipher(key, openssl().ciphers.modes.GCM(iv, tag)).decryptor()
    opening.authenticate_additional_data(bound)
    try:
        return bytes(opening.update(encrypted[:-TAG_BYTES]) + opening.finalize())
    except InvalidTag:
        raise InvalidCiphertext from None


def blocks(key: bytes, text: bytes) -> bytes:
    """The encryption of blocks of 16 bytes, each by itself: for fixed texts only, whose blocks differ."""
    whole = _cipher(key, openssl().ciphers.modes.ECB()).encryptor()
    return bytes(whole.update(text) + whole.finalize())


def _cipher(key: bytes, mode: Any) -> Any:
    ciphers = openssl().ciphers
    return ciphers.Cipher(ciphers.algorithms.SM4(key), mode)
