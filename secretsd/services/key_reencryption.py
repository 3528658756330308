"""Re-encryption: each that is due goes on under a lease, a few ciphertexts at a time and no faster than it was told."""

import asyncio
import logging
import time
from functools import partial

from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError, StorageUnavailable, Throttled
from secretsd.domain.principals import KEY_ROTATION_ROLE, Principal
from secretsd.domain.reencryption import ReEncryption
from secretsd.operations.key_reencryption import ContinueReEncryptionRequest, ContinueReEncryptionResponse
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, Lease, LeaseLost

log = logging.getLogger("secretsd.key_reencryption")
LEASE_SECONDS = 60.0
PROLONG_SECONDS = 15.0
PAUSE_SECONDS = 1.0
AT_ONCE = 4


class ReEncryptions:
    """One a worker; leases decide which worker takes which. The stored progress is the only memory."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage
        self._clock = pipeline.parts.clock
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        try:
            while True:
                try:
                    await self.ensure()
                except SecretsdError as error:
                    log.warning("cannot look after re-encryptions: %s", error.kind.value)
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            for task in self._running.values():
                task.cancel()

    async def ensure(self) -> None:
        """Take up what is due and not under way; returns once it is begun."""
        for job in await self._storage.keys.reencryptions_due(self._clock.now_ms(), AT_ONCE * 4):
            name = job.account, job.key_id
            if name not in self._running and len(self._running) < AT_ONCE:
                task = asyncio.create_task(self._take(job))
                self._running[name] = task
                task.add_done_callback(partial(self._ended, name))

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _ended(self, name: tuple[str, str], _: asyncio.Task[None]) -> None:
        self._running.pop(name, None)

    async def _take(self, job: ReEncryption) -> None:
        try:
            lease = await self._storage.leases.claim(f"re-encryption/{job.account}/{job.key_id}", LEASE_SECONDS)
            if lease is None:
                return  # another node has it
            try:
                await self._steps(job, lease)
            finally:
                await self._storage.leases.release(lease)
        except (KeyStoreUnavailable, StorageUnavailable, LeaseLost, Throttled) as error:
            log.warning("cannot go on with the re-encryption under key %s now: %s", job.key_id, error.kind.value)
        except SecretsdError as error:
            log.error("cannot go on with the re-encryption under key %s: %s", job.key_id, error.kind.value)

    async def _steps(self, job: ReEncryption, lease: Lease) -> None:
        """Step by step until nothing more is due. A step that fails ends it, and it is taken up again after a pause."""
        principal = Principal(job.account, KEY_ROTATION_ROLE, "schedule")
        request = ContinueReEncryptionRequest(key=job.key_id, epoch=lease.epoch)
        fence = Fence(lease.name, lease.owner, lease.epoch)
        held_until = time.monotonic() + PROLONG_SECONDS
        while True:
            began = time.monotonic()
            if began > held_until:
                prolonged = await self._storage.leases.claim(lease.name, LEASE_SECONDS)
                if prolonged is None or prolonged.epoch != lease.epoch:
                    raise LeaseLost
                held_until = began + PROLONG_SECONDS
            done = await self._pipeline.run_scheduled(OPERATIONS["ContinueReEncryption"], request, principal, fence)
            if not isinstance(done, ContinueReEncryptionResponse) or done.next_due_ms is None:
                return
            if done.next_due_ms > self._clock.now_ms():
                return
            # The rate may have been changed meanwhile: it is the stored one that counts.
            seconds = done.seen / done.per_second
            await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
