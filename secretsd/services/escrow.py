"""The escrow: replayed before a worker serves, so that no storage that is behind does anything; tidied once a day."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.escrow_replay import (
    ReplayEscrowRequest,
    ReplayEscrowResponse,
    stored_of,
    unheard_of,
    was_erased,
)
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.escrow import CandidateName, EscrowEntry
from secretsd.ports.storage import Fence, Lease, LeaseLost

log = logging.getLogger("secretsd.escrow")
SecretId = tuple[str, str]
LEASE = "escrow"
LEASE_SECONDS = 60.0
PAUSE_SECONDS = 0.05
TIDY_SECONDS = 24 * 3600.0
KEPT_CANDIDATES = 20
KEPT_MS = 30 * 24 * 3600 * 1000
MOST_CANDIDATES = 100
"""A candidate stays for twenty of its secret's next ones and for thirty days, whichever ends later, and for a hundred
next ones at most: only the newest one, and the one before it that was applied, can be what the target is on."""


class EscrowKeeper:
    """One a worker; a lease decides whose turn it is."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._storage = pipeline.parts.storage
        self._escrow = pipeline.parts.escrow

    async def run(self) -> None:
        """Until cancelled: tidy, then pause."""
        while True:
            try:
                await self.ensure()
            except SecretsdError as error:
                log.warning("cannot tidy the escrow now: %s", error.kind.value)
            await asyncio.sleep(TIDY_SECONDS)

    async def replay(self) -> int:
        """Bring back what the storage is behind; how many secrets that were. Waits for another worker that is at it.

        To be awaited before anything is served or rotated: a version that is made first would take a lost one's number.
        An escrow that cannot be read, or a secret that cannot be brought back, is told in the log and holds up nobody.
        Raises StorageUnavailable, KeyStoreUnavailable or LeaseLost, and may then be called again.
        """
        lease = await self._turn()
        try:
            return sum([await self._replayed(of_one, lease) for of_one in await self._behind()])
        finally:
            await self._storage.leases.release(lease)

    async def ensure(self) -> int:
        """Forget what need not be kept any longer, and what was of secrets that are erased; how many entries."""
        lease = await self._storage.leases.claim(LEASE, LEASE_SECONDS)
        if lease is None:
            return 0
        try:
            seen = _Overview()
            await self._escrow.entries(seen.look)
            names = outlived(seen.times_ms, self._pipeline.parts.clock.now_ms())
            erased = {secret for secret, newest in seen.newest.items() if await self._is_erased(newest)}
            names |= {name for name in seen.times_ms if name[:2] in erased}
            return await self._escrow.drop(names)
        finally:
            await self._storage.leases.release(lease)

    async def _turn(self) -> Lease:
        while True:
            lease = await self._storage.leases.claim(LEASE, LEASE_SECONDS)
            if lease is not None:
                return lease
            await asyncio.sleep(PAUSE_SECONDS)  # a worker that is at it gives it back, or dies and leaves it free

    async def _behind(self) -> Sequence[Sequence[EscrowEntry]]:
        """The entries of each secret that the storage is behind. The newest one of a secret tells whether it is."""
        seen, found = _Overview(), dict[SecretId, list[EscrowEntry]]()
        await self._entries(seen.look)
        for secret_id, newest in seen.newest.items():
            secret, rotation = await stored_of(self._storage, newest)
            if unheard_of(secret, rotation, [newest]) and not await self._is_erased(newest):
                found[secret_id] = []
        for entry in await self._entries(lambda entry: entry.name[:2] in found) if found else ():
            found[entry.name[:2]].append(entry)
        return [entries for entries in found.values() if entries]

    async def _entries(self, wanted: Callable[[EscrowEntry], bool]) -> Sequence[EscrowEntry]:
        try:
            return await self._escrow.entries(wanted)
        except StorageUnavailable as error:
            log.critical("%s: what a restored storage may lack is not brought back", error.message)
            return ()

    async def _replayed(self, entries: Sequence[EscrowEntry], lease: Lease) -> bool:
        newest = entries[-1]
        await self._storage.leases.claim(LEASE, LEASE_SECONDS)
        principal = Principal(newest.secret.account, ROTATION_ROLE, "schedule")
        request = ReplayEscrowRequest(name=newest.secret.name, entries=tuple(entries))
        fence = Fence(lease.name, lease.owner, lease.epoch)
        try:
            done = await self._pipeline.run_scheduled(OPERATIONS["ReplayEscrow"], request, principal, fence)
        except (StorageUnavailable, KeyStoreUnavailable, LeaseLost):
            raise
        except SecretsdError as error:
            log.error("cannot bring back secret %s from the escrow: %s", newest.secret.name, error.kind.value)
            return False
        if not isinstance(done, ReplayEscrowResponse) or not done.candidates:
            return False
        log.warning("the storage had not heard of a rotation of secret %s: brought back", newest.secret.name)
        return True

    async def _is_erased(self, entry: EscrowEntry) -> bool:
        secret, _ = await stored_of(self._storage, entry)
        return secret is None and await was_erased(self._storage, entry)


class _Overview:
    """What is to be known of all entries, without holding them: each candidate's last time, each secret's newest."""

    def __init__(self) -> None:
        self.newest: dict[SecretId, EscrowEntry] = {}
        self.times_ms: dict[CandidateName, int] = {}

    def look(self, entry: EscrowEntry) -> bool:
        """Never wanted: it was seen."""
        self.times_ms[entry.name] = entry.time_ms
        known = self.newest.get(entry.name[:2])
        if known is None or entry.version.number >= known.version.number:
            self.newest[entry.name[:2]] = entry
        return False


def outlived(times_ms: Mapping[CandidateName, int], now_ms: int) -> set[CandidateName]:
    """The candidates, of which the times are given, that need not be kept any longer."""
    found: set[CandidateName] = set()
    by_secret: dict[SecretId, list[CandidateName]] = {}
    for name in times_ms:
        by_secret.setdefault(name[:2], []).append(name)
    for names in by_secret.values():
        older = sorted(names, key=lambda name: -times_ms[name])[KEPT_CANDIDATES:]
        found |= {name for name in older if times_ms[name] < now_ms - KEPT_MS}
        found |= set(older[MOST_CANDIDATES - KEPT_CANDIDATES :])
    return found
