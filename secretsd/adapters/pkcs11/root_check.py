"""The value by which a root is known on whatever token it is, and that tells nothing about it."""

from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from secretsd.adapters.pkcs11 import known_answers
from secretsd.domain.root_keys import CHECK_BYTES, check_bytes


def check_value(
    session: Any, kek: Any, mac_key: Any, kek_id: str, generation: int, kwp: Mechanism | None = None
) -> str:
    """A value that two tokens with the same root tell alike, 16 bytes in hexadecimal.

    `kwp` is what this module calls RFC 5649, found out here where it is not known yet.

    The first bytes of the MAC key's HMAC-SHA-256 over `check_bytes` of 32 zero bytes wrapped by the KEK (RFC 5649).
    The operator's tool computes it from a recovery wrap in the same way.
    """
    zeros = session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.VALUE: bytes(32),
            Attribute.TOKEN: False,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: False,
            Attribute.EXTRACTABLE: True,
            Attribute.ENCRYPT: True,
            Attribute.WRAP: False,
            Attribute.UNWRAP: False,
        }
    )
    try:
        wrapped = kek.wrap_key(zeros, mechanism=kwp or known_answers.require_known_answers(session)[0])
    finally:
        zeros.destroy()
    covered = check_bytes(kek_id, generation, wrapped)
    return bytes(mac_key.sign(covered, mechanism=Mechanism.SHA256_HMAC))[:CHECK_BYTES].hex()
