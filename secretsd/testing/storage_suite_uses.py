"""The conformance suite of the storage port: when proofs were used last."""
# ruff: noqa: S101 - a suite asserts

import asyncio

import pytest

from secretsd.domain.errors import StorageUnavailable
from secretsd.ports.storage import ProofUse
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, bench

__all__ = ["UsesSuite", "bench"]


def use(proof: str, time_ms: int, source: str = "tcp:192.0.2.1:7", until_ms: int = 1 << 50) -> ProofUse:
    """A use of a proof."""
    return ProofUse(proof, samples.ACCOUNT, time_ms, source, "Encrypt", until_ms)


class UsesSuite:
    """The latest use of each proof is found again, whichever node tells of it, for as long as it is to be kept."""

    async def test_the_latest_stays(self, bench: Bench) -> None:
        trail = bench.storage.audit
        await trail.note_uses([use("token/1", 2_000), use("token/2", 1_000)])
        await trail.note_uses([use("token/1", 1_999, "late"), use("token/2", 1_000, "again")])
        found = {one.proof: one for one in await trail.uses(["token/2", "token/1", "token/3"])}
        assert found == {"token/1": use("token/1", 2_000), "token/2": use("token/2", 1_000, "again")}

    async def test_nothing_is_nothing(self, bench: Bench) -> None:
        await bench.storage.audit.note_uses([])
        assert list(await bench.storage.audit.uses([])) == []

    async def test_what_need_not_be_kept_goes(self, bench: Bench) -> None:
        trail = bench.storage.audit
        await trail.note_uses([use("session/1", 1_000, until_ms=1_500), use("session/2", 1_000, until_ms=1_501)])
        await trail.note_uses([use("token/1", 1_501)])
        found = await trail.uses(["session/1", "session/2", "token/1"])
        assert {one.proof for one in found} == {"session/2", "token/1"}

    async def test_many_at_once_beside_events(self, bench: Bench) -> None:
        trail = bench.storage.audit
        uses = [use(f"token/{number}", number) for number in range(1_001)]
        events = [samples.event(time_ms=number) for number in range(200)]
        await asyncio.gather(trail.note_uses(uses), *map(trail.record, events), trail.note_uses(uses[:10]))
        assert len(await trail.uses([one.proof for one in uses])) == len(uses)
        assert len(await bench.events()) == len(events)

    async def test_they_wake_nobody(self, bench: Bench) -> None:
        told: list[object] = []
        bench.storage.subscribe(told.append)
        before = bench.storage.position
        await bench.storage.audit.note_uses([use("token/1", 1)])
        bench.storage.refresh()
        assert (told, bench.storage.position) == ([], before)

    async def test_after_the_end_it_says_so(self, bench: Bench) -> None:
        await bench.storage.close()
        with pytest.raises(StorageUnavailable):
            await bench.storage.audit.note_uses([use("token/1", 1)])
