"""The cache is bounded in age and number, asks once for many, and forgets what it is told to forget."""

import asyncio

import pytest

from secretsd.api.fields import BinaryValue, TextValue
from secretsd.api.values import GetSecretValueResponse
from secretsd.client.cache import SecretCache
from secretsd.domain.errors import NotFound


class Source:
    """Counts its reads; each gives another value. `gate` holds the answers back."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, str | None]] = []
        self.now = 1000.0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def get_secret_value(self, name: str, *, stage: str | None = None) -> GetSecretValueResponse:
        self.reads.append((name, stage))
        number = len(self.reads)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return GetSecretValueResponse(
            name=name, version_id="v", number=number, stages=(), created_ms=0, text=TextValue(b"value-%d" % number)
        )


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source) -> SecretCache:
    return SecretCache(source, max_entries=2, clock=lambda: source.now)


async def test_a_value_is_served_again_until_it_is_too_old(source, cache) -> None:
    first = await cache.get("a", max_age_seconds=10)
    source.now += 9.9
    assert await cache.get("a", max_age_seconds=10) == first
    source.now += 0.2
    assert (await cache.get("a", max_age_seconds=10)).reveal() == b"value-2"


async def test_each_caller_says_how_old_it_may_be(source, cache) -> None:
    await cache.get("a", max_age_seconds=10)
    source.now += 5
    assert (await cache.get("a", max_age_seconds=3)).reveal() == b"value-2"
    assert (await cache.get("a", max_age_seconds=0)).reveal() == b"value-3"


async def test_age_counts_from_before_the_daemon_was_asked(source, cache) -> None:
    source.gate.clear()
    waiting = asyncio.create_task(cache.get("a", max_age_seconds=10))
    await asyncio.sleep(0)
    source.now += 8
    source.gate.set()
    await waiting
    source.now += 3
    assert (await cache.get("a", max_age_seconds=10)).reveal() == b"value-2"


async def test_many_who_miss_at_once_share_one_read(source, cache) -> None:
    source.gate.clear()
    waiting = [asyncio.create_task(cache.get("a")) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # the one who began the read goes; the others still get it
    await asyncio.sleep(0)
    source.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert len(source.reads) == 1
    assert {one.reveal() for one in found} == {b"value-1"}


async def test_the_least_used_goes_when_it_is_full(source, cache) -> None:
    await cache.get("a")
    await cache.get("b")
    await cache.get("a")
    await cache.get("c")
    assert len(cache) == 2
    await cache.get("a")
    assert [name for name, _ in source.reads] == ["a", "b", "c"]
    await cache.get("b")
    assert len(source.reads) == 4


async def test_stages_are_kept_apart_and_forgotten_together(source, cache) -> None:
    await cache.get("a")
    await cache.get("a", "previous")
    assert source.reads == [("a", None), ("a", "previous")]
    cache.forget("a")
    assert len(cache) == 0


async def test_an_answer_that_was_on_its_way_when_forgotten_is_not_kept(source, cache) -> None:
    source.gate.clear()
    late = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    cache.forget("a")
    fresh = asyncio.create_task(cache.get("a"))
    await asyncio.sleep(0)
    source.gate.set()
    assert (await late).reveal() == b"value-1"
    assert (await fresh).reveal() == b"value-2"
    assert (await cache.get("a")).reveal() == b"value-2"


async def test_errors_are_not_kept(source, cache) -> None:
    source.error = NotFound("cannot find secret a")
    with pytest.raises(NotFound):
        await cache.get("a")
    source.error = None
    assert (await cache.get("a")).reveal() == b"value-2"


async def test_binary_values_come_as_they_are(source, cache) -> None:
    found = GetSecretValueResponse(
        name="a", version_id="v", number=1, stages=(), created_ms=0, binary=BinaryValue(b"\x00\xff")
    )

    class Binary(Source):
        async def get_secret_value(self, name: str, *, stage: str | None = None) -> GetSecretValueResponse:
            return found

    assert (await SecretCache(Binary()).get("a")).reveal() == b"\x00\xff"
