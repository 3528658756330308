"""Health: whether key store and storage answer, looked at every second so that asking costs nothing."""

import asyncio
from dataclasses import dataclass

from secretsd.domain.errors import SecretsdError
from secretsd.ports.keystore import KeyStore, KeyStoreStatus
from secretsd.ports.storage import Storage

PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class Health:
    """What was seen last. `storage_reason` is empty while the storage answers."""

    keystore: KeyStore
    storage: Storage
    keystore_status: KeyStoreStatus | None = None
    storage_reason: str = ""

    async def run(self) -> None:
        """Until cancelled: look, then pause."""
        while True:
            await self.ensure()
            await asyncio.sleep(PAUSE_SECONDS)

    async def ensure(self) -> None:
        """Look now."""
        self.keystore_status = await self.keystore.status()
        try:
            await self.storage.rotations.next_due_ms()
            self.storage_reason = ""
        except SecretsdError as error:
            self.storage_reason = error.message

    @property
    def well(self) -> bool:
        """True while both answer."""
        return not self.storage_reason and self.keystore_status is not None and self.keystore_status.available
