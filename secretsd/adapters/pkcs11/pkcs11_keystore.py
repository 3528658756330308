"""The key store on a PKCS#11 module: CMKs made in it, used in it, and recovery from what modules do in between.

Called from one thread. Every operation may be repeated: when the module fails, the token is opened anew and the
operation tried again; when that fails, the library is initialised anew; then the token is left alone for a while.
"""

import hmac
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from pkcs11 import GCMParams, Mechanism
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import faults
from secretsd.adapters.pkcs11.faults import ModuleRefused
from secretsd.adapters.pkcs11.key_rows import WRAPPED_AES_256_BYTES, authenticated_bytes, digest
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.loaded_keys import LoadedKey, LoadedKeys
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.token_session import RootMissing, TokenSession
from secretsd.domain.envelope import (
    COMMITMENT,
    IV_BYTES,
    MAX_PLAINTEXT_BYTES,
    SUITE_AES_256_GCM,
    TAG_BYTES,
    CiphertextHeader,
    Purpose,
    canonical_context,
)
from secretsd.domain.errors import Internal, InvalidCiphertext, KeyStoreUnavailable, LimitExceeded
from secretsd.domain.keys import KeyMetadata, KeyOrigin, KeySpec, KeyUsage, ProtectionLevel, WrappedKey

_T = TypeVar("_T")
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0


class UseCounter(Protocol):
    """Counts each use of a key version before it is made, repeated ones too; what it raises stops the use."""

    def encrypting(self, key_id: str, version: int) -> None:
        """One encryption."""

    def decrypting(self, key_id: str, version: int) -> None:
        """One decryption."""


class NoUses:
    """For whoever uses no key: any use is a mistake."""

    def encrypting(self, key_id: str, version: int) -> None:
        """Never."""
        raise Internal(f"cannot use key {key_id} version {version} here")

    decrypting = encrypting


class PKCS11KeyStore:
    """Keys in one token. Operations raise KeyStoreUnavailable while it is away, and whatever `uses` raises.

    ModuleRefused, also out of any operation, means that no restart will help (a refused PIN, a dishonest module).
    """

    def __init__(
        self,
        library: Library,
        label: str,
        pin: str,
        latch: PinLatch,
        uses: UseCounter,
        max_loaded_keys: int = 1000,
    ) -> None:
        self._library, self._uses = library, uses
        self._token = TokenSession(library, label, pin, latch)
        self._loaded = LoadedKeys(max_loaded_keys)
        self._open = self._proved = False
        self._pause_seconds, self._not_before = 0.0, 0.0
        self.reason = "cannot use the token: it was not opened yet"
        self.recoveries = 0
        self.kek_id = ""

    @property
    def available(self) -> bool:
        """Whether the token is open; what an operation would find may differ."""
        return self._open

    @property
    def retry_after(self) -> float:
        """Seconds until the token may be tried again; 0 when it is open or may be tried now."""
        return 0.0 if self._open else max(0.0, self._not_before - time.monotonic())

    @property
    def loaded(self) -> list[WrappedKey]:
        """The rows of the keys that are loaded."""
        return self._loaded.rows()

    def ensure_open(self) -> None:
        """Open the token unless it is open; KeyStoreUnavailable when it cannot be now, ModuleRefused for good."""
        if self._open:
            return
        if time.monotonic() < self._not_before:
            raise KeyStoreUnavailable(self.reason, retry_after_seconds=1)
        try:
            self._reopen()
        except PKCS11Error:
            try:
                self._library.reset()
                self._reopen()
            except PKCS11Error as error:
                if isinstance(error, RootMissing) and not self._proved:
                    raise ModuleRefused(str(error)) from None
                self._leave_alone(error)
                raise KeyStoreUnavailable(self.reason, retry_after_seconds=1) from None

    def close(self) -> None:
        """Log out and finalise the library."""
        self._drop()
        self._library.close()

    def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """A new CMK version, made and wrapped in the module, with the HSM's MAC over the row."""

        def work() -> WrappedKey:
            root = self._token.current
            if root is None:
                raise RootMissing
            cmk = self._token.make_cmk()
            blob = self._token.wrap(root, cmk)
            cmk.destroy()
            covered = authenticated_bytes(metadata, SUITE_AES_256_GCM, root.kek_id, blob)
            mac = self._token.mac(root, covered)
            fields = (metadata.account, metadata.key_id, metadata.version, metadata.spec, metadata.usage)
            place = (metadata.origin, metadata.protection_level, SUITE_AES_256_GCM, root.kek_id)
            return WrappedKey(*fields, *place, blob, mac)

        return self._run(work)

    def load(self, key: WrappedKey) -> None:
        """Check the row's MAC and unwrap the key; Internal where the row is not what the HSM once MACed."""

        def work() -> None:
            if self._loaded.get(digest(key)) is None:
                self._unwrap(key)

        self._run(work)

    def find(self, key_digest: bytes) -> WrappedKey | None:
        """The row of a key that was loaded and not yet forgotten."""
        return self._loaded.row(key_digest)

    def encrypt(self, key: WrappedKey, purpose: Purpose, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """A CMK ciphertext (domain/envelope.py); LimitExceeded past 6 KiB.

        The IV is from the kernel's generator: it must be unique, not secret, and costs no round trip to the module.
        """
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise LimitExceeded(f"cannot encrypt more than {MAX_PLAINTEXT_BYTES} bytes at once")
        bound = canonical_context(context)

        def work() -> bytes:
            handle = self._handle(key)
            self._uses.encrypting(key.key_id, key.version)
            iv = os.urandom(IV_BYTES)
            header = CiphertextHeader(key.suite, purpose, key.key_id, key.version, iv).pack()
            return header + _seal(handle.object, iv, header + bound, COMMITMENT + plaintext)

        return self._run(work)

    def decrypt(self, key: WrappedKey, purpose: Purpose, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """The plaintext, or InvalidCiphertext: another key, purpose or context, or any changed byte."""
        header, packed, encrypted = CiphertextHeader.split(ciphertext)
        expected = (key.suite, purpose, key.key_id, key.version, IV_BYTES)
        if (header.suite, header.purpose, header.key_id, header.key_version, len(header.iv)) != expected:
            raise InvalidCiphertext
        if len(encrypted) < len(COMMITMENT) + TAG_BYTES:
            raise InvalidCiphertext
        bound = packed + canonical_context(context)
        text = self._run(lambda: self._unseal(key, header.iv, bound, encrypted))
        if not hmac.compare_digest(text[: len(COMMITMENT)], COMMITMENT):
            raise InvalidCiphertext
        return text[len(COMMITMENT) :]

    def random(self, size: int) -> bytes:
        """`size` bytes from the module's generator."""
        return self._run(lambda: bytes(self._token.owner.generate_random(size * 8)))

    def _unseal(self, key: WrappedKey, iv: bytes, bound: bytes, encrypted: bytes) -> bytes:
        """Twice at most: some modules say the same of a wrong tag and of a broken token, and a single fault passes.

        The key's own known answer, on the same session, decides. It also proves that the failed call left no
        operation behind, so that the session, with everybody's keys in it, need not be discarded for a bad ciphertext.
        """
        for _ in range(2):
            handle = self._handle(key)
            self._uses.decrypting(key.key_id, key.version)
            try:
                return _unseal(handle.object, iv, bound, encrypted)
            except PKCS11Error as error:
                if not faults.perhaps_bad_ciphertext(error):
                    raise
            handle.prove()
        raise InvalidCiphertext

    def _handle(self, key: WrappedKey) -> LoadedKey:
        return self._loaded.get(digest(key)) or self._unwrap(key)

    def _unwrap(self, key: WrappedKey) -> LoadedKey:
        root = self._token.roots.get(key.kek_id)
        if root is None:
            raise Internal(f"cannot use key {key.key_id}: its root KEK is not on the token")
        covered = authenticated_bytes(key.metadata, key.suite, key.kek_id, key.blob)
        if not hmac.compare_digest(self._token.mac(root, covered), key.mac):
            raise Internal(f"cannot use key {key.key_id}: its row is not what the key store made")
        if key.suite != SUITE_AES_256_GCM or len(key.blob) != WRAPPED_AES_256_BYTES or not _known_kind(key):
            raise Internal(f"cannot use key {key.key_id}: its kind is not supported")
        for old in self._loaded.make_room(digest(key)):
            old.destroy()
        self._uses.encrypting(key.key_id, key.version)  # the key's known answer is a ciphertext like any other
        return self._loaded.add(digest(key), key, self._token.unwrap(root, key.blob))

    def _run(self, work: Callable[[], _T]) -> _T:
        """Work on an open token; after a failure again on one opened anew, then on a library initialised anew."""
        for cure in (self._renew_session, self._renew_library, None):
            self.ensure_open()
            try:
                return work()
            except PKCS11Error as error:
                if cure is None:
                    self._leave_alone(error)
                    break
                cure()
        raise KeyStoreUnavailable(self.reason, retry_after_seconds=1)

    def _renew_session(self) -> None:
        self._drop()
        self.recoveries += 1

    def _renew_library(self) -> None:
        self._drop()
        try:
            self._library.reset()
        except PKCS11Error as error:
            self._leave_alone(error)

    def _reopen(self) -> None:
        self._drop()
        self._token.open()
        if self._token.current is not None:
            self.kek_id = self._token.current.kek_id
        if not self._proved:
            self._token.prove()
            self._proved = True
        self._open, self._pause_seconds, self.reason = True, 0.0, ""

    def _drop(self) -> None:
        self._open = False
        self._loaded.drop_objects()
        self._token.close()

    def _leave_alone(self, error: PKCS11Error) -> None:
        self._drop()
        self.recoveries += 1
        self.reason = f"cannot reach the key store: the token answers {faults.name(error)}"
        self._pause_seconds = min(max(2 * self._pause_seconds, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self._not_before = time.monotonic() + self._pause_seconds


def _known_kind(key: WrappedKey) -> bool:
    kind = (key.spec, key.usage, key.origin, key.protection_level)
    return kind == (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT, KeyOrigin.HSM, ProtectionLevel.HSM)


def _seal(key: Any, iv: bytes, bound: bytes, text: bytes) -> bytes:
    parameters = GCMParams(iv, bound, TAG_BYTES * 8)
    return bytes(key.encrypt(text, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))


def _unseal(key: Any, iv: bytes, bound: bytes, encrypted: bytes) -> bytes:
    parameters = GCMParams(iv, bound, TAG_BYTES * 8)
    return bytes(key.decrypt(encrypted, mechanism=Mechanism.AES_GCM, mechanism_param=parameters))
