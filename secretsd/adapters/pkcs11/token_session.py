"""The open token: one login on an anchor session, one long-lived owner session for every key object, the root keys."""

import uuid
from dataclasses import dataclass
from typing import Any

from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults, known_answers
from secretsd.adapters.pkcs11.faults import ModuleRefused, PinRefused
from secretsd.adapters.pkcs11.key_rows import WRAPPED_AES_256_BYTES
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch

KEK_LABEL = "secretsd root kek"
MAC_LABEL = "secretsd root mac"


@dataclass(frozen=True, slots=True)
class Root:
    """One generation of the root: the KEK, the MAC key beside it, and their common id."""

    kek_id: str
    kek: Any
    mac_key: Any


class TokenSession:
    """A logged-in token. Any method may raise PKCS11Error; the session is then closed and opened anew by the caller.

    Generations of the root are told apart by CKA_ID and ordered by the number at the end of their labels.
    """

    def __init__(self, library: Library, label: str, pin: str, latch: PinLatch) -> None:
        self._library, self._label, self._pin, self._latch = library, label, pin, latch
        self._token: Any = None
        self._anchor: Any = None
        self.owner: Any = None
        self.roots: dict[str, Root] = {}
        self.current: Root | None = None
        self.kwp: Mechanism | None = None

    def open(self) -> None:
        """Log in and find the root keys. PinRefused (latched) or ModuleRefused where trying again cannot help.

        A token that has no root keys is refused; one that is absent may come back and is an error like any other.
        """
        self._latch.check(self._pin)
        self._token = self._library.token(self._label)
        try:
            # The login belongs to the process, not to the session; but closing the session that carries the PIN
            # would log everybody out, so it does nothing else.
            self._anchor = self._token.open(user_pin=self._pin, attribute_mapper=attributes.Mapper())
        except PKCS11Error as error:
            if not faults.pin_refused(error):
                raise
            try:
                self._latch.close(self._pin)
            except OSError as full:
                # Said all the same, because whoever refuses for good is not started again to spend another try.
                reason = f"cannot log in to the token: it refuses the PIN, and that cannot be kept: {full.strerror}"
                raise PinRefused(reason) from None
            raise PinRefused("cannot log in to the token: it refuses the PIN") from None
        self._latch.open()
        self.owner = self._token.open(attribute_mapper=attributes.Mapper())
        self._find_roots()

    def close(self) -> None:
        """End all sessions on the token, and so the login; never raises."""
        if self._token is not None:
            self._library.close_all_sessions(self._token)
        self._anchor = self.owner = self.current = None
        self.roots = {}

    def prove(self) -> None:
        """The probe at start: ModuleRefused, with the reason, where the module is unable, wrong or dishonest."""
        try:
            known_answers.require_mechanisms(self._token)
            self.kwp = known_answers.require_known_answers(self.owner)
            for root in self.roots.values():
                attributes.require_honest_kek(root.kek)
                attributes.require_honest_mac_key(root.mac_key)
                self._prove_wrapping(root)
        except PKCS11Error as error:
            if faults.inability(error):
                raise ModuleRefused(f"cannot use the module: the probe failed with {faults.name(error)}") from None
            raise

    def make_cmk(self) -> Any:
        """A new AES-256 CMK as a session object."""
        return self.owner.generate_key(KeyType.AES, 256, capabilities=attributes.CRYPTING, template=attributes.CMK)

    def wrap(self, root: Root, key: Any) -> bytes:
        """The key wrapped by the root KEK as in RFC 5649."""
        return bytes(root.kek.wrap_key(key, mechanism=self.kwp))

    def unwrap(self, root: Root, blob: bytes) -> Any:
        """The CMK in the blob as a session object; the blob's MAC has been checked before."""
        return root.kek.unwrap_key(
            ObjectClass.SECRET_KEY,
            KeyType.AES,
            blob,
            mechanism=self.kwp,
            capabilities=attributes.CRYPTING,
            template=attributes.CMK,
        )

    def mac(self, root: Root, data: bytes) -> bytes:
        """HMAC-SHA-256 by the root's MAC key."""
        return bytes(root.mac_key.sign(data, mechanism=Mechanism.SHA256_HMAC))

    def _find_roots(self) -> None:
        found: dict[str, dict[str, Any]] = {}
        newest = -1
        for key in self.owner.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True}):
            label, _, generation = key[Attribute.LABEL].rpartition(" ")
            if label not in (KEK_LABEL, MAC_LABEL) or not generation.isdecimal():
                continue
            kek_id = str(uuid.UUID(bytes=key[Attribute.ID]))
            found.setdefault(kek_id, {})[label] = key
            if label == KEK_LABEL and int(generation) > newest:
                newest, current = int(generation), kek_id
        self.roots = {
            kek_id: Root(kek_id, keys[KEK_LABEL], keys[MAC_LABEL])
            for kek_id, keys in found.items()
            if keys.keys() == {KEK_LABEL, MAC_LABEL}
        }
        if newest < 0 or current not in self.roots:
            # Right after a lost login a search finds nothing either; the caller opens anew before it believes this.
            raise RootMissing(f"cannot use the token {self._label}: it has no root keys of secretsd")
        self.current = self.roots[current]

    def _prove_wrapping(self, root: Root) -> None:
        cmk = self.make_cmk()
        attributes.require_honest_cmk(cmk)
        blob = self.wrap(root, cmk)
        if len(blob) != WRAPPED_AES_256_BYTES:
            raise ModuleRefused("cannot use the module: a wrapped AES-256 key has not 40 bytes")
        back = self.unwrap(root, blob)
        attributes.require_honest_cmk(back)
        self._prove_that_only_trusted_keys_wrap(back)
        self._prove_that_unwrapped_keys_stay_guarded(root, blob)
        self._prove_that_the_root_wraps_no_root(root)
        back.destroy()
        cmk.destroy()

    def _prove_that_only_trusted_keys_wrap(self, cmk: Any) -> None:
        untrusted = self.owner.generate_key(KeyType.AES, 256, capabilities=attributes.WRAPPING)
        try:
            untrusted.wrap_key(cmk, mechanism=self.kwp)
        except PKCS11Error:
            return
        finally:
            untrusted.destroy()
        raise ModuleRefused("cannot trust the module: a key that is not trusted can wrap a CMK")

    def _prove_that_the_root_wraps_no_root(self, root: Root) -> None:
        for key in (root.kek, root.mac_key):
            try:
                root.kek.wrap_key(key, mechanism=self.kwp)
            except PKCS11Error:
                continue
            raise ModuleRefused("cannot trust the module: the root KEK can wrap a root key")

    def _prove_that_unwrapped_keys_stay_guarded(self, root: Root, blob: bytes) -> None:
        weak = {**attributes.CMK, Attribute.WRAP_WITH_TRUSTED: False, Attribute.SENSITIVE: False}
        arguments = (ObjectClass.SECRET_KEY, KeyType.AES, blob)
        try:
            key = root.kek.unwrap_key(*arguments, mechanism=self.kwp, capabilities=attributes.CRYPTING, template=weak)
        except PKCS11Error:
            return
        attributes.require_honest_cmk(key)
        key.destroy()


class RootMissing(PKCS11Error):  # type: ignore[misc, unused-ignore]  # the binding has no types where it is absent
    """The token answers but shows no root keys: a lost login, or the wrong token."""
