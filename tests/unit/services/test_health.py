"""Health tells what is wrong while it is wrong, and stops when it is not."""

from dataclasses import replace

from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.root_keys import RootKey
from secretsd.domain.rotation import RotationState
from secretsd.ports.keystore import KeyStoreStatus
from secretsd.ports.storage import Lease
from secretsd.services.health import LOOKS_A_COUNT, LOOKS_WHILE_NONE_IS_LEFT, Health

FULL = "cannot use the storage: the disk is full"


class MemoryKeyStore:
    available = True
    roots: tuple[RootKey, ...] = (RootKey("one", 1, 0),)

    async def status(self) -> KeyStoreStatus:
        return KeyStoreStatus(self.available, "", "", self.roots[-1].kek_id, 0, 0, {}, roots=self.roots)


class MemoryStorage:
    """Reads or writes, or does not. It is its own `rotations`, `keys` and `leases`."""

    def __init__(self) -> None:
        self.reads = self.writes = True
        self.held: list[str] = []
        self.written = self.counted = 0
        self.under_older_roots = self.walks = 0
        self.rotations = self.keys = self.leases = self

    async def next_due_ms(self) -> int | None:
        if not self.reads:
            raise StorageUnavailable(FULL)
        return None

    async def states(self) -> dict[RotationState, int]:
        if not self.reads:
            raise StorageUnavailable(FULL)
        self.counted += 1
        return {RotationState.QUARANTINED: self.counted}

    async def count_wrapped_otherwise(self, kek_id: str) -> int:
        self.walks += 1
        return self.under_older_roots

    async def claim(self, name: str, seconds: float) -> Lease | None:
        if not self.writes:
            raise StorageUnavailable(FULL)
        self.written += 1
        self.held.append(name)
        return Lease(name, "me", 1)

    async def release(self, lease: Lease) -> None:
        self.held.remove(lease.name)


def parts() -> tuple[MemoryKeyStore, MemoryStorage, list[int], Health]:
    keystore, storage, failures = MemoryKeyStore(), MemoryStorage(), [0]
    health = Health(keystore, storage, lambda: failures[0])  # type: ignore[arg-type]  # what it calls, and no more
    return keystore, storage, failures, health


async def test_nothing_is_known_before_the_first_look() -> None:
    _, _, _, health = parts()
    assert not health.well
    assert health.left_to_rewrap is None


async def test_all_well_costs_no_write() -> None:
    _, storage, _, health = parts()
    for _ in range(3):
        await health.ensure()
    assert health.well
    assert storage.written == 0


async def test_a_key_store_that_is_away() -> None:
    keystore, _, _, health = parts()
    keystore.available = False
    await health.ensure()
    assert not health.well
    keystore.available = True
    await health.ensure()
    assert health.well


async def test_a_storage_that_cannot_be_read() -> None:
    _, storage, _, health = parts()
    storage.reads = False
    await health.ensure()
    assert health.storage_reason == FULL


async def test_a_storage_that_reads_and_does_not_write() -> None:
    """It is found out by the first call that fails, told until a write succeeds, and nothing is left behind."""
    _, storage, failures, health = parts()
    storage.writes = False
    await health.ensure()
    assert health.well
    failures[0] += 1
    for _ in range(3):
        await health.ensure()
        assert health.storage_reason == FULL
    storage.writes = True
    await health.ensure()
    assert health.well
    assert storage.held == []


async def test_calls_that_fail_while_a_write_succeeds_are_told_for_one_look() -> None:
    _, _, failures, health = parts()
    failures[0] += 1
    await health.ensure()
    assert "some failed" in health.storage_reason
    await health.ensure()
    assert health.well


async def test_rotations_are_counted_at_once_and_then_now_and_then() -> None:
    _, storage, _, health = parts()
    await health.ensure()
    assert health.rotation_states == {RotationState.QUARANTINED: 1}
    for _ in range(LOOKS_A_COUNT):
        await health.ensure()
    assert storage.counted == 2


async def test_the_last_count_stands_while_the_storage_cannot_be_read() -> None:
    _, storage, _, health = parts()
    await health.ensure()
    storage.reads = False
    for _ in range(LOOKS_A_COUNT):
        await health.ensure()
    assert health.rotation_states == {RotationState.QUARANTINED: 1}
    assert health.storage_reason == FULL


async def looked(health: Health, times: int) -> None:
    for _ in range(times):
        await health.ensure()


async def test_with_one_root_nobody_walks_through_the_keys() -> None:
    keystore, storage, _, health = parts()

    await looked(health, 3 * LOOKS_A_COUNT)
    assert (health.left_to_rewrap, storage.walks) == (0, 0)
    keystore.roots = (replace(keystore.roots[0], destroyed_ms=1), RootKey("two", 2, 0))
    await looked(health, 3 * LOOKS_A_COUNT)
    assert (health.left_to_rewrap, storage.walks) == (0, 0)


async def test_what_an_older_root_wraps_is_counted_often_while_there_is_any_and_then_seldom() -> None:
    keystore, storage, _, health = parts()
    await looked(health, LOOKS_WHILE_NONE_IS_LEFT - LOOKS_A_COUNT)
    keystore.roots, storage.under_older_roots = (*keystore.roots, RootKey("two", 2, 0)), 7
    await looked(health, LOOKS_A_COUNT)
    assert (health.left_to_rewrap, storage.walks) == (7, 1)
    storage.under_older_roots = 3
    await looked(health, LOOKS_A_COUNT)
    assert (health.left_to_rewrap, storage.walks) == (3, 2)
    storage.under_older_roots = 0
    await looked(health, LOOKS_WHILE_NONE_IS_LEFT)
    assert (health.left_to_rewrap, storage.walks) == (0, 4)
    keystore.available = False
    await looked(health, LOOKS_WHILE_NONE_IS_LEFT)
    assert (health.left_to_rewrap, storage.walks) == (0, 4)
