"""Many who change one thing at once all succeed, within a worker and between two; nobody stands behind a read."""

import asyncio

import pytest

from secretsd.domain.errors import StorageUnavailable, Throttled
from secretsd.domain.names import Resource
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.lines import COURTESIES, COURTESY_SECONDS, Lines
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.policies import document
from secretsd.testing.storage import temporary_storage

AT_ONCE = 20
APP = Resource("100000000001", "secret/app")


async def put_all(*houses):
    """Twenty values at once, shared out among the houses; the answers."""
    puts = [
        houses[number % len(houses)].run("PutSecretValue", name="app", text=str(number)) for number in range(AT_ONCE)
    ]
    return await asyncio.gather(*puts)


async def require_all_there(house, answers):
    assert [answer.error for answer in answers] == [None] * AT_ONCE
    listed = await house.call("ListSecretVersionIds", name="app", include_unlabelled=True)
    assert sorted(version.number for version in listed.versions) == list(range(1, AT_ONCE + 2))
    for answer in answers:
        assert len(await house.events(answer.request_id)) == 1


async def test_twenty_puts_on_one_secret_all_succeed(house):
    await house.call("CreateSecret", name="app", text="start")
    await require_all_there(house, await put_all(house))


async def test_twenty_puts_through_two_workers_all_succeed(tmp_path, tools):
    async with temporary_storage(tmp_path / "storage") as one, temporary_storage(tmp_path / "storage") as other:
        keystore = MemoryKeyStore()
        houses = [tools.House(storage, keystore) for storage in (one, other)]
        houses[0].account = houses[1].account = await ensure_first_account(houses[0].parts, (), "test")
        await houses[0].call("CreateSecret", name="app", text="start")
        await require_all_there(houses[1], await put_all(*houses))


async def test_the_same_secret_created_at_once_with_one_token_is_one_secret(house):
    answers = await asyncio.gather(*(house.run("CreateSecret", name="app", text="a", token="t-1") for _ in range(5)))
    assert [answer.error for answer in answers] == [None] * 5
    assert {answer.response.version_id for answer in answers} == {"t-1"}
    assert len({answer.response.id for answer in answers}) == 1
    for answer in answers:
        assert len(await house.events(answer.request_id)) == 1


async def test_a_line_is_in_order_of_arrival_and_gone_with_the_last():
    lines, served = Lines(), []

    async def stand(number):
        async with lines.turn(APP, "ann"):
            await asyncio.sleep(0)
            served.append(number)

    waiting = [asyncio.create_task(stand(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert lines.forming(APP)
    assert not lines.forming(Resource(APP.account, "secret/other"))
    waiting[2].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert served == [0, 1, 3, 4]
    assert not lines.forming(APP)


async def test_in_a_line_everybody_has_one_turn_before_anybody_has_two():
    lines, served, all_there = Lines(), [], asyncio.Event()

    async def stand(who, number):
        async with lines.turn(APP, who):
            await all_there.wait()
            served.append((who, number))

    storm = [asyncio.create_task(stand("mallory", number)) for number in range(5)]
    others = [asyncio.create_task(stand(who, number)) for number in range(2) for who in ("ann", "bob")]
    await asyncio.sleep(0)
    all_there.set()
    await asyncio.gather(*storm, *others)
    assert served[0] == ("mallory", 0)
    assert [who for who, _ in served[1:7]] == ["mallory", "ann", "bob"] * 2
    for who in ("mallory", "ann", "bob"):
        numbers = [number for one, number in served if one == who]
        assert numbers == sorted(numbers)


async def test_who_leaves_in_the_moment_of_his_turn_passes_it_on():
    lines, served = Lines(), []

    async def stand(number, done=None):
        async with lines.turn(APP, number):
            if done is not None:
                await done.wait()
            served.append(number)

    done = asyncio.Event()
    first = asyncio.create_task(stand(0, done))
    await asyncio.sleep(0)
    leaving, staying = [asyncio.create_task(stand(number)) for number in (1, 2)]
    await asyncio.sleep(0)
    done.set()
    await asyncio.sleep(0)  # the turn is the second one's now, who has not run since
    assert first.done()
    leaving.cancel()
    await asyncio.gather(leaving, staying, return_exceptions=True)
    assert (leaving.cancelled(), served) == (True, [0, 2])
    assert not lines.forming(APP)

    last = asyncio.create_task(stand(3, done := asyncio.Event()))
    await asyncio.sleep(0)
    leaving = asyncio.create_task(stand(4))
    await asyncio.sleep(0)
    done.set()
    await asyncio.sleep(0)
    assert last.done()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert not lines.forming(APP)


WRITES = {"Effect": "Allow", "Action": "PutSecretValue", "Resource": "*"}
TAGS = {"Effect": "Allow", "Action": "TagResource", "Resource": "*"}
REVOCATIONS = {
    "his policy": ("DetachPolicy", {"user": "ann", "policy": "of-ann"}),
    "his token": ("DeleteToken", {"user": "ann"}),
    "a denial": ("PutUserPolicy", {"user": "ann", "policy": "no", "document": document(WRITES | {"Effect": "Deny"})}),
}


@pytest.mark.parametrize("revocation", list(REVOCATIONS))
async def test_who_is_stopped_while_his_calls_wait_has_no_turn_any_more(house, revocation):
    """All of his calls were let in before, and wait in the line."""
    await house.call("CreateSecret", name="app", text="start")
    ann = await house.user("ann", WRITES)
    storm = [asyncio.create_task(house.run("PutSecretValue", ann, name="app", text=str(one))) for one in range(60)]
    await asyncio.wait(storm, return_when=asyncio.FIRST_COMPLETED)
    operation, fields = REVOCATIONS[revocation]
    if operation == "DeleteToken":
        (token,) = (await house.call("ListTokens", user="ann")).tokens
        fields = {**fields, "id": token.id}
    await house.call(operation, **fields)
    before = sum(one.done() for one in storm)
    answers = await asyncio.gather(*storm)
    after = [answer.error.kind.value if answer.error else "ok" for answer in answers]
    # What is in the middle of being made may still be; what waits is not.
    assert after.count("ok") <= before + 2, (before, after)
    assert set(after) == {"ok", "unauthenticated" if operation == "DeleteToken" else "access-denied"}
    assert before < 50
    refused = next(answer for answer in answers if answer.error is not None)
    assert len(await house.events(refused.request_id)) == 1


async def test_who_revokes_does_not_stand_behind_all_calls_of_whom_he_revokes(house):
    """A storm on the very user that is to be stopped: his administrator is second in line."""
    ann = await house.user("ann", TAGS)
    storm = [
        asyncio.create_task(house.run("TagResource", ann, resource="user/ann", tags={"a": str(one)}))
        for one in range(200)
    ]
    await asyncio.wait(storm, return_when=asyncio.FIRST_COMPLETED)
    await house.call("DetachPolicy", user="ann", policy="of-ann")
    assert sum(one.done() for one in storm) < 8
    answers = await asyncio.gather(*storm)
    assert sum(answer.error is None for answer in answers) < 10


async def test_nor_behind_those_of_another_worker(tmp_path, tools):
    async with temporary_storage(tmp_path / "storage") as one, temporary_storage(tmp_path / "storage") as other:
        keystore = MemoryKeyStore()
        stormed, quiet = [tools.House(storage, keystore) for storage in (one, other)]
        stormed.account = quiet.account = await ensure_first_account(stormed.parts, (), "test")
        ann = await stormed.user("ann", TAGS)
        storm = [
            asyncio.create_task(stormed.run("TagResource", ann, resource="user/ann", tags={"a": str(one)}))
            for one in range(200)
        ]
        await asyncio.wait(storm, return_when=asyncio.FIRST_COMPLETED)
        await quiet.call("DetachPolicy", user="ann", policy="of-ann")
        assert sum(one.done() for one in storm) < 40
        answers = await asyncio.gather(*storm)
        assert {answer.error.kind.value for answer in answers if answer.error} == {"access-denied"}


async def test_a_line_that_lost_is_courteous_for_some_turns():
    lines, took = Lines(), []
    async with lines.turn(APP, "ann") as line:
        for lost in (False, True):
            if lost:
                line.lost()
            for _ in range(COURTESIES + 1):
                began = asyncio.get_running_loop().time()
                await line.courtesy()
                took.append(asyncio.get_running_loop().time() - began >= COURTESY_SECONDS / 2)
    assert took == [False] * (COURTESIES + 1) + [True] * COURTESIES + [False]


async def test_a_change_that_is_made_is_answered_so_though_the_storage_goes_away_right_after(house, monkeypatch):
    await house.call("CreateSecret", name="app", text="one")
    committed = house.storage.commit

    async def commit_and_go_away(unit):
        await committed(unit)
        monkeypatch.setattr(house.storage, "refresh", away)

    def away():
        raise StorageUnavailable

    monkeypatch.setattr(house.storage, "commit", commit_and_go_away)
    answer = await house.run("PutSecretValue", name="app", text="two")
    assert answer.error is None
    later = await house.run("GetSecretValue", name="app")
    assert later.error.kind.value == "storage-unavailable"  # nobody trusts a cache meanwhile
    (event,) = await house.events(answer.request_id)
    assert event["outcome"] == "ok"


@pytest.mark.parametrize("operation", ["GetSecretValue", "DescribeSecret"])
async def test_a_trail_that_takes_no_more_events_is_told_and_nothing_is_answered(house, monkeypatch, operation):
    await house.call("CreateSecret", name="app", text="one")

    def full(_):
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(Throttled(retry_after_seconds=1))
        return failed

    monkeypatch.setattr(house.storage.audit, "record", full)
    answer = await house.run(operation, name="app")
    assert answer.response is None
    assert answer.error.kind.value == "throttled"
