"""The row cache: nothing that was read before a change was told stays after it; bounded by rows and bytes."""

import pytest

from secretsd.domain.errors import NotFound
from secretsd.operations.cache import RowCache, name_of
from secretsd.testing import samples


class Feed:
    """What the cache needs of a storage: to be told of changes."""

    def refresh(self):
        pass

    def subscribe(self, on_change):
        self.tell = on_change


@pytest.fixture
def feed():
    return Feed()


def loads(record, counted):
    async def load():
        counted.append(record)
        return record

    return load


async def test_a_row_is_loaded_once_until_its_change_is_told(feed):
    cache, counted = RowCache(feed), list[object]()
    secret, other = samples.secret("a"), samples.secret("b")
    for record in (secret, other, secret, other):
        assert await cache.read(name_of(record), loads(record, counted)) is record
    assert counted == [secret, other]
    feed.tell([name_of(secret)])
    assert cache.peek(name_of(secret)) is None
    assert cache.peek(name_of(other)) is other
    feed.tell([])
    assert cache.peek(name_of(other)) is None


async def test_what_was_read_before_a_change_never_enters_after_it(feed):
    cache = RowCache(feed)
    secret = samples.secret("a")

    async def overtaken():
        feed.tell([name_of(secret)])
        return secret

    assert await cache.read(name_of(secret), overtaken) is secret
    assert cache.peek(name_of(secret)) is None


async def test_an_error_is_not_remembered(feed):
    cache = RowCache(feed)
    secret, counted = samples.secret("a"), list[object]()

    async def missing():
        raise NotFound

    with pytest.raises(NotFound):
        await cache.read(name_of(secret), missing)
    assert await cache.read(name_of(secret), loads(secret, counted)) is secret


async def test_the_least_used_row_makes_room(feed):
    cache, counted = RowCache(feed, max_rows=2), list[object]()
    one, two, three = (samples.secret(name) for name in "abc")
    for record in (one, two, one, three):
        await cache.read(name_of(record), loads(record, counted))
    assert cache.peek(name_of(two)) is None
    assert cache.peek(name_of(one)) is one


async def test_values_are_bounded_by_their_bytes(feed):
    cache, counted = RowCache(feed, max_value_bytes=1000), list[object]()
    values = [samples.sealed_value(number, size=400) for number in range(10)]
    for value in values:
        await cache.read(name_of(value), loads(value, counted))
    assert [cache.peek(name_of(value)) is not None for value in values] == [False] * 8 + [True] * 2
    # Room that a change made is room again.
    feed.tell([name_of(values[9])])
    await cache.read(name_of(values[0]), loads(values[0], counted))
    assert cache.peek(name_of(values[8])) is values[8]


async def test_listeners_hear_what_the_cache_hears(feed):
    cache, heard = RowCache(feed), list[object]()
    cache.on_change(heard.append)
    feed.tell([("users", ("a", "b"))])
    feed.tell([])
    assert heard == [[("users", ("a", "b"))], []]


def fails(counted):
    async def load():
        counted.append(1)
        raise NotFound

    return load


async def test_what_is_not_there_is_remembered_until_it_is_told_of(feed):
    cache, counted = RowCache(feed), list[object]()
    secret = samples.secret("a")
    for _ in range(3):
        assert await cache.read_if_any(name_of(secret), fails(counted)) is None
    assert len(counted) == 1
    for told in ([name_of(secret)], []):
        feed.tell(told)
        assert await cache.read_if_any(name_of(secret), fails(counted)) is None
    assert len(counted) == 3
    feed.tell([name_of(secret)])
    assert await cache.read_if_any(name_of(secret), loads(secret, counted)) is secret


async def test_that_something_is_not_there_is_not_remembered_past_its_coming(feed):
    cache, counted = RowCache(feed), list[object]()
    secret = samples.secret("a")

    async def overtaken():
        feed.tell([name_of(secret)])
        raise NotFound

    assert await cache.read_if_any(name_of(secret), overtaken) is None
    assert await cache.read_if_any(name_of(secret), loads(secret, counted)) is secret


async def test_it_is_remembered_of_a_bounded_number(feed, monkeypatch):
    from secretsd.operations import cache as module

    monkeypatch.setattr(module, "MAX_ABSENT", 2)
    cache, counted = RowCache(feed), list[object]()
    for name in ("a", "b", "a", "c"):
        await cache.read_if_any(name_of(samples.secret(name)), fails(counted))
    assert len(counted) == 3
    await cache.read_if_any(name_of(samples.secret("a")), fails(counted))
    assert len(counted) == 3
    await cache.read_if_any(name_of(samples.secret("b")), fails(counted))
    assert len(counted) == 4


async def test_another_error_is_neither_hidden_nor_remembered(feed):
    cache, secret = RowCache(feed), samples.secret("a")

    async def broken():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await cache.read_if_any(name_of(secret), broken)
    assert await cache.read_if_any(name_of(secret), loads(secret, [])) is secret
