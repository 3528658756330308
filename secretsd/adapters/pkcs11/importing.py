"""Importing material (BYOK): the key pair that it is wrapped under, and the way of the material into the module.

The pair is made without any use, because the root KEK wraps nothing that unwraps, and so wraps this as it does a CMK;
out of its blob it comes back as a key that unwraps, and does nothing else. Neither it nor the material is ever outside
the module in the clear.
"""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import asymmetric, attributes
from secretsd.adapters.pkcs11.key_kinds import KeyKind
from secretsd.adapters.pkcs11.loaded_keys import KnownAnswer
from secretsd.adapters.pkcs11.token_session import Root, TokenSession
from secretsd.domain.algorithms import EncryptionAlgorithm
from secretsd.domain.key_import import WrappingAlgorithm

_OAEP = {
    WrappingAlgorithm.RSAES_OAEP_SHA_1: EncryptionAlgorithm.RSAES_OAEP_SHA_1,
    WrappingAlgorithm.RSAES_OAEP_SHA_256: EncryptionAlgorithm.RSAES_OAEP_SHA_256,
    WrappingAlgorithm.RSA_AES_KEY_WRAP_SHA_1: EncryptionAlgorithm.RSAES_OAEP_SHA_1,
    WrappingAlgorithm.RSA_AES_KEY_WRAP_SHA_256: EncryptionAlgorithm.RSAES_OAEP_SHA_256,
}
_WRAPPING_KEY = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
_KNOWN_KEY = b"the known answer of a wrapping k"
_TEXT = b"the known answer"


def make_pair(session: TokenSession, root: Root, kind: KeyKind) -> tuple[bytes, bytes]:
    """A new pair: the private half, wrapped by the root KEK, and the public one; PKCS11Error."""
    private, public_key = session.make(replace(kind, uses=MechanismFlag(0)))
    with gone_afterwards(private):
        return session.wrap(root, private), public_key


def known_answer(session: Any, private: Any, public_key: bytes) -> KnownAnswer | None:
    """A known MAC key under the pair's public half: the private one unwraps it, and then it gives the known MAC.

    None where the module has no OAEP, and so imports nothing.
    """
    made = asymmetric.encrypted(session, public_key, _KNOWN_KEY)
    if made is None:
        return None
    algorithm, wrapped = made
    wanted = hmac.digest(_KNOWN_KEY, _TEXT, "sha256")

    def answers() -> bool:
        unwrapped = _by_oaep(private, algorithm, KeyType.GENERIC_SECRET, wrapped, attributes.SIGNING, _WRAPPING_KEY)
        with gone_afterwards(unwrapped):
            return bytes(unwrapped.sign(_TEXT, mechanism=Mechanism.SHA256_HMAC)) == wanted

    return answers


def unwrap(session: TokenSession, private: Any, kind: KeyKind, algorithm: WrappingAlgorithm, material: bytes) -> Any:
    """The material as a session object of that kind; PKCS11Error where it is none, or where the token fails.

    Two steps are an AES key under OAEP, as long as the pair's modulus, and the material under that key (RFC 5649).
    """
    oaep = _OAEP[algorithm]
    if not algorithm.two_steps:
        return _by_oaep(private, oaep, kind.key_type, material, kind.uses, session.protection.made)
    size = len(private[Attribute.MODULUS])
    first, second = material[:size], material[size:]
    aes = _by_oaep(private, oaep, KeyType.AES, first, MechanismFlag.UNWRAP, _WRAPPING_KEY)
    with gone_afterwards(aes):
        return aes.unwrap_key(
            kind.object_class,
            kind.key_type,
            second,
            mechanism=session.kwp,
            capabilities=kind.uses,
            template=session.protection.made,
        )


@contextmanager
def gone_afterwards(key: Any) -> Iterator[None]:
    """Destroy a session object in any case; where the token failed it is gone with its session."""
    try:
        yield
    finally:
        with suppress(PKCS11Error):
            key.destroy()


def _by_oaep(
    private: Any,
    algorithm: EncryptionAlgorithm,
    kind: KeyType,
    wrapped: bytes,
    uses: MechanismFlag,
    template: Mapping[Attribute, Any],
) -> Any:
    return private.unwrap_key(
        ObjectClass.SECRET_KEY,
        kind,
        wrapped,
        mechanism=Mechanism.RSA_PKCS_OAEP,
        mechanism_param=asymmetric.OAEP[algorithm],
        capabilities=uses,
        template=template,
    )
