"""Health: whether key store and storage answer, and how rotations stand, looked at so that asking costs nothing."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from secretsd.domain.errors import SecretsdError
from secretsd.domain.rotation import RotationState
from secretsd.ports.keystore import KeyStore, KeyStoreStatus
from secretsd.ports.storage import Storage

PAUSE_SECONDS = 1.0
LOOKS_A_COUNT = 5
"""Counting rotations walks through all of them, so it is done with every fifth look only."""
LOOKS_WHILE_NONE_IS_LEFT = 60
"""How seldom it is counted what an older root still wraps, once that is nothing."""
LEASE = "health"


@dataclass(slots=True)
class Health:
    """What was seen last. `storage_reason` is empty while the storage answers.

    `storage_failures` counts the calls that the storage has failed. A full or read-only disk still reads, so after a
    failure looking means writing: a lease that is given back at once, for as long as that is what is wrong.
    `rotation_states` counts the rotations of all accounts by state, some seconds ago at most. `left_to_rewrap` counts
    the key versions that an older root still wraps, None where that is not known yet.
    """

    keystore: KeyStore
    storage: Storage
    storage_failures: Callable[[], int] = lambda: 0
    keystore_status: KeyStoreStatus | None = None
    storage_reason: str = ""
    rotation_states: Mapping[RotationState, int] = field(default_factory=dict)
    left_to_rewrap: int | None = None
    _failures_seen: int = 0
    _looks: int = 0
    _counted_for: str = ""

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
        if self._looks % LOOKS_A_COUNT == 0:
            with contextlib.suppress(SecretsdError):  # then the last count stands, and the next look says what is wrong
                self.rotation_states = await self.storage.rotations.states()
                await self._count_rewraps(self.keystore_status)
        self._looks += 1

    async def _count_rewraps(self, status: KeyStoreStatus) -> None:
        """Nothing is walked through while there is one root alone, and seldom while nothing is left."""
        if not status.available:
            return
        if sum(root.destroyed_ms is None for root in status.roots) <= 1:
            self.left_to_rewrap = 0
        elif self.left_to_rewrap or self._looks % LOOKS_WHILE_NONE_IS_LEFT == 0 or status.kek_id != self._counted_for:
            self.left_to_rewrap = await self.storage.keys.count_wrapped_otherwise(status.kek_id)
            self._counted_for = status.kek_id

    async def _write(self) -> None:
        lease = await self.storage.leases.claim(LEASE, PAUSE_SECONDS)
        if lease is not None:  # else another node is writing its own, which is as good a proof
            await self.storage.leases.release(lease)

    @property
    def well(self) -> bool:
        """True while both answer."""
        return not self.storage_reason and self.keystore_status is not None and self.keystore_status.available
