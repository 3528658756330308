"""Expired grants: what was granted until a moment that has passed is taken away. It decides nothing since then."""

from collections.abc import Sequence

from secretsd.api.grants import OfGrant
from secretsd.services.due_steps import DueStep, DueSteps

AT_ONCE = 100


class ExpiredGrants(DueSteps):
    """Takes away grants whose time is over."""

    lease = "expired-grants"
    operation = "ExpireGrant"
    verb = "take away expired grants"

    async def due(self, now_ms: int) -> Sequence[DueStep]:
        """Grants that were good until before now."""
        found = await self._storage.grants.expired(now_ms, AT_ONCE)
        return [DueStep(one.account, OfGrant(key=one.key_id, grant=one.id), f"grant {one.id}") for one in found]
