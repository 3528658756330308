"""Reads accounts and who is in them."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.policy import Policy
from secretsd.domain.principals import Account, Binding, Token, User


class SqliteAccounts:
    """An AccountReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, account: str) -> Account:
        """The account; NotFound."""
        return await self._reads.one(Account, "account", (account,), f"cannot find account {account}")

    async def user(self, account: str, name: str) -> User:
        """The user; NotFound."""
        return await self._reads.one(User, "user", (account, name), f"cannot find user {name}")

    async def users(self, account: str, after: str, limit: int) -> Sequence[User]:
        """Users by name."""
        return await self._reads.many(User, "users", (account, after, limit))

    async def token(self, digest: str) -> Token:
        """The token; NotFound, which names nothing: the caller may hold anything."""
        return await self._reads.one(Token, "token", (digest,), "cannot find the token")

    async def tokens(self, account: str, user: str) -> Sequence[Token]:
        """All tokens of a user."""
        return await self._reads.many(Token, "tokens", (account, user))

    async def binding(self, proof: str) -> Binding:
        """The binding; NotFound."""
        return await self._reads.one(Binding, "binding", (proof,), "cannot find a binding of the proof")

    async def bindings(self, account: str, after: str, limit: int) -> Sequence[Binding]:
        """Bindings by proof."""
        return await self._reads.many(Binding, "bindings", (account, after, limit))

    async def policy(self, account: str, name: str) -> Policy:
        """The policy; NotFound."""
        return await self._reads.one(Policy, "policy", (account, name), f"cannot find policy {name}")

    async def policies(self, account: str, after: str, limit: int) -> Sequence[Policy]:
        """Policies by name."""
        return await self._reads.many(Policy, "policies", (account, after, limit))
