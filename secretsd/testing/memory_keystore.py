"""A key store in memory: every algorithm by `cryptography`, the same rules and the same ciphertexts as the real one.

For tests of what stands above the port. Nothing outlives the object, and nothing protects its keys.
"""

import hashlib
import hmac
import os
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from secretsd.adapters.keystore_process import messages
from secretsd.adapters.pkcs11.key_rows import authenticated_bytes
from secretsd.adapters.sm import extra
from secretsd.adapters.sm.sm2 import PublicKeys
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
    DATA_KEY_BYTES,
    GCM_SUITES,
    IV_BYTES,
    MAX_PLAINTEXT_BYTES,
    SUITE_NONE,
    CiphertextHeader,
    Purpose,
    canonical_context,
)
from secretsd.domain.errors import (
    AccessDenied,
    Internal,
    InvalidCiphertext,
    InvalidKeyUsage,
    InvalidRequest,
    InvalidState,
    KeyStoreUnavailable,
    LimitExceeded,
)
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec, importable
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, KeyOrigin, WrappedKey, protection_level
from secretsd.domain.root_keys import RootKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import Ability, KeyStoreStatus, KeyUse, unable
from secretsd.testing import memory_keys

_IMPORTING = KeySpec.RSA_2048
"""An import's key pair is a row like any other, of version 0."""


class MemoryKeyStore:
    """Implements ports.keystore.KeyStore. While `away` is set every call raises KeyStoreUnavailable.

    `inabilities` says which specs it cannot make, as a real one does whose HSM lacks them. `renew_root` makes a new
    generation of the root, as a ceremony does. `worn_at` is after how many encryptions a key version is to be rotated.
    """

    sm2 = PublicKeys()

    def __init__(self) -> None:
        self.away = False
        software = () if extra.installed() else (spec for spec in KeySpec if SPECS[spec].software)
        self.inabilities = {spec.value: extra.MISSING for spec in software}
        self._kek_id = str(uuid.uuid4())
        self._keks = {self._kek_id: os.urandom(32)}
        self.roots = [RootKey(self._kek_id, 1, 0)]
        self._mac_key, self._storage_key = os.urandom(32), os.urandom(32)
        self._uses: Counter[str] = Counter()
        self.worn_at = 1 << 31
        self._encryptions: Counter[tuple[str, str, int]] = Counter()
        self._destroyed: dict[str, int] = {}

    def renew_root(self) -> str:
        """A new root KEK, its id; keys under the old one stay usable."""
        self._kek_id = str(uuid.uuid4())
        self._keks[self._kek_id] = os.urandom(32)
        self.roots.append(RootKey(self._kek_id, len(self.roots) + 1, 0))
        return self._kek_id

    def destroy_root(self, generation: int, now_ms: int) -> None:
        """No key under that generation can be used any more."""
        gone = self.roots[generation - 1]
        del self._keks[gone.kek_id]
        self.roots[generation - 1] = replace(gone, destroyed_ms=now_ms)

    async def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """See the port."""
        await self.require_able(metadata.spec)
        if metadata.version == 0:
            raise InvalidKeyUsage(f"cannot do that with version 0 of key {metadata.key_id}: it is no key version")
        return self._wrapped(metadata, memory_keys.make_material(metadata.spec))

    async def encrypt(self, key: WrappedKey, use: KeyUse, plaintext: Plaintext, context: Mapping[str, str]) -> bytes:
        """See the port."""
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise LimitExceeded(f"cannot encrypt more than {MAX_PLAINTEXT_BYTES} bytes at once")
        material = self._symmetric(key, use, context)
        iv = os.urandom(IV_BYTES)
        header = CiphertextHeader(key.suite, use.purpose, key.key_id, key.version, iv).pack()
        bound = header + canonical_context(context)
        self._encryptions[key.account, key.key_id, key.version] += 1
        return header + memory_keys.encrypt(key.spec, material, iv, COMMITMENT + plaintext.reveal(), bound)

    async def decrypt(self, key: WrappedKey, use: KeyUse, ciphertext: bytes, context: Mapping[str, str]) -> Plaintext:
        """See the port."""
        material = self._symmetric(key, use, context)
        header, packed, encrypted = CiphertextHeader.split(ciphertext)
        expected = CiphertextHeader(key.suite, use.purpose, key.key_id, key.version, header.iv)
        if header != expected or len(header.iv) != IV_BYTES:
            raise InvalidCiphertext
        text = memory_keys.decrypt(key.spec, material, header.iv, encrypted, packed + canonical_context(context))
        if not hmac.compare_digest(text[: len(COMMITMENT)], COMMITMENT):
            raise InvalidCiphertext
        return Plaintext(text[len(COMMITMENT) :])

    async def generate_data_key(
        self, key: WrappedKey, use: KeyUse, context: Mapping[str, str], size: int = DATA_KEY_BYTES
    ) -> tuple[Plaintext, bytes]:
        """See the port."""
        if not 1 <= size <= messages.MAX_DATA_KEY_BYTES:
            raise InvalidRequest(f"cannot make a data key of that size: 1 to {messages.MAX_DATA_KEY_BYTES} bytes")
        data_key = Plaintext(os.urandom(size))
        return data_key, await self.encrypt(key, use, data_key, context)

    async def decrypt_asymmetric(
        self, key: WrappedKey, use: KeyUse, algorithm: EncryptionAlgorithm, ciphertext: bytes
    ) -> Plaintext:
        """See the port."""
        material = self._open(key, use, KeyUsage.ENCRYPT_DECRYPT)
        if not SPECS[key.spec].asymmetric or algorithm not in encryption_algorithms(key.spec):
            raise InvalidKeyUsage(f"cannot use key {key.key_id} with {algorithm.value}")
        return Plaintext(memory_keys.decrypt_asymmetric(material, algorithm, ciphertext))

    async def sign(self, key: WrappedKey, use: KeyUse, algorithm: SigningAlgorithm, message: bytes) -> bytes:
        """See the port."""
        material = self._open(key, use, KeyUsage.SIGN_VERIFY)
        if algorithm not in signing_algorithms(key.spec):
            raise InvalidKeyUsage(f"cannot use key {key.key_id} with {algorithm.value}")
        try:
            return memory_keys.sign(material, algorithm, message)
        except ValueError:
            raise InvalidRequest("cannot sign: that is no digest of the algorithm's length") from None

    async def generate_mac(self, key: WrappedKey, use: KeyUse, algorithm: MacAlgorithm, message: bytes) -> bytes:
        """See the port."""
        material = self._open(key, use, KeyUsage.GENERATE_VERIFY_MAC)
        if algorithm not in mac_algorithms(key.spec):
            raise InvalidKeyUsage(f"cannot use key {key.key_id} with {algorithm.value}")
        return memory_keys.mac(material, algorithm, message)

    async def generate_import_key(self, account: str, key_id: str, spec: WrappingSpec) -> WrappedKey:
        """See the port."""
        if spec is WrappingSpec.SM2:
            await self.require_able(KeySpec.SM2)
        pair = KeySpec(spec.value)
        return self._wrapped(KeyMetadata(account, key_id, 0, pair), memory_keys.make_material(pair))

    async def import_key(
        self,
        metadata: KeyMetadata,
        import_key: WrappedKey,
        algorithm: WrappingAlgorithm,
        material: bytes,
        before: WrappedKey | None = None,
    ) -> WrappedKey:
        """See the port."""
        if len(material) > messages.MAX_MATERIAL_BYTES:
            raise InvalidCiphertext
        wrapping = self._material(import_key)
        if (import_key.account, import_key.key_id, import_key.version) != (metadata.account, metadata.key_id, 0):
            raise AccessDenied("cannot import under that key pair: it is another key's")
        fits = (import_key.spec is KeySpec.SM2) is (algorithm is WrappingAlgorithm.SM2PKE)
        if not importable(metadata.spec, algorithm) or metadata.version == 0 or not fits:
            raise InvalidKeyUsage(f"cannot import {metadata.spec.value} by {algorithm.value}")
        await self.require_able(metadata.spec)
        if before is not None and (before.account, before.key_id) != (metadata.account, metadata.key_id):
            raise AccessDenied("cannot import beside that row: it is another key's")
        kek_id = "" if before is None else before.kek_id
        if kek_id and kek_id not in self._keks:
            raise InvalidState("cannot tell whether it is the same material: the root KEK of then is gone")
        found = memory_keys.imported(metadata.spec, memory_keys.unwrap(wrapping, algorithm, material))
        return self._wrapped(replace(metadata, origin=KeyOrigin.EXTERNAL), found, kek_id)

    async def rewrap(self, key: WrappedKey) -> WrappedKey:
        """See the port."""
        if key.version == 0:
            raise InvalidKeyUsage(f"cannot do that with version 0 of key {key.key_id}: it is no key version")
        if key.kek_id == self._kek_id:
            return key
        material = self._material(key)
        blob = aes_key_wrap_with_padding(self._keks[self._kek_id], material)
        fingerprint = key.fingerprint and memory_keys.fingerprint(self._keks[self._kek_id], key.metadata, material)
        wrapped = replace(key, kek_id=self._kek_id, blob=blob, fingerprint=fingerprint)
        return replace(wrapped, mac=self._mac(wrapped))

    async def destroy_key(self, account: str, key_id: str, up_to_version: int) -> None:
        """See the port."""
        self._require_present()
        self._destroyed[key_id] = max(up_to_version, self._destroyed.get(key_id, 0))

    async def random(self, size: int) -> Plaintext:
        """See the port."""
        self._require_present()
        if not 1 <= size <= messages.MAX_RANDOM_BYTES:
            raise InvalidRequest(f"cannot make random bytes of that size: 1 to {messages.MAX_RANDOM_BYTES}")
        return Plaintext(os.urandom(size))

    async def storage_key(self) -> Plaintext:
        """See the port."""
        self._require_present()
        return Plaintext(self._storage_key)

    async def require_able(self, wanted: Ability) -> None:
        """See the port."""
        self._require_present()
        if (reason := self.inabilities.get(wanted.value)) is not None:
            raise unable(wanted, reason)

    async def status(self) -> KeyStoreStatus:
        """See the port."""
        reason = KeyStoreUnavailable().message if self.away else ""
        told = (len(self._uses), dict(self._uses), dict(self.inabilities))
        worn = tuple(name for name, count in self._encryptions.items() if count >= self.worn_at)
        found = ("memory", self._kek_id, 0, *told)
        return KeyStoreStatus(not self.away, reason, *found, worn=worn, roots=tuple(self.roots))

    def _wrapped(self, metadata: KeyMetadata, material: bytes, kek_id: str = "") -> WrappedKey:
        kek_id = kek_id or self._kek_id
        blob = aes_key_wrap_with_padding(self._keks[kek_id], material)
        suite = GCM_SUITES.get(metadata.spec, SUITE_NONE)
        kind = (metadata.spec, metadata.usage, metadata.origin, protection_level(metadata.spec), suite, kek_id)
        fingerprint = b""
        if metadata.origin is KeyOrigin.EXTERNAL:
            fingerprint = memory_keys.fingerprint(self._keks[kek_id], metadata, material)
        key = WrappedKey(
            metadata.account, metadata.key_id, metadata.version, *kind, blob, b"",
            public_key=memory_keys.public_key(metadata.spec, material), fingerprint=fingerprint,
        )  # fmt: skip
        return replace(key, mac=self._mac(key))

    def _symmetric(self, key: WrappedKey, use: KeyUse, context: Mapping[str, str]) -> bytes:
        try:
            size = sum(len(name.encode()) + len(value.encode()) for name, value in context.items())
        except UnicodeEncodeError:
            raise InvalidRequest("cannot bind the encryption context: it is not valid Unicode text") from None
        if size > messages.MAX_CONTEXT_BYTES or len(context) > messages.MAX_CONTEXT_PAIRS:
            raise InvalidRequest("cannot bind the encryption context: it is too long")
        if key.suite == SUITE_NONE:
            raise InvalidKeyUsage(f"cannot use key {key.key_id} for encryption")
        return self._open(key, use, KeyUsage.ENCRYPT_DECRYPT)

    def _open(self, key: WrappedKey, use: KeyUse, usage: KeyUsage) -> bytes:
        material = self._material(key)
        if key.account != use.account:
            raise AccessDenied(f"cannot use key {key.key_id}: it belongs to another account")
        if key.usage is not usage or key.version == 0:
            raise InvalidKeyUsage(f"cannot use key {key.key_id} for that")
        if use.purpose is Purpose.STORAGE_KEY:
            raise AccessDenied("cannot make or open a storage key's ciphertext: only the key store itself does")
        self._uses[f"{key.key_id}/{key.version}"] += 1
        return material

    def _material(self, key: WrappedKey) -> bytes:
        self._require_present()
        if not hmac.compare_digest(self._mac(key), key.mac):
            raise Internal(f"cannot use key {key.key_id}: its row is not what the key store made")
        if key.version <= self._destroyed.get(key.key_id, -1):
            raise InvalidState(f"cannot use version {key.version} of key {key.key_id}: it is destroyed")
        try:
            return aes_key_unwrap_with_padding(self._keks[key.kek_id], key.blob)
        except InvalidUnwrap:
            raise Internal(f"cannot use key {key.key_id}: its kind is not supported") from None

    def _mac(self, key: WrappedKey) -> bytes:
        covered = authenticated_bytes(key.metadata, key.suite, key.kek_id, key.blob, key.public_key, key.fingerprint)
        return hmac.new(self._mac_key, covered, hashlib.sha256).digest()

    def _require_present(self) -> None:
        if self.away:
            raise KeyStoreUnavailable(retry_after_seconds=1)
