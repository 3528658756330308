"""A secret under a key of another account: that key's owner decides on every call, sees it, and can end it (15)."""

import pytest

from tests.unit.operations.reencryption import guarded, progress, run
from tests.unit.operations.two_accounts import APP, BOSS, VENDOR, Vendor, outcome, told

THIRD = "300000000003"
USES = ("GenerateDataKey", "Decrypt")


@pytest.fixture
async def vendor(house):
    return await Vendor(house).settle()


@pytest.fixture
async def key(house):
    return (await house.call("CreateKey", alias="customer")).id


@pytest.fixture
def named(house, key):
    return f"secretsd:{house.account}:key/{key}"


@pytest.fixture
async def sealed(house, vendor, key, named):
    """A secret of the vendor's under the customer's key, which the customer grants to two of his users."""
    for grantee in (APP, BOSS):
        await house.call("CreateGrant", key=key, grantee=grantee, operations=USES, name=grantee[-4:])
    await house.call("CreateSecret", vendor.app, name="of/customer", text="one", key_id=named)
    return key


async def read(house, caller):
    return await house.text("of/customer", caller)


@pytest.mark.parametrize("reference", ["key/{key}", "alias/customer"])
async def test_such_a_secret_is_made_by_who_may_generate_data_keys_there(house, vendor, key, reference):
    asked = {"name": "x", "text": "one", "key_id": f"secretsd:{house.account}:{reference.format(key=key)}"}
    assert await outcome(house, "CreateSecret", vendor.app, **asked) == "access-denied"
    await house.call("CreateGrant", key=key, grantee=APP, operations=("GenerateDataKey",))
    assert await outcome(house, "CreateSecret", vendor.boss, **asked) == "access-denied"
    answer = await house.run("CreateSecret", vendor.app, **asked)
    assert answer.error is None
    assert (await house.call("DescribeSecret", vendor.app, name="x")).key_id == key
    (event,) = await house.events(answer.request_id)
    assert event["accounts"] == [VENDOR, house.account]
    # To write is not to read.
    assert await outcome(house, "GetSecretValue", vendor.app, name="x") == "access-denied"


async def test_unknown_and_denied_keys_look_alike_and_a_bare_id_is_ones_own(house, vendor, key, named):
    unknown = f"secretsd:{house.account}:key/00000000-0000-4000-8000-000000000000"
    for one in (named, unknown, f"secretsd:{house.account}:alias/customer", f"secretsd:{house.account}:alias/none"):
        heard = await told(house, "CreateSecret", vendor.app, name="x", text="one", key_id=one)
        assert heard == ("access-denied", "cannot do that: GenerateDataKey is not allowed, or it does not exist")
    assert await outcome(house, "CreateSecret", vendor.app, name="x", text="one", key_id=key) == "not-found"
    # A key is its owner's, whatever account is said.
    own = (await house.call("CreateKey", vendor.boss)).id
    lie = f"secretsd:{house.account}:key/{own}"
    assert await outcome(house, "CreateSecret", vendor.app, name="x", text="one", key_id=lie) == "access-denied"


async def test_the_keys_owner_decides_on_every_read_though_all_is_in_memory(house, vendor, sealed):
    for _ in range(3):
        assert await read(house, vendor.app) == "one"
    third = await vendor.user("third", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    assert await outcome(house, "GetSecretValue", third, name="of/customer") == "access-denied"
    for grant in (await house.call("ListGrants", key=sealed)).grants:
        if grant.grantee == APP:
            await house.call("RevokeGrant", key=sealed, grant=grant.id)
    assert await outcome(house, "GetSecretValue", vendor.app, name="of/customer") == "access-denied"
    assert await read(house, vendor.boss) == "one"


async def test_disabling_the_key_ends_every_use_at_once(house, vendor, sealed):
    assert await read(house, vendor.app) == "one"
    await house.call("DisableKey", key=sealed)
    for operation, fields in (
        ("GetSecretValue", {}),
        ("PutSecretValue", {"text": "two"}),
        ("UpdateSecret", {"text": "two"}),
    ):
        assert await outcome(house, operation, vendor.app, name="of/customer", **fields) == "key-disabled"
    batch = await house.call("BatchGetSecretValue", vendor.app, names=("of/customer",))
    assert [one.kind for one in batch.errors] == ["key-disabled"]
    await house.call("EnableKey", key=sealed)
    assert await read(house, vendor.app) == "one"


async def test_each_use_is_in_the_view_of_the_keys_owner_hit_or_not_allowed_or_not(house, vendor, sealed):
    third = await vendor.user("third", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    asked = [
        ("GetSecretValue", vendor.app, {}),
        ("GetSecretValue", vendor.app, {}),
        ("GetSecretValue", third, {}),
        ("PutSecretValue", vendor.app, {"text": "two"}),
        ("PutSecretValue", third, {"text": "two"}),
    ]
    for operation, caller, fields in asked:
        answer = await house.run(operation, caller, name="of/customer", **fields)
        (event,) = await house.events(answer.request_id)
        assert event["accounts"] == [VENDOR, house.account]
        assert event["outcome"] == ("access-denied" if caller is third else "ok")
    # What concerns the vendor's own key alone is none of the customer's business.
    await house.call("CreateSecret", vendor.app, name="own", text="x")
    answer = await house.run("GetSecretValue", vendor.app, name="own")
    assert await house.events(answer.request_id) == []


async def test_a_secret_moves_under_anothers_key_and_back_with_all_it_holds(house, vendor, sealed, named):
    await house.call("CreateSecret", vendor.app, name="moving", text="one")
    default = (await house.call("DescribeSecret", vendor.app, name="moving")).key_id
    await house.call("UpdateSecret", vendor.app, name="moving", key_id=named)
    assert (await house.call("DescribeSecret", vendor.app, name="moving")).key_id == sealed
    assert await house.text("moving", vendor.app) == "one"
    await house.call("DisableKey", key=sealed)
    assert await outcome(house, "UpdateSecret", vendor.app, name="moving", key_id=default) == "key-disabled"
    await house.call("EnableKey", key=sealed)
    await house.call("UpdateSecret", vendor.app, name="moving", key_id=default)
    await house.call("DisableKey", key=sealed)
    assert await house.text("moving", vendor.app) == "one"


async def test_the_owner_is_told_how_much_would_be_lost_and_no_version_goes_from_under_it(house, vendor, sealed, tools):
    await house.call("RotateKeyOnDemand", key=sealed)
    with pytest.raises(tools.Failed, match="conflict") as refused:
        await house.call("DestroyKeyVersion", key=sealed, version=1, confirm_unknown_ciphertexts=True)
    assert "1 secret version" in refused.value.error.message
    waiting = await house.call("ScheduleKeyDeletion", key=sealed, pending_window_days=7)
    assert waiting.state == "pending-deletion"
    assert (await house.call("DescribeKey", key=sealed)).guarded_secret_versions == 1


async def test_re_encryption_moves_what_other_accounts_have_under_the_key_and_tells_them(house, vendor, sealed, named):
    """Each of them, and none of another: of who else is a customer of the same key nobody learns."""
    await house.call("CreateSecret", name="own", text="mine", key_id=sealed)
    third = await Vendor(house, THIRD).settle()
    await house.call("CreateGrant", key=sealed, grantee=f"secretsd:{THIRD}:user/app", operations=USES)
    await house.call("CreateSecret", third.app, name="of/customer", text="three", key_id=named)
    await house.call("RotateKeyOnDemand", key=sealed)
    await house.call("ReEncryptSecrets", key=sealed, per_second=100)
    await run(house)
    assert (await progress(house, sealed)).state == "done"
    assert await guarded(house, sealed, 1) == []
    assert {one.account for one in await guarded(house, sealed, 2)} == {VENDOR, THIRD, house.account}
    assert await read(house, vendor.app) == "one"
    assert await house.text("own") == "mine"
    assert await house.text("of/customer", third.app) == "three"
    for account in (VENDOR, THIRD):
        steps = [one for one in await house.events(account=account) if one["operation"] == "ContinueReEncryption"]
        assert steps
        assert all(one["accounts"] == [house.account, account] for one in steps)


async def test_a_secret_under_anothers_key_is_not_rotated(house, vendor, sealed, named):
    """The account's rotation role has no rights in another account, and a rotation must not stop half-way."""
    asked = {"name": "of/customer", "rotator": "random"}
    assert await outcome(house, "RotateSecret", vendor.app, **asked) == "invalid-state"
