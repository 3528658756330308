"""One generation of the root: how the security officer and the user make it together.

The security officer makes the KEK, because only he can mark it as trusted; as he cannot make private objects it is
public at first, and lives in his session alone. The user then copies it onto the token, private and unmodifiable. That
copy comes last: a generation whose making was cut short has no KEK on the token, and is nothing to any key store.

Where the module knows no trusted keys the user makes both keys alone, in his session; the copies on the token can never
be wrapped again (`protection.py`), so the operator's wrap has to be made first.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults, protection
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.recovery import RecoveryKey, RecoveryWrap
from secretsd.adapters.pkcs11.root_check import check_value
from secretsd.adapters.pkcs11.token_session import KEK_LABEL, MAC_LABEL


@dataclass(frozen=True, slots=True)
class MadeRoot:
    """A new generation. `check` is the same wherever this root is, and tells nothing about it."""

    kek_id: str
    generation: int
    check: str
    recovery: RecoveryWrap | None
    fixed: bool = False


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


def make_fixed(
    library: Library,
    session: Any,
    pin: str,
    generation: int,
    recovery_key: RecoveryKey | None,
    keep: Callable[[MadeRoot], None],
) -> MadeRoot:
    """As `make_generation`, for a module without trusted keys."""
    identifier = uuid.uuid4()
    kek_id = str(identifier)
    library.become_user(session, pin)
    sweep(session, generation)
    kek = session.generate_key(
        KeyType.AES,
        256,
        id=identifier.bytes,
        label=f"{KEK_LABEL} {generation}",
        capabilities=attributes.WRAPPING,
        template=protection.FIXED_KEK_MADE,
    )
    mac_key = session.generate_key(
        KeyType.GENERIC_SECRET,
        256,
        id=identifier.bytes,
        label=f"{MAC_LABEL} {generation}",
        capabilities=attributes.SIGNING,
        template=protection.FIXED_MAC_KEY_MADE,
    )
    check = check_value(session, kek, mac_key, kek_id, generation)
    recovery = None
    if recovery_key is not None:
        wrapped = recovery_key.wrap(recovery_key.enter(session, trusted=False), kek_id, kek, mac_key)
        recovery = replace(wrapped, generation=generation, check=check)
    made = MadeRoot(kek_id, generation, check, recovery, fixed=True)
    keep(made)
    keep_fixed(session, kek, mac_key)
    return made


def keep_fixed(session: Any, kek: Any, mac_key: Any) -> None:
    """Copy a fixed root's two keys onto the token, the KEK last, never to leave it; what they were copied from goes."""
    identifier = kek[Attribute.ID]
    try:
        mac_key.copy(protection.FIXED_KEPT)
        kek.copy(protection.FIXED_KEPT)
        for key in (kek, mac_key):
            key.destroy()
    except BaseException:
        take_away(session, identifier)
        raise


def take_away(session: Any, identifier: bytes) -> None:
    """Destroy what the token has of a generation, by its id: a module may fail after it has worked. PKCS11Error.

    The KEK first: what is left of the generation then is nothing to any key store.
    """
    named = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True, Attribute.ID: identifier}
    for label in (KEK_LABEL, MAC_LABEL):
        for key in list(session.get_objects(named)):
            if key[Attribute.LABEL].rpartition(" ")[0] == label:
                key.destroy()


def sweep(session: Any, generation: int) -> None:
    """Remove what an attempt that was cut short left of a generation that has no KEK."""
    named = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True}
    if list(session.get_objects({**named, Attribute.LABEL: f"{KEK_LABEL} {generation}"})):
        raise ModuleRefused(f"cannot make generation {generation} of the root: the token has it already")
    for orphan in session.get_objects({**named, Attribute.LABEL: f"{MAC_LABEL} {generation}"}):
        orphan.destroy()
