"""Secret values under their data keys: made, opened, and the unwrapped keys kept for a bounded time."""

import base64
import time
from collections import OrderedDict
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secretsd.domain.envelope import (
    IV_BYTES,
    TAG_BYTES,
    VALUE_HEADER_BYTES,
    Purpose,
    ValueHeader,
    data_key_id,
    secret_binding,
    secret_context,
)
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.keys import WrappedKey
from secretsd.domain.secrets import SealedValue
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.ids import take_random
from secretsd.ports.keystore import KeyStore, KeyUse


@dataclass(frozen=True, slots=True)
class DataKey:
    """An unwrapped data key: how values under it begin, and until when (monotonic seconds) it may be used."""

    cipher: AESGCM
    prefix: bytes
    until: float


class Sealer:
    """Seals and opens values. Unwrapped data keys stay for `keep_seconds` (0: not at all), at most `max_keys`."""

    def __init__(self, keystore: KeyStore, keep_seconds: float = 300.0, max_keys: int = 20_000) -> None:
        self._keystore = keystore
        self._keep_seconds = keep_seconds
        self._max_keys = max_keys
        self._keys: OrderedDict[bytes, DataKey] = OrderedDict()

    async def seal(
        self, key: WrappedKey, account: str, secret_id: str, version_id: str, value: Plaintext, request_id: str
    ) -> SealedValue:
        """The value under a new data key of its own, both bound to account, secret and version (SECURITY 3)."""
        context = secret_context(account, secret_id, version_id)
        use = KeyUse(key.account, Purpose.SECRET_DATA_KEY, request_id)
        data_key, wrapped = await self._keystore.generate_data_key(key, use, context)
        opened = self._remember(wrapped, AESGCM(data_key.reveal()))
        header = opened.prefix + take_random(IV_BYTES)
        bound = header + secret_binding(account, secret_id, version_id)
        sealed = header + opened.cipher.encrypt(header[-IV_BYTES:], value.reveal(), bound)
        return SealedValue(account, secret_id, version_id, wrapped, sealed)

    async def open(self, key: WrappedKey, sealed: SealedValue, request_id: str) -> bytes:
        """The value's bytes; InvalidCiphertext when any byte, or where it belongs, is not what it was when sealed."""
        opened = self._known(sealed.data_key)
        if opened is None:
            context = secret_context(sealed.account, sealed.secret_id, sealed.version_id)
            use = KeyUse(key.account, Purpose.SECRET_DATA_KEY, request_id)
            data_key = await self._keystore.decrypt(key, use, sealed.data_key, context)
            opened = self._remember(sealed.data_key, AESGCM(data_key.reveal()))
        value = sealed.value
        if not value.startswith(opened.prefix) or len(value) < VALUE_HEADER_BYTES + TAG_BYTES:
            raise InvalidCiphertext
        header = value[:VALUE_HEADER_BYTES]
        bound = header + secret_binding(sealed.account, sealed.secret_id, sealed.version_id)
        try:
            return opened.cipher.decrypt(header[-IV_BYTES:], value[VALUE_HEADER_BYTES:], bound)
        except InvalidTag:
            raise InvalidCiphertext from None

    async def seal_note(
        self, key: WrappedKey, account: str, secret_id: str, version_id: str, note: Plaintext, request_id: str
    ) -> str:
        """A rotator's note about a candidate, sealed like a value under a purpose of its own, as base64."""
        context = secret_context(account, secret_id, version_id)
        use = KeyUse(key.account, Purpose.ROTATION_JOURNAL, request_id)
        return base64.b64encode(await self._keystore.encrypt(key, use, note, context)).decode()

    async def open_note(
        self, key: WrappedKey, account: str, secret_id: str, version_id: str, note: str, request_id: str
    ) -> bytes:
        """The note's bytes; InvalidCiphertext when it belongs elsewhere."""
        context = secret_context(account, secret_id, version_id)
        use = KeyUse(key.account, Purpose.ROTATION_JOURNAL, request_id)
        return (await self._keystore.decrypt(key, use, base64.b64decode(note), context)).reveal()

    def forget(self) -> None:
        """Drop every unwrapped data key."""
        self._keys.clear()

    def _known(self, wrapped: bytes) -> DataKey | None:
        found = self._keys.get(wrapped)
        if found is not None and time.monotonic() >= found.until:
            del self._keys[wrapped]
            return None
        return found

    def _remember(self, wrapped: bytes, cipher: AESGCM) -> DataKey:
        header = ValueHeader(Purpose.SECRET_VALUE, data_key_id(wrapped), bytes(IV_BYTES)).pack()
        opened = DataKey(cipher, header[:-IV_BYTES], time.monotonic() + self._keep_seconds)
        if self._keep_seconds > 0:
            self._keys[wrapped] = opened
            if len(self._keys) > self._max_keys:
                self._keys.popitem(last=False)
        return opened
