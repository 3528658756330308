"""Access keys as proofs of identity: id and secret as HTTP Basic (RFC 7617), or as an OAuth 2.0 client sends them.

A proof of one is `access-key/<id>`, that of a token which was got for it `access-key/<id>/token/<token id>`.
"""

import contextlib

from secretsd.domain.credentials import AccessKey, KeyPair
from secretsd.domain.errors import NotFound, Unauthenticated
from secretsd.domain.principals import Principal
from secretsd.operations.opened_secrets import OpenedSecrets
from secretsd.operations.rows import Rows

KIND = "access-key/"


class AccessKeyProofs:
    """One a worker. A key is good while its row is there and active, and its user is the one that it was made for."""

    def __init__(self, rows: Rows, opened: OpenedSecrets) -> None:
        self._rows = rows
        self._opened = opened

    async def principal(self, pair: KeyPair) -> Principal:
        """Whose pair it is; NotFound or Unauthenticated where it proves nothing.

        The secret is looked at whatever else is wrong, so that the answer's time tells nothing of the rest.
        """
        key = await self._rows.access_key(pair.id)
        good = await self._opened.of(key) == pair.secret
        await self.require_active(key)
        if not good:
            raise Unauthenticated
        return Principal(key.account, f"user/{key.user}", KIND + key.id)

    async def require_active(self, key: AccessKey) -> None:
        """Raise for a key that is not in use, or whose user has gone, or came after it: NotFound, Unauthenticated."""
        user = await self._rows.user(key.account, key.user)
        if not key.active or key.created_ms < user.created_ms:
            raise Unauthenticated

    async def miss(self, pair: KeyPair) -> None:
        """The work of looking for a key that is not there, where the row of this one is in memory.

        KeyStoreUnavailable while the key store is away: then it is so for all pairs that prove nothing, whether or not
        there is a key of that id, and whether or not its secret is in memory.
        """
        if self._rows.kept_access_key(pair.id) is not None:
            with contextlib.suppress(NotFound):
                await self._rows.access_key(pair.id[::-1])
        await self._opened.miss()


def is_key_itself(proof: str) -> bool:
    """Whether the proof is of an access key, and not of a token that was got for one."""
    return proof.startswith(KIND) and "/" not in proof.removeprefix(KIND)


def key_of_proof(proof: str) -> str:
    """The id of the access key that the proof rests on; "" where it rests on none."""
    return proof.removeprefix(KIND).partition("/")[0] if proof.startswith(KIND) else ""
