"""Expired grants: what was granted until a moment that has passed is taken away. It decides nothing since then."""

import asyncio
import logging

from secretsd.api.grants import OfGrant
from secretsd.domain.errors import SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, LeaseLost

log = logging.getLogger("secretsd.expired_grants")
PAUSE_SECONDS = 60.0
LEASE_SECONDS = 60.0
AT_ONCE = 100


class ExpiredGrants:
    """One a worker; a lease decides which worker takes away. Looking costs no lease."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        while True:
            try:
                await self.ensure()
            except SecretsdError as error:
                log.warning("cannot take away expired grants now: %s", error.kind.value)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> int:
        """Take away what has expired; how many that were. One that cannot be keeps none of the others."""
        expired = await self._storage.grants.expired(self._pipeline.parts.clock.now_ms(), AT_ONCE)
        if not expired:
            return 0
        lease = await self._storage.leases.claim("expired-grants", LEASE_SECONDS)
        if lease is None:
            return 0
        fence = Fence(lease.name, lease.owner, lease.epoch)
        done = 0
        try:
            for grant in expired:
                principal = Principal(grant.account, ROTATION_ROLE, "schedule")
                request = OfGrant(key=grant.key_id, grant=grant.id)
                try:
                    await self._pipeline.run_scheduled(OPERATIONS["ExpireGrant"], request, principal, fence)
                except (StorageUnavailable, LeaseLost):
                    raise
                except SecretsdError as error:
                    log.warning("cannot take away grant %s now: %s", grant.id, error.kind.value)
                else:
                    done += 1
            return done
        finally:
            await self._storage.leases.release(lease)
