"""Secrets of access keys and sessions: made, sealed under the account's key that no user can disable, and opened.

They are kept and not digested, because whoever signs a request by one proves that he has it without sending it: to
check that, the secret itself is needed (SECURITY 3).
"""

import base64
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from secretsd.domain.credentials import (
    ACCESS_KEY_ID_LENGTH,
    ACCESS_KEY_SECRET_LENGTH,
    AccessKey,
    Session,
    access_key_context,
    session_context,
)
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import InvalidCiphertext, NotFound
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.ids import take_random
from secretsd.operations.rows import Rows
from secretsd.ports.keystore import KeyStore, KeyUse

if TYPE_CHECKING:
    from secretsd.operations.call import Call

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
KEPT_SECONDS, MOST_KEPT = 300.0, 10_000


def new_id(prefix: str) -> str:
    """An id that is there once: the prefix and 80 random bits."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(ACCESS_KEY_ID_LENGTH - len(prefix)))


def new_secret() -> Plaintext:
    """240 random bits in 40 characters of base64url."""
    return Plaintext(base64.urlsafe_b64encode(take_random(ACCESS_KEY_SECRET_LENGTH * 3 // 4)))


async def seal(call: "Call", account: str, context: Mapping[str, str], secret: Plaintext) -> str:
    """The secret sealed under the account's own key, in base64; what is committed with it rests on that key."""
    owner = await call.parts.rows.account(account)
    key = await call.parts.rows.key(account, owner.default_key_id)
    call.rest_on(key)
    version = await call.parts.rows.key_version(account, key.id, key.current_version)
    use = KeyUse(account, Purpose.CREDENTIAL, call.request_name)
    return base64.b64encode(await call.parts.keystore.encrypt(version, use, secret, context)).decode()


async def unseal(
    rows: Rows, keystore: KeyStore, account: str, context: Mapping[str, str], sealed: str, asked_by: str
) -> Plaintext:
    """The secret; InvalidCiphertext where it is not what was sealed for that context, NotFound without its key."""
    data = base64.b64decode(sealed)
    header, _, _ = CiphertextHeader.split(data)
    key = await rows.key_version(account, header.key_id, header.key_version)
    return await keystore.decrypt(key, KeyUse(account, Purpose.CREDENTIAL, asked_by), data, context)


class CredentialSecrets:
    """Opens secrets to check what callers prove by them. They stay opened for a while, by what is stored of each."""

    def __init__(self, rows: Rows, keystore: KeyStore) -> None:
        self._rows = rows
        self._keystore = keystore
        self._kept: OrderedDict[str, tuple[float, Plaintext]] = OrderedDict()

    async def of_access_key(self, key: AccessKey) -> Plaintext:
        """The secret of an access key; NotFound where it cannot be opened, which nothing tells the caller apart."""
        return await self._opened(key.account, access_key_context(key), key.secret)

    async def of_session(self, session: Session) -> Plaintext:
        """The secret that signs a session's requests, likewise."""
        return await self._opened(session.account, session_context(session), session.secret)

    async def _opened(self, account: str, context: Mapping[str, str], sealed: str) -> Plaintext:
        kept = self._kept.get(sealed)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        try:
            secret = await unseal(self._rows, self._keystore, account, context, sealed, "authenticator")
        except InvalidCiphertext:
            raise NotFound("cannot open the secret of the access key") from None
        self._kept[sealed] = time.monotonic() + KEPT_SECONDS, secret
        self._kept.move_to_end(sealed)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return secret
