"""What is over is taken away: by one worker at a time, an event an account, and nothing that is still good."""

import asyncio
from dataclasses import replace

import pytest

from secretsd.domain.errors import NotFound
from secretsd.operations import expired_credentials
from secretsd.operations.expired_credentials import KEPT_MS
from secretsd.services import due_steps
from secretsd.services.expired_credentials import ExpiredCredentials
from secretsd.testing import access_samples
from tests.unit.operations.conftest import house, tools
from tests.unit.operations.two_accounts import Vendor

__all__ = ["house", "tools"]


async def sweeps(house):
    return [one for one in await house.events() if one["operation"] == "ForgetExpiredCredentials"]


async def test_tokens_and_sessions_that_are_over_go(house) -> None:
    await house.call("CreateUser", user="ann")
    for seconds in (1, 2, 100_000, None):
        await house.call("CreateToken", user="ann", ttl_seconds=seconds)
    now = house.clock.ms
    for number, end in enumerate((now + 1, now + KEPT_MS)):
        session = access_samples.session(f"{number:02}" * 32, f"STSD{number}", end)
        await house.add_record(replace(session, account=house.account))
    house.clock.ms += KEPT_MS + 3_000
    assert await ExpiredCredentials(house.pipeline).ensure() == 1
    assert len((await house.call("ListTokens", user="ann")).tokens) == 2
    with pytest.raises(NotFound):
        await house.storage.proofs.session("00" * 32)
    await house.storage.proofs.session("01" * 32)
    (event,) = await sweeps(house)
    assert event["fields"] == {"tokens": 2, "sessions": 1}
    assert event["principal"] == f"secretsd:{house.account}:role/rotation"
    assert await ExpiredCredentials(house.pipeline).ensure() == 0
    assert len(await sweeps(house)) == 1


async def test_each_account_has_an_event_of_its_own(house) -> None:
    vendor = await Vendor(house).settle()
    await house.call("CreateUser", user="ann")
    await house.call("CreateToken", user="ann", ttl_seconds=1)
    await house.call("CreateToken", vendor.boss, user="app", ttl_seconds=1)
    house.clock.ms += KEPT_MS + 2_000
    assert await ExpiredCredentials(house.pipeline).ensure() == 2
    for account in (house.account, vendor.account):
        (event,) = [one for one in await house.events(None, account) if one["operation"] == "ForgetExpiredCredentials"]
        assert event["accounts"] == [account]


async def test_another_worker_that_holds_the_lease_does_it_alone(house, monkeypatch) -> None:
    await house.call("CreateUser", user="ann")
    await house.call("CreateToken", user="ann", ttl_seconds=1)
    house.clock.ms += KEPT_MS + 2_000

    async def held(*_: object) -> None:
        return None

    monkeypatch.setattr(house.storage.leases, "claim", held)
    assert await ExpiredCredentials(house.pipeline).ensure() == 0
    assert len((await house.call("ListTokens", user="ann")).tokens) == 1


async def test_many_go_a_part_at_a_time(house, monkeypatch) -> None:
    monkeypatch.setattr(expired_credentials, "AT_ONCE", 2)
    await house.call("CreateUser", user="ann")
    for _ in range(5):
        await house.call("CreateToken", user="ann", ttl_seconds=1)
    house.clock.ms += KEPT_MS + 2_000
    sweep = ExpiredCredentials(house.pipeline)
    assert [await sweep.ensure() for _ in range(4)] == [1, 1, 1, 0]


async def test_however_many_they_are_none_waits_for_the_next_minute(house, monkeypatch) -> None:
    """Clients that renew their tokens each minute would else leave more behind than is taken away."""
    monkeypatch.setattr(expired_credentials, "AT_ONCE", 2)
    await house.call("CreateUser", user="ann")
    for _ in range(5):
        await house.call("CreateToken", user="ann", ttl_seconds=1)
    house.clock.ms += KEPT_MS + 2_000
    paused = asyncio.Event()

    async def pause(_: float) -> None:
        paused.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(due_steps, "pause", pause)
    running = asyncio.create_task(ExpiredCredentials(house.pipeline).run())
    await asyncio.wait_for(paused.wait(), 30)
    running.cancel()
    assert (await house.call("ListTokens", user="ann")).tokens == ()
