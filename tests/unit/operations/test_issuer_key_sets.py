"""Keys that issuers publish: fetched seldom, kept while the other side is away, and dropped when they are old."""

import asyncio
from collections.abc import Callable

import pytest

from secretsd.domain.errors import Throttled
from secretsd.operations.issuer_key_sets import (
    FRESH_SECONDS,
    MAX_AGE_SECONDS,
    MAX_WAITING,
    PAUSE_SECONDS,
    RETRY_SECONDS,
    STALE_SECONDS,
    IssuerKeySets,
)
from secretsd.ports.issuer_keys import KeysUnavailable, NoIssuerKeys
from secretsd.testing.jwt_issuer import SigningKey, jwks

URL = "https://issuer.example/jwks"
OLD, NEW = SigningKey.make("old"), SigningKey.make("new")


class Source:
    """A URL that says what a test sets; `gate` holds answers back while it is closed."""

    def __init__(self, *keys: SigningKey) -> None:
        self.document = jwks(*keys).encode()
        self.error: Exception | None = None
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def refusal(self, url: str) -> str | None:
        return None

    async def fetch(self, url: str) -> bytes:
        self.asked += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.document


class Place:
    def __init__(self, *keys: SigningKey) -> None:
        self.now = 1000.0
        self.source = Source(*keys)
        self.changed: list[str] = []
        self.sets = IssuerKeySets(self.source, self.changed.append, lambda: self.now)

    async def has(self, kid: str | None, url: str = URL) -> bool:
        return await self.sets.key(url, kid, "RS256") is not None

    async def settled(self) -> None:
        """Until no fetch is under way."""
        if (fetching := self.sets._published[URL].fetching) is not None:
            await fetching


@pytest.fixture
def place():
    return Place(OLD)


async def test_keys_are_fetched_once_and_then_used(place):
    assert place.sets.state(URL) == (None, "")
    for _ in range(5):
        assert await place.has("old")
    assert await place.has(None)
    assert place.source.asked == 1
    place.now += 7
    assert place.sets.state(URL) == (7, "")


async def test_calls_at_once_share_a_fetch(place):
    place.source.gate.clear()
    calls = [asyncio.create_task(place.has("old")) for _ in range(20)]
    await asyncio.sleep(0)
    place.source.gate.set()
    assert all(await asyncio.gather(*calls))
    assert place.source.asked == 1


async def test_an_unknown_kid_renews_the_keys_but_not_more_often_than_the_pause(place):
    assert await place.has("old")
    place.source.document = jwks(OLD, NEW).encode()
    assert not await place.has("new"), "just fetched"
    place.now += PAUSE_SECONDS
    assert await place.has("new")
    assert place.source.asked == 2
    for number in range(50):
        assert not await place.has(f"made up {number}")
    assert place.source.asked == 2


async def test_old_keys_are_renewed_in_the_background_and_a_change_is_told(place):
    assert await place.has("old")
    place.now += FRESH_SECONDS - 1
    assert await place.has("old")
    assert place.source.asked == 1
    place.now += 1
    place.source.document = jwks(NEW).encode()
    assert await place.has("old"), "nobody waits while what is there may be used"
    await place.settled()
    assert (place.source.asked, place.changed) == (2, [URL])
    assert await place.has("new")
    assert not await place.has("old")


async def test_the_same_keys_again_are_no_change(place):
    assert await place.has("old")
    place.now += FRESH_SECONDS
    assert await place.has("old")
    await place.settled()
    assert (place.source.asked, place.changed) == (2, [])


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda source: setattr(source, "error", KeysUnavailable("the answer is 503")), "the answer is 503"),
        (lambda source: setattr(source, "error", RuntimeError("Zq7Xe")), "RuntimeError"),
        (lambda source: setattr(source, "document", b"<html>"), "cannot use the JWKS: it is not JSON"),
        (lambda source: setattr(source, "document", b'{"keys": []}'), "cannot use the JWKS: no key in it verifies"),
    ],
)
async def test_keys_are_kept_while_the_other_side_is_away_and_for_a_day_at_most(
    place, caplog, break_it: Callable[[Source], None], problem: str
):
    assert await place.has("old")
    began = place.now
    break_it(place.source)
    while place.now - began + FRESH_SECONDS < MAX_AGE_SECONDS:
        place.now += FRESH_SECONDS
        assert await place.has("old")
        await place.settled()
    assert problem in place.sets.state(URL)[1]
    assert len([line for line in caplog.messages if problem in line]) == 1, "said once, not with every try"
    assert "Zq7Xe" not in caplog.text
    place.now = began + MAX_AGE_SECONDS
    assert not await place.has("old")


async def test_where_there_are_no_keys_yet_they_are_asked_for_soon_again(place):
    place.source.error = KeysUnavailable("away")
    for _ in range(5):
        assert not await place.has("old")
    assert place.source.asked == 1
    place.source.error = None
    place.now += RETRY_SECONDS
    assert await place.has("old")
    assert place.sets.state(URL) == (0, "")


async def test_after_hours_without_a_token_the_first_waits_for_news(place):
    assert await place.has("old")
    place.source.document = jwks(NEW).encode()
    place.now += STALE_SECONDS
    assert not await place.has("old")
    assert await place.has("new")


async def test_old_keys_are_used_when_the_news_does_not_come(place):
    assert await place.has("old")
    place.source.error = KeysUnavailable("away")
    place.now += STALE_SECONDS
    for asked in (2, 2):
        assert await place.has("old")
        assert place.source.asked == asked
    place.now += PAUSE_SECONDS
    assert await place.has("old")
    assert place.source.asked == 3


async def test_a_url_that_hangs_holds_few_calls(place):
    place.source.gate.clear()
    calls = [asyncio.create_task(place.has("old")) for _ in range(MAX_WAITING + 10)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert sum(call.done() for call in calls) == 10
    place.source.gate.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found.count(True) == MAX_WAITING
    assert [one.retry_after_seconds for one in found if isinstance(one, Throttled)] == [1] * 10


async def test_a_call_that_is_cancelled_leaves_the_fetch_to_the_others(place):
    place.source.gate.clear()
    gone, stays = [asyncio.create_task(place.has("old")) for _ in range(2)]
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    place.source.gate.set()
    assert await stays


async def test_what_is_no_longer_named_is_forgotten(place):
    assert await place.has("old")
    place.sets.keep({URL})
    assert place.sets.state(URL) == (0, "")
    place.sets.keep(())
    assert place.sets.state(URL) == (None, "")


async def test_a_daemon_without_a_way_out_has_no_keys():
    sets = IssuerKeySets(NoIssuerKeys(), print)
    assert await sets.key(URL, None, "RS256") is None
    assert sets.state(URL) == (None, "this daemon fetches nothing")
    assert NoIssuerKeys().refusal(URL) == "this daemon fetches nothing"
