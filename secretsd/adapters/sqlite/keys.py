"""Reads CMKs, their wrapped versions and their aliases."""

from collections.abc import Sequence
from enum import Enum

import apsw
import msgspec

from secretsd.adapters.sqlite.connections import fetch
from secretsd.adapters.sqlite.reads import RECORD_QUERIES, Reads
from secretsd.domain.keys import CMK, Alias, WrappedKey
from secretsd.domain.reencryption import ReEncryption
from secretsd.domain.secrets import SecretVersion
from secretsd.ports.readers import ANY_KEY, KeyFilter

_COUNT_GUARDS = RECORD_QUERIES["key_guard_count"].sql
_COUNT_WRAPPED = RECORD_QUERIES["count_wrapped_otherwise"].sql


class SqliteKeys:
    """A KeyReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def get(self, account: str, key_id: str) -> CMK:
        """The CMK; NotFound."""
        return await self._reads.one(CMK, "key", (account, key_id), f"cannot find key {key_id}")

    async def by_id(self, key_id: str) -> CMK:
        """The CMK, whosever it is; NotFound."""
        return await self._reads.one(CMK, "key_by_id", (key_id,), f"cannot find key {key_id}")

    async def version(self, account: str, key_id: str, version: int) -> WrappedKey:
        """The wrapped key version; NotFound."""
        missing = f"cannot find version {version} of key {key_id}"
        return await self._reads.one(WrappedKey, "key_version", (account, key_id, version), missing)

    async def page(self, account: str, after: str, limit: int, wanted: KeyFilter = ANY_KEY) -> Sequence[CMK]:
        """CMKs by id."""
        kinds = (wanted.state, wanted.spec, wanted.usage, wanted.origin, wanted.protection_level, wanted.owner)
        tags = msgspec.json.encode(dict(wanted.tags)).decode()
        arguments = (account, after, limit, *map(_value, kinds), tags, len(wanted.tags), wanted.destroyed)
        return await self._reads.many(CMK, "keys", arguments)

    async def versions(self, account: str, key_id: str, before: int, limit: int) -> Sequence[WrappedKey]:
        """Versions of a key, the newest first."""
        return await self._reads.many(WrappedKey, "key_versions", (account, key_id, before, limit))

    async def alias(self, account: str, name: str) -> Alias:
        """The alias; NotFound."""
        return await self._reads.one(Alias, "alias", (account, name), f"cannot find alias {name}")

    async def aliases(self, account: str, after: str, limit: int, key_id: str | None = None) -> Sequence[Alias]:
        """Aliases by name."""
        if key_id is None:
            return await self._reads.many(Alias, "aliases", (account, after, limit))
        return await self._reads.many(Alias, "aliases_of_key", (account, after, limit, key_id))

    async def due(self, now_ms: int, limit: int) -> Sequence[CMK]:
        """Keys to destroy, then those to rotate, then those whose material has expired; each once."""
        found: dict[tuple[str, str], CMK] = {}
        for query in ("keys_to_delete", "keys_to_rotate", "keys_to_expire"):
            for key in await self._reads.many(CMK, query, (now_ms, limit)):
                found.setdefault((key.account, key.id), key)
        return list(found.values())

    async def guards(self, key_id: str, limit: int) -> int:
        """Secret versions under any version of the key."""
        return len(await self._reads.rows("guards_of_key", (key_id, limit)))

    async def guarded(self, key_id: str, version: int, after: tuple[str, str], limit: int) -> Sequence[SecretVersion]:
        """Secret versions whose data keys are under that version."""
        return await self._reads.many(SecretVersion, "key_guards", (key_id, version, *after, limit))

    async def guard_count(self, key_id: str, below: int) -> int:
        """How many secret versions are under versions below that one."""

        def count(main: apsw.Connection, _: apsw.Connection) -> int:
            return int(str(fetch(main, _COUNT_GUARDS, (key_id, below))[0][0]))

        return await self._reads.long(count)

    async def reencryption(self, account: str, key_id: str) -> ReEncryption:
        """The re-encryption of what is under a key; NotFound."""
        missing = f"cannot find a re-encryption of what is under key {key_id}"
        return await self._reads.one(ReEncryption, "reencryption", (account, key_id), missing)

    async def reencryptions_due(self, now_ms: int, limit: int) -> Sequence[ReEncryption]:
        """Re-encryptions that go on by now."""
        return await self._reads.many(ReEncryption, "reencryptions_due", (now_ms, limit))

    async def wrapped_otherwise(self, kek_id: str, after: tuple[str, str, int], limit: int) -> Sequence[WrappedKey]:
        """Key versions that need another root KEK."""
        return await self._reads.many(WrappedKey, "key_versions_wrapped_otherwise", (kek_id, *after, limit))

    async def count_wrapped_otherwise(self, kek_id: str) -> int:
        """How many of them have their material wrapped by that one."""

        def count(main: apsw.Connection, _: apsw.Connection) -> int:
            return int(str(fetch(main, _COUNT_WRAPPED, (kek_id,))[0][0]))

        return await self._reads.long(count)


def _value(kind: Enum | None) -> str | None:
    return None if kind is None else str(kind.value)
