"""Imported material goes when its time is over, never early, and may come back; what was made here never goes so."""

from dataclasses import replace

import pytest

from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import KeyOrigin, KeyState
from secretsd.services.key_deletion import KeyDeletions
from secretsd.testing import samples
from tests.unit.operations.key_steps import HOUR_MS, events_of, rewrite, row, step


@pytest.fixture
def deletions(house):
    return KeyDeletions(house.pipeline)


async def imported(house, expires_ms):
    """An external key with material until then, as importing leaves it."""
    key = (await house.call("CreateKey", origin="EXTERNAL")).id
    await rewrite(house, await row(house, key), state=KeyState.ENABLED, material_expires_ms=expires_ms)
    version = replace(samples.wrapped_key(1), account=house.account, key_id=key, origin=KeyOrigin.EXTERNAL)
    await house.add_record(replace(version, fingerprint=b"known again" * 3))
    return key


@pytest.mark.parametrize("disabled", [False, True])
async def test_material_goes_when_its_time_is_over_and_may_come_back(house, deletions, disabled):
    key = await imported(house, house.clock.ms + 24 * HOUR_MS)
    if disabled:
        await house.call("DisableKey", key=key)
    assert await deletions.ensure() == 0
    house.clock.pass_days(1.1)
    assert await deletions.ensure() == 1
    told = await house.call("DescribeKey", key=key)
    assert (told.state, told.material_expires_ms) == ("pending-import", None)
    version = await house.storage.keys.version(house.account, key, 1)
    assert (version.state.value, version.blob, version.fingerprint) == ("absent", b"", b"known again" * 3)
    assert await deletions.ensure() == 0
    (event,) = await events_of(house, "ExpireKeyMaterial")
    assert [change[0] for change in event["changes"]] == ["keys", "key_versions"]


async def test_material_does_not_go_early_and_what_was_made_here_never(house):
    key = await imported(house, house.clock.ms + 24 * HOUR_MS)
    with pytest.raises(InvalidState, match="not over"):
        await step(house, "ExpireKeyMaterial", key)
    made_here = (await house.call("CreateKey")).id
    await rewrite(house, await row(house, made_here), material_expires_ms=1)
    with pytest.raises(InvalidState, match="made in the HSM"):
        await step(house, "ExpireKeyMaterial", made_here)


async def test_material_that_expired_while_the_key_waited_goes_after_that_was_cancelled(house, deletions):
    key = await imported(house, house.clock.ms + 24 * HOUR_MS)
    await house.call("ScheduleKeyDeletion", key=key)
    house.clock.pass_days(2)
    assert await deletions.ensure() == 0
    assert (await house.call("CancelKeyDeletion", key=key)).state == "disabled"
    assert await deletions.ensure() == 1
    assert (await row(house, key)).state is KeyState.PENDING_IMPORT
