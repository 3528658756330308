"""The conformance suite of the storage port: re-encryptions, what key versions guard, units that rest on a record."""
# ruff: noqa: S101 - a suite asserts

from dataclasses import replace

import pytest

from secretsd.domain.errors import AlreadyExists, NotFound
from secretsd.domain.records import TamperedRecord
from secretsd.domain.reencryption import Place, ReEncryptionState
from secretsd.ports.storage import Delete, StaleRecord, Unchanged
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, StorageWorld, bench

__all__ = ["ReencryptionSuite", "bench"]
HERE, ELSEWHERE = samples.ACCOUNT, samples.OTHER_ACCOUNT


class ReencryptionSuite:
    """A re-encryption is found by its key and when it is due; a unit that rests on a record commits with it or not."""

    async def test_one_a_key(self, bench: Bench) -> None:
        job = replace(
            samples.reencryption(),
            state=ReEncryptionState.INCOMPLETE,
            place=Place.ESCROW,
            after="id-of-prod/db/app",
            after_version="v-1",
            at_version=3,
            next_due_ms=None,
            finished_ms=9,
        )
        await bench.add(job)
        assert await bench.storage.keys.reencryption(HERE, samples.KEY_ID) == job
        for account, key_id in ((ELSEWHERE, samples.KEY_ID), (HERE, "another")):
            with pytest.raises(NotFound, match="cannot find a re-encryption of what is under key"):
                await bench.storage.keys.reencryption(account, key_id)
        with pytest.raises(AlreadyExists):
            await bench.add(job)

    async def test_what_is_due(self, bench: Bench) -> None:
        for key_id, due_ms in {"later": 31, "now": 30, "first": 10, "never": None}.items():
            await bench.add(replace(samples.reencryption(), key_id=key_id, next_due_ms=due_ms))
        await bench.add(replace(samples.reencryption(), account=ELSEWHERE, key_id="theirs", next_due_ms=20))
        keys = bench.storage.keys
        assert [job.key_id for job in await keys.reencryptions_due(30, 9)] == ["first", "theirs", "now"]
        assert [job.key_id for job in await keys.reencryptions_due(30, 1)] == ["first"]
        assert await keys.reencryptions_due(9, 9) == []

    async def test_an_edited_one_is_refused(self, world: StorageWorld, bench: Bench) -> None:
        await bench.add(samples.reencryption())
        await world.edit("reencryptions", "state", "done")
        with pytest.raises(TamperedRecord):
            await (await world.open()).keys.reencryption(HERE, samples.KEY_ID)

    async def test_guards_are_counted_below_a_version(self, bench: Bench) -> None:
        made = samples.secret_version()
        for number, (key_id, key_version, account) in enumerate(
            [("k", 1, HERE), ("k", 1, HERE), ("k", 2, HERE), ("k", 3, HERE), ("other", 1, HERE), ("k", 1, ELSEWHERE)]
        ):
            name = f"s-{number}"
            await bench.add(replace(made, account=account, secret_id=name, key_id=key_id, key_version=key_version))
        counts = [await bench.storage.keys.guard_count("k", below) for below in (1, 2, 3, 4, 99)]
        assert counts == [0, 3, 4, 5, 5]

    async def test_a_unit_rests_on_a_record(self, bench: Bench) -> None:
        """All of it or nothing, like any other change; the record itself stays as it is, and nobody is told of it."""
        first = samples.cmk()
        await bench.add(first)
        await bench.change(Unchanged(first), bench.replace(first, replace(first, revision=1)))
        told: list[object] = []
        bench.storage.refresh()
        bench.storage.subscribe(told.extend)
        second = await bench.storage.keys.get(HERE, first.id)
        await bench.change(Unchanged(second))
        bench.storage.refresh()
        assert told == []
        for stale in (first, replace(second, id="away")):
            with pytest.raises(StaleRecord, match="a record of keys was changed since it was read"):
                await bench.change(Unchanged(stale), *([bench.replace(second, replace(second, revision=2))]))
        assert await bench.storage.keys.get(HERE, first.id) == second
        await bench.change(Delete(second))
        with pytest.raises(StaleRecord):
            await bench.change(Unchanged(second))
