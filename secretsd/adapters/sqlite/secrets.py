"""Reads secrets, their versions and sealed values."""

from collections.abc import Mapping, Sequence

import msgspec

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion

# No name holds a character this small or this large, so they mark the places right after a name and after a prefix.
_SMALLEST, _LARGEST = "\x01", "\U0010ffff"


class SqliteSecrets:
    """A SecretReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, account: str, name: str) -> Secret:
        """The secret; NotFound."""
        return await self._reads.one(Secret, "secret", (account, name), f"cannot find secret {name}")

    async def version(self, account: str, secret_id: str, version_id: str) -> SecretVersion:
        """The version; NotFound."""
        missing = f"cannot find version {version_id} of the secret"
        return await self._reads.one(SecretVersion, "secret_version", (account, secret_id, version_id), missing)

    async def value(self, account: str, secret_id: str, version_id: str) -> SealedValue:
        """The sealed value; NotFound."""
        missing = f"cannot find the value of version {version_id} of the secret"
        return await self._reads.one(SealedValue, "secret_value", (account, secret_id, version_id), missing)

    async def page(
        self, account: str, prefix: str, tags: Mapping[str, str], after: str, limit: int, include_deleted: bool
    ) -> Sequence[Secret]:
        """Secrets by name. One range on the name, whose ends are prefix and position, keeps the plan one search."""
        first = max(prefix, after + _SMALLEST)
        wanted = msgspec.json.encode(dict(tags)).decode()
        arguments = (account, first, prefix + _LARGEST, int(include_deleted), wanted, len(tags), limit)
        return await self._reads.many(Secret, "secrets", arguments)

    async def versions(self, account: str, secret_id: str, before: int, limit: int) -> Sequence[SecretVersion]:
        """Versions, the newest first."""
        return await self._reads.many(SecretVersion, "secret_versions", (account, secret_id, before, limit))

    async def prunable(
        self, account: str, secret_id: str, labelled: Sequence[str], created_before_ms: int, keep: int, limit: int
    ) -> Sequence[SecretVersion]:
        """Versions past those to keep, the oldest first."""
        kept = msgspec.json.encode(list(labelled)).decode()
        arguments = (account, secret_id, kept, created_before_ms, keep, limit)
        return await self._reads.many(SecretVersion, "prunable", arguments)

    async def deletions_due(self, now_ms: int, limit: int) -> Sequence[Secret]:
        """Secrets whose recovery window has ended."""
        return await self._reads.many(Secret, "deletions_due", (now_ms, limit))
