"""One generation of the root: how the security officer and the user make it together, and the value that checks it.

The security officer makes the KEK, because only he can mark it as trusted; as he cannot make private objects it is
public at first, and lives in his session alone. The user then copies it onto the token, private and unmodifiable. That
copy comes last: a generation whose making was cut short has no KEK on the token, and is nothing to any key store.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults, known_answers
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.recovery import RecoveryKey, RecoveryWrap
from secretsd.adapters.pkcs11.token_session import KEK_LABEL, MAC_LABEL
from secretsd.domain.root_keys import CHECK_BYTES, check_bytes


@dataclass(frozen=True, slots=True)
class MadeRoot:
    """A new generation. `check` is the same wherever this root is, and tells nothing about it."""

    kek_id: str
    generation: int
    check: str
    recovery: RecoveryWrap | None


def officer_session(library: Library, label: str, so_pin: str) -> Any:
    """A session of the security officer's on the token; ModuleRefused where it does not take his PIN."""
    try:
        return library.token(label).open(rw=True, so_pin=so_pin, attribute_mapper=attributes.Mapper())
    except PKCS11Error as error:
        if faults.pin_refused(error):
            raise ModuleRefused("cannot log in as the token's security officer: it refuses the SO PIN") from None
        raise


def make_generation(
    library: Library,
    session: Any,
    pin: str,
    generation: int,
    recovery_key: RecoveryKey | None,
    keep: Callable[[MadeRoot], None],
) -> MadeRoot:
    """A new generation on the token of a security officer's session, which is the user's afterwards.

    `keep` is told before the generation counts: what must not be lost with it has to be on disk when that returns.
    """
    identifier = uuid.uuid4()
    original = session.generate_key(
        KeyType.AES,
        256,
        id=identifier.bytes,
        label=f"{KEK_LABEL} {generation}",
        capabilities=attributes.WRAPPING,
        template=attributes.KEK_ORIGINAL,
    )
    trusted = recovery_key.enter(session) if recovery_key else None
    library.become_user(session, pin)
    sweep(session, generation)
    mac_key = session.generate_key(
        KeyType.GENERIC_SECRET,
        256,
        id=identifier.bytes,
        label=f"{MAC_LABEL} {generation}",
        store=True,
        capabilities=attributes.SIGNING,
        template=attributes.MAC_KEY,
    )
    kek_id = str(identifier)
    check = check_value(session, original, mac_key, kek_id, generation)
    recovery = None
    if recovery_key is not None:
        wrapped = recovery_key.wrap(trusted, kek_id, original, mac_key)
        recovery = replace(wrapped, generation=generation, check=check)
    made = MadeRoot(kek_id, generation, check, recovery)
    keep(made)
    original.copy(attributes.KEK_COPY)
    original.destroy()
    return made


def sweep(session: Any, generation: int) -> None:
    """Remove what an attempt that was cut short left of a generation that has no KEK."""
    named = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True}
    if list(session.get_objects({**named, Attribute.LABEL: f"{KEK_LABEL} {generation}"})):
        raise ModuleRefused(f"cannot make generation {generation} of the root: the token has it already")
    for orphan in session.get_objects({**named, Attribute.LABEL: f"{MAC_LABEL} {generation}"}):
        orphan.destroy()


def check_value(session: Any, kek: Any, mac_key: Any, kek_id: str, generation: int) -> str:
    """A value that two tokens with the same root tell alike, 16 bytes in hexadecimal.

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
        wrapped = kek.wrap_key(zeros, mechanism=known_answers.require_known_answers(session)[0])
    finally:
        zeros.destroy()
    covered = check_bytes(kek_id, generation, wrapped)
    return bytes(mac_key.sign(covered, mechanism=Mechanism.SHA256_HMAC))[:CHECK_BYTES].hex()
