"""Several processes use the same files: nobody's work is lost or half there, and a killed one holds up nobody."""

import random
from collections import Counter
from pathlib import Path

import pytest

from secretsd.adapters.sqlite import SqliteStorage
from secretsd.ports.storage import EventFilter
from secretsd.testing import samples
from secretsd.testing.storage import temporary_storage
from secretsd.testing.storage_bench import Bench
from tests.integration.storage.conftest import Workers

ROUNDS = 12


async def resources(storage: SqliteStorage, operation: str) -> Counter[str]:
    """How often each resource has an event of an operation."""
    found: Counter[str] = Counter()
    after = None
    while True:
        wanted = EventFilter(samples.ACCOUNT, operation=operation)
        page, after = await storage.audit.lookup(wanted, after, 10_000)
        found.update(page_item.decode().split(" ", 3)[3] for page_item in page)
        if after is None:
            return found


@pytest.mark.parametrize("seed", [20_261, 20_262])
async def test_kill_9_loses_and_halves_nothing(tmp_path: Path, workers: Workers, seed: int) -> None:
    """Two writers a round, each killed after a random number of words: 48 kills in all."""
    chance = random.Random(seed)
    path, checked = tmp_path / "state", 0
    for turn in range(ROUNDS):
        names = [f"{turn}a", f"{turn}b"]
        workers.said.clear()
        for name in names:
            workers.start(path, name, "write")
        for name in names:
            await workers.hear_more(chance.randint(5, 400))
            await workers.kill(name)
        await workers.drain()
        async with temporary_storage(path) as storage:
            checked += await check(storage, workers.said, [f"{name}/" for name in names])
    assert checked > ROUNDS


async def check(storage: SqliteStorage, said: list[list[str]], prefixes: list[str]) -> int:
    """Compare what is there with what was said; the number of writes that were compared."""
    there = [
        secret.name
        for prefix in prefixes
        for secret in await storage.secrets.page(samples.ACCOUNT, prefix, {}, "", 100_000, True)
    ]
    created = await resources(storage, "CreateSecret")
    assert {words[1] for words in said if words[0] == "created"} <= set(there), "an answered write is lost"
    assert {name: created[name] for name in there} == dict.fromkeys(there, 1), "a write is without its one event"
    ours = [name for name in created if any(name.startswith(prefix) for prefix in prefixes)]
    assert set(ours) == set(there), "an event is without its write"
    for name in there:
        secret = await storage.secrets.get(samples.ACCOUNT, name)
        await storage.secrets.version(samples.ACCOUNT, secret.id, "v-1")
        await storage.secrets.value(samples.ACCOUNT, secret.id, "v-1")
    counted = await resources(storage, "Count")
    for name in {words[1] for words in said if words[0] == "counted"}:
        answered = max(int(words[2]) for words in said if words[:2] == ["counted", name])
        counter = await storage.accounts.user(samples.ACCOUNT, name)
        assert answered <= counter.revision <= answered + 1
        assert counted[name] == counter.revision == counter.created_ms
    reads = {words[1] for words in said if words[0] == "read"}
    for identifier in reads:
        wanted = EventFilter(samples.ACCOUNT, request_id=bytes.fromhex(identifier))
        assert len((await storage.audit.lookup(wanted, None, 2))[0]) == 1, "an answered read has no event"
    return len(there)


async def test_no_update_of_two_processes_is_lost(tmp_path: Path, workers: Workers, bench: Bench) -> None:
    path = tmp_path / "state"
    await bench.add(samples.user("shared"))
    start = samples.user("shared").created_ms
    for name in ("a", "b", "c"):
        workers.start(path, name, "increment", times=40)
    await workers.hear(lambda said: sum(words[0] == "done" for words in said) == 3)
    user = await bench.storage.accounts.user(samples.ACCOUNT, "shared")
    assert (user.created_ms - start, user.revision) == (120, 120)
    assert len(await bench.events()) == 121


async def test_writers_of_two_processes_take_turns(tmp_path: Path, workers: Workers) -> None:
    for name in ("a", "b"):
        workers.start(tmp_path / "state", name, "write")

    def shares() -> list[int]:
        return [workers.counts["created", name] for name in ("a", "b")]

    await workers.hear(lambda _: min(shares()) > 0)
    before = shares()
    await workers.hear(lambda _: sum(shares()) - sum(before) >= 1_000)
    gained = [now - then for now, then in zip(shares(), before, strict=True)]
    assert min(gained) >= 200, f"one process gets all the turns: {gained}"


async def test_changes_of_another_process_are_heard(tmp_path: Path, workers: Workers, bench: Bench) -> None:
    names: list = []
    bench.storage.refresh()
    bench.storage.subscribe(names.extend)
    await bench.add(samples.user("shared"))
    workers.start(tmp_path / "state", "a", "increment", times=3)
    await workers.hear(lambda said: ["done", "a"] in said)
    bench.storage.refresh()
    assert names == [("users", (samples.ACCOUNT, "shared"))] * 4


async def test_the_lease_of_a_killed_process_is_free_at_once(
    tmp_path: Path, workers: Workers, storage: SqliteStorage
) -> None:
    workers.start(tmp_path / "state", "a", "hold")
    await workers.hear(lambda said: ["holds", "a", "1"] in said)
    assert await storage.leases.claim("held", 60) is None
    await workers.kill("a")
    lease = await storage.leases.claim("held", 60)
    assert lease is not None
    assert lease.epoch == 2


async def test_processes_that_start_at_once_make_one_schema(tmp_path: Path, workers: Workers) -> None:
    for number in range(6):
        workers.start(tmp_path / "state", f"n{number}", "hold")
    await workers.hear(lambda said: sum(words[0] == "holds" for words in said) == 6)
    assert sorted(words[2] for words in workers.said if words[0] == "holds") == ["1", *["None"] * 5]
