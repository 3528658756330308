"""A cache that is kept fresh: never behind what it was told, no fresher than it knows where it is told nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from secretsd.api.fields import TextValue
from secretsd.api.values import GetSecretValueResponse
from secretsd.api.watch import SecretChange
from secretsd.client import freshness
from secretsd.client.cache import SecretCache
from secretsd.client.errors import ClientError, DaemonUnavailable
from secretsd.client.watch import Told
from secretsd.domain.errors import AccessDenied

LIFE = Told(None, True)


def changed(**more) -> Told:
    return Told(SecretChange(name="a", **more), True)


class Daemon:
    """Both what is read and what is told."""

    def __init__(self) -> None:
        self.version = 1
        self.reads: list[tuple[str, str | None]] = []
        self.now = 1000.0
        self.queue: asyncio.Queue[Told | Exception] = asyncio.Queue()
        self.watched: list[tuple[str, ...]] = []
        self.connected = False

    async def get_secret_value(self, name: str, *, stage: str | None = None) -> GetSecretValueResponse:
        self.reads.append((name, stage))
        text = TextValue(b"value-%d" % self.version)
        await asyncio.sleep(0)
        return GetSecretValueResponse(
            name=name, version_id=str(self.version), number=self.version, stages=(), created_ms=0, text=text
        )

    def watch(self, names: tuple[str, ...]) -> "Daemon":
        self.watched.append(names)
        return self

    async def told(self) -> AsyncGenerator[Told, None]:
        while True:
            told = await self.queue.get()
            if isinstance(told, Exception):
                self.connected = False
                raise told
            self.connected = True
            yield told

    async def tell(self, told: Told | Exception) -> None:
        self.queue.put_nowait(told)
        async with asyncio.timeout(5):
            while not self.queue.empty():  # noqa: ASYNC110  # a queue has no event for its emptiness
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def cache(daemon: Daemon) -> SecretCache:
    return SecretCache(daemon, clock=lambda: daemon.now, watch=daemon.watch)  # type: ignore[arg-type]  # told() is all


@asynccontextmanager
async def kept(daemon: Daemon, cache: SecretCache):
    daemon.queue.put_nowait(LIFE)
    async with cache.keep_fresh(["a", "b"]) as fresh:
        yield fresh


async def text(cache: SecretCache, stage: str | None = None, **more) -> bytes:
    return (await cache.get("a", stage, **more)).reveal()


async def test_what_changed_is_read_again_before_anybody_asks(daemon, cache) -> None:
    async with kept(daemon, cache) as fresh:
        assert fresh.connected
        assert daemon.watched == [("a", "b")]
        assert await text(cache) == b"value-1"
        assert await text(cache, "previous") == b"value-1"
        daemon.version = 2
        await daemon.tell(changed(number=2))
        assert sorted(daemon.reads[2:], key=str) == [("a", "previous"), ("a", None)]
        assert await text(cache) == b"value-2"
        assert await text(cache, "previous") == b"value-2"
        assert len(daemon.reads) == 4


async def test_what_nobody_has_read_is_not_read(daemon, cache) -> None:
    async with kept(daemon, cache):
        await daemon.tell(changed(number=2))
    assert daemon.reads == []


async def test_signs_of_life_keep_a_value_young(daemon, cache) -> None:
    async with kept(daemon, cache):
        await text(cache)
        for _ in range(20):
            daemon.now += 15
            await daemon.tell(LIFE)
            assert await text(cache, max_age_seconds=20) == b"value-1"
        assert len(daemon.reads) == 1
        await text(cache, max_age_seconds=0)
        assert len(daemon.reads) == 2, "0 always asks the daemon"


async def test_without_them_it_ages_as_ever(daemon, cache, monkeypatch) -> None:
    async with kept(daemon, cache) as fresh:
        await text(cache)
        daemon.now += 15
        await daemon.tell(LIFE)
        await daemon.tell(DaemonUnavailable("cannot reach the daemon", sent=False))
        assert not fresh.connected
        daemon.now += 59
        await text(cache)
        assert len(daemon.reads) == 1
        daemon.now += 2
        await text(cache)
        assert len(daemon.reads) == 2


async def test_half_a_batch_vouches_for_nothing(daemon, cache) -> None:
    async with kept(daemon, cache):
        await text(cache)
        daemon.now += 59
        await daemon.tell(Told(SecretChange(name="b", number=2), False))
        daemon.now += 2
        await text(cache)
        assert len(daemon.reads) == 2


async def test_a_value_on_hold_is_forgotten_and_read_when_that_is_over(daemon, cache) -> None:
    async with kept(daemon, cache):
        await text(cache)
        await daemon.tell(changed(number=1, barrier="hold"))
        assert len(cache) == 0
        assert len(daemon.reads) == 1
        daemon.version = 2
        await daemon.tell(changed(number=2))
        assert daemon.reads[1:] == [("a", None)]
        assert await text(cache) == b"value-2"
        assert len(daemon.reads) == 2


async def test_what_is_deleted_is_forgotten(daemon, cache) -> None:
    async with kept(daemon, cache):
        await text(cache)
        await daemon.tell(changed(deleted=True))
        assert len(cache) == 0
        assert len(daemon.reads) == 1


async def test_a_read_under_way_when_it_changed_is_not_kept(daemon, cache) -> None:
    async with kept(daemon, cache):
        late = asyncio.create_task(text(cache))
        while not daemon.reads:  # noqa: ASYNC110  # until the read is on its way
            await asyncio.sleep(0)
        daemon.version = 2
        await daemon.tell(changed(number=2))
        assert await late == b"value-1"
        assert await text(cache) == b"value-2"


async def test_other_secrets_are_left_alone(daemon, cache) -> None:
    async with kept(daemon, cache):
        await cache.get("elsewhere")
        await daemon.tell(changed(number=2))
        daemon.now += 61
        await daemon.tell(LIFE)
        await cache.get("elsewhere")
    assert daemon.reads == [("elsewhere", None)] * 2


async def test_it_begins_when_all_is_told(daemon, cache) -> None:
    daemon.queue.put_nowait(Told(SecretChange(name="a", number=1), False))
    entering = asyncio.create_task(cache.keep_fresh(["a"]).__aenter__())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not entering.done()
    await daemon.tell(LIFE)
    fresh = await asyncio.wait_for(entering, 5)
    assert fresh.connected
    await fresh.end()


async def test_a_refusal_is_raised_at_the_beginning(daemon, cache) -> None:
    daemon.queue.put_nowait(AccessDenied())
    with pytest.raises(AccessDenied):
        async with cache.keep_fresh(["a"]):
            raise AssertionError("it must not begin")


async def test_a_daemon_that_is_away_at_the_beginning_is_waited_for(daemon, cache) -> None:
    daemon.queue.put_nowait(DaemonUnavailable("cannot reach the daemon", sent=False))
    async with cache.keep_fresh(["a"]) as fresh:
        assert not fresh.connected
        assert await text(cache) == b"value-1"
        await daemon.tell(LIFE)
        assert fresh.connected


async def test_a_refusal_later_is_told_and_asked_again_after_a_while(daemon, cache, monkeypatch) -> None:
    monkeypatch.setattr(freshness, "REFUSED_WAIT_SECONDS", 0.01)
    async with kept(daemon, cache) as fresh:
        await daemon.tell(AccessDenied())
        assert "cannot do that" in str(fresh.refusal)
        await daemon.tell(LIFE)
        async with asyncio.timeout(5):
            while fresh.refusal is not None:  # noqa: ASYNC110  # it has no event of its own
                await asyncio.sleep(0.005)
        assert fresh.connected
        assert len(daemon.watched) > 1


async def test_a_cache_by_itself_cannot_watch(daemon) -> None:
    with pytest.raises(ClientError, match="nothing to watch by"):
        async with SecretCache(daemon).keep_fresh(["a"]):
            pass
