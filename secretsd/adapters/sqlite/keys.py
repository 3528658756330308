"""Reads CMKs and their wrapped versions."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.keys import CMK, WrappedKey


class SqliteKeys:
    """A KeyReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, account: str, key_id: str) -> CMK:
        """The CMK; NotFound."""
        return await self._reads.one(CMK, "key", (account, key_id), f"cannot find key {key_id}")

    async def version(self, account: str, key_id: str, version: int) -> WrappedKey:
        """The wrapped key version; NotFound."""
        missing = f"cannot find version {version} of key {key_id}"
        return await self._reads.one(WrappedKey, "key_version", (account, key_id, version), missing)

    async def page(self, account: str, after: str, limit: int) -> Sequence[CMK]:
        """CMKs by id."""
        return await self._reads.many(CMK, "keys", (account, after, limit))
