"""The life of a CMK as its owner moves it: legal moves only, none by accident, each with its event."""

import itertools
from dataclasses import replace

import pytest

from secretsd.domain.keys import KeyOrigin, KeyState, KeyVersionState
from secretsd.testing import samples
from tests.unit.operations.key_steps import rewrite

DAY_MS = 24 * 3600 * 1000


async def state(house, key):
    return (await house.call("DescribeKey", key=key)).state


async def refused(house, tools, name, key, kind="invalid-state", **fields):
    """The message of a refusal, after which the key is as before."""
    before = await house.storage.keys.get(house.account, key)
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await house.call(name, key=key, **fields)
    assert await house.storage.keys.get(house.account, key) == before
    (event,) = await house.events(failed.value.request_id)
    assert (event["operation"], event["outcome"]) == (name, kind)
    return failed.value.error.message


async def imported(house, **fields):
    """An external key with material, as importing leaves it."""
    made = await house.call("CreateKey", origin="EXTERNAL")
    key = await house.storage.keys.get(house.account, made.id)
    await rewrite(house, key, state=KeyState.ENABLED, **fields)
    version = replace(samples.wrapped_key(1), account=house.account, key_id=made.id, origin=KeyOrigin.EXTERNAL)
    await house.add_record(version)
    return made.id


async def test_a_disabled_key_is_used_no_more_until_it_is_enabled(house, tools):
    key = (await house.call("CreateKey")).id
    await house.call("CreateSecret", name="app", text="one", key_id=key)
    told = await house.call("DisableKey", key=key)
    assert (told.id, told.state, told.deletion_ms) == (key, "disabled", None)
    with pytest.raises(tools.Failed, match=r"^key-disabled$"):
        await house.text("app")
    assert (await house.call("EnableKey", key=key)).state == "enabled"
    assert await house.text("app") == "one"


@pytest.mark.parametrize("name", ["EnableKey", "DisableKey"])
async def test_a_key_that_is_there_already_is_no_error_and_changes_nothing(house, name):
    key = (await house.call("CreateKey")).id
    await house.call(name, key=key)
    before = await house.storage.keys.get(house.account, key)
    answer = await house.run(name, key=key)
    assert answer.error is None
    assert await house.storage.keys.get(house.account, key) == before
    (event,) = await house.events(answer.request_id)
    assert (event["outcome"], event.get("changes", [])) == ("ok", [])


@pytest.mark.parametrize("days", [7, 30, 366])
async def test_a_key_waits_for_its_deletion_and_can_be_kept(house, tools, days):
    key = (await house.call("CreateKey")).id
    fields = {} if days == 30 else {"pending_window_days": days}
    told = await house.call("ScheduleKeyDeletion", key=key, **fields)
    assert told.state == "pending-deletion"
    assert abs(told.deletion_ms - house.clock.ms - days * DAY_MS) < 1000
    assert (await house.call("DescribeKey", key=key)).deletion_ms == told.deletion_ms
    with pytest.raises(tools.Failed, match=r"^invalid-state$"):
        await house.call("CreateSecret", name="app", text="one", key_id=key)
    kept = await house.call("CancelKeyDeletion", key=key)
    assert (kept.state, kept.deletion_ms) == ("disabled", None)
    assert (await house.call("EnableKey", key=key)).state == "enabled"


async def test_the_day_of_a_scheduled_deletion_does_not_slip(house, tools):
    key = (await house.call("CreateKey")).id
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=366)
    assert "pending-deletion" in await refused(house, tools, "ScheduleKeyDeletion", key, pending_window_days=7)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("EnableKey", {}),
        ("DisableKey", {}),
        ("SetDeletionProtection", {"enabled": True}),
        ("UpdateKeyDescription", {"description": "x"}),
        ("CreateAlias", {"alias": "a"}),
    ],
)
async def test_a_key_that_waits_for_its_deletion_is_not_changed(house, tools, name, fields):
    key = (await house.call("CreateKey")).id
    await house.call("ScheduleKeyDeletion", key=key)
    assert key in await refused(house, tools, name, key, **fields)


async def test_a_protected_key_is_deleted_only_after_somebody_took_that_away(house, tools):
    key = (await house.call("CreateKey")).id
    told = await house.call("SetDeletionProtection", key=key, enabled=True, reason="the archive's key")
    assert (told.deletion_protection, told.protection_reason) == (True, "the archive's key")
    described = await house.call("DescribeKey", key=key)
    assert (described.deletion_protection, described.protection_reason) == (True, "the archive's key")
    assert "protected" in await refused(house, tools, "ScheduleKeyDeletion", key)
    await refused(house, tools, "SetDeletionProtection", key, "invalid-request", enabled=False, reason="no more")
    told = await house.call("SetDeletionProtection", key=key, enabled=False)
    assert (told.deletion_protection, told.protection_reason) == (False, "")
    await house.call("ScheduleKeyDeletion", key=key)


async def test_the_service_s_own_key_is_neither_disabled_nor_deleted_by_anybody(house, tools):
    (key,) = [one.id for one in (await house.call("ListKeys", owner="service")).keys]
    for name in ("DisableKey", "ScheduleKeyDeletion"):
        assert "the service's own" in await refused(house, tools, name, key)
    await house.call("CreateSecret", name="app", text="one")
    assert await house.text("app") == "one"


async def test_a_key_that_waits_for_its_material_stays_so_after_a_deletion_that_was_cancelled(house, tools):
    key = (await house.call("CreateKey", origin="EXTERNAL")).id
    await refused(house, tools, "DisableKey", key)
    await refused(house, tools, "EnableKey", key)
    await house.call("ScheduleKeyDeletion", key=key)
    assert (await house.call("CancelKeyDeletion", key=key)).state == "pending-import"


@pytest.mark.parametrize(
    ("material", "after"), [(KeyVersionState.LIVE, "disabled"), (KeyVersionState.ABSENT, "pending-import")]
)
async def test_an_imported_key_is_kept_with_the_material_that_it_has(house, material, after):
    key = await imported(house)
    version = await house.storage.keys.version(house.account, key, 1)
    await rewrite(house, version, state=material)
    await house.call("ScheduleKeyDeletion", key=key)
    assert (await house.call("CancelKeyDeletion", key=key)).state == after


async def test_expired_material_is_not_enabled_again(house, tools):
    key = await imported(house, material_expires_ms=house.clock.ms + DAY_MS)
    await house.call("DisableKey", key=key)
    await house.call("EnableKey", key=key)
    await house.call("DisableKey", key=key)
    house.clock.pass_days(2)
    assert "expired" in await refused(house, tools, "EnableKey", key)


async def test_what_is_not_scheduled_cannot_be_cancelled(house, tools):
    key = (await house.call("CreateKey")).id
    assert "enabled" in await refused(house, tools, "CancelKeyDeletion", key)


@pytest.mark.parametrize("count", [0, 3, 100, 101, 105])
async def test_a_key_that_waits_tells_how_many_secret_versions_it_guards(house, count):
    key = (await house.call("CreateKey")).id
    for number in range(1, count + 1):
        made = samples.secret_version(number, f"s-{number}")
        await house.add_record(replace(made, account=house.account, key_id=key))
    assert (await house.call("DescribeKey", key=key)).guarded_secret_versions is None
    await house.call("ScheduleKeyDeletion", key=key)
    told = await house.call("DescribeKey", key=key)
    assert (told.guarded_secret_versions, told.guarded_secret_versions_more) == (min(count, 100), count > 100)


async def test_each_move_needs_its_own_permission_on_that_key(house, tools):
    key, other = [(await house.call("CreateKey")).id for _ in range(2)]
    names = ["EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "SetDeletionProtection"]
    callers = {
        name: await house.user(name.lower(), {"effect": "Allow", "action": [name], "resource": [f"key/{key}"]})
        for name in names
    }
    fields = {"SetDeletionProtection": {"enabled": False}}
    for holder, asked in itertools.product(names, names):
        if holder != asked:
            with pytest.raises(tools.Failed, match=r"^access-denied$"):
                await house.call(asked, callers[holder], key=key, **fields.get(asked, {}))
    for name in names:
        with pytest.raises(tools.Failed, match=r"^access-denied$"):
            await house.call(name, callers[name], key=other, **fields.get(name, {}))
    for name in ("DisableKey", "EnableKey", "SetDeletionProtection", "ScheduleKeyDeletion", "CancelKeyDeletion"):
        await house.call(name, callers[name], key=key, **fields.get(name, {}))
    assert await state(house, key) == "disabled"
