"""Proof of identity: from what a transport knows of a caller to the principal behind it."""

import hashlib

from secretsd.domain.errors import NotFound, Unauthenticated
from secretsd.domain.principals import Principal
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.rows import Rows

TOKEN_PREFIX = "secretsd_"
_TOKEN_LENGTH = len(TOKEN_PREFIX) + 43


def token_digest(token: Plaintext) -> str:
    """What is stored of a bearer token: SHA-256 in hex. The token has 256 random bits, so its digest tells nothing."""
    return hashlib.sha256(token.reveal()).hexdigest()


class Caller:
    """What a transport knows: where from, the uid at the other end of a Unix socket, the bearer token if one came.

    A connection keeps its caller from request to request, so that a token is digested once; never changed.
    """

    __slots__ = ("digest", "source", "token", "uid")

    def __init__(self, source: str, uid: int | None = None, token: Plaintext | None = None) -> None:
        self.source = source
        self.uid = uid
        self.token = token
        self.digest = token_digest(token) if token is not None and len(token) == _TOKEN_LENGTH else None


class Authenticator:
    """A token wins over the peer's uid; a token that proves nothing is an error, not a fall-back to the uid."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def principal(self, caller: Caller, now_ms: int) -> Principal:
        """Who is calling; Unauthenticated when nothing proves it."""
        try:
            if caller.token is not None:
                return await self._by_token(caller.digest, now_ms)
            if caller.uid is not None:
                proof = f"unix:uid/{caller.uid}"
                binding = await self._rows.binding(proof)
                return Principal(binding.account, f"user/{binding.user}", proof)
        except NotFound:
            pass
        raise Unauthenticated

    async def _by_token(self, digest: str | None, now_ms: int) -> Principal:
        if digest is None:
            raise Unauthenticated
        found = await self._rows.token(digest)
        if found.expires_ms is not None and found.expires_ms <= now_ms:
            raise Unauthenticated
        return Principal(found.account, f"user/{found.user}", f"token/{found.id}")
