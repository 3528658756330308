"""The end of keys: on their day and not before, for good, whatever breaks in between."""

from dataclasses import replace
from typing import Any

import pytest

from secretsd.api.keys import OfKey
from secretsd.domain.conditions import KnownFacts
from secretsd.domain.decisions import Sides
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import AccessDenied, InvalidState, KeyStoreUnavailable
from secretsd.domain.keys import KeyState
from secretsd.domain.names import Resource
from secretsd.domain.policy_rules import Who
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.operations import key_erasure
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.scheduled_roles import rotation_rules
from secretsd.ports.keystore import KeyUse
from secretsd.services.key_deletion import KeyDeletions
from secretsd.testing import samples
from secretsd.testing.storage import temporary_storage
from tests.unit.operations.key_steps import events_of, rewrite, row, step, waiting


@pytest.fixture
def deletions(house):
    return KeyDeletions(house.pipeline)


async def test_a_key_is_destroyed_on_its_day_and_not_before(house, deletions):
    key = await waiting(house, spec="ECC_NIST_P256", alias="mine")
    before = await house.storage.keys.version(house.account, key, 1)
    house.clock.pass_days(6.9)
    assert await deletions.ensure() == 0
    assert (await row(house, key)).state is KeyState.PENDING_DELETION
    house.clock.pass_days(0.2)
    assert await deletions.ensure() == 1
    gone = await house.call("DescribeKey", key=key)
    assert (gone.state, gone.oldest_version, gone.current_version) == ("destroyed", 2, 1)
    assert abs(gone.deletion_ms - house.clock.ms) < 1000
    (version,) = (await house.call("ListKeyVersions", key=key)).versions
    assert version.state == "destroyed"
    left = await house.storage.keys.version(house.account, key, 1)
    assert (left.blob, left.mac, left.fingerprint) == (b"", b"", b"")
    house.keystore.renew_root()
    with pytest.raises(InvalidState, match="destroyed"):  # though its row came back with a restore
        await house.keystore.rewrap(before)
    assert (await house.call("ListAliases")).aliases == ()
    assert await deletions.ensure() == 0


async def test_a_tombstone_is_shown_to_whoever_asks_for_it(house, deletions):
    key = await waiting(house, tags={"env": "prod"})
    house.clock.pass_days(8)
    await deletions.ensure()
    assert key not in {one.id for one in (await house.call("ListKeys")).keys}
    assert [one.id for one in (await house.call("ListKeys", state="destroyed")).keys] == [key]


async def test_no_operation_changes_a_destroyed_key(house, tools, deletions):
    key, other = await waiting(house), (await house.call("CreateKey", alias="other")).id
    house.clock.pass_days(8)
    await deletions.ensure()
    before = await row(house, key)
    asked: dict[str, dict[str, Any]] = {
        "EnableKey": {"key": key},
        "DisableKey": {"key": key},
        "ScheduleKeyDeletion": {"key": key},
        "CancelKeyDeletion": {"key": key},
        "SetDeletionProtection": {"key": key, "enabled": True},
        "UpdateKeyDescription": {"key": key, "description": "x"},
        "CreateAlias": {"key": key, "alias": "new"},
        "UpdateAlias": {"key": key, "alias": "other"},
        "TagResource": {"resource": f"key/{key}", "tags": {"a": "1"}},
        "UntagResource": {"resource": f"key/{key}", "keys": ("a",)},
    }
    for name, fields in asked.items():
        with pytest.raises(tools.Failed, match=r"^invalid-state$"):
            await house.call(name, **fields)
    for name in ("BeginKeyErasure", "EraseKey", "ExpireKeyMaterial"):
        with pytest.raises(InvalidState):
            await step(house, name, key)
    assert await row(house, key) == before
    assert (await house.call("DescribeKey", key="alias/other")).id == other


async def test_what_was_sealed_under_a_destroyed_key_is_read_no_more(house, tools, deletions):
    key = (await house.call("CreateKey")).id
    await house.call("CreateSecret", name="app", text="one", key_id=key)
    assert await house.text("app") == "one"  # its data key is in memory now
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    house.clock.pass_days(8)
    assert await deletions.ensure() == 1
    with pytest.raises(tools.Failed, match=r"^invalid-state$"):
        await house.text("app")
    assert (await house.call("DescribeSecret", name="app")).key_id == key


async def test_every_step_leaves_one_event_in_the_account_of_the_key(house, deletions):
    key = await waiting(house)
    house.clock.pass_days(8)
    await deletions.ensure()
    steps = await events_of(house, "BeginKeyErasure", "EraseKey")
    assert [(event["operation"], event["outcome"]) for event in steps] == [
        ("BeginKeyErasure", "ok"),
        ("EraseKey", "ok"),
    ]
    assert {event["resource"] for event in steps} == {f"secretsd:{house.account}:key/{key}"}
    assert [[change[0] for change in event["changes"]] for event in steps] == [["keys"], ["keys", "key_versions"]]


async def test_steps_are_refused_before_their_time_and_to_anybody_else(house):
    key = await waiting(house)
    for name in ("BeginKeyErasure", "EraseKey"):
        with pytest.raises(InvalidState, match="waiting time"):
            await step(house, name, key)
    house.clock.pass_days(8)
    with pytest.raises(InvalidState, match="has not begun"):
        await step(house, "EraseKey", key)
    admin = Principal(house.account, "user/nobody", "schedule")
    with pytest.raises(AccessDenied):
        await house.pipeline.run_scheduled(OPERATIONS["BeginKeyErasure"], OfKey(key=key), admin, None)
    assert (await row(house, key)).oldest_version == 1


def test_the_role_of_scheduled_work_takes_steps_on_keys_and_secrets_of_its_account_and_does_nothing_else():
    rules = Sides((rotation_rules(samples.ACCOUNT),))
    who = Who(samples.ACCOUNT, ROTATION_ROLE)

    def allowed(name, resource):
        return rules.narrowed(who, name, resource).decide(KnownFacts({})).allowed

    here, elsewhere = [Resource(owner, "key/k") for owner in (samples.ACCOUNT, samples.OTHER_ACCOUNT)]
    assert all(allowed(name, here) for name in ("BeginKeyErasure", "EraseKey"))
    assert not allowed("EraseKey", elsewhere)
    secret = Resource(samples.ACCOUNT, "secret/s")
    assert allowed("ApplyRotation", secret)
    assert not allowed("ApplyRotation", here), "a step on secrets has nothing to do with keys"
    assert not allowed("EraseKey", secret)
    assert not any(allowed(name, here) for name in ("RenewKey", "ContinueReEncryption"))
    assert not any(allowed("EraseKey", Resource(samples.ACCOUNT, path)) for path in ("alias/k", "account"))
    assert not any(allowed(name, here) for name in ("ScheduleKeyDeletion", "EnableKey", "CreateKey"))


async def test_a_deletion_can_be_cancelled_until_the_erasure_has_begun(house, tools):
    late, begun = await waiting(house), await waiting(house)
    house.clock.pass_days(8)
    assert (await house.call("CancelKeyDeletion", key=late)).state == "disabled"
    told = await step(house, "BeginKeyErasure", begun)
    assert (told.state, told.begun) == ("pending-deletion", True)
    with pytest.raises(tools.Failed, match=r"^invalid-state$") as failed:
        await house.call("CancelKeyDeletion", key=begun)
    assert "being destroyed" in failed.value.error.message
    with pytest.raises(InvalidState):
        await step(house, "BeginKeyErasure", late)


@pytest.mark.parametrize("after", ["BeginKeyErasure", "destroy_key"])
async def test_what_a_crash_left_halfway_is_done_at_the_next_look(house, deletions, after):
    key = await waiting(house)
    house.clock.pass_days(8)
    await step(house, "BeginKeyErasure", key)
    if after == "destroy_key":
        await house.keystore.destroy_key(house.account, key, 1)
    assert await deletions.ensure() == 1
    assert (await row(house, key)).state is KeyState.DESTROYED
    assert len(await events_of(house, "BeginKeyErasure")) == 2, "looked at again, and left as it was"


async def test_a_key_store_that_is_away_destroys_nothing_and_loses_nothing(house, deletions):
    key = await waiting(house)
    house.clock.pass_days(8)
    house.keystore.away = True
    with pytest.raises(KeyStoreUnavailable):
        await deletions.ensure()
    left = await row(house, key)
    assert (left.state, left.oldest_version) == (KeyState.PENDING_DELETION, 2)
    assert (await house.storage.keys.version(house.account, key, 1)).blob
    house.keystore.away = False
    assert await deletions.ensure() == 1


async def test_the_tombstone_is_set_before_the_rows_are_emptied(house, deletions, monkeypatch):
    key = await waiting(house)
    before = await house.storage.keys.version(house.account, key, 1)
    house.clock.pass_days(8)
    at_the_tombstone = []
    destroy_key = house.keystore.destroy_key

    async def destroyed(account, key_id, up_to):
        at_the_tombstone.append((key_id, up_to, await house.storage.keys.version(account, key_id, 1)))
        await destroy_key(account, key_id, up_to)

    monkeypatch.setattr(house.keystore, "destroy_key", destroyed)
    await deletions.ensure()
    assert at_the_tombstone == [(key, 1, before)]
    use = KeyUse(house.account, Purpose.API_CIPHERTEXT, "test")
    with pytest.raises(InvalidState):  # though a restored storage brought the row back
        await house.keystore.generate_data_key(before, use, {})


async def test_a_key_of_many_versions_names_and_grants_goes_in_several_units(house, deletions, monkeypatch):
    monkeypatch.setattr(key_erasure, "AT_ONCE", 4)
    key = (await house.call("CreateKey")).id
    first = await house.storage.keys.version(house.account, key, 1)
    for number in range(2, 11):
        await house.add_record(replace(first, version=number))
    await rewrite(house, await row(house, key), current_version=10)
    for number in range(6):
        await house.call("CreateAlias", alias=f"a{number}", key=key)
    for number in range(5):
        grantee = f"secretsd:{house.account}:user/u{number}"
        await house.call("CreateGrant", key=key, grantee=grantee, operations=["Encrypt"], retiring_principal=grantee)
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=7)
    house.clock.pass_days(8)
    assert await deletions.ensure() == 1
    versions = (await house.call("ListKeyVersions", key=key)).versions
    assert [(one.version, one.state) for one in versions] == [(number, "destroyed") for number in range(10, 0, -1)]
    assert (await house.call("ListAliases")).aliases == ()
    assert (await row(house, key)).state is KeyState.DESTROYED
    counted = [len(event["changes"]) for event in await events_of(house, "EraseKey")]
    assert counted == [13, 8, 3], "the key, and up to four versions, aliases and grants"
    retirable = await house.call("ListRetirableGrants", retiring_principal=f"secretsd:{house.account}:user/u0")
    assert retirable.grants == ()


async def test_a_key_that_never_had_material_goes_too(house, deletions):
    key = await waiting(house, origin="EXTERNAL")
    house.clock.pass_days(8)
    assert await deletions.ensure() == 1
    assert (await row(house, key)).state is KeyState.DESTROYED


async def test_one_key_that_cannot_be_erased_keeps_none_of_the_others(house, deletions, monkeypatch):
    stuck, other = await waiting(house), await waiting(house)
    house.clock.pass_days(8)
    destroy_key = house.keystore.destroy_key

    async def destroyed(account, key_id, up_to):
        if key_id == stuck:
            raise InvalidState("cannot do that")
        await destroy_key(account, key_id, up_to)

    monkeypatch.setattr(house.keystore, "destroy_key", destroyed)
    assert await deletions.ensure() == 1
    assert (await row(house, other)).state is KeyState.DESTROYED
    assert (await row(house, stuck)).state is KeyState.PENDING_DELETION


async def test_while_another_worker_is_at_it_nothing_is_done(house, deletions, tmp_path):
    key = await waiting(house)
    house.clock.pass_days(8)
    async with temporary_storage(tmp_path / "storage") as another:
        lease = await another.leases.claim("key-deletion", 60.0)
        assert lease is not None
        assert await deletions.ensure() == 0
        assert (await row(house, key)).oldest_version == 1
        await another.leases.release(lease)
        assert await deletions.ensure() == 1
        assert await another.leases.claim("key-deletion", 60.0) is not None, "given back"
