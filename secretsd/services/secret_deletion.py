"""Secret deletion: what has waited out its recovery window is erased."""

import asyncio
import logging

from secretsd.api.secrets import OfSecret
from secretsd.domain.errors import SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, LeaseLost

log = logging.getLogger("secretsd.secret_deletion")
PAUSE_SECONDS = 60.0
LEASE_SECONDS = 60.0
AT_ONCE = 100


class SecretDeletions:
    """One a worker; a lease decides which worker erases."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        while True:
            try:
                await self.ensure()
            except SecretsdError as error:
                log.warning("cannot erase secrets now: %s", error.kind.value)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> int:
        """Erase what is due; how many that were. One that cannot be erased keeps none of the others."""
        lease = await self._storage.leases.claim("secret-deletion", LEASE_SECONDS)
        if lease is None:
            return 0
        fence = Fence(lease.name, lease.owner, lease.epoch)
        erased = 0
        try:
            for secret in await self._storage.secrets.deletions_due(self._pipeline.parts.clock.now_ms(), AT_ONCE):
                principal = Principal(secret.account, ROTATION_ROLE, "schedule")
                request = OfSecret(name=secret.name)
                try:
                    await self._pipeline.run_scheduled(OPERATIONS["EraseSecret"], request, principal, fence)
                except (StorageUnavailable, LeaseLost):
                    raise
                except SecretsdError as error:
                    log.warning("cannot erase secret %s now: %s", secret.name, error.kind.value)
                else:
                    erased += 1
            return erased
        finally:
            await self._storage.leases.release(lease)
