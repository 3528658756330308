"""Expired credentials: tokens and sessions whose time is over prove nobody, and are taken away a day later."""

import asyncio
import logging

from secretsd.domain.errors import SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.expired_credentials import AT_ONCE, KEPT_MS, ForgetExpiredCredentialsRequest
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, LeaseLost

log = logging.getLogger("secretsd.expired_credentials")
PAUSE_SECONDS = 300.0
LEASE_SECONDS = 60.0


class ExpiredCredentials:
    """One a worker; a lease decides which worker takes away. Looking costs no lease."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        while True:
            try:
                while await self.ensure():
                    pass
            except SecretsdError as error:
                log.warning("cannot take away expired credentials now: %s", error.kind.value)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> int:
        """Take away some of what has expired, in each account by a step of its own; in how many accounts that was."""
        before_ms = self._pipeline.parts.clock.now_ms() - KEPT_MS
        proofs = self._storage.proofs
        accounts = {one.account for one in await proofs.expired_tokens(before_ms, AT_ONCE)}
        accounts |= {one.account for one in await proofs.expired_sessions(before_ms, AT_ONCE)}
        if not accounts:
            return 0
        lease = await self._storage.leases.claim("expired-credentials", LEASE_SECONDS)
        if lease is None:
            return 0
        fence = Fence(lease.name, lease.owner, lease.epoch)
        done = 0
        try:
            for account in sorted(accounts):
                principal = Principal(account, ROTATION_ROLE, "schedule")
                step = OPERATIONS["ForgetExpiredCredentials"]
                try:
                    await self._pipeline.run_scheduled(step, ForgetExpiredCredentialsRequest(), principal, fence)
                except (StorageUnavailable, LeaseLost):
                    raise
                except SecretsdError as error:
                    log.warning("cannot take away expired credentials of an account now: %s", error.kind.value)
                else:
                    done += 1
            return done
        finally:
            await self._storage.leases.release(lease)
