"""A new generation of the root beside those that are there, and the end of one that wraps nothing any more."""

import hmac
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import faults, key_kinds, trusted_wrapping
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.key_rows import authenticated_bytes
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.recovering_token import RecoveringToken
from secretsd.adapters.pkcs11.recovery import RecoveryKey
from secretsd.adapters.pkcs11.root_generation import MadeRoot, make_generation, officer_session, take_away
from secretsd.adapters.pkcs11.root_history import RootHistory
from secretsd.adapters.pkcs11.token_session import TokenSession
from secretsd.domain.errors import KeyStoreUnavailable
from secretsd.domain.keys import WrappedKey
from secretsd.domain.root_keys import RootKey


@dataclass(frozen=True, slots=True)
class RootToken:
    """A token that has a root, for as long as a ceremony takes."""

    library: Library
    label: str
    pin: str
    latch: PinLatch
    history: RootHistory

    @contextmanager
    def opened(self) -> Iterator[TokenSession]:
        """The token as a key store sees it, proved as at every start; logged out at the end.

        ModuleRefused where it cannot be used, or not now: nobody waits for it in a ceremony.
        """
        token = RecoveringToken(self.library, self.label, self.pin, self.latch, lambda: None)
        token.session.written = self.history.written
        try:
            token.ensure_open()
            yield token.session
        except KeyStoreUnavailable as error:
            raise ModuleRefused(error.message) from None
        except PKCS11Error as error:
            raise ModuleRefused(f"cannot go on: the module answers {faults.name(error)}") from None
        finally:
            token.session.close()

    def require_renewable(self, what: str) -> None:
        """ModuleRefused where its root can never be wrapped again."""
        with self.opened() as session:
            if session.protection.fixed:
                raise trusted_wrapping.cannot(what)

    def roots(self) -> tuple[RootKey, ...]:
        """Every generation that is on the token or is written down."""
        with self.opened() as session:
            return self.history.complete((root.kek_id, root.generation) for root in session.roots.values())


def rotate_root(
    token: RootToken,
    so_pin: str,
    recovery_key: RecoveryKey | None,
    keep: Callable[[MadeRoot], None],
    *,
    held: bool,
) -> MadeRoot:
    """Make the next generation and prove it. Key stores that serve take it up by themselves, unless it is `held`.

    `keep` is told before the generation counts. `recovery_key` None is the operator's explicit refusal. A generation
    that does not pass the probe is taken away again: ModuleRefused.
    """
    token.require_renewable("make a new root")
    known = token.roots()
    generation = max(root.generation for root in known) + 1
    _write_off(token)

    begun: list[str] = []

    def kept(made: MadeRoot) -> None:
        keep(made)
        # Held until it is proved: no key store that serves may wrap anything by it before.
        token.history.add(RootKey(made.kek_id, generation, _now_ms(), held=True, check=made.check))
        begun.append(made.kek_id)

    try:
        session = officer_session(token.library, token.label, so_pin)
        try:
            made = make_generation(token.library, session, token.pin, generation, recovery_key, kept)
        finally:
            token.library.close_all_sessions(session.token)
    except PKCS11Error as error:
        _undo(token, begun)
        raise ModuleRefused(f"cannot make a new root: the module answers {faults.name(error)}") from None
    try:
        with token.opened() as session:
            if made.kek_id not in session.roots:
                raise ModuleRefused("cannot make a new root: the token does not show it")
    except ModuleRefused:
        _undo(token, begun)
        raise
    # Now that it is there: key stores look at the token when the file changes.
    token.history.add(RootKey(made.kek_id, generation, _now_ms(), held, check=made.check))
    return made


def destroy_generation(token: RootToken, generation: int, before: Callable[[TokenSession, str], None]) -> RootKey:
    """Destroy a generation's keys on the token, for good; that no stored key needs it was found out by the caller.

    `before` is given the token and the id of the current generation, to move there whatever else must not be lost.
    ModuleRefused for the generation that wraps now, for a newer one, and for one that is not there.
    """
    with token.opened() as session:
        found = [root for root in session.roots.values() if root.generation == generation]
        if not found:
            raise ModuleRefused(f"cannot destroy generation {generation} of the root: it is not on the token")
        kek_id = found[0].kek_id
        if session.current is None or session.current.kek_id == kek_id:
            raise ModuleRefused(f"cannot destroy generation {generation} of the root: it is the one that wraps now")
        if session.current.generation < generation:
            raise ModuleRefused(f"cannot destroy generation {generation} of the root: another node may wrap by it")
        before(session, session.current.kek_id)
        known = token.history.complete((root.kek_id, root.generation) for root in session.roots.values())
    found_as = next(root for root in known if root.kek_id == kek_id)
    # Written down before it is done: a date that is too early by the blink of an eye, never a lost one.
    gone = replace(found_as, destroyed_ms=_now_ms())
    token.history.add(gone)
    _take_away(token, kek_id)
    return gone


def _write_off(token: RootToken) -> None:
    """What was written down and is not on the token never came to be, or somebody took it away: it is gone by now."""
    with token.opened() as session:
        on_token = set(session.roots)
    for root in token.history.read():
        if root.kek_id not in on_token and root.destroyed_ms is None:
            token.history.destroyed(root.kek_id, _now_ms())


def _undo(token: RootToken, begun: list[str]) -> None:
    """Take away what was begun; a module may fail after it has worked."""
    for kek_id in begun:
        _take_away(token, kek_id)
        token.history.remove(kek_id)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _take_away(token: RootToken, kek_id: str) -> None:
    try:
        session = token.library.token(token.label).open(rw=True, user_pin=token.pin)
        try:
            take_away(session, uuid.UUID(kek_id).bytes)
        finally:
            token.library.close_all_sessions(session.token)
    except PKCS11Error as error:
        raise ModuleRefused(f"cannot destroy a root: the module answers {faults.name(error)}") from None


def wrapped_anew(session: TokenSession, key: WrappedKey, kek_id: str) -> WrappedKey:
    """The row of a symmetric key of the key store's own under another generation; ModuleRefused if it was changed."""
    old, new = session.roots.get(key.kek_id), session.roots[kek_id]
    if old is None:
        raise ModuleRefused("cannot wrap the storage key anew: its root is not on the token")
    if not hmac.compare_digest(session.mac(old, _covered(key)), key.mac):
        raise ModuleRefused("cannot wrap the storage key anew: its file was changed")
    if old is new:
        return key
    made = session.unwrap(old, key_kinds.kind_of(key), key.blob)
    moved = replace(key, kek_id=kek_id, blob=session.wrap(new, made), mac=b"")
    made.destroy()
    return replace(moved, mac=session.mac(new, _covered(moved)))


def _covered(key: WrappedKey) -> bytes:
    return authenticated_bytes(key.metadata, key.suite, key.kek_id, key.blob, key.public_key, key.fingerprint)
