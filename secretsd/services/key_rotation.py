"""Key rotation: keys whose time has come, or that have encrypted as often as they should, get a new version."""

import asyncio
import logging
from collections.abc import Sequence

from secretsd.domain.errors import KeyStoreUnavailable, NotFound, SecretsdError, StorageUnavailable
from secretsd.domain.keys import CMK, KeyState
from secretsd.domain.principals import KEY_ROTATION_ROLE, Principal
from secretsd.operations.key_rotation import RenewKeyRequest
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.storage import Fence, LeaseLost

log = logging.getLogger("secretsd.key_rotation")
PAUSE_SECONDS = 1.0
LOOKS_A_CALL = 5
"""Of so many looks at what is due, one also asks the key store which versions are used up: that takes a call."""
LEASE_SECONDS = 60.0
AT_ONCE = 1000
Wanted = tuple[str, RenewKeyRequest]
"""An account, and which of its keys is to be renewed."""


class KeyRotations:
    """One a worker; a lease decides which worker rotates. Looking costs no lease, so it is done often."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage
        self._clock = pipeline.parts.clock
        self._told: set[tuple[str, str, int]] = set()

    async def run(self) -> None:
        """Until cancelled: make sure, then pause."""
        looks = 0
        while True:
            try:
                await self.ensure(worn=looks % LOOKS_A_CALL == 0)
            except SecretsdError as error:
                log.warning("cannot rotate keys now: %s", error.kind.value)
            looks += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self, *, worn: bool = True) -> int:
        """Rotate what is due, and with `worn` what is used up; how many keys. One that cannot be keeps none back."""
        wanted = [*await self._due(), *(await self._worn() if worn else ())]
        if not wanted:
            return 0
        lease = await self._storage.leases.claim("key-rotation", LEASE_SECONDS)
        if lease is None:
            return 0
        try:
            return await self._renewed(wanted, Fence(lease.name, lease.owner, lease.epoch))
        finally:
            await self._storage.leases.release(lease)

    async def _renewed(self, wanted: Sequence[Wanted], fence: Fence) -> int:
        done = 0
        for account, request in wanted:
            principal = Principal(account, KEY_ROTATION_ROLE, "schedule")
            try:
                await self._pipeline.run_scheduled(OPERATIONS["RenewKey"], request, principal, fence)
            except (KeyStoreUnavailable, StorageUnavailable, LeaseLost):
                raise
            except SecretsdError as error:
                log.warning("cannot rotate key %s now: %s", request.key, error.kind.value)
            else:
                done += 1
        return done

    async def _due(self) -> list[Wanted]:
        """Keys whose next version is due; those that are to be erased or to expire are none of this service's."""
        now_ms = self._clock.now_ms()
        found = [key for key in await self._storage.keys.due(now_ms, AT_ONCE) if _is_due(key, now_ms)]
        return [(key.account, RenewKeyRequest(key=key.id, version=key.current_version)) for key in found]

    async def _worn(self) -> list[Wanted]:
        """Keys whose current version has made half of the ciphertexts that it may, with or without a period."""
        found = []
        for account, key_id, version in (await self._pipeline.parts.keystore.status()).worn:
            try:
                key = await self._storage.keys.get(account, key_id)
            except NotFound:
                continue
            if key.current_version != version or key.state is not KeyState.ENABLED:
                continue
            try:
                key.require_rotatable()
            except SecretsdError as error:
                if (account, key_id, version) not in self._told:
                    log.critical("%s: soon it will encrypt no more", error.message)
                self._told.add((account, key_id, version))
            else:
                found.append((account, RenewKeyRequest(key=key_id, version=version, used_up=True)))
        return found


def _is_due(key: CMK, now_ms: int) -> bool:
    return key.state is KeyState.ENABLED and key.next_rotation_ms is not None and key.next_rotation_ms <= now_ms
