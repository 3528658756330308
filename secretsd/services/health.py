"""Health: whether key store and storage answer, looked at every second so that asking costs nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from secretsd.domain.errors import SecretsdError
from secretsd.ports.keystore import KeyStore, KeyStoreStatus
from secretsd.ports.storage import Storage

PAUSE_SECONDS = 1.0
LEASE = "health"


@dataclass(slots=True)
class Health:
    """What was seen last. `storage_reason` is empty while the storage answers.

    `storage_failures` counts the calls that the storage has failed. A full or read-only disk still reads, so after a
    failure looking means writing: a lease that is given back at once, for as long as that is what is wrong.
    """

    keystore: KeyStore
    storage: Storage
    storage_failures: Callable[[], int] = lambda: 0
    keystore_status: KeyStoreStatus | None = None
    storage_reason: str = ""
    _failures_seen: int = 0

    async def run(self) -> None:
        """Until cancelled: look, then pause."""
        while True:
            await self.ensure()
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> None:
        """Look now."""
        failures = self.storage_failures()
        failed = failures != self._failures_seen
        self._failures_seen = failures
        try:
            if failed or self.storage_reason:
                await self._write()
            else:
                await self.storage.rotations.next_due_ms()
        except SecretsdError as error:
            self.storage_reason = error.message
        else:
            self.storage_reason = "cannot record every call: some failed just now" if failed else ""
        self.keystore_status = await self.keystore.status()

    async def _write(self) -> None:
        lease = await self.storage.leases.claim(LEASE, PAUSE_SECONDS)
        if lease is not None:  # else another node is writing its own, which is as good a proof
            await self.storage.leases.release(lease)

    @property
    def well(self) -> bool:
        """True while both answer."""
        return not self.storage_reason and self.keystore_status is not None and self.keystore_status.available
