"""Data keys from the daemon, kept for a while: bounded by age, messages and bytes; threads share them, forks do not."""

import asyncio
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from secretsd.api.cryptography import DecryptRequest, DecryptResponse
from secretsd.api.data_keys import GenerateDataKeyRequest, GenerateDataKeyResponse
from secretsd.api.fields import Request, Response
from secretsd.client.encryption.header import pack_context
from secretsd.client.errors import ClientError
from secretsd.domain.sensitive import Plaintext

Answer = TypeVar("Answer", bound=Response)
Use = tuple[str | bytes, bytes]
"""What a data key is for: the CMK to encrypt under or the ciphertext to decrypt, and the packed encryption context."""


class Exchange(Protocol):
    """What is needed of a client."""

    async def exchange(self, operation: str, request: Request, answer: type[Answer]) -> Answer:
        """The daemon's answer, or the error of its kind."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and for how much one data key is used; 0 of anything keeps none.

    A message longer than `max_bytes`, and a stream longer than a frame, gets a data key of its own. `max_data_keys` are
    kept to encrypt, and as many to decrypt: those are bounded by their age alone.
    """

    max_age_seconds: float = 300.0
    max_messages: int = 1000
    max_bytes: int = 1024 * 1024 * 1024
    max_data_keys: int = 64

    def __post_init__(self) -> None:
        if min(self.max_age_seconds, self.max_messages, self.max_bytes, self.max_data_keys) < 0:
            raise ClientError("cannot use the limits of data keys: none may be below 0")

    @property
    def keep(self) -> bool:
        """Whether any data key is kept at all."""
        return min(self.max_age_seconds, self.max_messages, self.max_bytes, self.max_data_keys) > 0


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key in clear and as the CMK `key_id` has encrypted it; `asked` is the boot time in seconds of the call."""

    key_id: str
    plaintext: Plaintext
    ciphertext: bytes
    asked: float


@dataclass(slots=True)
class _Kept:
    """A data key, and how many messages and bytes it may still encrypt."""

    data_key: DataKey
    messages: int
    bytes: int


@dataclass(slots=True)
class _OfProcess:
    """What one process keeps. A child begins anew, also with the lock: a thread of the parent may hold that."""

    number: int = field(default_factory=os.getpid)
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: OrderedDict[Use, _Kept] = field(default_factory=OrderedDict)
    flights: dict[Use, asyncio.Task[DataKey]] = field(default_factory=dict)


def _boot_clock() -> float:
    """Seconds that also pass while the machine sleeps: an age must not stop with the lid."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class DataKeys:
    """The data keys of one client. Any thread may take what is kept; asking for more belongs to the client's loop."""

    def __init__(self, client: Exchange, limits: Limits, clock: Callable[[], float] = _boot_clock) -> None:
        self._client = client
        self._limits = limits
        self._clock = clock
        self._to_encrypt = _OfProcess()
        self._to_decrypt = _OfProcess()

    def clear(self) -> None:
        """Forget all of them."""
        self._to_encrypt, self._to_decrypt = _OfProcess(), _OfProcess()

    def take(self, key: str, context: Mapping[str, str], size: int) -> DataKey | None:
        """A kept data key for one more message of `size` bytes, which is counted; None where one must be asked for."""
        return self._take(self._encrypting(), (key, pack_context(context)), 1, size)

    def known(self, ciphertext: bytes, context: Mapping[str, str]) -> DataKey | None:
        """The data key behind a ciphertext, if it was decrypted not long ago."""
        return self._take(self._decrypting(), (ciphertext, pack_context(context)), 0, 0)

    async def to_encrypt(self, key: str, context: Mapping[str, str], size: int | None) -> DataKey:
        """A data key for one message of `size` bytes; None for one of unknown length, whose key is kept for no other.

        Tasks that lack the same one at the same time share a call. Errors are those of GenerateDataKey.
        """
        use = key, pack_context(context)
        if size is None or size > self._limits.max_bytes or not self._limits.keep:
            return await self._generate(key, context)
        while True:
            mine = self._encrypting()
            found = self._take(mine, use, 1, size)
            if found is not None:
                return found
            flown = await self._fly(mine, use, self._generate, key, context)
            if not self._fresh(flown):  # a slow answer under a short age: nobody would ever get a kept one
                return await self._generate(key, context)

    async def to_decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> DataKey:
        """The data key behind a ciphertext. Errors are those of Decrypt."""
        use = ciphertext, pack_context(context)
        mine = self._decrypting()
        found = self._take(mine, use, 0, 0)
        return found if found is not None else await self._fly(mine, use, self._decrypt, ciphertext, context)

    def _encrypting(self) -> _OfProcess:
        if self._to_encrypt.number != os.getpid():
            self._to_encrypt = _OfProcess()
        return self._to_encrypt

    def _decrypting(self) -> _OfProcess:
        if self._to_decrypt.number != os.getpid():
            self._to_decrypt = _OfProcess()
        return self._to_decrypt

    def _take(self, mine: _OfProcess, use: Use, messages: int, size: int) -> DataKey | None:
        with mine.lock:
            kept = mine.kept.get(use)
            if kept is None or kept.messages < messages or kept.bytes < size:
                return None
            if not self._fresh(kept.data_key):
                del mine.kept[use]
                return None
            kept.messages -= messages
            kept.bytes -= size
            mine.kept.move_to_end(use)
            return kept.data_key

    def _fresh(self, data_key: DataKey) -> bool:
        return self._clock() - data_key.asked < self._limits.max_age_seconds

    async def _fly(
        self,
        mine: _OfProcess,
        use: Use,
        ask: Callable[[Any, Mapping[str, str]], Coroutine[Any, Any, DataKey]],
        what: str | bytes,
        context: Mapping[str, str],
    ) -> DataKey:
        """Ask, unless somebody is asking; then keep the answer. It is shielded, because others may wait for it too."""
        flight = mine.flights.get(use)
        if flight is None:

            async def asked() -> DataKey:
                try:
                    data_key = await ask(what, context)
                    self._keep(mine, use, data_key)
                    return data_key
                finally:
                    del mine.flights[use]

            flight = mine.flights[use] = asyncio.create_task(asked())
            flight.add_done_callback(_seen)
        return await asyncio.shield(flight)

    def _keep(self, mine: _OfProcess, use: Use, data_key: DataKey) -> None:
        if not self._limits.keep:
            return
        with mine.lock:
            mine.kept[use] = _Kept(data_key, self._limits.max_messages, self._limits.max_bytes)
            mine.kept.move_to_end(use)
            while len(mine.kept) > self._limits.max_data_keys:
                mine.kept.popitem(last=False)

    async def _generate(self, key: str, context: Mapping[str, str]) -> DataKey:
        asked = self._clock()
        request = GenerateDataKeyRequest(key=key, spec="AES_256", context=context)
        made = await self._client.exchange("GenerateDataKey", request, GenerateDataKeyResponse)
        return DataKey(made.key_id, made.plaintext, made.ciphertext, asked)

    async def _decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> DataKey:
        asked = self._clock()
        request = DecryptRequest(ciphertext=ciphertext, context=context)
        opened = await self._client.exchange("Decrypt", request, DecryptResponse)
        return DataKey(opened.key_id, opened.plaintext, ciphertext, asked)


def _seen(flight: "asyncio.Task[DataKey]") -> None:
    """Its error counts as looked at, even if everybody who waited has gone."""
    if not flight.cancelled():
        flight.exception()
