"""The conformance suite of the storage port: several nodes on the same data, what they hear, and their leases."""
# ruff: noqa: S101 - a suite asserts

import asyncio
import time
from dataclasses import replace

import pytest

from secretsd.domain.errors import StorageUnavailable
from secretsd.ports.storage import DeleteVersions, RecordName, Storage
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, StorageWorld, bench

__all__ = ["NodesSuite", "bench"]


async def heard(storage: Storage, names: list[RecordName], wanted: set[RecordName]) -> None:
    """Wait until a node that looks once a turn has heard of the wanted changes."""
    for _ in range(2_000):
        storage.refresh()
        if wanted <= set(names):
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"never heard of {wanted - set(names)}")


class NodesSuite:
    """What one node commits the others see and hear of; a lease has one holder and no epoch comes twice."""

    async def test_a_change_is_seen_and_heard_by_every_node(self, world: StorageWorld, bench: Bench) -> None:
        other = await world.open()
        here: list[RecordName] = []
        there: list[RecordName] = []
        bench.storage.subscribe(here.extend)
        other.subscribe(there.extend)
        user = samples.user()
        await bench.add(user, samples.secret_version(1, "s"), samples.sealed_value(1, "s"))
        assert await other.accounts.user(samples.ACCOUNT, "ann") == user
        version = (samples.ACCOUNT, "s", "v-1")
        wanted: set[RecordName] = {("users", (samples.ACCOUNT, "ann"))}
        await heard(bench.storage, here, wanted)
        await heard(other, there, wanted)
        assert here.count(("users", (samples.ACCOUNT, "ann"))) == 1, "each change is told once"
        there.clear()
        await Bench(other, world.authenticator).change(
            bench.replace(user, replace(user, policies=(), revision=1)), DeleteVersions(samples.ACCOUNT, "s")
        )
        changed: set[RecordName] = {
            ("users", (samples.ACCOUNT, "ann")),
            ("secret_versions", version),
            ("secret_values", version),
        }
        await heard(other, there, changed)
        here.clear()
        await heard(bench.storage, here, changed)

    async def test_a_position_means_the_same_on_every_node(self, world: StorageWorld, bench: Bench) -> None:
        other = await world.open()
        there: list[RecordName] = []
        other.subscribe(there.extend)
        before = bench.storage.position
        assert bench.storage.changed_since(before) == ()
        await bench.add(samples.user("ann"))
        await bench.add(samples.user("bob"))
        wanted: set[RecordName] = {("users", (samples.ACCOUNT, name)) for name in ("ann", "bob")}
        await heard(other, there, wanted)
        for storage in (bench.storage, other):
            assert set(storage.changed_since(before) or ()) == wanted
            assert storage.changed_since(other.position) == ()
        assert other.position != before
        assert other.position.isascii()
        assert len(other.position) <= 100

    async def test_a_position_is_what_subscribers_were_told(self, world: StorageWorld, bench: Bench) -> None:
        """Who was told of nothing yet has not got far: what is read after a position may be newer, never older."""
        other = await world.open()
        before = other.position
        await bench.add(samples.user())
        assert other.position == before
        assert other.changed_since(before) == [("users", (samples.ACCOUNT, "ann"))]

    @pytest.mark.parametrize("wrong", ["", "7", "..", "another.1.0", "{here}9999", "-{here}", "{here}x"])
    async def test_what_is_no_position_of_ours_tells_nothing(self, bench: Bench, wrong: str) -> None:
        assert bench.storage.changed_since(wrong.format(here=bench.storage.position)) is None

    async def test_events_of_reads_wake_nobody(self, bench: Bench) -> None:
        told: list[object] = []
        bench.storage.refresh()
        await asyncio.sleep(0)
        bench.storage.subscribe(told.append)
        for _ in range(5):
            await bench.storage.audit.record(samples.event())
            bench.storage.refresh()
        assert told == []

    async def test_a_lease_has_one_holder(self, world: StorageWorld, bench: Bench) -> None:
        first, second = bench.storage.leases, (await world.open()).leases
        held = await first.claim("rotations", 60)
        assert held is not None
        assert await second.claim("rotations", 60) is None
        assert await first.claim("rotations", 60) == held, "one's own lease is prolonged under its epoch"
        other = await second.claim("checkpoints", 60)
        assert other is not None
        assert other.owner != held.owner
        await first.release(held)
        taken = await second.claim("rotations", 60)
        assert taken is not None
        assert (taken.owner, taken.epoch) == (other.owner, held.epoch + 1)
        await first.release(held)
        assert await first.claim("rotations", 60) is None, "a lease that was lost cannot be given back again"

    async def test_a_new_epoch_can_be_asked_to_be_above_another(self, world: StorageWorld, bench: Bench) -> None:
        """A storage restored from a backup has forgotten epochs that targets may have seen."""
        first, second = bench.storage.leases, (await world.open()).leases
        held = await first.claim("rotations", 60, 41)
        assert held is not None
        assert held.epoch == 42
        prolonged = await first.claim("rotations", 60, 99)
        assert prolonged is not None
        assert prolonged.epoch == 42, "one's own lease keeps its epoch"
        await first.release(held)
        for above, epoch in ((7, 43), (99, 100)):
            taken = await second.claim("rotations", 60, above)
            assert taken is not None
            assert taken.epoch == epoch
            await second.release(taken)
            second, first = first, second

    async def test_one_of_many_gets_a_free_lease(self, world: StorageWorld) -> None:
        nodes = [await world.open() for _ in range(4)]
        claims = await asyncio.gather(*(node.leases.claim("one", 60) for node in nodes))
        assert sum(claim is not None for claim in claims) == 1

    async def test_a_lease_ends_with_its_time(self, world: StorageWorld, bench: Bench) -> None:
        other = await world.open()
        lease = await bench.storage.leases.claim("short", 0.3)
        assert lease is not None
        deadline = time.monotonic() + 20
        while (taken := await other.leases.claim("short", 60)) is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert taken.epoch == lease.epoch + 1
        assert await bench.storage.leases.claim("short", 60) is None

    async def test_a_lease_ends_with_its_owner(self, world: StorageWorld, bench: Bench) -> None:
        other = await world.open()
        lease = await other.leases.claim("orphan", 3600)
        assert lease is not None
        assert await bench.storage.leases.claim("orphan", 60) is None
        await other.close()
        taken = await bench.storage.leases.claim("orphan", 60)
        assert taken is not None
        assert taken.epoch == lease.epoch + 1

    async def test_closing_finishes_what_was_queued(self, world: StorageWorld, bench: Bench) -> None:
        storage = bench.storage
        event = storage.audit.record(samples.event("Late"))
        writes = [asyncio.ensure_future(bench.add(samples.user(f"u{number}"))) for number in range(30)]
        await asyncio.sleep(0)
        await storage.close()
        await asyncio.gather(event, *writes)
        again = Bench(await world.open(), world.authenticator)
        assert len(await again.storage.accounts.users(samples.ACCOUNT, "", 99)) == 30
        assert len(await again.events()) == 31
        for refused in (storage.audit.record(samples.event()), bench.add(samples.user("x"))):
            with pytest.raises(StorageUnavailable):
                await refused
        with pytest.raises(StorageUnavailable):
            await storage.accounts.get(samples.ACCOUNT)

    async def test_migrating_again_changes_nothing(self, bench: Bench) -> None:
        await bench.add(samples.account())
        await bench.storage.migrate()
        assert await bench.storage.accounts.get(samples.ACCOUNT) == samples.account()
