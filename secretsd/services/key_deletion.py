"""Key deletion: CMKs that have waited out their time are erased, and imported material whose time is over goes."""

import asyncio
import logging

from secretsd.api.keys import OfKey
from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError, StorageUnavailable
from secretsd.domain.keys import CMK, KeyState
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.key_erasure import ErasureResponse
from secretsd.operations.key_material import ExpiryResponse
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, LeaseLost

log = logging.getLogger("secretsd.key_deletion")
PAUSE_SECONDS = 5.0
LEASE_SECONDS = 60.0
AT_ONCE = 100


class KeyDeletions:
    """One a worker; a lease decides which worker erases. Looking costs no lease, so it is done often."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage
        self._clock = pipeline.parts.clock

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        while True:
            try:
                await self.ensure()
            except SecretsdError as error:
                log.warning("cannot erase keys now: %s", error.kind.value)
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> int:
        """Erase and expire what is due; how many keys that were. One that cannot be keeps none of the others."""
        due = await self._due()
        if not due:
            return 0
        lease = await self._storage.leases.claim("key-deletion", LEASE_SECONDS)
        if lease is None:
            return 0
        fence = Fence(lease.name, lease.owner, lease.epoch)
        done = 0
        try:
            for key in due:
                try:
                    done += await self._end(key, fence)
                except (KeyStoreUnavailable, StorageUnavailable, LeaseLost):
                    raise
                except SecretsdError as error:
                    log.warning("cannot end key %s now: %s", key.id, error.kind.value)
            return done
        finally:
            await self._storage.leases.release(lease)

    async def _due(self) -> list[CMK]:
        """Keys to erase or to expire; those that are due to be rotated are none of this service's."""
        now_ms = self._clock.now_ms()
        due = await self._storage.keys.due(now_ms, AT_ONCE)
        return [key for key in due if _to_erase(key) or _has_expired(key, now_ms)]

    async def _end(self, key: CMK, fence: Fence) -> bool:
        """Whether the key has come to its end; False where a secret's rotation holds it back."""
        principal = Principal(key.account, ROTATION_ROLE, "schedule")
        request = OfKey(key=key.id)
        if not _to_erase(key):
            told = await self._pipeline.run_scheduled(OPERATIONS["ExpireKeyMaterial"], request, principal, fence)
            if isinstance(told, ExpiryResponse) and told.held_by is None:
                return True
            log.warning("cannot take away the material of key %s yet: the rotation of a secret may need it", key.id)
            return False
        step = "BeginKeyErasure"
        while True:
            told = await self._pipeline.run_scheduled(OPERATIONS[step], request, principal, fence)
            if not isinstance(told, ErasureResponse) or not told.begun:
                log.warning("cannot erase key %s yet: the rotation of a secret may need it", key.id)
                return False
            if told.state == KeyState.DESTROYED.value:
                return True
            step = "EraseKey"


def _to_erase(key: CMK) -> bool:
    return key.state is KeyState.PENDING_DELETION


def _has_expired(key: CMK, now_ms: int) -> bool:
    return (
        key.material_expires_ms is not None
        and key.material_expires_ms <= now_ms
        and key.state in (KeyState.ENABLED, KeyState.DISABLED)
    )
