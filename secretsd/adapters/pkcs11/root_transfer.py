"""The root on its way to another token: wrapped for a key of that token's, which lives as long as the ceremony there.

The receiving security officer makes an RSA key pair in his session; its private half never leaves that session and is
gone with it, so what was wrapped for it opens once, there and then. A recovery goes the same way: the operator opens
his wrap off this host, and wraps what is in it for the new token's key.
"""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from asn1crypto import pem
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults, key_kinds, protection, trusted_wrapping
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.recovery import FORMAT, OAEP, RecoveryKey, RecoveryWrap
from secretsd.adapters.pkcs11.root_check import check_value
from secretsd.adapters.pkcs11.root_generation import keep_fixed, officer_session, sweep, take_away
from secretsd.adapters.pkcs11.root_rotation import RootToken
from secretsd.adapters.pkcs11.token_session import KEK_LABEL, MAC_LABEL

TRANSFER = "secretsd root transfer 1"
_BITS = 3072


@dataclass(frozen=True, slots=True)
class Received:
    """The root that came."""

    kek_id: str
    generation: int
    check: str
    fixed: bool


def send_root(token: RootToken, so_pin: str, receiver: RecoveryKey, generation: int | None) -> RecoveryWrap:
    """A generation of the root, the one that wraps now unless another is named, wrapped for the receiver's key."""
    with token.opened() as opened:
        root = opened.current if generation is None else None
        root = next((one for one in opened.roots.values() if one.generation == generation), root)
        if root is None:
            raise ModuleRefused(f"cannot send generation {generation} of the root: it is not on the token")
        if root.protection.fixed:
            raise trusted_wrapping.cannot(f"send generation {root.generation} of the root")
        kek_id, number = root.kek_id, root.generation
    try:
        session = officer_session(token.library, token.label, so_pin)
        try:
            trusted = receiver.enter(session)
            token.library.become_user(session, token.pin)
            kek, mac_key = (_named(session, f"{label} {number}") for label in (KEK_LABEL, MAC_LABEL))
            wrapped = receiver.wrap(trusted, kek_id, kek, mac_key)
            check = check_value(session, kek, mac_key, kek_id, number)
            return replace(wrapped, format=TRANSFER, generation=number, check=check)
        finally:
            token.library.close_all_sessions(session.token)
    except PKCS11Error as error:
        raise ModuleRefused(f"cannot send the root: the module answers {faults.name(error)}") from None


def receive_root(library: Library, session: Any, pin: str, ask: Callable[[str], RecoveryWrap]) -> Received:
    """Take up a root on the token of a security officer's session, which is the user's afterwards.

    `ask` is told the PEM public key that the root has to be wrapped for, and returns the wrap when it has come.
    ModuleRefused, with nothing left of it on the token, where that is none, or not the root that it says it is.
    """
    private, fixed = None, False
    try:
        fixed = not trusted_wrapping.offered(session)
        if fixed:
            library.become_user(session, pin)
        public, private = session.generate_keypair(
            KeyType.RSA,
            _BITS,
            capabilities=MechanismFlag.WRAP | MechanismFlag.UNWRAP,
            private_template={
                Attribute.TOKEN: False,
                Attribute.PRIVATE: fixed,
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.MODIFIABLE: False,
            },
            public_template={Attribute.TOKEN: False, Attribute.PRIVATE: False},
        )
    except PKCS11Error as error:
        raise ModuleRefused(f"cannot receive a root: the module answers {faults.name(error)}") from None
    described = key_kinds.rsa_public_key_info(public[Attribute.MODULUS], public[Attribute.PUBLIC_EXPONENT])
    wrap = ask(pem.armor("PUBLIC KEY", described).decode())
    if wrap.format not in (TRANSFER, FORMAT) or wrap.mechanism not in OAEP or wrap.generation < 1:
        raise ModuleRefused("cannot receive a root: that is no root on its way to this token")
    try:
        return _take(None if fixed else library, session, pin, private, wrap)
    except PKCS11Error as error:
        raise ModuleRefused(
            f"cannot receive the root: the module answers {faults.name(error)}; was it wrapped for another key?"
        ) from None


def existing_token(token: RootToken, so_pin: str, ask: Callable[[str], RecoveryWrap]) -> Received:
    """As `receive_root`, on a token that has a root already: a generation that another node has made."""
    token.require_renewable("receive another generation of the root")
    known = token.roots()

    def asked(public_key: str) -> RecoveryWrap:
        wrap = ask(public_key)
        if any(root.generation == wrap.generation or root.kek_id == wrap.kek_id for root in known):
            raise ModuleRefused(f"cannot receive generation {wrap.generation} of the root: this token has had one")
        return wrap

    session = officer_session(token.library, token.label, so_pin)
    try:
        return receive_root(token.library, session, token.pin, asked)
    finally:
        token.library.close_all_sessions(session.token)


def _take(library: Library | None, session: Any, pin: str, private: Any, wrap: RecoveryWrap) -> Received:
    """The root out of its wrap; without a library the session is the user's already, and the root will be fixed."""
    generation = wrap.generation
    parameters = {"mechanism": Mechanism.RSA_PKCS_OAEP, "mechanism_param": OAEP[wrap.mechanism]}
    named = {"id": bytes.fromhex(wrap.kek_id.replace("-", ""))}
    original = private.unwrap_key(
        ObjectClass.SECRET_KEY,
        KeyType.AES,
        base64.b64decode(wrap.kek),
        **parameters,
        **named,
        label=f"{KEK_LABEL} {generation}",
        capabilities=attributes.WRAPPING,
        template=protection.FIXED_KEK_MADE if library is None else attributes.KEK_ORIGINAL,
    )
    if library is not None:
        library.become_user(session, pin)
    sweep(session, generation)
    mac_key = private.unwrap_key(
        ObjectClass.SECRET_KEY,
        KeyType.GENERIC_SECRET,
        base64.b64decode(wrap.mac_key),
        **parameters,
        **named,
        label=f"{MAC_LABEL} {generation}",
        store=library is not None,
        capabilities=attributes.SIGNING,
        template=protection.FIXED_MAC_KEY_MADE if library is None else attributes.MAC_KEY,
    )
    try:
        check = check_value(session, original, mac_key, wrap.kek_id, generation)
        if not hmac.compare_digest(check, wrap.check or check):
            raise ModuleRefused("cannot receive the root: it is another one than it says, by its check value")
        if library is None:
            keep_fixed(session, original, mac_key)
            return Received(wrap.kek_id, generation, check, fixed=True)
        renewable = protection.RENEWABLE
        attributes.require_honest_root_key(mac_key, renewable.mac_key, renewable.kek_looser, "the MAC key")
        original.copy(attributes.KEK_COPY)
        original.destroy()
    except BaseException:
        take_away(session, named["id"])
        raise
    return Received(wrap.kek_id, generation, check, fixed=False)


def _named(session: Any, label: str) -> Any:
    found = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label}))
    if len(found) != 1:
        raise ModuleRefused("cannot send the root: the token does not show it any more")
    return found[0]
