"""The open token: one login on an anchor session, one long-lived owner session for every key object, the root keys."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pkcs11 import Attribute, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import abilities, attributes, faults, key_kinds, known_answers, root_proof
from secretsd.adapters.pkcs11.faults import ModuleRefused, PinRefused
from secretsd.adapters.pkcs11.key_kinds import KeyKind, Pair, kind_for
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.protection import FIXED, RENEWABLE, Protection
from secretsd.adapters.pkcs11.root_history import WrittenRoots
from secretsd.adapters.pkcs11.suites import suite_of_new_keys
from secretsd.domain.errors import Internal
from secretsd.domain.key_specs import SPECS, KeySpec
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.root_keys import RootKey

KEK_LABEL = "secretsd root kek"
MAC_LABEL = "secretsd root mac"
_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Root:
    """One generation of the root: the KEK, the MAC key beside it, their common id, and its number."""

    kek_id: str
    kek: Any
    mac_key: Any
    generation: int
    protection: Protection = RENEWABLE


class TokenSession:
    """A logged-in token. Any method may raise PKCS11Error; the session is then closed and opened anew by the caller.

    Generations of the root are told apart by CKA_ID and ordered by the number at the end of their labels. The newest
    is `current`, save those that are held. `written` tells what is known of them: check values, which are held, and
    which can never be renewed; any other one must be trusted by the security officer. `proved` is told those without
    a check value once they have proved themselves. `objects_made` counts the session objects of keys since somebody
    set it to 0.
    """

    def __init__(self, library: Library, label: str, pin: str, latch: PinLatch) -> None:
        self._library, self._label, self._pin, self._latch = library, label, pin, latch
        self._token: Any = None
        self._anchor: Any = None
        self.owner: Any = None
        self.roots: dict[str, Root] = {}
        self.current: Root | None = None
        self.written: Callable[[], WrittenRoots] = WrittenRoots
        self.proved: Callable[[Iterable[RootKey]], None] = lambda _: None
        self._look_again = 0.0
        self.kwp: Mechanism | None = None
        self.suites: frozenset[int] = frozenset()
        self.inabilities: dict[str, str] = {}
        self._unfinished: set[str] = set()
        self.objects_made = 0

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
        written = self.written()
        self._find_roots(written)
        for root in self.roots.values():
            root_proof.recognise(self, root, written)

    @property
    def protection(self) -> Protection:
        """How new keys are kept here."""
        return self.current.protection if self.current is not None else RENEWABLE

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
            self.kwp, self.suites = known_answers.require_known_answers(self.owner)
            written = self.written()
            for root in self.roots.values():
                root_proof.recognise(self, root, written)
                root_proof.prove(self, root)
            self._take_down(self.roots.values())
            if self.current is not None:
                self.inabilities = abilities.inabilities(self, self.current)
        except PKCS11Error as error:
            if faults.inability(error):
                raise ModuleRefused(f"cannot use the module: the probe failed with {faults.name(error)}") from None
            raise

    def root_of(self, kek_id: str) -> Root | None:
        """A generation by its id. One that is not known is looked for on the token, at most every fifth of a second."""
        if kek_id not in self.roots and time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK_SECONDS
            with contextlib.suppress(ModuleRefused):  # one that cannot be trusted is as good as none
                self.look_for_roots()
        return self.roots.get(kek_id)

    def look_for_roots(self) -> None:
        """Take up the generations that came to the token since it was opened, and let go of those that left it.

        ModuleRefused where a new one does not pass the probe: then everything stays as it was.
        """
        before, written = (self.roots, self.current), self.written()
        try:
            self._find_roots(written)
            for root in self.roots.values():
                root_proof.recognise(self, root, written)
                if root.kek_id not in before[0]:
                    root_proof.prove(self, root)
            self._take_down(root for root in self.roots.values() if root.kek_id not in before[0])
        except (ModuleRefused, PKCS11Error):
            self.roots, self.current = before
            raise

    def wrap(self, root: Root, key: Any) -> bytes:
        """The key wrapped by the root KEK as in RFC 5649; of a pair, the cipher key and then the MAC key."""
        if isinstance(key, Pair):
            return self.wrap(root, key.cipher) + self.wrap(root, key.mac)
        return bytes(root.kek.wrap_key(key, mechanism=self.kwp))

    def kind_of_new(self, metadata: KeyMetadata) -> KeyKind:
        """The kind that a new key has here, by the suite that it gets; Unsupported."""
        return kind_for(metadata.spec, metadata.usage, self.suite_of_new(metadata.spec))

    def suite_of_new(self, spec: KeySpec) -> int:
        """The suite that a new key of the spec gets here."""
        return suite_of_new_keys(spec, self.suites)

    def make(self, kind: KeyKind) -> tuple[Any, bytes]:
        """A new key as a session object, and its public key (`key_kinds.generate`)."""
        self.objects_made += 1 + SPECS[kind.spec].asymmetric
        resident = {Attribute.TOKEN: False} if kind.resident else None
        return key_kinds.generate(self.owner, kind, resident, self.protection.made)

    def completed(self, kind: KeyKind, key: Any) -> Any:
        """The key with the MAC key that its kind wants beside it."""
        return Pair(key, self.make(kind.partner)[0]) if kind.paired else key

    def unwrap(self, root: Root, kind: KeyKind, blob: bytes) -> Any:
        """The CMK in the blob as a session object, or as a pair of them; the blob's MAC has been checked before."""
        if kind.paired:
            end = kind.wrapped_bytes
            cipher = self.unwrap(root, replace(kind, paired=False), blob[:end])
            return Pair(cipher, self.unwrap(root, kind.partner, blob[end:]))
        self.objects_made += 1
        return root.kek.unwrap_key(
            kind.object_class,
            kind.key_type,
            blob,
            mechanism=self.kwp,
            capabilities=kind.uses,
            template=root.protection.loaded,
        )

    def make_resident(self, kind: KeyKind, key_id: str, version: int) -> tuple[bytes, bytes]:
        """A new key that stays on the token: what stands for it in its row, and its public key.

        Those that earlier tries left there go first, of this key and of others: a module may fail after it has worked.
        """
        identifier, label = uuid.uuid4(), _resident_label(key_id, version)
        with self._writing() as session:
            for unfinished in self._unfinished | {label}:
                for orphan in session.get_objects({Attribute.LABEL: unfinished}):
                    orphan.destroy()
            self._unfinished = {label}
            named = {Attribute.ID: identifier.bytes, Attribute.LABEL: label}
            _, public_key = key_kinds.generate(session, kind, named)
        return key_kinds.resident_blob(identifier), public_key

    def keep_resident(self, key_id: str, version: int) -> None:
        """The key has its row, and is no orphan any more."""
        self._unfinished.discard(_resident_label(key_id, version))

    def find_resident(self, kind: KeyKind, key: WrappedKey) -> Any:
        """The object of a key that stays on the token; Internal where it is not there any more."""
        wanted = {
            Attribute.CLASS: kind.object_class,
            Attribute.ID: key.blob[len(key_kinds.RESIDENT) :],
            Attribute.LABEL: _resident_label(key.key_id, key.version),
        }
        found = list(self.owner.get_objects(wanted))
        if not found:
            with contextlib.suppress(ModuleRefused):  # as above
                self.look_for_roots()  # a lost login finds nothing at all, and is an error like any other
            raise Internal(f"cannot use key {key.key_id}: its material is not on the token")
        return found[0]

    def destroy_residents(self, key_id: str, up_to_version: int) -> None:
        """Take the key's versions up to that one off the token."""
        label = _resident_label(key_id, "")
        with self._writing() as session:
            for key in session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.TOKEN: True}):
                name, _, version = key[Attribute.LABEL].rpartition(" ")
                if name + " " == label and version.isdecimal() and int(version) <= up_to_version:
                    key.destroy()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Any]:
        session = self._token.open(rw=True, attribute_mapper=attributes.Mapper())
        try:
            yield session
        finally:
            session.close()

    def mac(self, root: Root, data: bytes) -> bytes:
        """HMAC-SHA-256 by the root's MAC key."""
        return bytes(root.mac_key.sign(data, mechanism=Mechanism.SHA256_HMAC))

    def _take_down(self, roots: Iterable[Root]) -> None:
        self.proved([RootKey(one.kek_id, one.generation, 0, check=root_proof.check_of(self, one)) for one in roots])

    def _find_roots(self, written: WrittenRoots) -> None:
        found: dict[tuple[str, int], dict[str, Any]] = {}
        for key in self.owner.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True}):
            label, _, generation = key[Attribute.LABEL].rpartition(" ")
            if label not in (KEK_LABEL, MAC_LABEL) or not generation.isdecimal():
                continue
            kek_id = str(uuid.UUID(bytes=key[Attribute.ID]))
            if found.setdefault((kek_id, int(generation)), {}).setdefault(label, key) is not key:
                raise ModuleRefused(f"cannot use the token {self._label}: two of its keys are one part of the root")
        # A KEK is copied to the token last and destroyed first, so one half alone is what a ceremony was cut short at.
        known = {kek_id: (one.fixed, one.held) for kek_id, one in written.roots.items()}
        fixed, held = ({kek_id for kek_id, one in known.items() if one[place]} for place in (0, 1))
        roots = [
            Root(kek_id, keys[KEK_LABEL], keys[MAC_LABEL], generation, FIXED if kek_id in fixed else RENEWABLE)
            for (kek_id, generation), keys in found.items()
            if keys.keys() == {KEK_LABEL, MAC_LABEL}
        ]
        wrapping = [root for root in roots if root.kek_id not in held]
        if not wrapping:
            # Right after a lost login a search finds nothing either; the caller opens anew before it believes this.
            raise RootMissing(f"cannot use the token {self._label}: it has no root keys of secretsd")
        self.roots = {root.kek_id: root for root in roots}
        self.current = max(wrapping, key=lambda root: root.generation)


def _resident_label(key_id: str, version: int | str) -> str:
    return f"secretsd cmk {key_id} {version}"


class RootMissing(PKCS11Error):  # type: ignore[misc, unused-ignore]  # the binding has no types where it is absent
    """The token answers but shows no root keys: a lost login, or the wrong token."""
