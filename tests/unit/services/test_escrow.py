"""The escrow's keeper: whose turn it is, what holds up nobody, and how long a candidate is kept."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.errors import Conflict, NotFound, SecretsdError, StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations.catalogue import catalogue
from secretsd.operations.escrow_replay import ReplayEscrowResponse
from secretsd.operations.events import canonical
from secretsd.ports.escrow import CandidateName, EscrowEntry
from secretsd.ports.storage import EventFilter, Fence, Lease
from secretsd.services.escrow import EscrowKeeper, outlived
from secretsd.testing import samples
from secretsd.testing.escrow_suite import entry
from secretsd.testing.memory_escrow import MemoryEscrow

catalogue()  # declares the operations, as the composition root does before any service runs
DAY_MS = 24 * 3600 * 1000
NOW_MS = 400 * DAY_MS


class MemoryParts:
    """As much of storage and pipeline as the keeper calls. Secrets named in `stored` are at that next number."""

    def __init__(self, **stored: int) -> None:
        self.stored = stored
        self.taken_by_others = 0
        self.errors: dict[str, SecretsdError] = {}
        self.done: list[tuple[str, str, int, Principal, Fence | None]] = []
        self.held = 0
        self.erased: list[str] = []
        self.secrets = self.rotations = self.leases = self.audit = self
        self.escrow = MemoryEscrow()
        self.parts = SimpleNamespace(storage=self, escrow=self.escrow, clock=SimpleNamespace(now_ms=lambda: NOW_MS))

    async def claim(self, name: str, seconds: float, above: int = 0) -> Lease | None:
        if self.taken_by_others:
            self.taken_by_others -= 1
            return None
        self.held = 1
        return Lease(name, "me", 3)

    async def release(self, lease: Lease) -> None:
        self.held = 0

    async def get(self, account: str, name: str) -> Any:
        if name not in self.stored:
            raise NotFound
        return replace(samples.secret(name), next_number=self.stored[name])

    async def lookup(self, wanted: EventFilter, after: bytes | None, limit: int) -> tuple[list[bytes], None]:
        name = (wanted.resource or "").rpartition("/")[2]
        if name not in self.erased or wanted.operation != "EraseSecret":
            return [], None
        gone = ChangedRow("secret_versions", (wanted.account, f"id-of-{name}", "*"), 0, b"")
        who = ((wanted.account,), "role/rotation", "schedule", "schedule")
        return [canonical(AuditEvent(bytes(16), NOW_MS, *who, "EraseSecret", "", "ok", {}, (gone,)))], None

    async def run_scheduled(self, operation: Any, request: Any, principal: Principal, fence: Fence | None) -> Any:
        self.done.append((operation.name, request.name, len(request.entries), principal, fence))
        if request.name in self.errors:
            raise self.errors[request.name]
        return ReplayEscrowResponse(candidates=1)

    def names(self) -> list[str]:
        return [name for _, name, _, _, _ in self.done]


def of(name: str, number: int, time_ms: int = NOW_MS) -> EscrowEntry:
    made = entry(number, f"id-of-{name}")
    return replace(made, time_ms=time_ms, secret=samples.secret(name))


async def kept(parts: MemoryParts, *entries: EscrowEntry) -> EscrowKeeper:
    for one in entries:
        await parts.escrow.keep(one)
    return EscrowKeeper(parts)  # type: ignore[arg-type]  # what it calls, and no more


async def test_only_secrets_that_the_storage_is_behind_are_replayed_each_once() -> None:
    parts = MemoryParts(fine=9, behind=2)
    keeper = await kept(parts, of("fine", 8), of("behind", 1), of("lost", 1), of("behind", 2), of("behind", 3))
    assert await keeper.replay() == 2
    principal, fence = Principal(samples.ACCOUNT, ROTATION_ROLE, "schedule"), Fence("escrow", "me", 3)
    assert parts.done == [
        ("ReplayEscrow", "behind", 3, principal, fence),
        ("ReplayEscrow", "lost", 1, principal, fence),
    ]
    assert not parts.held


async def test_it_waits_until_another_worker_is_done() -> None:
    """A worker that served before would give numbers away that are not free."""
    parts = MemoryParts()
    parts.taken_by_others = 3
    keeper = await kept(parts, of("lost", 1))
    async with asyncio.timeout(10):
        assert await keeper.replay() == 1


async def test_one_that_cannot_come_back_holds_up_none_of_the_others() -> None:
    parts = MemoryParts()
    parts.errors["taken"] = Conflict()
    keeper = await kept(parts, of("taken", 1), of("lost", 1))
    assert await keeper.replay() == 1
    assert parts.names() == ["taken", "lost"]


async def test_a_storage_that_fails_is_told_so_that_nothing_is_served_before() -> None:
    parts = MemoryParts()
    parts.errors["lost"] = StorageUnavailable()
    keeper = await kept(parts, of("lost", 1))
    with pytest.raises(StorageUnavailable):
        await keeper.replay()
    assert not parts.held


async def test_what_was_erased_is_not_replayed_but_forgotten() -> None:
    parts = MemoryParts(fine=9)
    parts.erased = ["gone"]
    keeper = await kept(parts, of("gone", 1), of("fine", 1), of("gone", 2), of("lost", 1))
    assert await keeper.replay() == 1
    assert parts.names() == ["lost"]
    assert await keeper.ensure() == 2
    assert [one.secret.name for one in await parts.escrow.entries()] == ["fine", "lost"]
    assert not parts.held


async def test_tidying_leaves_it_to_whoever_is_at_it() -> None:
    parts = MemoryParts()
    parts.taken_by_others, parts.erased = 1, ["gone"]
    keeper = await kept(parts, of("gone", 1))
    assert await keeper.ensure() == 0
    assert len(await parts.escrow.entries()) == 1


def times(*entries: EscrowEntry) -> dict[CandidateName, int]:
    return {one.name: one.time_ms for one in entries}


def test_a_candidate_stays_for_twenty_newer_ones_and_for_thirty_days() -> None:
    old, month = NOW_MS - 40 * DAY_MS, NOW_MS - 29 * DAY_MS
    many_old = [of("many", number, old + number) for number in range(1, 31)]
    assert outlived(times(*many_old), NOW_MS) == {one.name for one in many_old[:10]}
    assert outlived(times(*many_old[:20]), NOW_MS) == set()
    many_young = [of("many", number, month + number) for number in range(31, 61)]
    assert outlived(times(*many_young), NOW_MS) == set()
    assert outlived(times(*many_old[:15], *many_young), NOW_MS) == {one.name for one in many_old[:15]}


def test_a_hundred_newer_ones_are_enough_however_young_it_is() -> None:
    """Or a rotation a minute would fill the disk within the month."""
    many = [of("many", number, NOW_MS + number) for number in range(1, 131)]
    assert outlived(times(*many), NOW_MS) == {one.name for one in many[:30]}
    assert outlived(times(*many[:100]), NOW_MS) == set()


def test_each_secret_is_counted_by_itself() -> None:
    old = NOW_MS - 40 * DAY_MS
    one = [of("one", number, old + number) for number in range(1, 21)]
    other = [of("other", number, old + number) for number in range(1, 21)]
    assert outlived(times(*one, *other), NOW_MS) == set()


async def test_tidying_drops_what_is_outlived_and_counts_a_candidate_as_of_its_last_time() -> None:
    old = NOW_MS - 40 * DAY_MS
    entries = [of("fine", number, old + number) for number in range(1, 22)]
    parts = MemoryParts(fine=99)
    keeper = await kept(parts, *entries, of("fine", 1, NOW_MS))
    assert await keeper.ensure() == 1
    assert [one.version.number for one in await parts.escrow.entries()] == [1, *range(3, 22), 1]


async def test_an_escrow_that_cannot_be_read_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = MemoryParts()
    keeper = await kept(parts, of("lost", 1))

    async def unreadable(*_: Any) -> Any:
        raise StorageUnavailable("cannot read the escrow")

    monkeypatch.setattr(parts.escrow, "entries", unreadable)
    assert await keeper.replay() == 0
    assert not parts.held
