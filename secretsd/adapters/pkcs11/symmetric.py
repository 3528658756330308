"""AES in GCM with keys of the module: sealing and opening (NIST SP 800-38D)."""

from typing import Any

from pkcs11 import GCMParams, Mechanism

from secretsd.domain.envelope import TAG_BYTES


def seal(key: Any, iv: bytes, bound: bytes, text: bytes) -> bytes:
    """Ciphertext ‖ tag; PKCS11Error."""
    return bytes(key.encrypt(text, mechanism=Mechanism.AES_GCM, mechanism_param=_parameters(iv, bound)))


def unseal(key: Any, iv: bytes, bound: bytes, encrypted: bytes) -> bytes:
    """The text; PKCS11Error, of which some may be the ciphertext's fault (`faults.perhaps_bad_ciphertext`)."""
    return bytes(key.decrypt(encrypted, mechanism=Mechanism.AES_GCM, mechanism_param=_parameters(iv, bound)))


def _parameters(iv: bytes, bound: bytes) -> GCMParams:
    return GCMParams(iv, bound, TAG_BYTES * 8)
