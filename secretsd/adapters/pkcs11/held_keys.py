"""Keys that are held as objects: loaded from their rows when they are needed, used, and blamed only with proof."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import asymmetric, faults, importing, key_kinds, software_keys
from secretsd.adapters.pkcs11.key_rows import digest, wrapped_material
from secretsd.adapters.pkcs11.key_tombstones import KeyTombstones
from secretsd.adapters.pkcs11.loaded_keys import LoadedKey, LoadedKeys
from secretsd.adapters.pkcs11.recovering_token import RecoveringToken
from secretsd.adapters.pkcs11.suites import SUITES
from secretsd.adapters.pkcs11.token_session import Root
from secretsd.adapters.pkcs11.vouched_rows import VouchedRows
from secretsd.domain.errors import Internal, InvalidCiphertext, SecretsdError
from secretsd.domain.key_specs import SPECS, KeyFamily, KeyUsage
from secretsd.domain.keys import WrappedKey

_T = TypeVar("_T")


class UseCounter(Protocol):
    """Counts each use of a key version before it is made, repeated ones too; what it raises stops the use."""

    def encrypting(self, key_id: str, version: int) -> None:
        """One encryption."""

    def loading(self, key_id: str, version: int) -> None:
        """One encryption that is not refused: the known answer of a key that is loaded."""

    def decrypting(self, key_id: str, version: int) -> None:
        """One use that makes no ciphertext: a decryption, a signature, a MAC."""


class HeldKeys:
    """The keys of one token. `handle` and `used` work on an open token, within its recovery: PKCS11Error."""

    def __init__(
        self,
        token: RecoveringToken,
        loaded: LoadedKeys,
        rows: VouchedRows,
        uses: UseCounter,
        tombstones: KeyTombstones | None,
    ) -> None:
        self._token, self._session, self._loaded, self._rows = token, token.session, loaded, rows
        self._uses, self._tombstones = uses, tombstones

    def load(self, key: WrappedKey) -> None:
        """Check the row's MAC and unwrap the key; Internal where the row is not what the HSM once MACed."""
        self._token.run(lambda: self.handle(key))

    def vouch(self, key: WrappedKey) -> bool:
        """Whether the row is what the HSM once MACed, and the key's load is still to come."""
        if self._loaded.row(digest(key)) is not None:
            return False
        try:
            self._token.run(lambda: self._rows.root_of(key))
        except SecretsdError:
            return False
        return True

    def open(self, key: WrappedKey, opening: Callable[[LoadedKey], bytes]) -> bytes:
        """What `opening` makes of a key, or InvalidCiphertext.

        Twice at most: some modules say the same of a wrong tag and of a broken token, and a single fault passes.

        The key's own known answer, on the same session, decides. It also proves that the failed call left no
        operation behind, so that the session, with everybody's keys in it, need not be discarded for a bad ciphertext.
        """

        def work() -> bytes:
            for _ in range(2):
                handle = self.used(key)
                try:
                    return opening(handle)
                except PKCS11Error as error:
                    if not faults.perhaps_bad_ciphertext(error):
                        raise
                handle.prove()
            raise InvalidCiphertext

        return self._token.run(work)

    def encrypting(self, key: WrappedKey) -> LoadedKey:
        """The key for one encryption, counted."""
        handle = self.handle(key)
        self._uses.encrypting(key.key_id, key.version)
        return handle

    def used(self, key: WrappedKey) -> LoadedKey:
        """The key for one use that makes no ciphertext, counted."""
        handle = self.handle(key)
        self._uses.decrypting(key.key_id, key.version)
        return handle

    def handle(self, key: WrappedKey) -> LoadedKey:
        """The key as an object, loaded if it is not yet."""
        return self._loaded.get(digest(key)) or self._unwrap(key)

    def destroy_key(self, key_id: str, up_to_version: int) -> None:
        """Forget the key's versions up to that one, for good; OSError where that cannot be kept."""
        if self._tombstones is None:
            raise Internal("cannot destroy a key here")
        self._tombstones.add(key_id, up_to_version)

        def work() -> None:
            for row in self._loaded.rows():
                gone = row.key_id == key_id and row.version <= up_to_version
                if gone and (handle := self._loaded.forget(digest(row))) is not None:
                    handle.destroy()
            self._session.destroy_residents(key_id, up_to_version)

        self._token.run(work)

    def _unwrap(self, key: WrappedKey) -> LoadedKey:
        root = self._rows.root_of(key)
        if self._tombstones is not None:
            self._tombstones.require_alive(key.key_id, key.version)
        if SPECS[key.spec].software:
            software = software_keys.load(self._session, root, key)
            for old in self._loaded.make_room(digest(key), key.account):
                old.destroy()
            return self._loaded.add(digest(key), key, software)
        kind = key_kinds.kind_of(key)
        if not kind.fits(wrapped_material(key)):
            raise Internal(f"cannot use key {key.key_id}: its kind is not supported")
        for old in self._loaded.make_room(digest(key), key.account):
            old.destroy()
        return self._loaded.add(digest(key), key, self._load(root, kind, key))

    def _load(self, root: Root, kind: key_kinds.KeyKind, key: WrappedKey) -> LoadedKey:
        if kind.resident:
            return LoadedKey(self._session.find_resident(kind, key), None, keep=True)
        made = self._session.unwrap(root, kind, wrapped_material(key))
        if key.version == 0:
            return LoadedKey(made, importing.known_answer(self._session.owner, made, key.public_key))
        if key.suite in self._session.suites:
            self._uses.loading(key.key_id, key.version)
            return LoadedKey(made, SUITES[key.suite].known_answer(made))
        if kind.family is KeyFamily.RSA and key.usage is KeyUsage.ENCRYPT_DECRYPT:
            return LoadedKey(made, asymmetric.known_answer(self._session.owner, made, key.public_key))
        return LoadedKey(made, None)
