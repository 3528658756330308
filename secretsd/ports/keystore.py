"""The key store: makes and uses keys that never leave it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from secretsd.domain.envelope import DATA_KEY_BYTES, Purpose
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext


@dataclass(frozen=True, slots=True)
class KeyUse:
    """On whose behalf and for what a key is used; rates are limited and uses counted by it."""

    account: str
    purpose: Purpose
    request_id: str


@dataclass(frozen=True, slots=True)
class KeyStoreStatus:
    """How the key store is. `reason` is a sentence without values; the key ids are names, not material."""

    available: bool
    reason: str
    module: str
    kek_id: str
    restarts: int
    loaded_keys: int
    uses: Mapping[str, int]


class KeyStore(Protocol):
    """Makes and uses keys that never leave it. Every method may raise KeyStoreUnavailable, and may be tried again.

    `context` is the encryption context; the key store itself canonicalises it and builds header, IV and AAD.
    """

    async def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """A new key version, wrapped by the root KEK and MACed with its metadata; repeating makes another key."""
        ...

    async def encrypt(self, key: WrappedKey, use: KeyUse, plaintext: Plaintext, context: Mapping[str, str]) -> bytes:
        """A CMK ciphertext of at most 6 KiB; LimitExceeded past that, Throttled past the account's rate."""
        ...

    async def decrypt(self, key: WrappedKey, use: KeyUse, ciphertext: bytes, context: Mapping[str, str]) -> Plaintext:
        """The plaintext; InvalidCiphertext when key, purpose, context or any byte differs from when it was made."""
        ...

    async def generate_data_key(
        self, key: WrappedKey, use: KeyUse, context: Mapping[str, str], size: int = DATA_KEY_BYTES
    ) -> tuple[Plaintext, bytes]:
        """`size` random bytes from the HSM and their ciphertext under the key."""
        ...

    async def random(self, size: int) -> Plaintext:
        """`size` bytes (1 to 4,096) from the HSM's generator."""
        ...

    async def storage_key(self) -> Plaintext:
        """The 32-byte key that authenticates storage rows; sealed beside the key store, never in storage."""
        ...

    async def status(self) -> KeyStoreStatus:
        """How it is, also while it is away: never raises."""
        ...
