"""A refused login is tried once more, with another value only; both faces do the same."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from secretsd.api.values import GetSecretValueResponse
from secretsd.client import Client, Login, Retries
from secretsd.client.cache import value_of
from secretsd.client.sync import SyncClient

QUICK = Retries(first_wait_seconds=0.001, longest_wait_seconds=0.002)


class WrongPassword(Exception):
    """What a target says."""


class Target:
    """Accepts one value; counts who tries."""

    def __init__(self, accepts: str) -> None:
        self.accepts = accepts
        self.tried: list[str] = []

    def connect(self, found: GetSecretValueResponse) -> str:
        tried = value_of(found).reveal().decode()
        self.tried.append(tried)
        if tried != self.accepts:
            raise WrongPassword
        return f"connection by {found.version_id}"

    async def connect_async(self, found: GetSecretValueResponse) -> str:
        await asyncio.sleep(0)
        return self.connect(found)


Log = Callable[..., Any]


@pytest.fixture(params=["async", "sync"])
def log_in(request, daemon) -> Log:
    """Logs in `times` times with one client, by either face."""

    async def by_async(target: Target, times: int = 1, refused: Any = WrongPassword) -> list[Login[str]]:
        async with Client(socket=daemon.socket, retries=QUICK) as client:
            return [await client.login("prod/db/app", target.connect_async, refused=refused) for _ in range(times)]

    async def by_sync(target: Target, times: int = 1, refused: Any = WrongPassword) -> list[Login[str]]:
        def use() -> list[Login[str]]:
            with SyncClient(Client(socket=daemon.socket, retries=QUICK)) as client:
                return [client.login("prod/db/app", target.connect, refused=refused) for _ in range(times)]

        return await asyncio.to_thread(use)

    return by_async if request.param == "async" else by_sync


async def test_a_login_that_works_needs_one_read_for_many(daemon, value, log_in: Log) -> None:
    daemon.answers = [daemon.reply(200, value("one"))]
    found = await log_in(Target("one"), 3)
    assert found == [Login("connection by v1", "v1", reread=False)] * 3
    assert len(daemon.seen) == 1


async def test_a_refused_login_reads_again_and_the_new_value_stays(daemon, value, log_in: Log) -> None:
    daemon.answers = [daemon.reply(200, value("one")), daemon.reply(200, value("two", version_id="v2"))]
    target = Target("two")
    first, second = await log_in(target, 2)
    assert first == Login("connection by v2", "v2", reread=True)
    assert second == Login("connection by v2", "v2", reread=False)
    assert target.tried == ["one", "two", "two"]
    assert len(daemon.seen) == 2


async def test_the_same_value_is_not_tried_twice(daemon, value, log_in: Log) -> None:
    """Targets count failed logins, and lock who has too many."""
    daemon.answers = [daemon.reply(200, value("one"))]
    target = Target("two")
    with pytest.raises(WrongPassword):
        await log_in(target)
    assert target.tried == ["one"]
    assert len(daemon.seen) == 2


async def test_another_value_under_the_same_version_is_another_value(daemon, value, log_in: Log) -> None:
    """A secret that was made again may have used the same token."""
    daemon.answers = [daemon.reply(200, value("one")), daemon.reply(200, value("two"))]
    assert (await log_in(Target("two")))[0].reread


async def test_there_is_no_third_try(daemon, value, log_in: Log) -> None:
    daemon.answers = [
        daemon.reply(200, value("one")),
        daemon.reply(200, value("two", version_id="v2")),
        daemon.reply(200, value("three", version_id="v3")),
    ]
    target = Target("three")
    with pytest.raises(WrongPassword):
        await log_in(target)
    assert target.tried == ["one", "two"]
    assert len(daemon.seen) == 2


@pytest.mark.parametrize(("unproved", "tries"), [((True, False), 2), ((True, True), 1), ((False, True), 1)])
async def test_a_value_that_was_unproved_is_tried_again_once_it_is_proved(
    daemon, value, log_in: Log, unproved: tuple[bool, bool], tries: int
) -> None:
    daemon.answers = [daemon.reply(200, value("one", unproved=one)) for one in unproved]
    target = Target("two")
    with pytest.raises(WrongPassword):
        await log_in(target)
    assert len(target.tried) == tries


async def test_other_errors_are_none_of_its_business(daemon, value, log_in: Log) -> None:
    daemon.answers = [daemon.reply(200, value("one")), daemon.reply(200, value("two", version_id="v2"))]
    with pytest.raises(WrongPassword):
        await log_in(Target("two"), refused=(KeyError, OSError))
    assert len(daemon.seen) == 1


async def test_a_function_may_tell_what_a_refusal_is(daemon, value, log_in: Log) -> None:
    daemon.answers = [daemon.reply(200, value("one")), daemon.reply(200, value("two", version_id="v2"))]
    assert (await log_in(Target("two"), refused=lambda error: isinstance(error, WrongPassword)))[0].reread


async def test_a_rotation_under_way_is_waited_for(daemon, value, log_in: Log) -> None:
    held = daemon.problem(503, "rotation-in-progress")
    daemon.answers = [daemon.reply(200, value("one")), held, held, daemon.reply(200, value("two", version_id="v2"))]
    assert (await log_in(Target("two")))[0].reread
    assert len(daemon.seen) == 4


async def test_connect_is_called_on_the_thread_of_who_asks(daemon, value) -> None:
    import threading

    daemon.answers = [daemon.reply(200, value("one"))]

    def use() -> bool:
        with SyncClient(Client(socket=daemon.socket)) as client:
            made = client.login("a", lambda _: threading.current_thread(), refused=WrongPassword)
            return made.connection is threading.current_thread()

    assert await asyncio.to_thread(use)
