"""Watching: who may, what is told and in which order, how a watch goes on where another broke off, and when it ends."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.secrets import Barrier
from secretsd.operations.parts import assemble
from secretsd.operations.pipeline import Pipeline
from secretsd.ports.storage import Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage
from tests.unit.operations.watches import READS, batch, put, told, watch


async def test_first_all_are_told_then_each_change(house, apps) -> None:
    stream = await watch(house, apps)
    first = await batch(stream)
    assert [(item.name, item.number, item.deleted, item.barrier) for item in first.items] == [
        ("app/a", 1, False, "open"),
        ("app/b", 1, False, "open"),
    ]
    secret = await house.storage.secrets.get(house.account, "app/a")
    assert first.items[0].secret_id == secret.id
    assert first.items[0].stages == {"current": first.items[0].version_id}
    await put(house, "app/b", "two")
    assert await told(stream) == {"app/b": 2}
    stream.close()


async def test_no_item_has_a_field_for_a_value(house, apps) -> None:
    stream = await watch(house, apps)
    fields = set((await batch(stream)).items[0].__struct_fields__)
    assert fields == {"name", "secret_id", "version_id", "number", "stages", "barrier", "deleted"}
    stream.close()


async def test_what_changes_often_is_told_as_it_is_in_the_end(house, apps) -> None:
    stream = await watch(house, apps)
    await batch(stream)
    for number in range(20):
        await put(house, "app/a", f"value {number}")
    assert await told(stream) == {"app/a": 21}
    stream.close()


async def test_what_does_not_show_is_not_told(house, apps) -> None:
    stream = await watch(house, apps)
    await batch(stream)
    await house.call("UpdateSecret", name="app/a", description="another")
    await put(house, "app/b", "two")
    assert await told(stream) == {"app/b": 2}
    stream.close()


async def test_a_name_given_twice_is_told_once(house, apps) -> None:
    stream = await watch(house, ("app/a", "app/a"))
    assert len((await batch(stream)).items) == 1
    stream.close()


async def test_a_watch_goes_on_from_the_event_that_came_last(house, apps) -> None:
    first = await watch(house, apps)
    position = (await batch(first)).position
    first.close()
    await put(house, "app/b", "two")
    second = await watch(house, apps, last_event_id=position)
    assert await told(second) == {"app/b": 2}
    second.close()


async def test_a_watch_that_missed_nothing_says_so_at_once(house, apps) -> None:
    first = await watch(house, apps)
    position = (await batch(first)).position
    first.close()
    second = await watch(house, apps, last_event_id=position)
    assert (await batch(second)).items == ()
    second.close()


@pytest.mark.parametrize("wrong", ["", "7", "elsewhere.1.7", "{feed}.99999999", "{feed}.-1", "{feed}.²"])
async def test_an_event_that_is_not_ours_means_everything(house, apps, wrong: str) -> None:
    feed = house.storage.position.rpartition(".")[0]
    stream = await watch(house, apps, last_event_id=wrong.format(feed=feed))
    assert await told(stream) == {"app/a": 1, "app/b": 1}
    stream.close()


async def test_a_secret_that_goes_and_comes_again_is_another_one(house, apps) -> None:
    await house.call("CreateSecret", name="app/c", text="one", token="t-1")
    stream = await watch(house, ("app/c",))
    before = (await batch(stream)).items[0]
    await house.call("DeleteSecret", name="app/c", force=True)
    gone = (await batch(stream)).items[0]
    assert (gone.deleted, gone.secret_id, gone.version_id) == (True, None, None)
    await house.call("CreateSecret", name="app/c", text="two", token="t-1")
    again = (await batch(stream)).items[0]
    assert (again.version_id, again.number, again.deleted) == (before.version_id, before.number, False)
    assert again.secret_id != before.secret_id, "else a client would take the old value for the new one"
    stream.close()


async def test_a_secret_that_waits_to_be_erased_is_told_as_deleted(house, apps) -> None:
    stream = await watch(house, ("app/a",))
    await batch(stream)
    await house.call("DeleteSecret", name="app/a")
    found = (await batch(stream)).items[0]
    assert found.deleted
    assert found.secret_id is not None
    await house.call("RestoreSecret", name="app/a")
    assert not (await batch(stream)).items[0].deleted
    stream.close()


async def test_a_secret_without_a_version_has_no_current_one(house) -> None:
    await house.call("CreateSecret", name="app/new")
    stream = await watch(house, ("app/new",))
    found = (await batch(stream)).items[0]
    assert (found.version_id, found.number, found.stages, found.deleted) == (None, None, {}, False)
    stream.close()


async def test_the_read_barrier_is_told(house, apps) -> None:
    stream = await watch(house, ("app/a",))
    await batch(stream)
    before = await house.storage.secrets.get(house.account, "app/a")
    after = replace(before, barrier=Barrier.HOLD, revision=before.revision + 1)
    change = Replace(before, after, authenticator().mac(after))
    await house.storage.commit(UnitOfWork((change,), samples.event("Step", accounts=(house.account,))))
    assert (await batch(stream)).items[0].barrier == "hold"
    stream.close()


async def test_what_another_worker_commits_is_heard_of_without_any_call(house, apps, tmp_path) -> None:
    stream = await watch(house, ("app/a",))
    await batch(stream)
    async with temporary_storage(tmp_path / "storage") as elsewhere:
        before = await elsewhere.secrets.get(house.account, "app/a")
        after = replace(before, stages={**before.stages, "blue": before.stages["current"]}, revision=1)
        change = Replace(before, after, authenticator().mac(after))
        await elsewhere.commit(UnitOfWork((change,), samples.event("Step", accounts=(house.account,))))
        assert "blue" in (await batch(stream)).items[0].stages
    stream.close()


async def test_a_watch_is_one_event_with_its_names(house, apps) -> None:
    answer = await house.run("WatchSecrets", names=apps)
    (event,) = await house.events(answer.request_id)
    assert (event["operation"], event["outcome"], event["fields"]) == ("WatchSecrets", "ok", {"names": list(apps)})
    assert event["resource"] == f"secretsd:{house.account}:secret/app/a"
    answer.stream.close()


async def test_one_forbidden_name_is_one_too_many(house, apps) -> None:
    await house.call("CreateSecret", name="other", text="one")
    ann = await house.user("ann", READS)
    kinds = []
    for names in (("app/a", "other"), ("other", "app/a"), ("app/a", "none"), ("none",)):
        answer = await house.run("WatchSecrets", ann, names=names)
        kinds.append((answer.error.kind.value, answer.error.message, answer.stream))
        (event,) = await house.events(answer.request_id)
        assert event["outcome"] == "access-denied"
    assert len(set(kinds)) == 1, "what is forbidden and what is unknown look alike"
    assert kinds[0][0] == "access-denied"
    assert house.parts.watchers.count == 0


async def test_an_unknown_name_is_not_found_and_one_that_is_gone_since_is_deleted(house, apps) -> None:
    answer = await house.run("WatchSecrets", names=("app/a", "app/none"))
    assert answer.error.kind.value == "not-found"
    stream = await watch(house, ("app/a", "app/none"), last_event_id="of another time")
    assert [item.deleted for item in (await batch(stream)).items] == [False, True]
    stream.close()
    assert house.parts.watchers.count == 0


async def test_a_watch_that_cannot_be_recorded_is_not_there(house, apps, monkeypatch) -> None:
    def refused(_: Any) -> asyncio.Future[None]:
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(StorageUnavailable())
        return failed

    with monkeypatch.context() as patch:  # only while it is asked for: the test's own events are real
        patch.setattr(house.storage.audit, "record", refused)
        answer = await house.run("WatchSecrets", names=apps)
    assert answer.error.kind.value == "storage-unavailable"
    assert answer.stream is None
    assert house.parts.watchers.count == 0


async def test_there_are_only_so_many(house, apps) -> None:
    parts = house.parts
    few = assemble(
        storage=house.storage, keystore=parts.keystore, rotators=parts.rotators, escrow=parts.escrow,
        calendar=parts.calendar, clock=house.clock, authenticator=authenticator(), max_watchers=2,
    )  # fmt: skip
    house.pipeline = Pipeline(few)
    streams = [await watch(house, apps) for _ in range(2)]
    answer = await house.run("WatchSecrets", names=apps)
    assert (answer.error.kind.value, answer.error.retry_after_seconds) == ("throttled", 5)
    streams[0].close()
    streams[0].close()
    (await watch(house, apps)).close()
    streams[1].close()
    assert few.watchers.count == 0


async def test_a_watch_is_no_request_in_flight(house, apps) -> None:
    house.pipeline = Pipeline(house.parts, max_in_flight=1)
    stream = await watch(house, apps)
    assert await house.text("app/a") == "one"
    stream.close()
