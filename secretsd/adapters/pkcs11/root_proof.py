"""What a root must prove before anything is wrapped by it: that it is ours, and that what it wraps stays guarded."""

import hmac
from typing import TYPE_CHECKING

from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, guarding, key_kinds
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.key_rows import WRAPPED_AES_256_BYTES
from secretsd.adapters.pkcs11.root_check import check_value
from secretsd.adapters.pkcs11.root_history import WrittenRoots
from secretsd.domain.key_specs import KeySpec, KeyUsage

if TYPE_CHECKING:
    from secretsd.adapters.pkcs11.token_session import Root, TokenSession


def recognise(session: "TokenSession", root: "Root", written: WrittenRoots) -> None:
    """ModuleRefused where somebody with the PIN has put another root in place of this one, also while we serve.

    No such person makes a trusted KEK; a MAC key anybody makes. So the check value that is written down tells both
    keys of a root. One that has none yet (made by an earlier release, or by another node on the same token) is told by
    its KEK's mark alone, until it has proved itself once. A fixed one has no such mark, and none other is beside it.
    Before the probe has found out how the module wraps, the mark is looked at alone. PKCS11Error.
    """
    kept, check = root.protection, written.check_of(root.kek_id)
    try:
        attributes.require_honest_root_key(root.kek, kept.kek, kept.kek_looser, "the root KEK")
    except ModuleRefused as refused:
        if not written.missing or kept.fixed:
            raise
        lost = f"{written.missing}, by which a root that cannot be renewed is known, is missing"
        raise ModuleRefused(f"{refused}; {lost}") from None
    if not kept.fixed and any(one.fixed for one in written.roots.values()):
        # What is fixed is never renewed. That a KEK is trusted says nothing where the module was found not to care.
        raise ModuleRefused("cannot trust the token: it has a root beside the one that was made here")
    known = session.kwp is not None and (check or kept.fixed)
    if known and not hmac.compare_digest(check_of(session, root), check):
        raise ModuleRefused("cannot trust the token: its root is not the one that was made here")


def check_of(session: "TokenSession", root: "Root") -> str:
    """The check value of a root on the open token. PKCS11Error."""
    return check_value(session.owner, root.kek, root.mac_key, root.kek_id, root.generation, session.kwp)


def prove(session: "TokenSession", root: "Root") -> None:
    """ModuleRefused where the MAC key, or a key that the root wraps, is not as it should be; PKCS11Error."""
    kept = root.protection
    attributes.require_honest_root_key(root.mac_key, kept.mac_key, kept.kek_looser, "the MAC key")
    kind = key_kinds.kind_for(KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT)
    cmk, _ = key_kinds.generate(session.owner, kind, template=kept.made)
    attributes.require_honest_cmk(cmk, template=kept.made)
    blob = session.wrap(root, cmk)
    if len(blob) != WRAPPED_AES_256_BYTES:
        raise ModuleRefused("cannot use the module: a wrapped AES-256 key has not 40 bytes")
    back = session.unwrap(root, kind, blob)
    attributes.require_honest_cmk(back, template=kept.loaded)
    guarding.require_guarded(session, root, kind, back, blob)
    _wraps_no_root(session, root)
    back.destroy()
    cmk.destroy()


def _wraps_no_root(session: "TokenSession", root: "Root") -> None:
    for key in (root.kek, root.mac_key):
        try:
            root.kek.wrap_key(key, mechanism=session.kwp)
        except PKCS11Error:
            continue
        raise ModuleRefused("cannot trust the module: the root KEK can wrap a root key")
