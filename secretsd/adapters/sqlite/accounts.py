"""Reads accounts and who is in them."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.policy import Policy
from secretsd.domain.principals import Account, Group, Role, User


class SqliteAccounts:
    """An AccountReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, account: str) -> Account:
        """The account; NotFound."""
        return await self._reads.one(Account, "account", (account,), f"cannot find account {account}")

    async def page(self, after: str, limit: int) -> Sequence[Account]:
        """Accounts by id."""
        return await self._reads.many(Account, "account_page", (after, limit))

    async def held(self, account: str, table: str) -> int:
        """How many of a kind."""
        rows = await self._reads.rows("held", (account, table))
        return int(str(rows[0][0])) if rows else 0

    async def user(self, account: str, name: str) -> User:
        """The user; NotFound."""
        return await self._reads.one(User, "user", (account, name), f"cannot find user {name}")

    async def users(self, account: str, after: str, limit: int) -> Sequence[User]:
        """Users by name."""
        return await self._reads.many(User, "users", (account, after, limit))

    async def members(self, account: str, group: str, after: str, limit: int) -> Sequence[User]:
        """Users of a group by name."""
        return await self._reads.many(User, "members", (account, group, after, limit))

    async def group(self, account: str, name: str) -> Group:
        """The group; NotFound."""
        return await self._reads.one(Group, "group", (account, name), f"cannot find group {name}")

    async def groups(self, account: str, after: str, limit: int) -> Sequence[Group]:
        """Groups by name."""
        return await self._reads.many(Group, "groups", (account, after, limit))

    async def role(self, account: str, name: str) -> Role:
        """The role; NotFound."""
        return await self._reads.one(Role, "role", (account, name), f"cannot find role {name}")

    async def roles(self, account: str, after: str, limit: int) -> Sequence[Role]:
        """Roles by name."""
        return await self._reads.many(Role, "roles", (account, after, limit))

    async def policy(self, account: str, name: str) -> Policy:
        """The policy; NotFound."""
        return await self._reads.one(Policy, "policy", (account, name), f"cannot find policy {name}")

    async def policies(self, account: str, after: str, limit: int) -> Sequence[Policy]:
        """Policies by name."""
        return await self._reads.many(Policy, "policies", (account, after, limit))

    async def users_with(self, account: str, policy: str, after: str, limit: int) -> Sequence[User]:
        """Users of a policy by name."""
        return await self._reads.many(User, "users_with", (account, policy, after, limit))

    async def groups_with(self, account: str, policy: str, after: str, limit: int) -> Sequence[Group]:
        """Groups of a policy by name."""
        return await self._reads.many(Group, "groups_with", (account, policy, after, limit))

    async def roles_with(self, account: str, policy: str, after: str, limit: int) -> Sequence[Role]:
        """Roles of a policy by name."""
        return await self._reads.many(Role, "roles_with", (account, policy, after, limit))

    async def roles_trusting(self, account: str, principal: str, after: str, limit: int) -> Sequence[Role]:
        """Roles by name whose trust policy has the principal."""
        return await self._reads.many(Role, "roles_trusting", (account, principal, after, limit))
