"""The conformance suite of the storage port: how much an account has of what has a quota, and units that stay within.

What is counted is what is there: after additions, deletions, units that failed, and keys that are destroyed.
"""
# ruff: noqa: S101 - a suite asserts

import asyncio
from dataclasses import replace

import pytest

from secretsd.domain.errors import AlreadyExists, LimitExceeded
from secretsd.domain.keys import KeyState
from secretsd.domain.records import Record
from secretsd.ports.storage import Add, Delete, Within
from secretsd.testing import access_samples, samples
from secretsd.testing.storage_bench import Bench, bench

__all__ = ["QuotaSuite", "bench"]


class QuotaSuite:
    """Counts are exact, each account's own, and looked at inside the unit that they bound."""

    async def test_what_is_there_is_counted_for_each_account(self, bench: Bench) -> None:
        held = bench.storage.accounts.held
        assert await held(samples.ACCOUNT, "users") == 0
        people = [samples.user("ann"), samples.user("bob"), samples.user("out", samples.OTHER_ACCOUNT)]
        await bench.add(*people, samples.secret(), samples.token(), samples.cmk())
        assert [await held(samples.ACCOUNT, table) for table in ("users", "secrets", "tokens", "keys")] == [2, 1, 1, 1]
        assert [await held(samples.OTHER_ACCOUNT, table) for table in ("users", "secrets")] == [1, 0]
        await bench.change(Delete(people[0]))
        await bench.change(Delete(samples.secret()), Delete(samples.token()))
        assert [await held(samples.ACCOUNT, table) for table in ("users", "secrets", "tokens", "keys")] == [1, 0, 0, 1]

    async def test_so_is_what_stands_beside_users(self, bench: Bench) -> None:
        tables = ("groups", "roles", "policies", "bindings")
        records: list[Record] = [access_samples.group(), access_samples.role(), samples.policy(), samples.binding()]
        await bench.add(*records)
        assert [await bench.storage.accounts.held(samples.ACCOUNT, table) for table in tables] == [1, 1, 1, 1]
        await bench.change(*map(Delete, records))
        assert [await bench.storage.accounts.held(samples.ACCOUNT, table) for table in tables] == [0, 0, 0, 0]

    async def test_a_destroyed_key_counts_no_more(self, bench: Bench) -> None:
        before = samples.cmk()
        await bench.add(before)
        dying = replace(before, state=KeyState.PENDING_DELETION, revision=before.revision + 1)
        await bench.change(bench.replace(before, dying))
        assert await bench.storage.accounts.held(samples.ACCOUNT, "keys") == 1
        dead = replace(dying, state=KeyState.DESTROYED, revision=dying.revision + 1)
        await bench.change(bench.replace(dying, dead))
        assert await bench.storage.accounts.held(samples.ACCOUNT, "keys") == 0

    async def test_a_unit_past_the_quota_leaves_nothing(self, bench: Bench) -> None:
        await bench.add(samples.user("ann"))
        two = Within("users", samples.ACCOUNT, 2)
        with pytest.raises(LimitExceeded, match=r"cannot go past the limit: an account has 2 users at most"):
            await bench.change(*self._added(bench, samples.user("bob"), samples.user("eve")), two)
        assert await bench.storage.accounts.held(samples.ACCOUNT, "users") == 1
        assert [one.name for one in await bench.storage.accounts.users(samples.ACCOUNT, "", 10)] == ["ann"]
        await bench.change(*self._added(bench, samples.user("bob")), two)
        with pytest.raises(LimitExceeded):
            await bench.change(*self._added(bench, samples.user("eve")), two)
        await bench.change(*self._added(bench, samples.user("eve", samples.OTHER_ACCOUNT)), two)
        assert await bench.storage.accounts.held(samples.ACCOUNT, "users") == 2

    async def test_a_unit_that_failed_is_not_counted(self, bench: Bench) -> None:
        await bench.add(samples.user("ann"))
        with pytest.raises(AlreadyExists):
            await bench.change(*self._added(bench, samples.user("bob"), samples.user("ann")))
        assert await bench.storage.accounts.held(samples.ACCOUNT, "users") == 1

    async def test_of_many_at_once_as_many_get_through_as_fit(self, bench: Bench) -> None:
        """Nothing lies between looking and adding, so the quota is exact whoever races for it."""
        five = Within("users", samples.ACCOUNT, 5)
        asked = [bench.change(*self._added(bench, samples.user(f"u{number:02}")), five) for number in range(20)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(outcome, LimitExceeded) for outcome in outcomes) == 15
        assert len(await bench.storage.accounts.users(samples.ACCOUNT, "", 100)) == 5

    def _added(self, bench: Bench, *records: Record) -> list[Add]:
        return [Add(record, bench.mac(record)) for record in records]
