"""What a client needs of a daemon to encrypt messages: data keys under CMKs of the key store in memory."""

import asyncio
from collections import Counter
from typing import Any

from secretsd.api.cryptography import DecryptRequest
from secretsd.api.data_keys import GenerateDataKeyRequest
from secretsd.api.fields import BinaryValue
from secretsd.domain.envelope import Purpose, named_key
from secretsd.domain.errors import InvalidCiphertext, SecretsdError
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.ports.keystore import KeyUse
from secretsd.testing.memory_keystore import MemoryKeyStore

ACCOUNT = "100000000001"
KEY, OTHER_KEY = "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666"
USE = KeyUse(ACCOUNT, Purpose.API_DATA_KEY, "ab" * 16)


class DataKeyDaemon:
    """Takes the place of a Client: answers GenerateDataKey and Decrypt as the operations do, and counts the calls.

    `asked` is set by the first call; `gate` holds the answers back; `refusals` are raised in order, each once.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.contexts: list[dict[str, str]] = []
        self.refusals: list[SecretsdError] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self._store = MemoryKeyStore()
        self._keys: dict[str, WrappedKey] = {}

    async def exchange(self, operation: str, request: Any, answer: Any) -> Any:
        """As the client's."""
        self.calls[operation] += 1
        self.asked.set()
        await self.gate.wait()
        if self.refusals:
            raise self.refusals.pop(0)
        self.contexts.append(dict(request.context))
        if isinstance(request, GenerateDataKeyRequest):
            assert request.spec == "AES_256"
            plaintext, ciphertext = await self._store.generate_data_key(
                await self._key(request.key), USE, request.context
            )
            return answer(
                key_id=request.key, key_version=1, plaintext=BinaryValue(plaintext.reveal()), ciphertext=ciphertext
            )
        assert isinstance(request, DecryptRequest)
        key_id = named_key(request.ciphertext)
        if key_id not in self._keys:
            raise InvalidCiphertext
        opened = await self._store.decrypt(self._keys[key_id], USE, request.ciphertext, request.context)
        return answer(
            key_id=key_id, key_version=1, algorithm="SYMMETRIC_DEFAULT", plaintext=BinaryValue(opened.reveal())
        )

    async def close(self) -> None:
        """As the client's."""

    async def _key(self, key_id: str) -> WrappedKey:
        if key_id not in self._keys:
            self._keys[key_id] = await self._store.generate_key(KeyMetadata(ACCOUNT, key_id, 1))
        return self._keys[key_id]
