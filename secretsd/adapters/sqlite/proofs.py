"""Reads what proves somebody: tokens, access keys, sessions, bindings, and whose proofs are whose."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.credentials import AccessKey, Session, Token
from secretsd.domain.principals import Role
from secretsd.domain.proofs import Binding, CertificateAuthority, ProofSpace, TokenIssuer


class SqliteProofs:
    """A ProofReader. What it cannot find it does not name: the caller may hold anything."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def token(self, digest: str) -> Token:
        """The token; NotFound."""
        return await self._reads.one(Token, "token", (digest,), "cannot find the token")

    async def token_of_user(self, account: str, user: str, identifier: str) -> Token:
        """The token of that id; NotFound."""
        return await self._reads.one(Token, "token_of_user", (account, user, identifier), "cannot find the token")

    async def tokens(self, account: str, user: str, after: str, limit: int) -> Sequence[Token]:
        """Tokens of a user by id."""
        return await self._reads.many(Token, "tokens", (account, user, after, limit))

    async def newest_token(self, account: str, user: str) -> Token:
        """The token of a user that was made last; NotFound."""
        return await self._reads.one(Token, "newest_token", (account, user), "cannot find the token")

    async def count_tokens(self, account: str, user: str, now_ms: int) -> int:
        """How many tokens of a user are good."""
        rows = await self._reads.rows("count_tokens", (account, user, now_ms))
        return int(str(rows[0][0]))

    async def count_lasting_tokens(self, account: str, user: str, now_ms: int, longest_ms: int) -> int:
        """How many tokens of a user are good for longer than that."""
        rows = await self._reads.rows("count_lasting_tokens", (account, user, now_ms, longest_ms))
        return int(str(rows[0][0]))

    async def tokens_of_access_key(self, access_key: str, now_ms: int, limit: int) -> Sequence[Token]:
        """Tokens that the access key was used for, by when they end."""
        return await self._reads.many(Token, "tokens_of_access_key", (access_key, now_ms, limit))

    async def expired_tokens(self, before_ms: int, limit: int) -> Sequence[Token]:
        """Tokens that are over."""
        return await self._reads.many(Token, "expired_tokens", (before_ms, limit))

    async def access_key(self, identifier: str) -> AccessKey:
        """The access key; NotFound."""
        return await self._reads.one(AccessKey, "access_key", (identifier,), "cannot find the access key")

    async def access_keys(self, account: str, user: str) -> Sequence[AccessKey]:
        """All access keys of a user."""
        return await self._reads.many(AccessKey, "access_keys", (account, user))

    async def access_keys_of_account(self, account: str, after: str, limit: int) -> Sequence[AccessKey]:
        """Access keys of an account by id."""
        return await self._reads.many(AccessKey, "access_keys_of_account", (account, after, limit))

    async def session(self, digest: str) -> Session:
        """The session; NotFound."""
        return await self._reads.one(Session, "session", (digest,), "cannot find the session")

    async def sessions_of_account(self, account: str, after: str, limit: int) -> Sequence[Session]:
        """Sessions by digest."""
        return await self._reads.many(Session, "sessions_of_account", (account, after, limit))

    async def session_of_access_key(self, access_key: str) -> Session:
        """The session that signs with this access key; NotFound."""
        return await self._reads.one(Session, "session_of_access_key", (access_key,), "cannot find the session")

    async def sessions(self, account: str, role: str, now_ms: int, after: str, limit: int) -> Sequence[Session]:
        """Sessions of a role by access key."""
        return await self._reads.many(Session, "sessions_of_role", (account, role, now_ms, after, limit))

    async def count_sessions(self, role: Role, by: str, now_ms: int) -> int:
        """How many sessions of a role that somebody opened are good."""
        rows = await self._reads.rows("count_sessions", (role.account, role.name, by, now_ms, role.revoked_ms))
        return int(str(rows[0][0]))

    async def newest_session(self, role: Role) -> int:
        """When the newest session of a role was opened; 0 for none."""
        rows = await self._reads.rows("newest_session", (role.account, role.name))
        return int(str(rows[0][0]))

    async def expired_sessions(self, before_ms: int, limit: int) -> Sequence[Session]:
        """Sessions that are over."""
        return await self._reads.many(Session, "expired_sessions", (before_ms, limit))

    async def binding(self, proof: str) -> Binding:
        """The binding; NotFound."""
        return await self._reads.one(Binding, "binding", (proof,), "cannot find a binding of the proof")

    async def bindings(self, account: str, after: str, limit: int) -> Sequence[Binding]:
        """Bindings by proof."""
        return await self._reads.many(Binding, "bindings", (account, after, limit))

    async def bindings_of_others(self, account: str, after: str, before: str, limit: int) -> Sequence[Binding]:
        """Bindings of other accounts by proof."""
        return await self._reads.many(Binding, "bindings_of_others", (account, after, before, limit))

    async def bindings_of_user(self, account: str, user: str, limit: int) -> Sequence[Binding]:
        """Bindings to a user by proof."""
        return await self._reads.many(Binding, "bindings_of_user", (account, user, limit))

    async def bindings_of_role(self, account: str, role: str, limit: int) -> Sequence[Binding]:
        """Bindings to a role by proof."""
        return await self._reads.many(Binding, "bindings_of_role", (account, role, limit))

    async def spaces(self) -> Sequence[ProofSpace]:
        """All proof spaces."""
        return await self._reads.many(ProofSpace, "proof_spaces", ())

    async def authorities(self) -> Sequence[CertificateAuthority]:
        """All certificate authorities."""
        return await self._reads.many(CertificateAuthority, "certificate_authorities", ())

    async def issuers(self) -> Sequence[TokenIssuer]:
        """All token issuers."""
        return await self._reads.many(TokenIssuer, "token_issuers", ())
