"""Secrets of access keys, opened for as long as somebody proves himself by them."""

import base64
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from secretsd.domain.credentials import (
    SESSION_KEY_PREFIX,
    AccessKey,
    Session,
    access_key_context,
    session_context,
)
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import InvalidCiphertext, KeyStoreUnavailable, NotFound
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.cache import RowCache, name_of
from secretsd.operations.keystore_answers import KeyStoreAnswers, unavailable
from secretsd.operations.rows import Rows
from secretsd.ports.keystore import KeyStore, KeyUse
from secretsd.ports.storage import RecordName, Storage

log = logging.getLogger("secretsd.credentials")
MAX_OPENED = 1_000
_OPENING = "proof of identity"
"""In the place of a request id: it is opened before anybody knows whose request it is."""


@dataclass(frozen=True, slots=True)
class _Opened:
    sealed: str
    secret: Plaintext
    until: float


class OpenedSecrets:
    """Opens secrets of access keys. They stay for `keep_seconds` (0: not at all), at most a thousand.

    One whose row changes is dropped at once. `now` tells seconds of a monotonic clock.
    """

    def __init__(
        self,
        storage: Storage,
        rows: Rows,
        cache: RowCache,
        keystore: KeyStore,
        keep_seconds: float = 300.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._rows = rows
        self._keystore = keystore
        self._keep_seconds = keep_seconds
        self._now = now
        self._answers = KeyStoreAnswers(keystore, now)
        self._opened: OrderedDict[RecordName, _Opened] = OrderedDict()
        cache.on_change(self._changed)

    def __len__(self) -> int:
        return len(self._opened)

    async def secret_of(self, access_key_id: str) -> Plaintext:
        """What requests are signed with that name the access key, a user's or a session's.

        NotFound for one that is not there, is not active, or cannot be opened. Whether the session that it belongs to
        is still good is for its session token to say, without which it signs nothing.
        """
        if access_key_id.startswith(SESSION_KEY_PREFIX):
            return await self.of(await self._storage.proofs.session_of_access_key(access_key_id))
        key = await self._rows.access_key(access_key_id)
        if not key.active:
            raise _not_found()
        return await self.of(key)

    async def of(self, record: AccessKey | Session) -> Plaintext:
        """The secret of an access key or session; NotFound where it cannot be opened, which the log tells."""
        known = self.known(record)
        if known is not None:
            return known
        try:
            secret = await self._open(record)
        except KeyStoreUnavailable:
            self._answers.heard(away=True)
            raise unavailable() from None
        except (InvalidCiphertext, NotFound, ValueError):
            log.critical(
                "cannot open the secret of an access key of account %s: it is not what was sealed", record.account
            )
            raise _not_found() from None
        self._answers.heard(away=False)
        if self._keep_seconds > 0:
            self._opened[name_of(record)] = _Opened(record.secret, secret, self._now() + self._keep_seconds)
            if len(self._opened) > MAX_OPENED:
                self._opened.popitem(last=False)
        return secret

    async def miss(self) -> None:
        """For who showed no good one: KeyStoreUnavailable as for one that is to be opened, or it would tell those."""
        await self._answers.require()

    def known(self, record: AccessKey | Session) -> Plaintext | None:
        """The secret if it is in memory; never that of another row of the same name."""
        name = name_of(record)
        found = self._opened.get(name)
        if found is None:
            return None
        if found.until <= self._now() or found.sealed != record.secret:
            del self._opened[name]
            return None
        return found.secret

    async def _open(self, record: AccessKey | Session) -> Plaintext:
        if isinstance(record, Session):
            context = session_context(record.account, record.role_id, record.access_key)
        else:
            context = access_key_context(record.account, record.user, record.id)
        sealed = base64.b64decode(record.secret, validate=True)
        header, _, _ = CiphertextHeader.split(sealed)
        key = await self._rows.key_version(record.account, header.key_id, header.key_version)
        return await self._keystore.decrypt(key, KeyUse(record.account, Purpose.CREDENTIAL, _OPENING), sealed, context)

    def _changed(self, names: Sequence[RecordName]) -> None:
        if not names:
            self._opened.clear()
        for name in names:
            self._opened.pop(name, None)


def _not_found() -> NotFound:
    return NotFound("cannot find the access key")
