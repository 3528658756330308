"""Fingerprints of imported keys: they know the same material again, and tell nothing to whoever reads storage.

A fingerprint is the root's HMAC over account, key, spec and what follows from the material alone; no digest without a
key is stored (SECURITY 4), and equal material of two keys has two fingerprints.
"""

import hmac
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from secretsd.adapters.pkcs11 import asymmetric
from secretsd.adapters.pkcs11.key_kinds import KeyKind, Pair
from secretsd.domain.algorithms import hash_of, mac_algorithms
from secretsd.domain.key_specs import KeyFamily

# Two blocks, so that no two keys with the same answer can be found (128 bits would fall to 2^64 tries). As a counter
# block of GCM the first one would stand for block 1.7 billion of a message, which none of 6 KiB has, and it is not the
# zero block whose answer is GCM's authentication key.
TEXT = b"secretsd fingerprint of imported"
_IV = bytes(16)


def answer(kind: KeyKind, key: Any, public_key: bytes) -> bytes:
    """What follows from the material alone and differs for all other material; PKCS11Error.

    AES keys encrypt a fixed text (CBC, NIST SP 800-38A), HMAC keys authenticate it, the rest have a public key. Of a
    pair it is the cipher key alone that was imported.
    """
    if isinstance(key, Pair):
        key = key.cipher
    match kind.family:
        case KeyFamily.AES:
            return bytes(key.encrypt(TEXT, mechanism=Mechanism.AES_CBC, mechanism_param=_IV))
        case KeyFamily.HMAC:
            return asymmetric.mac(key, mac_algorithms(kind.spec)[0], TEXT)
        case _:
            return public_key


def answer_of_zeros(session: Any, kind: KeyKind) -> bytes:
    """The answer of a secret key that is all zeros, which everybody knows; PKCS11Error."""
    zeros = bytes(kind.bits // 8)
    if kind.family is KeyFamily.HMAC:
        return hmac.digest(zeros, TEXT, hash_of(mac_algorithms(kind.spec)[0]))
    key = session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.TOKEN: False,
            Attribute.PRIVATE: True,
            Attribute.ENCRYPT: True,
            Attribute.VALUE: zeros,
        }
    )
    try:
        return answer(kind, key, b"")
    finally:
        key.destroy()
