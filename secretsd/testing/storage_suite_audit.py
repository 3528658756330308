"""The conformance suite of the storage port: the audit trail, from both sides."""
# ruff: noqa: S101 - a suite asserts

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.audit import AuditRecord
from secretsd.ports.storage import EventFilter, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, bench

__all__ = ["AuditSuite", "bench"]


class AuditSuite:
    """Each event is kept once, in its final bytes, and found by those whom it concerns, and by nobody else."""

    async def test_events_of_changes_and_reads_come_in_order_and_once(self, bench: Bench) -> None:
        change = samples.event("Change", time_ms=2_000)
        early, late = (samples.event(time_ms=moment) for moment in (1_000, 3_000))
        for read in (late, early, late):
            await bench.storage.audit.record(read)
        await bench.storage.commit(UnitOfWork((), change))
        await bench.storage.commit(UnitOfWork((), change))
        await bench.storage.audit.record(change)
        assert await bench.events() == [early.data, change.data, late.data]

    async def test_an_event_is_there_once_its_future_is_done(self, bench: Bench) -> None:
        records = [samples.event(time_ms=number) for number in range(500)]
        futures = [bench.storage.audit.record(record) for record in records]
        assert not any(future.done() for future in futures), "nothing is committed within the call"
        await asyncio.gather(*futures)
        assert await bench.events() == [record.data for record in records]

    async def test_whoever_stops_waiting_leaves_the_event(self, bench: Bench) -> None:
        record = samples.event()
        future = bench.storage.audit.record(record)
        future.cancel()
        await bench.storage.audit.record(samples.event())
        assert record.data in await bench.events()

    async def test_every_account_concerned_finds_the_event(self, bench: Bench) -> None:
        third = "100000000003"
        shared = samples.event("Change", time_ms=1, accounts=(samples.ACCOUNT, samples.OTHER_ACCOUNT))
        read = samples.event("Decrypt", time_ms=2, accounts=(samples.OTHER_ACCOUNT, samples.ACCOUNT))
        own = samples.event(time_ms=3)
        await bench.storage.commit(UnitOfWork((), shared))
        await asyncio.gather(bench.storage.audit.record(read), bench.storage.audit.record(own))
        assert await bench.events() == [shared.data, read.data, own.data]
        assert await bench.events(samples.OTHER_ACCOUNT) == [shared.data, read.data]
        assert await bench.events(third) == []

    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            ({}, [0, 1, 2, 3, 4, 5]),
            ({"from_ms": 1_002}, [2, 3, 4, 5]),
            ({"to_ms": 1_002}, [0, 1, 2]),
            ({"from_ms": 1_001, "to_ms": 1_003}, [1, 2, 3]),
            ({"from_ms": 1_003, "to_ms": 1_002}, []),
            ({"from_ms": -5, "to_ms": 1 << 60}, [0, 1, 2, 3, 4, 5]),
            ({"from_ms": 1 << 60}, []),
            ({"to_ms": -1}, []),
            ({"principal": "user/ann"}, [0, 1, 2]),
            ({"operation": "Delete"}, [1, 4]),
            ({"principal": "user/ann", "operation": "Delete"}, [1]),
            ({"resource": "secret/a"}, [0, 3]),
            ({"resource": "secret/*"}, [0, 1, 3, 4]),
            ({"resource": "*"}, [0, 1, 2, 3, 4, 5]),
            ({"resource": "secret/a*"}, [0, 1, 3, 4]),
            ({"resource": "secret"}, []),
            ({"resource": "SECRET/*"}, []),
            ({"resource": "%"}, []),
        ],
    )
    async def test_events_are_looked_up_by_all_conditions_together(
        self, bench: Bench, conditions: dict[str, Any], expected: list[int]
    ) -> None:
        records = [
            samples.event(operation, time_ms=1_000 + at, principal=f"user/{who}", resource=resource)
            for at, (who, operation, resource) in enumerate(
                (who, *what)
                for who in ("ann", "bob")
                for what in (("Get", "secret/a"), ("Delete", "secret/ab"), ("Get", "key/a"))
            )
        ]
        await self._spread(bench, records)
        found, after = await bench.storage.audit.lookup(EventFilter(samples.ACCOUNT, **conditions), None, 99)
        assert (list(found), after) == ([records[at].data for at in expected], None)

    async def test_an_event_is_found_by_its_request(self, bench: Bench) -> None:
        records = [samples.event(time_ms=number) for number in range(6)]
        await self._spread(bench, records)
        for at in (0, 3):
            wanted = EventFilter(samples.ACCOUNT, request_id=records[at].event.id)
            assert await bench.storage.audit.lookup(wanted, None, 9) == ([records[at].data], None)
            assert await bench.storage.audit.lookup(replace(wanted, from_ms=5), None, 9) == ([], None)
        other = EventFilter(samples.OTHER_ACCOUNT, request_id=records[0].event.id)
        assert await bench.storage.audit.lookup(other, None, 9) == ([], None)

    @pytest.mark.parametrize("limit", [1, 3, 24, 25, 26])
    async def test_pages_join_without_gap_or_repetition(self, bench: Bench, limit: int) -> None:
        both = (samples.ACCOUNT, samples.OTHER_ACCOUNT)
        records = [
            samples.event(time_ms=number // 3, accounts=both if number % 2 else both[::-1]) for number in range(25)
        ]
        await self._spread(bench, records)
        found: list[bytes] = []
        after, pages = None, 0
        while pages == 0 or after is not None:
            page, after = await bench.storage.audit.lookup(EventFilter(samples.ACCOUNT), after, limit)
            assert len(page) <= limit
            found += page
            pages += 1
            assert pages <= 30
        assert found == [record.data for record in records]

    async def _spread(self, bench: Bench, records: list[AuditRecord]) -> None:
        """Store every third event as a change's, the others as reads', the last ones first."""
        for at, record in reversed(list(enumerate(records))):
            if at % 3:
                await bench.storage.audit.record(record)
            else:
                await bench.storage.commit(UnitOfWork((), record))
