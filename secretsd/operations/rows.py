"""Typed reads through the row cache: what operations ask for when they need a record."""

import contextlib
from collections.abc import Sequence

from secretsd.domain.credentials import AccessKey, Session, Token
from secretsd.domain.errors import NotFound
from secretsd.domain.grants import Grant
from secretsd.domain.keys import CMK, Alias, WrappedKey
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import Policy, ResourcePolicy
from secretsd.domain.principals import Account, Group, Role, User
from secretsd.domain.proofs import Binding
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion
from secretsd.operations.cache import RowCache
from secretsd.ports.storage import Storage

MAX_OWNERS = 50_000
"""Most keys of other accounts of which it is kept whose they are. That never changes: a destroyed key keeps its row."""


class Rows:
    """Each method returns the record or raises NotFound; what it returns is no staler than one loop turn.

    The cache is asked directly first: a coroutine more for each of seven rows is a tenth of the cost of a read.
    """

    def __init__(self, storage: Storage, cache: RowCache) -> None:
        self._storage = storage
        self._cache = cache
        self._owners: dict[str, str] = {}

    async def account(self, account: str) -> Account:
        """The account."""
        wanted = "accounts", (account,)
        if (found := self._cache.hit(Account, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: self._storage.accounts.get(account))

    async def has_account(self, account: str) -> bool:
        """Whether there is an account of that number, or it is `system`."""
        load = self._storage.accounts.get
        found = await self._cache.read_if_any(("accounts", (account,)), lambda: load(account))
        return found is not None or account == SYSTEM_ACCOUNT

    async def user(self, account: str, name: str) -> User:
        """The user."""
        wanted, load = ("users", (account, name)), self._storage.accounts.user
        if (found := self._cache.hit(User, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(account, name))

    async def token(self, digest: str) -> Token:
        """The token with that digest."""
        wanted = "tokens", (digest,)
        if (found := self._cache.hit(Token, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: self._storage.proofs.token(digest))

    def is_kept(self, digest: str) -> bool:
        """Whether a token or session with that digest is in memory: then it was found before."""
        key = (digest,)
        return self._cache.peek(("tokens", key)) is not None or self._cache.peek(("sessions", key)) is not None

    async def miss(self, digest: str) -> None:
        """The work of looking for a token that is not there, as no digest is one of these backwards."""
        with contextlib.suppress(NotFound):
            await self.token(digest[::-1])

    async def binding(self, proof: str) -> Binding:
        """What the proof leads to."""
        wanted = "bindings", (proof,)
        if (found := self._cache.hit(Binding, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: self._storage.proofs.binding(proof))

    async def binding_if_any(self, proof: str) -> Binding | None:
        """What the proof leads to; None for nowhere, which is remembered like a row: many connections prove more."""
        wanted = "bindings", (proof,)
        if (found := self._cache.hit(Binding, wanted)) is not None:
            return found
        return await self._cache.read_if_any(wanted, lambda: self._storage.proofs.binding(proof))

    async def policy(self, account: str, name: str) -> Policy:
        """The policy."""
        wanted, load = ("policies", (account, name)), self._storage.accounts.policy
        if (found := self._cache.hit(Policy, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(account, name))

    async def group(self, account: str, name: str) -> Group:
        """The group."""
        wanted, load = ("groups", (account, name)), self._storage.accounts.group
        return await self._cache.read(wanted, lambda: load(account, name))

    async def role(self, account: str, name: str) -> Role:
        """The role."""
        wanted, load = ("roles", (account, name)), self._storage.accounts.role
        if (found := self._cache.hit(Role, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(account, name))

    async def access_key(self, identifier: str) -> AccessKey:
        """The access key of that id."""
        wanted = "access_keys", (identifier,)
        if (found := self._cache.hit(AccessKey, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: self._storage.proofs.access_key(identifier))

    def kept_access_key(self, identifier: str) -> AccessKey | None:
        """The access key of that id if it is in memory: then it was found before."""
        found: AccessKey | None = self._cache.peek(("access_keys", (identifier,)))
        return found

    async def session(self, digest: str) -> Session:
        """The session with that digest."""
        wanted = "sessions", (digest,)
        if (found := self._cache.hit(Session, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: self._storage.proofs.session(digest))

    async def resource_policy(self, account: str, resource: str) -> ResourcePolicy:
        """The policy of a resource. Asked for only when a decision is made anew, so it is read from storage."""
        return await self._storage.grants.policy(account, resource)

    async def grants(self, account: str, key_id: str, limit: int) -> Sequence[Grant]:
        """The grants on a key, likewise."""
        return await self._storage.grants.grants(account, key_id, "", limit)

    async def key(self, account: str, key_id: str) -> CMK:
        """The CMK."""
        wanted, load = ("keys", (account, key_id)), self._storage.keys.get
        if (found := self._cache.hit(CMK, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(account, key_id))

    async def owner_of_key(self, key_id: str, account: str) -> str:
        """The account that has the key, `account` where nobody has it; that one is looked at first."""
        try:
            return (await self.key(account, key_id)).account
        except NotFound:
            pass
        owner = self._owners.get(key_id)
        if owner is None:
            try:
                owner = (await self._storage.keys.by_id(key_id)).account
            except NotFound:
                return account
            if len(self._owners) >= MAX_OWNERS:
                self._owners.clear()
            self._owners[key_id] = owner
        return owner

    async def alias(self, account: str, name: str) -> Alias:
        """The alias."""
        wanted, load = ("aliases", (account, name)), self._storage.keys.alias
        if (found := self._cache.hit(Alias, wanted)) is not None:
            return found
        # What is not there is remembered: else the time of an answer would tell which aliases another account has.
        if (row := await self._cache.read_if_any(wanted, lambda: load(account, name))) is None:
            raise NotFound(f"cannot find alias {name}")
        return row

    async def key_version(self, account: str, key_id: str, version: int) -> WrappedKey:
        """The wrapped key version."""
        wanted, load = ("key_versions", (account, key_id, str(version))), self._storage.keys.version
        if (found := self._cache.hit(WrappedKey, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(account, key_id, version))

    async def sealing_version(self, account: str, key_id: str, version: int) -> WrappedKey:
        """The key version that something of `account` is sealed under, which may be another account's key."""
        wanted = "key_versions", (account, key_id, str(version))
        if (found := self._cache.hit(WrappedKey, wanted)) is not None:
            return found
        return await self.key_version(await self.owner_of_key(key_id, account), key_id, version)

    async def secret(self, account: str, name: str) -> Secret:
        """The secret."""
        wanted, load = ("secrets", (account, name)), self._storage.secrets.get
        if (found := self._cache.hit(Secret, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(account, name))

    async def version(self, secret: Secret, version_id: str) -> SecretVersion:
        """The version of the secret."""
        key, load = (secret.account, secret.id, version_id), self._storage.secrets.version
        wanted = "secret_versions", key
        if (found := self._cache.hit(SecretVersion, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(*key))

    async def value(self, secret: Secret, version_id: str) -> SealedValue:
        """The sealed value of the version."""
        key, load = (secret.account, secret.id, version_id), self._storage.secrets.value
        wanted = "secret_values", key
        if (found := self._cache.hit(SealedValue, wanted)) is not None:
            return found
        return await self._cache.read(wanted, lambda: load(*key))
