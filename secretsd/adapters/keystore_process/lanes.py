"""The worker's key store as two lanes: what is slow in any HSM has a process of its own and holds nobody up.

The fast lane alone makes and opens symmetric ciphertexts, so it alone counts towards their limit. The slow one makes
RSA keys, uses them, imports and wraps anew; both load whatever row they are given (SECURITY 11).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.sm.sm2 import PublicKeys
from secretsd.domain.algorithms import EncryptionAlgorithm, SigningAlgorithm
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStoreStatus, KeyUse

_PATIENCE_SECONDS = 0.2


class LaneKeyStore:
    """Implements ports.keystore.KeyStore over two keystore processes on one token."""

    sm2 = PublicKeys()

    def __init__(self, fast: ProcessKeyStore, slow: ProcessKeyStore) -> None:
        self._fast, self._slow = fast, slow
        # What is only ever in the fast lane is that lane's own method: no coroutine more for each call.
        self.encrypt, self.decrypt, self.generate_data_key = fast.encrypt, fast.decrypt, fast.generate_data_key
        self.generate_mac, self.random, self.storage_key = fast.generate_mac, fast.random, fast.storage_key
        self.require_able = fast.require_able
        self._slow_status = KeyStoreStatus(True, "", "", "", 0, 0, {})

    async def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """See the port."""
        return await self._lane(metadata.spec).generate_key(metadata)

    async def decrypt_asymmetric(
        self, key: WrappedKey, use: KeyUse, algorithm: EncryptionAlgorithm, ciphertext: bytes
    ) -> Plaintext:
        """See the port."""
        return await self._lane(key.spec).decrypt_asymmetric(key, use, algorithm, ciphertext)

    def sign(
        self, key: WrappedKey, use: KeyUse, algorithm: SigningAlgorithm, message: bytes
    ) -> Coroutine[Any, Any, bytes]:
        """See the port."""
        return self._lane(key.spec).sign(key, use, algorithm, message)

    async def generate_import_key(self, account: str, key_id: str, spec: WrappingSpec) -> WrappedKey:
        """See the port."""
        return await self._slow.generate_import_key(account, key_id, spec)

    async def import_key(
        self,
        metadata: KeyMetadata,
        import_key: WrappedKey,
        algorithm: WrappingAlgorithm,
        material: bytes,
        before: WrappedKey | None = None,
    ) -> WrappedKey:
        """See the port."""
        return await self._slow.import_key(metadata, import_key, algorithm, material, before)

    async def rewrap(self, key: WrappedKey) -> WrappedKey:
        """See the port."""
        return await self._slow.rewrap(key)

    async def destroy_key(self, account: str, key_id: str, up_to_version: int) -> None:
        """See the port. Both lanes forget it; the tombstone that the first one wrote holds for the other too."""
        await self._fast.destroy_key(account, key_id, up_to_version)
        await self._slow.destroy_key(account, key_id, up_to_version)

    async def status(self) -> KeyStoreStatus:
        """See the port: the fast lane's, with what both lanes hold and count; away while either is.

        A slow lane that is at work answers later: until then what it said last is told.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._slow_status = await self._slow.status()
        fast, slow = await self._fast.status(), self._slow_status
        uses = dict(fast.uses)
        for name, count in slow.uses.items():
            uses[name] = uses.get(name, 0) + count
        return replace(
            fast,
            available=fast.available and slow.available,
            reason=fast.reason or slow.reason,
            restarts=fast.restarts + slow.restarts,
            loaded_keys=fast.loaded_keys + slow.loaded_keys,
            uses=uses,
            times={**fast.times, **slow.times},  # no kind of use is in both
            errors=dict(Counter(fast.errors) + Counter(slow.errors)),
        )

    async def close(self) -> None:
        """End both connections."""
        await self._fast.close()
        await self._slow.close()

    def _lane(self, spec: KeySpec) -> ProcessKeyStore:
        return self._slow if SPECS[spec].family is KeyFamily.RSA else self._fast
