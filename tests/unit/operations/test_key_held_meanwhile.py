"""Imported material and a rotation that begins in the very moment in which the material is taken away (SECURITY 20)."""

from unittest import mock

import pytest

from secretsd.api.keys import OfKey
from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import KeyState
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations import key_import, key_material, rotation_steps
from secretsd.operations.pinned_keys import held_by, hold_material
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.rotation_orders import StepRequest
from tests.unit.operations import importing
from tests.unit.operations.door_host import house_with_doors
from tests.unit.operations.key_steps import HOUR_MS, rewrite, row
from tests.unit.operations.test_target_access import create, rotate

MATERIAL = bytes(range(32))


@pytest.fixture(params=[("app_a",), ("app_a", "app_b")], ids=["one login", "two in turns"])
async def place(tmp_path, tools, request):
    """A secret with a version under an imported key, and its next ones under another; its rotation is due."""
    async with house_with_doors(tmp_path / "storage", tools.House) as made:
        await create(made, "main")
        made.key = await importing.external(made)
        await importing.bring(made, made.key, MATERIAL, expires_ms=made.clock.ms + HOUR_MS)
        await made.call("CreateSecret", name="app", text="one", key_id=made.key)
        secret = await made.storage.secrets.get(made.account, "app")
        await rewrite(made, secret, key_id=(await made.call("CreateKey")).id)
        await rotate(made, "app", request.param[0], logins=request.param)
        made.first = "CheckRotationIdle" if len(request.param) == 2 else "StageRotationCandidate"
        yield made


def role(place):
    return Principal(place.account, ROTATION_ROLE, "schedule")


async def begin(place):
    """The step by which the rotation pins its versions."""
    step = OPERATIONS[place.first]
    await place.pipeline.run_scheduled(step, StepRequest(name="app", epoch=1), role(place), None)


async def expire(place):
    return await place.pipeline.run_scheduled(OPERATIONS["ExpireKeyMaterial"], OfKey(key=place.key), role(place), None)


async def test_a_rotation_that_begins_while_material_is_deleted_keeps_it(place, tools):
    deleting = place.call("DeleteImportedKeyMaterial", key=place.key)
    with pytest.raises(tools.Failed, match=r"^conflict$"):
        await begins_meanwhile(place, key_import, deleting)
    assert (await importing.rows(place, place.key))[1].blob


@pytest.mark.parametrize("place", [("app_a", "app_b")], indirect=True)
async def test_a_rotation_that_begins_while_material_expires_keeps_it(place):
    """One of two logins: it looks first whether the next one is idle. That of one login needs the material at once."""
    place.clock.pass_days(1)
    told = await begins_meanwhile(place, key_material, expire(place))
    assert told.held_by == "app"
    assert (await importing.rows(place, place.key))[1].blob


async def begins_meanwhile(place, module, act):
    """What `act` comes to, where the rotation begins right after it was found out that none is under way."""
    looked = []

    async def look(call, key):
        found = await held_by(call, key)
        looked.append(found)
        if len(looked) == 1:
            await begin(place)
        return found

    with mock.patch.object(module, "held_by", look):
        try:
            return await act
        finally:
            assert looked == [None, "app"]
            assert (await row(place, place.key)).state is KeyState.ENABLED
            assert (await place.storage.secrets.get(place.account, "app")).pinned


async def test_material_that_goes_while_a_rotation_begins_stops_that_before_its_versions_are_pinned(place):
    holds: list[object] = []

    async def hold(*asked):
        found = await hold_material(*asked)
        if not holds:
            await place.call("DeleteImportedKeyMaterial", key=place.key)
        holds.append(found)
        return found

    with mock.patch.object(rotation_steps, "hold_material", hold), pytest.raises(InvalidState):
        await begin(place)
    assert len(holds) == 1, "the second try finds it away"
    assert not (await place.storage.secrets.get(place.account, "app")).pinned


async def test_control_without_a_race_the_rotation_begins_and_the_material_stays(place, tools):
    await begin(place)
    deleting = place.call("DeleteImportedKeyMaterial", key=place.key)
    assert "is under way and may need it" in await importing.refused(place, tools, "conflict", deleting)
