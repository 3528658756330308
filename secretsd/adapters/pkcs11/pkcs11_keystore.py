"""The key store on a PKCS#11 module: CMKs made in it and used in it. Called from one thread."""

import hmac
import os
from collections.abc import Callable, Mapping

from secretsd.adapters.pkcs11 import (
    asymmetric,
)
from secretsd.adapters.pkcs11.held_keys import HeldKeys, UseCounter
from secretsd.adapters.pkcs11.key_making import KeyMaker
from secretsd.adapters.pkcs11.key_tombstones import KeyTombstones
from secretsd.adapters.pkcs11.library import Library
from secretsd.adapters.pkcs11.loaded_keys import LoadedKeys
from secretsd.adapters.pkcs11.pin_latch import PinLatch
from secretsd.adapters.pkcs11.recovering_token import RecoveringToken
from secretsd.adapters.pkcs11.suites import SOFTWARE, SUITES, Suite
from secretsd.adapters.pkcs11.vouched_rows import VouchedRows
from secretsd.adapters.sm import sm2
from secretsd.domain.algorithms import (
    EncryptionAlgorithm,
    MacAlgorithm,
    SigningAlgorithm,
    encryption_algorithms,
    mac_algorithms,
    signing_algorithms,
)
from secretsd.domain.envelope import (
    COMMITMENT,
    MAX_PLAINTEXT_BYTES,
    Purpose,
    canonical_context,
    header_start,
)
from secretsd.domain.errors import (
    Internal,
    InvalidCiphertext,
    InvalidKeyUsage,
    LimitExceeded,
    Unsupported,
)
from secretsd.domain.key_specs import SPECS
from secretsd.domain.keys import WrappedKey


class NoUses:
    """For whoever uses no key: any use is a mistake."""

    def encrypting(self, key_id: str, version: int) -> None:
        """Never."""
        raise Internal(f"cannot use key {key_id} version {version} here")

    decrypting = loading = encrypting


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
        tombstones: KeyTombstones | None = None,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._loaded = LoadedKeys(max_loaded_keys)
        self.token = RecoveringToken(library, label, pin, latch, self._loaded.drop_objects, failed)
        self._session, self._run = self.token.session, self.token.run
        self._rows = VouchedRows(self._session)
        self._held = HeldKeys(self.token, self._loaded, self._rows, uses, tombstones)
        maker = KeyMaker(self.token, self._rows, self._held)
        self.generate_key, self.rewrap = maker.generate_key, maker.rewrap
        self.generate_import_key, self.import_key = maker.generate_import_key, maker.import_key
        self.load, self.vouch, self.destroy_key = self._held.load, self._held.vouch, self._held.destroy_key

    @property
    def loaded(self) -> list[WrappedKey]:
        """The rows of the keys that are loaded."""
        return self._loaded.rows()

    @property
    def inabilities(self) -> Mapping[str, str]:
        """Specs and algorithms that this module does not have, each with the reason as half a sentence."""
        return self._session.inabilities

    def look_for_roots(self) -> None:
        """Take up a generation of the root that a ceremony made; ModuleRefused where it cannot be trusted."""
        self._run(self._session.look_for_roots)
        self.token.kek_id = self._rows.root().kek_id

    @property
    def root_generations(self) -> list[tuple[str, int]]:
        """Id and number of every generation that is on the token."""
        return [(root.kek_id, root.generation) for root in self._session.roots.values()]

    def find(self, key_digest: bytes) -> WrappedKey | None:
        """The row of a key that was loaded and not yet forgotten."""
        return self._loaded.row(key_digest)

    def encrypt(self, key: WrappedKey, purpose: Purpose, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        """A CMK ciphertext (domain/envelope.py); LimitExceeded past 6 KiB.

        The IV is from the kernel's generator: it must be unique, not secret, and costs no round trip to the module. It
        is drawn when it is needed: bytes kept for later would come twice out of two copies of a machine's memory.
        """
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise LimitExceeded(f"cannot encrypt more than {MAX_PLAINTEXT_BYTES} bytes at once")
        suite = self._suite(key)
        start = header_start(key.suite, purpose, key.key_id, key.version, suite.iv_bytes)
        bound = canonical_context(context)

        def work() -> bytes:
            handle = self._held.encrypting(key)
            iv = os.urandom(suite.iv_bytes)
            header = start + iv
            return header + suite.seal(handle.object, iv, header + bound, COMMITMENT + plaintext)

        return self._run(work)

    def decrypt(self, key: WrappedKey, purpose: Purpose, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        """The plaintext, or InvalidCiphertext: another key, purpose or context, or any changed byte."""
        suite = self._suite(key)
        start = header_start(key.suite, purpose, key.key_id, key.version, suite.iv_bytes)
        end = len(start) + suite.iv_bytes
        if not ciphertext.startswith(start) or len(ciphertext) < end + len(COMMITMENT) + suite.tag_bytes:
            raise InvalidCiphertext
        iv, encrypted = ciphertext[len(start) : end], ciphertext[end:]
        bound = ciphertext[:end] + canonical_context(context)
        text = self._held.open(key, lambda handle: suite.unseal(handle.object, iv, bound, encrypted))
        if not hmac.compare_digest(text[: len(COMMITMENT)], COMMITMENT):
            raise InvalidCiphertext
        return text[len(COMMITMENT) :]

    def decrypt_asymmetric(self, key: WrappedKey, algorithm: EncryptionAlgorithm, ciphertext: bytes) -> bytes:
        """What was encrypted under the public key, or InvalidCiphertext; Unsupported where the module lacks it."""
        if not SPECS[key.spec].asymmetric or algorithm not in encryption_algorithms(key.spec):
            raise InvalidKeyUsage(f"cannot use key {key.key_id} with {algorithm.value}")
        self.token.require_able(algorithm.value)
        if algorithm is EncryptionAlgorithm.SM2PKE:
            return self._held.open(key, lambda handle: sm2.decrypt(handle.object, ciphertext))
        if len(ciphertext) * 8 != SPECS[key.spec].bits:
            raise InvalidCiphertext
        return self._held.open(key, lambda handle: asymmetric.decrypt(handle.object, algorithm, ciphertext))

    def sign(self, key: WrappedKey, algorithm: SigningAlgorithm, message: bytes) -> bytes:
        """The signature of a digest, or of a message for Ed25519; Unsupported where the module lacks the algorithm."""
        if algorithm not in signing_algorithms(key.spec):
            raise InvalidKeyUsage(f"cannot use key {key.key_id} with {algorithm.value}")
        self.token.require_able(algorithm.value)
        if algorithm is SigningAlgorithm.SM2DSA:
            return self._run(lambda: sm2.sign(self._held.used(key).object, message))
        return self._run(lambda: asymmetric.sign(self._held.used(key).object, algorithm, message))

    def generate_mac(self, key: WrappedKey, algorithm: MacAlgorithm, message: bytes) -> bytes:
        """The HMAC of a message."""
        if algorithm not in mac_algorithms(key.spec):
            raise InvalidKeyUsage(f"cannot use key {key.key_id} with {algorithm.value}")
        return self._run(lambda: asymmetric.mac(self._held.used(key).object, algorithm, message))

    def random(self, size: int) -> bytes:
        """`size` bytes from the module's generator."""
        return self._run(lambda: bytes(self._session.owner.generate_random(size * 8)))

    def _suite(self, key: WrappedKey) -> Suite:
        """How the key encrypts. A row of another module's suite is a good one, and of no use here."""
        suite = SUITES.get(key.suite)
        if suite is None:
            raise InvalidKeyUsage(f"cannot use key {key.key_id} for encryption by this algorithm")
        self.token.ensure_open()
        if key.suite not in self._session.suites and key.suite not in SOFTWARE:
            raise Unsupported(f"cannot use key {key.key_id}: this HSM offers no {suite.name}, which it was made for")
        return suite
