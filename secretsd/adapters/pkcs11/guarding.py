"""Tries to take a CMK away, as whoever holds the PIN could, by every way that PKCS#11 has. None may work."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.key_kinds import KeyKind
from secretsd.adapters.pkcs11.protection import Protection

if TYPE_CHECKING:
    from secretsd.adapters.pkcs11.token_session import Root, TokenSession

_A = Attribute
# Ways to wrap under an AES key of one's own, each with its parameter.
_WRAPPINGS: dict[Mechanism, bytes | None] = {
    Mechanism.AES_KEY_WRAP_KWP: None,
    Mechanism.AES_KEY_WRAP_PAD: None,
    Mechanism.AES_KEY_WRAP: None,
    Mechanism.AES_CBC_PAD: bytes(16),
    Mechanism.AES_CBC: bytes(16),
    Mechanism.AES_ECB: None,
}


def require_guarded(session: "TokenSession", root: "Root", kind: KeyKind, key: Any, blob: bytes = b"") -> None:
    """ModuleRefused where `key`, honest by its attributes, can be had all the same; `blob` is it, wrapped by the root.

    The module's refusals are what is wanted, so each PKCS11Error here is one; a token that fails meanwhile fails the
    next step as well.
    """
    _untrusted_wrap_nothing(session, kind, key)
    _nothing_is_loosened(key, root.protection)
    if blob:
        _unwrapped_keys_stay_guarded(root, session.kwp, kind, blob)


def _untrusted_wrap_nothing(session: "TokenSession", kind: KeyKind, key: Any) -> None:
    if (mechanism := wrapped_by_a_thief(session.owner, key)) is not None:
        what = f"{kind.spec.value} by {mechanism.name}"
        raise ModuleRefused(f"cannot trust the module: a key that is not trusted can wrap a CMK: {what}")


def wrapped_by_a_thief(session: Any, key: Any) -> Mechanism | None:
    """A mechanism by which somebody's own key wraps that one, None where there is none."""
    offered: set[Mechanism] = session.token.slot.get_mechanisms()
    with _thiefs_key(session) as mine:
        for mechanism in offered.intersection(_WRAPPINGS):
            try:
                mine.wrap_key(key, mechanism=mechanism, mechanism_param=_WRAPPINGS[mechanism])
            except PKCS11Error:
                continue
            return mechanism
    return None


def _nothing_is_loosened(key: Any, protection: Protection) -> None:
    for change in protection.looser:
        try:
            copy = key.copy({**change, _A.TOKEN: False})
        except PKCS11Error:
            pass
        else:
            copy.destroy()
            raise ModuleRefused("cannot trust the module: a CMK can be copied with other attributes")
        for attribute, value in change.items():
            try:
                key[attribute] = value
            except PKCS11Error:
                continue
            raise ModuleRefused(f"cannot trust the module: {attribute.name} of a CMK can be changed")


def _unwrapped_keys_stay_guarded(root: "Root", kwp: Mechanism | None, kind: KeyKind, blob: bytes) -> None:
    protection = root.protection
    for looser in protection.looser:
        arguments = (kind.object_class, kind.key_type, blob)
        template = {**protection.loaded, **looser}
        try:
            key = root.kek.unwrap_key(*arguments, mechanism=kwp, capabilities=kind.uses, template=template)
        except PKCS11Error:
            continue
        # A module may also apply the KEK's unwrap template over what was asked for.
        told = (kind.uses, kind.object_class, kind.key_type)
        attributes.require_honest_cmk(key, *told, template=protection.loaded)
        key.destroy()


@contextmanager
def _thiefs_key(session: Any) -> Iterator[Any]:
    """A wrapping key whose value its owner knows; entered, because the module's own keys might be marked as theirs."""
    key = session.create_object(
        {
            _A.CLASS: ObjectClass.SECRET_KEY,
            _A.KEY_TYPE: KeyType.AES,
            _A.VALUE: secrets.token_bytes(32),
            _A.TOKEN: False,
            _A.PRIVATE: False,  # the security officer tries it too, who has no private objects
            _A.WRAP: True,
            _A.UNWRAP: True,
        }
    )
    try:
        yield key
    finally:
        key.destroy()
