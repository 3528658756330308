"""Re-wrapping: after a new root was made, every stored key version moves to it, online and no faster than it should."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError, StorageUnavailable, Throttled
from secretsd.domain.keys import KeyVersionState, WrappedKey
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.root_rewrap import RewrapKeyVersionRequest, RewrapKeyVersionResponse
from secretsd.ports.keystore import KeyStoreStatus
from secretsd.ports.storage import Fence, Lease, LeaseLost

log = logging.getLogger("secretsd.root_rewrap")
PAUSE_SECONDS = 10.0
LEASE_SECONDS = 60.0
PROLONG_SECONDS = 15.0
AT_ONCE = 50


class RootRewraps:
    """One a worker; a lease decides which worker does it. What is left is what storage says: nothing else is kept.

    So it goes on where a crash left it. A key version that cannot be moved now keeps no other one from it. `rewrapped`
    counts those that this worker has moved since it started.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        keys_per_second: float = 100.0,
    ) -> None:
        self._pipeline, self._pause, self._keys_per_second = pipeline, pause, keys_per_second
        self.rewrapped = 0
        self._storage = pipeline.parts.storage
        self._done_for = ""

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        while True:
            try:
                await self.ensure()
            except SecretsdError as error:
                log.warning("cannot wrap keys by the new root now: %s", error.kind.value)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> int:
        """Move what is under an older root; how many key versions that were."""
        status = await self._pipeline.parts.keystore.status()
        if not status.available or not self._needed(status):
            return 0
        lease = await self._storage.leases.claim("root-rewrap", LEASE_SECONDS)
        if lease is None:
            return 0
        try:
            moved, left = await self._walk(status.kek_id, lease)
        finally:
            await self._storage.leases.release(lease)
        if moved:
            log.info("wrapped %d key versions by the current root, %d could not be", moved, left)
        self._done_for = "" if left else status.kek_id
        return moved

    def _needed(self, status: KeyStoreStatus) -> bool:
        """Storage is walked once for each root, and for as long as there is another that could wrap something new."""
        living = [root for root in status.roots if root.destroyed_ms is None and not root.held]
        return self._done_for != status.kek_id or len(living) > 1

    async def _walk(self, kek_id: str, lease: Lease) -> tuple[int, int]:
        fence = Fence(lease.name, lease.owner, lease.epoch)
        moved = left = 0
        after = "", "", -1
        held_until = time.monotonic() + PROLONG_SECONDS
        while found := await self._storage.keys.wrapped_otherwise(kek_id, after, AT_ONCE):
            began = time.monotonic()
            if began > held_until:
                prolonged = await self._storage.leases.claim(lease.name, LEASE_SECONDS)
                if prolonged is None or prolonged.epoch != lease.epoch:
                    raise LeaseLost
                held_until = began + PROLONG_SECONDS
            # What is away cannot be moved: it comes back under the root that knows it, and moves on then.
            for key in (one for one in found if one.state is KeyVersionState.LIVE):
                done = await self._move(key, fence)
                moved += done
                self.rewrapped += done
                left += not done
            after = found[-1].account, found[-1].key_id, found[-1].version
            await self._pause(max(0.0, len(found) / self._keys_per_second - (time.monotonic() - began)))
        return moved, left

    async def _move(self, key: WrappedKey, fence: Fence) -> bool:
        request = RewrapKeyVersionRequest(key=key.key_id, version=key.version)
        principal = Principal(key.account, ROTATION_ROLE, "schedule")
        try:
            answer = await self._pipeline.run_scheduled(OPERATIONS["RewrapKeyVersion"], request, principal, fence)
        except (KeyStoreUnavailable, StorageUnavailable, LeaseLost, Throttled):
            raise
        except SecretsdError as error:
            log.error("cannot wrap version %d of key %s anew: %s", key.version, key.key_id, error.kind.value)
            return False
        return isinstance(answer, RewrapKeyVersionResponse) and answer.moved
