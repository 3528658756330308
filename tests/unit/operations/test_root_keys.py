"""Generations of the root as operators see them: what each still wraps, and what its end means for backups."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secretsd.domain.errors import AccessDenied, Internal
from secretsd.domain.keys import KeyMetadata, KeyState, KeyVersionState
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.domain.records import RECORDS
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.root_rewrap import RewrapKeyVersionRequest
from secretsd.ports.storage import Add, Replace, UnitOfWork
from secretsd.services.key_deletion import KeyDeletions
from secretsd.services.root_rewrap import RootRewraps
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage
from tests.unit.operations import importing

DAY_MS = 24 * 3600 * 1000


async def unpaced(_: float) -> None:
    """Instead of the pause between pages."""


async def counts(house: Any) -> dict[int, int | None]:
    told = await house.call("DescribeRootKeys")
    assert told.unknown == told.escrowed == 0
    return {root.generation: root.key_versions for root in told.roots}


async def versions(house: Any) -> list[Any]:
    """Every key version of the account."""
    found = []
    for key in await house.storage.keys.page(house.account, "", 100):
        found += await house.storage.keys.versions(house.account, key.id, 2**62, 100)
    return found


async def test_after_a_new_root_every_key_moves_to_it_and_secrets_stay_readable(house: Any) -> None:
    await house.call("CreateSecret", name="a", text="the value")
    for _ in range(3):
        await house.call("CreateKey")
    before = await versions(house)
    assert await counts(house) == {1: None}
    new = house.keystore.renew_root()
    assert await counts(house) == {1: len(before), 2: None}

    service = RootRewraps(house.pipeline, unpaced)
    assert await service.ensure() == len(before)
    after = await versions(house)
    assert {version.kek_id for version in after} == {new}
    assert [(one.key_id, one.version, one.created_ms, one.public_key) for one in after] == [
        (one.key_id, one.version, one.created_ms, one.public_key) for one in before
    ]
    assert await counts(house) == {1: 0, 2: None}
    assert await service.ensure() == 0
    house.keystore.destroy_root(1, house.clock.now_ms())
    house.sealer.forget()
    assert await house.text("a") == "the value"


async def test_every_move_is_an_event_that_names_both_roots(house: Any) -> None:
    key = await house.call("CreateKey")
    old = (await house.storage.keys.version(house.account, key.id, 1)).kek_id
    new = house.keystore.renew_root()
    await RootRewraps(house.pipeline, unpaced).ensure()
    (event,) = [
        one for one in await house.events() if one["operation"] == "RewrapKeyVersion" and key.id in one["resource"]
    ]
    assert event["fields"] == {"version": 1, "from_root": old, "to_root": new}
    assert event["principal"].endswith(ROTATION_ROLE)
    assert [row[0] for row in event["changes"]] == [RECORDS[type((await versions(house))[0])].table]


async def test_it_goes_on_where_it_was_cut_short(house: Any) -> None:
    for _ in range(5):
        await house.call("CreateKey")
    house.keystore.renew_root()
    everything, original = len(await versions(house)), house.keystore.rewrap
    reached = asyncio.Event()
    asked = 0

    async def rewrap(key: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 3:
            reached.set()
            await asyncio.Event().wait()  # until it is cancelled
        return await original(key)

    house.keystore.rewrap = rewrap
    cut = asyncio.create_task(RootRewraps(house.pipeline, unpaced).ensure())
    await reached.wait()
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    house.keystore.rewrap = original
    assert await counts(house) == {1: everything - 2, 2: None}
    assert await RootRewraps(house.pipeline, unpaced).ensure() == everything - 2
    assert await counts(house) == {1: 0, 2: None}


async def test_one_that_cannot_be_moved_holds_up_no_other(house: Any) -> None:
    broken = await house.call("CreateKey")
    await house.call("CreateKey")
    house.keystore.renew_root()
    everything, original = len(await versions(house)), house.keystore.rewrap

    async def rewrap(key: Any) -> Any:
        if key.key_id == broken.id:
            raise Internal("cannot use the key")
        return await original(key)

    house.keystore.rewrap = rewrap
    service = RootRewraps(house.pipeline, unpaced)
    assert await service.ensure() == everything - 1
    assert await counts(house) == {1: 1, 2: None}
    house.keystore.rewrap = original
    assert await service.ensure() == 1


async def test_two_workers_move_each_key_once(house: Any, tools: Any, tmp_path: Path) -> None:
    for _ in range(4):
        await house.call("CreateKey")
    house.keystore.renew_root()
    everything = len(await versions(house))
    async with temporary_storage(tmp_path / "storage") as storage:
        other = tools.House(storage, house.keystore)
        workers = [RootRewraps(one.pipeline, unpaced) for one in (house, other)]
        moved = await asyncio.gather(*(worker.ensure() for worker in workers))
    assert sorted(moved) == [0, everything]
    events = [one for one in await house.events() if one["operation"] == "RewrapKeyVersion"]
    assert len(events) == everything


async def test_what_another_node_wraps_by_the_old_root_moves_as_well(house: Any) -> None:
    """As long as that root is there; once it is gone, nobody walks through storage any more."""
    key = await house.call("CreateKey")
    old = await house.storage.keys.version(house.account, key.id, 1)
    house.keystore.renew_root()
    service = RootRewraps(house.pipeline, unpaced)
    await service.ensure()
    assert await service.ensure() == 0

    async def wrapped_elsewhere() -> None:
        before = await house.storage.keys.version(house.account, key.id, 1)
        after = replace(old, revision=before.revision + 1)
        change = Replace(before, after, authenticator().mac(after))
        await house.storage.commit(UnitOfWork((change,), samples.event("RenewKey", accounts=(house.account,))))

    await wrapped_elsewhere()
    assert await service.ensure() == 1
    house.keystore.destroy_root(1, house.clock.now_ms())
    await wrapped_elsewhere()
    assert await service.ensure() == 0


async def test_the_keys_of_account_system_move_too(house: Any) -> None:
    key = replace(samples.cmk(), account=SYSTEM_ACCOUNT)
    version = await house.keystore.generate_key(KeyMetadata(SYSTEM_ACCOUNT, key.id, 1))
    rows = [Add(row, authenticator().mac(row)) for row in (key, version)]
    await house.storage.commit(UnitOfWork(tuple(rows), samples.event("Made", accounts=(SYSTEM_ACCOUNT,))))
    house.storage.refresh()
    new = house.keystore.renew_root()
    await RootRewraps(house.pipeline, unpaced).ensure()
    assert (await house.storage.keys.version(SYSTEM_ACCOUNT, key.id, 1)).kek_id == new


async def test_only_the_schedule_moves_keys_and_only_operators_see_roots(house: Any, tools: Any) -> None:
    key = await house.call("CreateKey")
    principal = Principal(house.account, "user/anybody", "test")
    request = RewrapKeyVersionRequest(key=key.id, version=1)
    with pytest.raises(AccessDenied):
        await house.pipeline.run_scheduled(OPERATIONS["RewrapKeyVersion"], request, principal, None)
    user = await house.user("other", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("DescribeRootKeys", user)


async def destroyed_key(house: Any) -> str:
    """A CMK whose material is gone, as `EraseKey` leaves it."""
    key = (await house.call("CreateKey")).id
    before = await house.storage.keys.get(house.account, key)
    version = await house.storage.keys.version(house.account, key, 1)
    now_ms = house.clock.now_ms()
    rows = (
        (before, replace(before, state=KeyState.DESTROYED, deletion_ms=now_ms, revision=before.revision + 1)),
        (version, replace(version, state=KeyVersionState.DESTROYED, blob=b"", mac=b"", revision=version.revision + 1)),
    )
    changes = tuple(Replace(old, new, authenticator().mac(new)) for old, new in rows)
    await house.storage.commit(UnitOfWork(changes, samples.event("EraseKey", accounts=(house.account,))))
    house.storage.refresh()
    return key


async def test_a_destroyed_root_erases_destroyed_keys_from_backups(house: Any) -> None:
    key = await destroyed_key(house)
    told = await house.call("DescribeErasure", key=key)
    assert (told.how, told.at_ms, told.versions) == ("nothing-yet", None, 1)
    told = await house.call("DescribeErasure", key=key, retention_days=30)
    assert (told.how, told.at_ms) == ("backups-expired", told.destroyed_ms + 30 * DAY_MS)

    house.clock.pass_days(1)
    house.keystore.renew_root()
    made_ms = house.clock.now_ms()
    house.keystore.roots[-1] = replace(house.keystore.roots[-1], made_ms=made_ms)
    await RootRewraps(house.pipeline, unpaced).ensure()
    house.keystore.destroy_root(1, made_ms + 5)
    told = await house.call("DescribeErasure", key=key, retention_days=30)
    assert (told.how, told.at_ms) == ("root-destroyed", made_ms + 5)


async def test_a_key_that_is_not_destroyed_is_erased_from_nothing(house: Any, tools: Any) -> None:
    key = await house.call("CreateKey")
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("DescribeErasure", key=key.id)


async def test_imported_material_that_is_away_still_needs_the_root_that_knows_it(house: Any) -> None:
    key, material = await importing.external(house), bytes(range(32))
    await importing.bring(house, key, material)
    await house.call("DeleteImportedKeyMaterial", key=key)
    old = house.keystore.roots[0].kek_id
    house.keystore.renew_root()
    service = RootRewraps(house.pipeline, unpaced)
    await service.ensure()

    async def needed() -> tuple[int | None, int | None]:
        root = (await house.call("DescribeRootKeys")).roots[0]
        return root.key_versions, root.absent_versions

    assert await needed() == (0, 1)
    events = len(await house.events())
    assert await service.ensure() == 0
    assert len(await house.events()) == events, "nothing is tried that cannot be done"
    await importing.bring(house, key, material)
    assert (await house.storage.keys.version(house.account, key, 1)).kek_id == old
    assert await needed() == (1, 0)
    assert await service.ensure() == 1
    assert await needed() == (0, 0)


async def test_a_key_that_is_erased_meanwhile_needs_no_root(house: Any) -> None:
    key = await importing.external(house)
    await importing.bring(house, key, bytes(range(32)))
    await house.call("DeleteImportedKeyMaterial", key=key)
    house.keystore.renew_root()
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    house.clock.pass_days(8)
    assert await KeyDeletions(house.pipeline).ensure() == 1
    root = (await house.call("DescribeRootKeys")).roots[0]
    assert root.absent_versions == 0


async def test_keys_move_no_faster_than_was_asked_for_and_are_counted(house: Any) -> None:
    for _ in range(4):
        await house.call("CreateKey")
    house.keystore.renew_root()
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    number = len(await versions(house))
    service = RootRewraps(house.pipeline, pause, keys_per_second=0.01)
    assert service.rewrapped == 0
    left = await house.storage.keys.count_wrapped_otherwise(house.keystore.roots[-1].kek_id)
    assert left == number == await service.ensure() == service.rewrapped
    assert sum(paused) == pytest.approx(number * 100, rel=0.1)
    assert await house.storage.keys.count_wrapped_otherwise(house.keystore.roots[-1].kek_id) == 0
