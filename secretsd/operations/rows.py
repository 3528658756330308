"""Typed reads through the row cache: what operations ask for when they need a record."""

from secretsd.domain.keys import CMK, WrappedKey
from secretsd.domain.policy import Policy
from secretsd.domain.principals import Account, Binding, Token, User
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion
from secretsd.operations.cache import RowCache
from secretsd.ports.storage import Storage


class Rows:
    """Each method returns the record or raises NotFound; what it returns is no staler than one loop turn."""

    def __init__(self, storage: Storage, cache: RowCache) -> None:
        self._storage = storage
        self._cache = cache

    async def account(self, account: str) -> Account:
        """The account."""
        return await self._cache.read(("accounts", (account,)), lambda: self._storage.accounts.get(account))

    async def user(self, account: str, name: str) -> User:
        """The user."""
        return await self._cache.read(("users", (account, name)), lambda: self._storage.accounts.user(account, name))

    async def token(self, digest: str) -> Token:
        """The token with that digest."""
        return await self._cache.read(("tokens", (digest,)), lambda: self._storage.accounts.token(digest))

    async def binding(self, proof: str) -> Binding:
        """What the proof leads to."""
        return await self._cache.read(("bindings", (proof,)), lambda: self._storage.accounts.binding(proof))

    async def policy(self, account: str, name: str) -> Policy:
        """The policy."""
        load = self._storage.accounts.policy
        return await self._cache.read(("policies", (account, name)), lambda: load(account, name))

    async def key(self, account: str, key_id: str) -> CMK:
        """The CMK."""
        return await self._cache.read(("keys", (account, key_id)), lambda: self._storage.keys.get(account, key_id))

    async def key_version(self, account: str, key_id: str, version: int) -> WrappedKey:
        """The wrapped key version."""
        load = self._storage.keys.version
        name = ("key_versions", (account, key_id, str(version)))
        return await self._cache.read(name, lambda: load(account, key_id, version))

    async def secret(self, account: str, name: str) -> Secret:
        """The secret."""
        return await self._cache.read(("secrets", (account, name)), lambda: self._storage.secrets.get(account, name))

    async def version(self, secret: Secret, version_id: str) -> SecretVersion:
        """The version of the secret."""
        load = self._storage.secrets.version
        name = ("secret_versions", (secret.account, secret.id, version_id))
        return await self._cache.read(name, lambda: load(secret.account, secret.id, version_id))

    async def value(self, secret: Secret, version_id: str) -> SealedValue:
        """The sealed value of the version."""
        load = self._storage.secrets.value
        name = ("secret_values", (secret.account, secret.id, version_id))
        return await self._cache.read(name, lambda: load(secret.account, secret.id, version_id))
