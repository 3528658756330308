"""Secret deletion: what has waited out its recovery window is erased."""

from collections.abc import Sequence

from secretsd.api.secrets import OfSecret
from secretsd.services.due_steps import DueStep, DueSteps

AT_ONCE = 100


class SecretDeletions(DueSteps):
    """Erases secrets on their day."""

    lease = "secret-deletion"
    operation = "EraseSecret"
    verb = "erase secrets"

    async def due(self, now_ms: int) -> Sequence[DueStep]:
        """Secrets whose day has come."""
        found = await self._storage.secrets.deletions_due(now_ms, AT_ONCE)
        return [DueStep(one.account, OfSecret(name=one.name), f"secret {one.name}") for one in found]
