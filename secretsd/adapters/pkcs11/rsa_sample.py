"""A published RSA key, by which a module shows what it does with RSA: making one would take it a second at each start.

Its factors stand here, so it guards nothing and must guard nothing.
"""

from collections.abc import Mapping
from typing import Any

from pkcs11 import Attribute, KeyType, ObjectClass

from secretsd.adapters.pkcs11 import attributes
from secretsd.adapters.pkcs11.key_kinds import KeyKind

BITS = 2048
EXPONENT = 65537
_P = int(
    "d0fc164d6498e46d90023d760cd5eaf199063fa1610a7f3c0ef33f8721b75dda43e820c7de5039b5b83c1a93a13c218a"
    "a15b552416a59666c6da07a1afd0006f3ff9043f8939534d4fffe9bcb7a64f2831a506e1e97fbe0c7b50856d35689381"
    "fa2dc48cd732c9ac7adf5605d4dbfc7a6e7496999df17dc08102c44538145d65",
    16,
)
_Q = int(
    "c35f4bafd41f2483a23a41d1a8764142a9521ad4a584e69b9b06efe84be5d20856601ed0ced1956ff5f37c0326403cec"
    "96379eb070522957339da74a53f69d16fd3d40d6cf8fd17641b6dad9d4ac53a5342e9f999975d55310e35531d687f9d9"
    "95001e23265b73cf4dfd0d303b65c3612f06ba2acd0650eece0f350ab96747d1",
    16,
)
MODULUS = _P * _Q


def public_numbers() -> tuple[bytes, bytes]:
    """Its modulus and public exponent, big-endian."""
    return _bytes(MODULUS), _bytes(EXPONENT)


def enter(session: Any, kind: KeyKind, template: Mapping[Attribute, Any]) -> Any:
    """The private key as a session object, guarded by the template and used as a CMK of that kind; PKCS11Error."""
    exponent = pow(EXPONENT, -1, (_P - 1) * (_Q - 1))
    numbers = {
        Attribute.MODULUS: MODULUS,
        Attribute.PUBLIC_EXPONENT: EXPONENT,
        Attribute.PRIVATE_EXPONENT: exponent,
        Attribute.PRIME_1: _P,
        Attribute.PRIME_2: _Q,
        Attribute.EXPONENT_1: exponent % (_P - 1),
        Attribute.EXPONENT_2: exponent % (_Q - 1),
        Attribute.COEFFICIENT: pow(_Q, -1, _P),
    }
    return session.create_object(
        {
            Attribute.CLASS: ObjectClass.PRIVATE_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.TOKEN: False,
            **attributes.uses_of_private(kind.uses),
            **{name: _bytes(number) for name, number in numbers.items()},
            **template,
        }
    )


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
