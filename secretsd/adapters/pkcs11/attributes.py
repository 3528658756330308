"""Attributes of every object that we make, and the proof that the module took them as they were given.

Root KEK and CMKs are extractable, but only under a key that the security officer marked as trusted (SECURITY 1), so
that the root can be renewed and nobody who merely holds the PIN can carry a key away.
"""

import ctypes
from collections.abc import Mapping
from typing import Any

from pkcs11 import Attribute, AttributeSensitive, AttributeTypeInvalid, KeyType, MechanismFlag, ObjectClass
from pkcs11.attributes import AttributeMapper
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11.faults import ModuleRefused

A = Attribute
WRAPPING = MechanismFlag.WRAP | MechanismFlag.UNWRAP
CRYPTING = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
SIGNING = MechanismFlag.SIGN | MechanismFlag.VERIFY

GUARDED = {A.SENSITIVE: True, A.EXTRACTABLE: True, A.WRAP_WITH_TRUSTED: True}
# MODIFIABLE comes last: SoftHSM applies an unwrap template one by one, and nothing can be set after it.
CMK = {**GUARDED, A.PRIVATE: True, A.COPYABLE: False, A.MODIFIABLE: False}
MAC_KEY = CMK
# What no module can wrap stays on the token, and then nothing whatever may take it away.
RESIDENT = {
    A.SENSITIVE: True,
    A.EXTRACTABLE: False,
    A.TOKEN: True,
    A.PRIVATE: True,
    A.COPYABLE: False,
    A.MODIFIABLE: False,
}
# The security officer cannot make private objects, so the trusted original is public and lives in the session alone;
# the user's copy is private, and the only one on the token.
# The wrap template keeps the KEK from wrapping itself: who holds the PIN could unwrap that blob as a key that decrypts,
# and with it any CMK's blob in software. No key but a KEK unwraps, and secret and private keys alike tell of it. Nor
# does it wrap the MAC key, which lives on the token and cannot be copied; a CMK lives in the session that wraps it.
KEK_ORIGINAL = {
    **GUARDED,
    A.PRIVATE: False,
    A.TRUSTED: True,
    A.WRAP_TEMPLATE: {A.UNWRAP: False, A.TOKEN: False},
    A.UNWRAP_TEMPLATE: GUARDED,
}
KEK_COPY = {A.PRIVATE: True, A.TOKEN: True, A.MODIFIABLE: False}


class _Entry(ctypes.Structure):
    """CK_ATTRIBUTE."""

    _fields_ = (("type", ctypes.c_ulong), ("value", ctypes.c_void_p), ("size", ctypes.c_ulong))


class Mapper(AttributeMapper):  # type: ignore[misc, unused-ignore]  # the binding has no types where it is absent
    """The binding's mapper, which also packs templates of a KEK: an array of attributes inside an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: list[Any] = []
        for template in (A.WRAP_TEMPLATE, A.UNWRAP_TEMPLATE):
            self.register_handler(template, self._pack_template, bytes)

    def generic_key_template(self, base_template: dict[Attribute, Any], **options: Any) -> dict[Attribute, Any]:
        """For keys that are unwrapped: a private one has no ENCRYPT, WRAP and VERIFY, and SoftHSM takes offence."""
        template: dict[Attribute, Any] = super().generic_key_template(base_template, **options)
        if base_template.get(A.CLASS) == ObjectClass.PRIVATE_KEY:
            for attribute in (A.ENCRYPT, A.WRAP, A.VERIFY):
                template.pop(attribute)
        return template

    def _pack_template(self, template: dict[Attribute, Any]) -> bytes:
        entries = (_Entry * len(template))()
        for entry, (key, value) in zip(entries, template.items(), strict=True):
            packed = self.pack_attribute(key, value)
            room = ctypes.create_string_buffer(packed, len(packed))
            self._alive.append(room)  # the module follows the pointers only after this function has returned
            entry.type, entry.size = int(key), len(packed)
            entry.value = ctypes.cast(room, ctypes.c_void_p).value
        return bytes(entries)


def _require(key: Any, wanted: Mapping[Attribute, Any], what: str) -> None:
    for attribute, value in wanted.items():
        try:
            found = key[attribute]
        except (AttributeTypeInvalid, AttributeSensitive, KeyError):
            raise ModuleRefused(f"cannot trust the module: it does not tell {attribute.name} of {what}") from None
        if bool(found) is not value:
            raise ModuleRefused(f"cannot trust the module: {what} has {attribute.name}={bool(found)}")


def _require_hidden(key: Any, what: str, secret: Attribute = A.VALUE) -> None:
    try:
        key[secret]
    except AttributeSensitive:
        return
    raise ModuleRefused(f"cannot trust the module: it shows the value of {what}")


_UNWRAPS_SHOWN = {A.UNWRAP_TEMPLATE: {A.SENSITIVE: False}}


def _require_fixed(key: Any, looser: Mapping[Attribute, Any], what: str) -> None:
    """Nobody with the PIN may give the key another use, neither in place nor in a copy, nor make a `looser` one of it.

    SoftHSM 2.6.1 cannot make a copy that is not copyable; copies of an unmodifiable object must then be its like.
    """
    # A copy that decrypts opens every CMK's blob in clear; of one that can be modified, or that has another template,
    # the same is made in a second step.
    for change in ({A.ENCRYPT: True}, {A.DECRYPT: True}, {A.MODIFIABLE: True}, _UNWRAPS_SHOWN, looser):
        try:
            copy = key.copy({**change, A.TOKEN: False})
        except PKCS11Error:
            continue
        copy.destroy()
        raise ModuleRefused(f"cannot trust the module: {what} can be copied with other attributes")
    try:
        key[A.DECRYPT] = True
    except PKCS11Error:
        return
    raise ModuleRefused(f"cannot trust the module: the use of {what} can be changed")


def require_honest_root_key(
    key: Any, wanted: Mapping[Attribute, Any], looser: Mapping[Attribute, Any], what: str
) -> None:
    """ModuleRefused unless a root key is what it was made as; reads only, apart from changes that must fail."""
    _require(key, wanted, what)
    _require_hidden(key, what)
    _require_fixed(key, looser, what)


_USES = {
    A.ENCRYPT: MechanismFlag.ENCRYPT,
    A.DECRYPT: MechanismFlag.DECRYPT,
    A.SIGN: MechanismFlag.SIGN,
    A.WRAP: MechanismFlag.WRAP,
    A.UNWRAP: MechanismFlag.UNWRAP,
    A.DERIVE: MechanismFlag.DERIVE,
}
_NOT_OF_PRIVATE_KEYS = frozenset({A.ENCRYPT, A.WRAP})


def uses_of_private(uses: MechanismFlag) -> dict[Attribute, bool]:
    """The attributes that give a private key these uses and no other."""
    return {one: bool(flag & uses) for one, flag in _USES.items() if one not in _NOT_OF_PRIVATE_KEYS}


def require_honest_cmk(
    key: Any,
    uses: MechanismFlag = CRYPTING,
    object_class: ObjectClass = ObjectClass.SECRET_KEY,
    key_type: KeyType = KeyType.AES,
    *,
    resident: bool = False,
    template: Mapping[Attribute, Any] = CMK,
) -> None:
    """ModuleRefused unless a CMK, made or unwrapped by that template, is a hidden object for those uses alone."""
    private = object_class is ObjectClass.PRIVATE_KEY
    told = uses_of_private(uses) if private else {one: bool(flag & uses) for one, flag in _USES.items()}
    wanted = dict(RESIDENT if resident else {**template, A.TOKEN: False})
    if resident:
        del wanted[A.TOKEN]  # at the probe it lives in the session alone
    _require(key, {**wanted, **told}, "a CMK")
    _require_hidden(key, "a CMK", A.PRIVATE_EXPONENT if key_type is KeyType.RSA else A.VALUE)
    # Its length is not asked for: SoftHSM knows no VALUE_LEN of an unwrapped key. The blob's length tells it.
    if key[A.CLASS] != object_class or key[A.KEY_TYPE] != key_type:
        raise ModuleRefused("cannot trust the module: a CMK is of another kind than it was made as")
