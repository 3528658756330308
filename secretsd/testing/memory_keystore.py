"""A key store in memory: AES-GCM by `cryptography`, the same rules and the same ciphertexts as the real one.

For tests of what stands above the port. Nothing outlives the object, and nothing protects its keys.
"""

import hashlib
import hmac
import os
import uuid
from collections import Counter
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding, aes_key_wrap_with_padding

from secretsd.adapters.keystore_process import messages
from secretsd.adapters.pkcs11.key_rows import authenticated_bytes
from secretsd.domain.envelope import (
    COMMITMENT,
    DATA_KEY_BYTES,
    IV_BYTES,
    MAX_PLAINTEXT_BYTES,
    SUITE_AES_256_GCM,
    CiphertextHeader,
    Purpose,
    canonical_context,
)
from secretsd.domain.errors import (
    AccessDenied,
    Internal,
    InvalidCiphertext,
    InvalidRequest,
    KeyStoreUnavailable,
    LimitExceeded,
)
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStoreStatus, KeyUse


class MemoryKeyStore:
    """Implements ports.keystore.KeyStore. While `away` is set every call raises KeyStoreUnavailable."""

    def __init__(self) -> None:
        self.away = False
        self._kek_id = str(uuid.uuid4())
        self._kek, self._mac_key, self._storage_key = os.urandom(32), os.urandom(32), os.urandom(32)
        self._uses: Counter[str] = Counter()

    async def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """See the port."""
        self._require_present()
        blob = aes_key_wrap_with_padding(self._kek, os.urandom(32))
        mac = self._mac(metadata, SUITE_AES_256_GCM, self._kek_id, blob)
        kind = (metadata.spec, metadata.usage, metadata.origin, metadata.protection_level, SUITE_AES_256_GCM)
        return WrappedKey(metadata.account, metadata.key_id, metadata.version, *kind, self._kek_id, blob, mac)

    async def encrypt(self, key: WrappedKey, use: KeyUse, plaintext: Plaintext, context: Mapping[str, str]) -> bytes:
        """See the port."""
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise LimitExceeded(f"cannot encrypt more than {MAX_PLAINTEXT_BYTES} bytes at once")
        cipher = self._open(key, use, context)
        iv = os.urandom(IV_BYTES)
        header = CiphertextHeader(SUITE_AES_256_GCM, use.purpose, key.key_id, key.version, iv).pack()
        return header + cipher.encrypt(iv, COMMITMENT + plaintext.reveal(), header + canonical_context(context))

    async def decrypt(self, key: WrappedKey, use: KeyUse, ciphertext: bytes, context: Mapping[str, str]) -> Plaintext:
        """See the port."""
        cipher = self._open(key, use, context)
        header, packed, encrypted = CiphertextHeader.split(ciphertext)
        expected = CiphertextHeader(SUITE_AES_256_GCM, use.purpose, key.key_id, key.version, header.iv)
        if header != expected or len(header.iv) != IV_BYTES:
            raise InvalidCiphertext
        try:
            text = cipher.decrypt(header.iv, encrypted, packed + canonical_context(context))
        except InvalidTag:
            raise InvalidCiphertext from None
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

    async def status(self) -> KeyStoreStatus:
        """See the port."""
        reason = KeyStoreUnavailable().message if self.away else ""
        return KeyStoreStatus(not self.away, reason, "memory", self._kek_id, 0, len(self._uses), dict(self._uses))

    def _open(self, key: WrappedKey, use: KeyUse, context: Mapping[str, str]) -> AESGCM:
        self._require_present()
        try:
            size = sum(len(name.encode()) + len(value.encode()) for name, value in context.items())
        except UnicodeEncodeError:
            raise InvalidRequest("cannot bind the encryption context: it is not valid Unicode text") from None
        if size > messages.MAX_CONTEXT_BYTES or len(context) > messages.MAX_CONTEXT_PAIRS:
            raise InvalidRequest("cannot bind the encryption context: it is too long")
        if not hmac.compare_digest(self._mac(key.metadata, key.suite, key.kek_id, key.blob), key.mac):
            raise Internal(f"cannot use key {key.key_id}: its row is not what the key store made")
        if key.account != use.account:
            raise AccessDenied(f"cannot use key {key.key_id}: it belongs to another account")
        if use.purpose is Purpose.STORAGE_KEY:
            raise AccessDenied("cannot make or open a storage key's ciphertext: only the key store itself does")
        self._uses[f"{key.key_id}/{key.version}"] += 1
        try:
            return AESGCM(aes_key_unwrap_with_padding(self._kek, key.blob))
        except InvalidUnwrap:
            raise Internal(f"cannot use key {key.key_id}: its kind is not supported") from None

    def _mac(self, metadata: KeyMetadata, suite: int, kek_id: str, blob: bytes) -> bytes:
        covered = authenticated_bytes(metadata, suite, kek_id, blob)
        return hmac.new(self._mac_key, covered, hashlib.sha256).digest()

    def _require_present(self) -> None:
        if self.away:
            raise KeyStoreUnavailable(retry_after_seconds=1)
