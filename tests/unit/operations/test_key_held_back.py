"""Keys and imported material that a rotation may need are held back: put off, told why, and for their owner to keep."""

import base64
import logging
from dataclasses import replace

import pytest

from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.keys import KeyState
from secretsd.domain.rotation import RotationState
from secretsd.services.key_deletion import KeyDeletions
from secretsd.testing import samples
from tests.unit.operations import importing
from tests.unit.operations.key_steps import HOUR_MS, events_of, rewrite, row

MATERIAL = bytes(range(32))


@pytest.fixture
def deletions(house):
    return KeyDeletions(house.pipeline)


async def pinned_secret(house, key):
    """A secret whose rotation is under way, with a version under the key."""
    await house.call("CreateSecret", name="app", text="one", key_id=key)
    secret = await house.storage.secrets.get(house.account, "app")
    rotation = replace(samples.rotation(secret.id, state=RotationState.VERIFYING), account=house.account)
    await house.add_record(replace(rotation, secret_name="app"))
    return await rewrite(house, secret, pinned=True)


async def test_a_key_that_a_rotation_may_need_is_not_destroyed_yet(house, deletions):
    key = (await house.call("CreateKey")).id
    secret = await pinned_secret(house, key)
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    house.clock.pass_days(8)
    assert await deletions.ensure() == 0
    held = await row(house, key)
    assert (held.state, held.oldest_version) == (KeyState.PENDING_DELETION, 1)
    assert abs(held.deletion_ms - house.clock.ms - HOUR_MS) < 1000, "tried later, not all the time"
    (event,) = await events_of(house, "BeginKeyErasure")
    assert event["fields"] == {"held_by": "app"}
    assert await deletions.ensure() == 0
    assert len(await events_of(house, "BeginKeyErasure")) == 1
    await rewrite(house, secret, pinned=False)
    house.clock.pass_days(1 / 24)
    assert await deletions.ensure() == 1
    assert (await row(house, key)).state is KeyState.DESTROYED


async def test_a_key_that_is_held_back_can_still_be_kept_and_the_rotation_goes_on(house, deletions):
    key = (await house.call("CreateKey")).id
    await pinned_secret(house, key)
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    house.clock.pass_days(8)
    await deletions.ensure()
    await house.call("CancelKeyDeletion", key=key)
    await house.call("EnableKey", key=key)
    assert await house.text("app") == "one"


@pytest.mark.parametrize(("moved", "noted", "held"), [(False, False, True), (True, False, False), (True, True, True)])
async def test_what_a_rotation_needs_is_its_labelled_versions_and_its_notes(house, deletions, moved, noted, held):
    key, other = [(await house.call("CreateKey")).id for _ in range(2)]
    secret = await pinned_secret(house, key)
    if moved:  # as though the secret had been moved to another key before this rotation began
        version = await house.storage.secrets.version(house.account, secret.id, secret.stages["current"])
        await rewrite(house, version, key_id=other)
    if noted:
        rotation = await house.storage.rotations.get(house.account, secret.id)
        header = CiphertextHeader(1, Purpose.ROTATION_JOURNAL, key, 1, bytes(12)).pack()
        await rewrite(house, rotation, kept={"v-1": base64.b64encode(header + bytes(64)).decode()})
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    house.clock.pass_days(8)
    assert await deletions.ensure() == (0 if held else 1)
    assert ((await row(house, key)).state is KeyState.PENDING_DELETION) == held


async def imported(house, **fields):
    """A key whose material came in, with a secret under it that is being rotated."""
    key = await importing.external(house)
    await importing.bring(house, key, MATERIAL, **fields)
    return key, await pinned_secret(house, key)


async def test_material_that_a_rotation_may_need_is_not_deleted(house, tools):
    key, secret = await imported(house)
    told = await importing.refused(house, tools, "conflict", house.call("DeleteImportedKeyMaterial", key=key))
    assert "the rotation of a secret under it is under way and may need it" in told
    assert "app" not in told, "whoever has rights on the key alone learns no secret's name"
    (event,) = await events_of(house, "DeleteImportedKeyMaterial")
    assert event["fields"] == {"held_by": "app"}
    assert (await row(house, key)).state is KeyState.ENABLED
    assert await house.text("app") == "one"
    await rewrite(house, secret, pinned=False)
    assert (await house.call("DeleteImportedKeyMaterial", key=key)).state == "pending-import"


async def test_material_whose_time_is_over_stays_in_use_until_the_rotation_has_ended(house, deletions, caplog):
    key, secret = await imported(house, expires_ms=house.clock.ms + 24 * HOUR_MS)
    house.clock.pass_days(1.1)
    with caplog.at_level(logging.WARNING):
        assert await deletions.ensure() == 0
    assert f"cannot take away the material of key {key} yet: the rotation of a secret may need it" in caplog.text
    held = await row(house, key)
    assert held.state is KeyState.ENABLED
    assert abs(held.material_expires_ms - house.clock.ms - HOUR_MS) < 1000, "tried later, not all the time"
    (event,) = await events_of(house, "ExpireKeyMaterial")
    assert event["fields"] == {"held_by": "app"}
    assert await house.text("app") == "one", "the rotation goes on"
    assert await deletions.ensure() == 0
    assert len(await events_of(house, "ExpireKeyMaterial")) == 1
    await rewrite(house, secret, pinned=False)
    house.clock.pass_days(1 / 24)
    assert await deletions.ensure() == 1
    assert (await row(house, key)).state is KeyState.PENDING_IMPORT


async def test_material_of_another_key_goes_though_a_rotation_is_under_way(house, deletions):
    await imported(house)
    for way in ("deleted", "expired"):
        key = await importing.external(house)
        await importing.bring(house, key, MATERIAL, expires_ms=house.clock.ms + HOUR_MS)
        if way == "deleted":
            await house.call("DeleteImportedKeyMaterial", key=key)
        else:
            house.clock.pass_days(1)
            assert await deletions.ensure() == 1
        assert (await row(house, key)).state is KeyState.PENDING_IMPORT
