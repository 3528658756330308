"""Reads what owners of resources let others do: policies of resources, and grants on keys."""

from collections.abc import Sequence

from secretsd.adapters.sqlite.reads import Reads
from secretsd.domain.grants import Grant
from secretsd.domain.policy import ResourcePolicy

FEW = 8
"""How many grants are read on the loop; a key that has more is read in the thread."""


class SqliteGrants:
    """A GrantReader."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def policy(self, account: str, resource: str) -> ResourcePolicy:
        """The policy of a resource; NotFound."""
        missing = "cannot find a policy of the resource"
        return await self._reads.one(ResourcePolicy, "resource_policy", (account, resource), missing)

    async def grants(self, account: str, key_id: str, after: str, limit: int) -> Sequence[Grant]:
        """Grants of a key by id. Most keys have none or few, and decisions wait for this: it is tried on the loop."""
        few = min(limit, FEW + 1)
        found = await self._reads.several(Grant, "grants", (account, key_id, after, few))
        if len(found) < few or few == limit:
            return found
        return await self._reads.many(Grant, "grants", (account, key_id, after, limit))

    async def grant(self, identifier: str) -> Grant:
        """The grant; NotFound."""
        return await self._reads.one(Grant, "grant", (identifier,), "cannot find the grant")

    async def retirable(self, principal: str, after: str, limit: int) -> Sequence[Grant]:
        """Grants that the principal may retire, by id."""
        return await self._reads.many(Grant, "retirable_grants", (principal, after, limit))

    async def expired(self, before_ms: int, limit: int) -> Sequence[Grant]:
        """Grants that are over."""
        return await self._reads.many(Grant, "expired_grants", (before_ms, limit))
