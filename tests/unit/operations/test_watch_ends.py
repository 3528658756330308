"""How watches end, and what a quiet one says meanwhile."""

import asyncio

import pytest

from secretsd.domain.errors import StorageUnavailable
from secretsd.operations import watchers, watching
from secretsd.operations.authenticator import Caller
from tests.unit.operations.watches import READS, batch, goodbye, put, told, watch


@pytest.mark.parametrize("lost", ["policy", "token", "one name of two"])
async def test_a_watch_ends_with_the_permission(house, apps, lost: str) -> None:
    ann = await house.user("ann", READS)
    stream = await watch(house, apps, ann)
    await batch(stream)
    if lost == "token":
        (token,) = (await house.call("ListTokens", user="ann")).tokens
        await house.call("DeleteToken", user="ann", id=token.id)
    elif lost == "policy":
        await house.call("DetachPolicy", user="ann", policy="of-ann")
    else:
        await house.allow("ann", "no", {"effect": "Deny", "action": ["*"], "resource": ["secret/app/b"]})
    await put(house, "app/a", "two")
    assert await goodbye(stream) == "denied"
    assert house.parts.watchers.count == 0


async def test_a_watch_goes_on_when_other_rights_change(house, apps) -> None:
    ann = await house.user("ann", READS)
    stream = await watch(house, apps, ann)
    await batch(stream)
    await house.user("bob", READS)
    await put(house, "app/a", "two")
    assert await told(stream) == {"app/a": 2}
    stream.close()


async def test_a_token_that_expires_ends_its_watch_at_the_next_check(house, apps, monkeypatch) -> None:
    await house.user("ann", READS)
    made = await house.call("CreateToken", user="ann", ttl_seconds=60)
    stream = await watch(house, apps, Caller("tcp", token=made.token))
    await batch(stream)
    house.clock.pass_days(1)
    monkeypatch.setattr(watching, "RECHECK_SECONDS", 0.01)
    assert await goodbye(stream) == "denied"


async def test_a_quiet_watch_gives_signs_of_life_that_keep_its_place(house, apps, monkeypatch) -> None:
    stream = await watch(house, apps)
    await batch(stream)
    await house.call("CreateSecret", name="elsewhere", text="one")
    monkeypatch.setattr(watching, "HEARTBEAT_SECONDS", 0.01)
    life = await batch(stream)
    assert (life.items, life.farewell, life.position) == ((), "", house.storage.position)
    stream.close()


async def test_a_watch_that_hears_nothing_does_not_say_that_all_is_well(house, apps, monkeypatch) -> None:
    stream = await watch(house, apps)
    await batch(stream)

    def away() -> None:
        raise StorageUnavailable

    monkeypatch.setattr(house.storage, "refresh", away)
    monkeypatch.setattr(watching, "HEARTBEAT_SECONDS", 0.05)
    assert await goodbye(stream) == "unavailable"


async def test_an_end_comes_at_once_but_not_before_the_first_batch(house, apps) -> None:
    stream = await watch(house, apps)
    stream.end("shutdown")
    assert len((await batch(stream)).items) == 2
    assert await goodbye(stream) == "shutdown"
    waiting = await watch(house, apps)
    await batch(waiting)
    following = asyncio.create_task(waiting.next())
    await asyncio.sleep(0)
    waiting.end("shutdown")
    last = await asyncio.wait_for(following, 5)
    assert last is not None
    assert last.farewell == "shutdown"


async def test_a_closed_watch_lets_its_reader_go(house, apps) -> None:
    stream = await watch(house, apps)
    await batch(stream)
    following = asyncio.create_task(stream.next())
    await asyncio.sleep(0)
    stream.close()
    assert await asyncio.wait_for(following, 5) is None


async def test_nobody_looks_while_nobody_watches(house, apps) -> None:
    stream = await watch(house, apps)
    assert house.parts.watchers._looking is not None
    stream.close()
    async with asyncio.timeout(5):
        while house.parts.watchers._looking is not None:  # noqa: ASYNC110  # its end has no event of its own
            await asyncio.sleep(watchers.LOOK_SECONDS)
