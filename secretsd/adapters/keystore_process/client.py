"""The worker's key store: batched calls to the keystore process over one connection that mends itself."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.link import Link, LinkLost
from secretsd.adapters.pkcs11.key_rows import digest
from secretsd.adapters.sm.sm2 import PublicKeys
from secretsd.domain.algorithms import MAX_MESSAGE_BYTES, EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import DATA_KEY_BYTES, MAX_PLAINTEXT_BYTES, Purpose
from secretsd.domain.errors import (
    Internal,
    InvalidCiphertext,
    InvalidRequest,
    KeyStoreUnavailable,
    LimitExceeded,
    SecretsdError,
)
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import Ability, KeyStoreStatus, KeyUse, UseTimes, unable

_T = TypeVar("_T")
_BY_KIND: dict[str, type[SecretsdError]] = {
    kind.kind.value: kind for kind in SecretsdError.__subclasses__() if kind.__module__ == SecretsdError.__module__
}
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.25
_MOST_ROWS_SENT = 3
# A restart takes about 0.13 s. A key store that is away for longer than this is refused at once, not waited for.
_PATIENCE_SECONDS = 1.0


class ProcessKeyStore:
    """Implements ports.keystore.KeyStore. `path` is the process's socket; a call takes at most `deadline_seconds`.

    A call whose connection breaks is sent once more, over a new one, within its deadline: all calls may be repeated.
    """

    sm2 = PublicKeys()

    def __init__(self, path: Path | str, *, deadline_seconds: float = 2.0) -> None:
        self._path = str(path)
        self._deadline_seconds = deadline_seconds
        self._link: Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._away_since: float | None = None
        self._restarts = 0
        self._closed = False

    async def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """See the port."""
        kind = (metadata.spec, metadata.usage, metadata.origin, metadata.protection_level)
        account, key_id, version = metadata.account, metadata.key_id, metadata.version
        answer = await self._ask(lambda number: m.GenerateKey(number, account, key_id, version, *kind))
        return _expect(answer, m.Made).row.key()

    async def encrypt(self, key: WrappedKey, use: KeyUse, plaintext: Plaintext, context: Mapping[str, str]) -> bytes:
        """See the port."""
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise LimitExceeded(f"cannot encrypt more than {MAX_PLAINTEXT_BYTES} bytes at once")
        fields = _fields(key, use, context)
        text = plaintext.reveal()
        answer = await self._use(key, lambda number: m.Encrypt(number, *fields, text))
        return _expect(answer, m.Done).value

    async def decrypt(self, key: WrappedKey, use: KeyUse, ciphertext: bytes, context: Mapping[str, str]) -> Plaintext:
        """See the port."""
        if len(ciphertext) > m.MAX_CIPHERTEXT_BYTES:
            raise InvalidCiphertext
        fields = _fields(key, use, context)
        answer = await self._use(key, lambda number: m.Decrypt(number, *fields, ciphertext))
        return Plaintext(_expect(answer, m.Done).value)

    async def generate_data_key(
        self, key: WrappedKey, use: KeyUse, context: Mapping[str, str], size: int = DATA_KEY_BYTES
    ) -> tuple[Plaintext, bytes]:
        """See the port."""
        if not 1 <= size <= m.MAX_DATA_KEY_BYTES:
            raise InvalidRequest(f"cannot make a data key of that size: 1 to {m.MAX_DATA_KEY_BYTES} bytes")
        fields = _fields(key, use, context)
        answer = _expect(await self._use(key, lambda number: m.GenerateDataKey(number, *fields, size)), m.DataKey)
        return Plaintext(answer.plaintext), answer.ciphertext

    async def decrypt_asymmetric(
        self, key: WrappedKey, use: KeyUse, algorithm: EncryptionAlgorithm, ciphertext: bytes
    ) -> Plaintext:
        """See the port."""
        if len(ciphertext) > m.MAX_RSA_BYTES:
            raise InvalidCiphertext
        fields = _fields(key, use, {})
        answer = await self._use(key, lambda number: m.DecryptAsymmetric(number, *fields, algorithm, ciphertext))
        return Plaintext(_expect(answer, m.Done).value)

    async def sign(self, key: WrappedKey, use: KeyUse, algorithm: SigningAlgorithm, message: bytes) -> bytes:
        """See the port."""
        _require_short(message)
        fields = _fields(key, use, {})
        answer = await self._use(key, lambda number: m.Sign(number, *fields, algorithm, message))
        return _expect(answer, m.Done).value

    async def generate_mac(self, key: WrappedKey, use: KeyUse, algorithm: MacAlgorithm, message: bytes) -> bytes:
        """See the port."""
        _require_short(message)
        fields = _fields(key, use, {})
        answer = await self._use(key, lambda number: m.GenerateMac(number, *fields, algorithm, message))
        return _expect(answer, m.Done).value

    async def generate_import_key(self, account: str, key_id: str, spec: WrappingSpec) -> WrappedKey:
        """See the port."""
        answer = await self._ask(lambda number: m.GenerateImportKey(number, account, key_id, spec))
        return _expect(answer, m.Made).row.key()

    async def import_key(
        self,
        metadata: KeyMetadata,
        import_key: WrappedKey,
        algorithm: WrappingAlgorithm,
        material: bytes,
        before: WrappedKey | None = None,
    ) -> WrappedKey:
        """See the port."""
        if len(material) > m.MAX_MATERIAL_BYTES:
            raise InvalidCiphertext
        fields = (metadata.account, metadata.key_id, metadata.version, metadata.spec, metadata.usage)
        row = None if before is None else m.KeyRow.of(before)
        told = (digest(import_key), *fields, algorithm, material, row)
        answer = await self._use(import_key, lambda number: m.ImportKey(number, *told))
        return _expect(answer, m.Made).row.key()

    async def rewrap(self, key: WrappedKey) -> WrappedKey:
        """See the port."""
        made = _expect(await self._ask(lambda number: m.Rewrap(number, m.KeyRow.of(key))), m.Made).row.key()
        return replace(made, revision=key.revision, created_ms=key.created_ms, state=key.state)

    async def destroy_key(self, account: str, key_id: str, up_to_version: int) -> None:
        """See the port."""
        _expect(await self._ask(lambda number: m.DestroyKey(number, account, key_id, up_to_version)), m.Done)

    async def require_able(self, wanted: Ability) -> None:
        """See the port. Asked before every key that is made: a status tells of all loaded keys, and costs as much."""
        name = str(wanted.value)
        answer = await self._ask(lambda number: m.Able(number, name))
        if reason := _expect(answer, m.Done).value:
            raise unable(wanted, reason.decode())

    async def random(self, size: int) -> Plaintext:
        """See the port."""
        if not 1 <= size <= m.MAX_RANDOM_BYTES:
            raise InvalidRequest(f"cannot make random bytes of that size: 1 to {m.MAX_RANDOM_BYTES}")
        return Plaintext(_expect(await self._ask(lambda number: m.Random(number, size)), m.Done).value)

    async def storage_key(self) -> Plaintext:
        """See the port."""
        return Plaintext(_expect(await self._ask(m.StorageKey), m.Done).value)

    async def status(self) -> KeyStoreStatus:
        """See the port. `restarts` counts the connections that this client lost."""
        try:
            state = _expect(await self._ask(m.Status), m.State)
        except SecretsdError as error:
            return KeyStoreStatus(False, error.message, "", "", self._restarts, 0, {}, {})
        found = (state.available, state.reason, state.module, state.kek_id)
        times = {name: UseTimes(state.seconds[name], tuple(counts)) for name, counts in state.counts.items()}
        more = (state.loaded_keys, state.uses, state.inabilities)
        worn, roots = tuple(state.worn), tuple(state.roots)
        return KeyStoreStatus(*found, self._restarts, *more, times=times, errors=state.errors, worn=worn, roots=roots)

    async def close(self) -> None:
        """End the connection; calls in flight fail, later ones are refused."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._link is not None:
            self._link.close()

    async def _use(self, key: WrappedKey, call: Callable[[int], m.Call]) -> m.Answer:
        """Ask; when the process does not know the key, send its row and ask again."""
        answer = await self._ask(call)
        for _ in range(_MOST_ROWS_SENT):
            if not isinstance(answer, m.KeyUnknown):
                return answer
            # Both in one frame, so that no other row takes the place of this one in between.
            _, answer = await asyncio.gather(
                self._ask(lambda number: m.Load(number, m.KeyRow.of(key))), self._ask(call)
            )
        if isinstance(answer, m.KeyUnknown):
            raise KeyStoreUnavailable("cannot use the key: the key store forgets it at once", retry_after_seconds=1)
        return answer

    async def _ask(self, call: Callable[[int], m.Call]) -> m.Answer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_seconds
        for again in (True, False):
            link = self._link or await self._wait_for_link(deadline)
            try:
                answer = await link.ask(call, deadline)
            except LinkLost:
                self._lost(link)
                if again and not self._closed:
                    continue
                break
            if isinstance(answer, m.Failed):
                raise _error(answer)
            return answer
        raise KeyStoreUnavailable(retry_after_seconds=1)

    async def _wait_for_link(self, deadline: float) -> Link:
        now = asyncio.get_running_loop().time()
        if self._away_since is None:
            self._away_since = now
        patience = min(deadline, self._away_since + _PATIENCE_SECONDS) - now
        if self._connecting is None and not self._closed:
            self._connected.clear()
            self._connecting = asyncio.create_task(self._connect())
        if patience > 0 and not self._closed:
            try:
                async with asyncio.timeout(patience):
                    await self._connected.wait()
            except TimeoutError:
                pass
        if self._link is None:
            raise KeyStoreUnavailable(retry_after_seconds=1)
        return self._link

    async def _connect(self) -> None:
        """Until it succeeds: the process is started again by its supervisor, on the same socket."""
        pause = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, link = await loop.create_unix_connection(lambda: Link(self._lost), self._path)
            except OSError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            self._link, self._connecting, self._away_since = link, None, None
            self._connected.set()
            return

    def _lost(self, link: Link) -> None:
        if link is self._link:
            self._link = None
            self._restarts += 1


def _fields(
    key: WrappedKey, use: KeyUse, context: Mapping[str, str]
) -> tuple[bytes, str, Purpose, str, dict[str, str]]:
    """What every use of a key carries; InvalidRequest for a context that the process would not take."""
    if not context:
        return digest(key), use.account, use.purpose, use.request_id[: m.MAX_REQUEST_ID], {}
    try:
        size = sum(len(name.encode()) + len(value.encode()) for name, value in context.items())
    except UnicodeEncodeError:
        raise InvalidRequest("cannot bind the encryption context: it is not valid Unicode text") from None
    if size > m.MAX_CONTEXT_BYTES or len(context) > m.MAX_CONTEXT_PAIRS:
        raise InvalidRequest(
            f"cannot bind the encryption context: more than {m.MAX_CONTEXT_PAIRS} pairs or {m.MAX_CONTEXT_BYTES} bytes"
        )
    return digest(key), use.account, use.purpose, use.request_id[: m.MAX_REQUEST_ID], dict(context)


def _require_short(message: bytes) -> None:
    if len(message) > MAX_MESSAGE_BYTES:
        raise LimitExceeded(f"cannot take a message of more than {MAX_MESSAGE_BYTES} bytes: send its digest")


def _error(answer: m.Failed) -> SecretsdError:
    kind = _BY_KIND.get(answer.kind, Internal)
    return kind(answer.message, retry_after_seconds=answer.retry_after_seconds)


def _expect(answer: m.Answer, wanted: type[_T]) -> _T:
    if not isinstance(answer, wanted):
        raise Internal
    return answer
