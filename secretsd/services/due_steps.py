"""Scheduled steps that come due by the clock and are taken one after the other, under a lease that one worker has."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from secretsd.api.fields import Request
from secretsd.domain.errors import SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, LeaseLost

LEASE_SECONDS = 60.0
pause = asyncio.sleep


class DueStep(NamedTuple):
    """A step of an account's scheduled work. `what` names what it is about in the log, never a value."""

    account: str
    request: Request
    what: str


class DueSteps:
    """One a worker; looking costs no lease. A kind of step says what is due in `due`, and how it is called."""

    lease: str
    operation: str
    verb: str
    pause_seconds = 60.0

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage
        self._log = logging.getLogger(type(self).__module__.replace(".services", ""))

    async def due(self, now_ms: int) -> Sequence[DueStep]:
        """What is due, a bounded number."""
        raise NotImplementedError

    async def run(self) -> None:
        """Until cancelled: make sure until nothing is due or can be taken, then pause."""
        while True:
            try:
                while await self.ensure():
                    pass
            except SecretsdError as error:
                self._log.warning("cannot %s now: %s", self.verb, error.kind.value)
            await pause(self.pause_seconds)

    async def ensure(self) -> int:
        """Take the steps that are due; how many those were. One that cannot be taken keeps none of the others."""
        steps = await self.due(self._pipeline.parts.clock.now_ms())
        if not steps:
            return 0
        lease = await self._storage.leases.claim(self.lease, LEASE_SECONDS)
        if lease is None:
            return 0
        fence = Fence(lease.name, lease.owner, lease.epoch)
        taken = 0
        try:
            for step in steps:
                principal = Principal(step.account, ROTATION_ROLE, "schedule")
                try:
                    await self._pipeline.run_scheduled(OPERATIONS[self.operation], step.request, principal, fence)
                except (StorageUnavailable, LeaseLost):
                    raise
                except SecretsdError as error:
                    self._log.warning("cannot %s now, %s: %s", self.verb, step.what, error.kind.value)
                else:
                    taken += 1
            return taken
        finally:
            await self._storage.leases.release(lease)
