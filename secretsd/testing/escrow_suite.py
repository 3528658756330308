"""The conformance suite of the escrow port: every adapter and every fake passes it.

class TestMine(EscrowSuite):
    @pytest.fixture
    def world(self): ...
"""

# ruff: noqa: S101 - a suite asserts

import asyncio
from dataclasses import replace
from typing import Protocol

import pytest

from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.rotation import MachineKind, RotationState
from secretsd.domain.schedule import Schedule, Window
from secretsd.domain.secrets import MAX_VALUE_BYTES, Barrier, DataType
from secretsd.ports.escrow import Escrow, EscrowEntry
from secretsd.testing import samples


class EscrowWorld(Protocol):
    """One escrow, and a hand on the disk below it."""

    def open(self) -> Escrow:
        """The escrow as another node has it."""
        ...

    def fail(self) -> None:
        """From now on nothing can be written."""
        ...


def entry(number: int = 1, secret_id: str = "id-of-prod/db/app", size: int = 64, epoch: int = 7) -> EscrowEntry:
    """The candidate `v-<number>` of a secret, complete in every field."""
    schedule = Schedule(every_seconds=3600, time_zone="Europe/Berlin", windows=(Window(("sat",), "02:00", 180),))
    rotation = replace(
        samples.rotation(secret_id, state=RotationState.APPLYING),
        schedule=schedule,
        machine=MachineKind.SINGLE_USER,
        target="db-1",
        logins=("app_a",),
        pending_version=f"v-{number}",
        kept={"v-0": "bm90ZQ=="},
        revision=number,
    )
    secret = replace(samples.secret(identifier=secret_id), next_number=number + 1, barrier=Barrier.HOLD, pinned=True)
    version = replace(samples.secret_version(number, secret_id), data_type=DataType.BINARY)
    return EscrowEntry(1_000 + number, epoch, secret, rotation, version, samples.sealed_value(number, secret_id, size))


class EscrowSuite:
    """Inherit, and give a `world` fixture."""

    async def test_an_escrow_that_nobody_wrote_to_is_empty(self, world: EscrowWorld) -> None:
        """Also where its place does not exist yet."""
        escrow = world.open()
        assert list(await escrow.entries()) == []
        assert await escrow.drop([entry().name]) == 0

    async def test_what_was_kept_is_there_whole_and_in_order(self, world: EscrowWorld) -> None:
        """Every field of every record, also to another node."""
        kept = [entry(1), entry(2, "id-of-other"), entry(3), entry(3), entry(2)]
        escrow = world.open()
        for one in kept:
            await escrow.keep(one)
        assert list(await escrow.entries()) == kept
        assert list(await world.open().entries()) == kept

    async def test_only_what_is_wanted_is_returned_and_all_is_seen_in_order(self, world: EscrowWorld) -> None:
        """So that whoever looks for a few need not hold them all."""
        escrow, seen = world.open(), list[int]()
        for number in range(1, 6):
            await escrow.keep(entry(number))

        def wanted(one: EscrowEntry) -> bool:
            seen.append(one.version.number)
            return one.version.number % 2 == 0

        assert [one.version.number for one in await escrow.entries(wanted)] == [2, 4]
        assert seen == [1, 2, 3, 4, 5]

    async def test_the_largest_value_fits(self, world: EscrowWorld) -> None:
        """With what sealing adds."""
        escrow = world.open()
        await escrow.keep(entry(size=MAX_VALUE_BYTES + 1024))
        await escrow.keep(entry(2))
        assert [len(one.sealed.value) for one in await escrow.entries()] == [MAX_VALUE_BYTES + 1024, 64]

    async def test_several_nodes_keep_at_once_and_lose_nothing(self, world: EscrowWorld) -> None:
        """Each one's own entries stay in their order."""
        nodes = [world.open() for _ in range(4)]

        async def work(escrow: Escrow, secret_id: str) -> None:
            for number in range(1, 26):
                await escrow.keep(entry(number, secret_id, size=3000))

        await asyncio.gather(*(work(escrow, f"id-{at}") for at, escrow in enumerate(nodes)))
        found = await world.open().entries()
        for at in range(4):
            assert [one.version.number for one in found if one.secret.id == f"id-{at}"] == list(range(1, 26))

    async def test_what_is_dropped_is_gone_for_all_and_the_rest_stays(self, world: EscrowWorld) -> None:
        """All entries of a candidate go; the same version id of another secret is another candidate."""
        escrow, other = world.open(), world.open()
        for one in (entry(1), entry(2), entry(1), entry(1, "id-of-other"), entry(3)):
            await escrow.keep(one)
        assert await escrow.drop([entry(1).name, entry(9).name]) == 2
        assert await escrow.drop([]) == 0
        left = [("id-of-prod/db/app", "v-2"), ("id-of-other", "v-1"), ("id-of-prod/db/app", "v-3")]
        assert [one.name[1:] for one in await other.entries()] == left
        await other.keep(entry(4))
        assert [one.name[1:] for one in await escrow.entries()] == [*left, ("id-of-prod/db/app", "v-4")]

    async def test_what_is_replaced_stands_where_the_old_one_stood(self, world: EscrowWorld) -> None:
        """Only what is still there as it was: one that was begun again meanwhile is an entry of its own."""
        escrow, other = world.open(), world.open()
        for one in (entry(1), entry(2), entry(1, epoch=8)):
            await escrow.keep(one)
        anew = replace(
            entry(1), version=replace(entry(1).version, key_version=2), sealed=samples.sealed_value(1, size=9)
        )
        assert await escrow.replace([(entry(1), anew), (entry(3), entry(4))]) == 1
        assert await escrow.replace([]) == 0
        assert list(await other.entries()) == [anew, entry(2), entry(1, epoch=8)]

    async def test_what_is_kept_while_another_node_drops_is_not_lost(self, world: EscrowWorld) -> None:
        """A node that waited for its turn must not write into what was thrown away meanwhile."""
        keeping, dropping = world.open(), world.open()

        async def drop_again_and_again() -> None:
            for number in range(1, 41):
                await dropping.keep(entry(number, "id-of-old", size=2000))
                await dropping.drop([entry(number, "id-of-old").name])

        async def keep() -> None:
            for number in range(1, 81):
                await keeping.keep(entry(number))

        await asyncio.gather(drop_again_and_again(), keep())
        assert [one.version.number for one in await world.open().entries()] == list(range(1, 81))

    async def test_a_failure_is_told_so_that_no_effect_follows(self, world: EscrowWorld) -> None:
        """And what was kept before is still there."""
        escrow = world.open()
        await escrow.keep(entry(1))
        world.fail()
        with pytest.raises(StorageUnavailable, match="cannot write to the escrow"):
            await escrow.keep(entry(2))
        assert [one.version.number for one in await escrow.entries()] == [1]
