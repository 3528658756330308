"""Grants that their grantees pass on: only in part, and ended with what they came from."""

import pytest

from tests.unit.operations.granting import encrypts, full, grant, key, listed, vendor
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import APP, BOSS, CONTEXT, VENDOR

__all__ = ["grant", "key", "vendor"]

OTHER = {"tenant": "8"}
MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("given", "passed", "well"),
    [
        ({}, {}, True),
        ({}, {"operations": ("Encrypt", "Decrypt")}, False),
        ({}, {"operations": ("Encrypt", "CreateGrant")}, True),
        ({"context_equals": CONTEXT}, {"context_equals": CONTEXT}, True),
        ({"context_equals": CONTEXT}, {}, False),
        ({"context_equals": CONTEXT}, {"context_subset": CONTEXT}, False),
        ({"context_equals": CONTEXT}, {"context_equals": {**CONTEXT, "a": "b"}}, False),
        ({"context_subset": CONTEXT}, {"context_subset": {**CONTEXT, "a": "b"}}, True),
        ({"context_subset": CONTEXT}, {"context_equals": {**CONTEXT, "a": "b"}}, True),
        ({"context_subset": CONTEXT}, {"context_subset": OTHER}, False),
        ({"context_subset": CONTEXT}, {}, False),
        ({}, {"context_subset": CONTEXT}, True),
        ({"for_ms": MINUTE_MS}, {}, False),
        ({"for_ms": MINUTE_MS}, {"for_ms": MINUTE_MS}, True),
        ({"for_ms": MINUTE_MS}, {"for_ms": MINUTE_MS + 1}, False),
    ],
)
async def test_a_grantee_passes_on_no_more_than_he_has(house, vendor, key, grant, tools, given, passed, well):
    now_ms = house.clock.now_ms()

    def until(fields):
        return {
            ("expires_ms" if name == "for_ms" else name): now_ms + value if name == "for_ms" else value
            for name, value in fields.items()
        }

    parent = await grant(**{"operations": ("Encrypt", "CreateGrant"), **until(given)})
    if not well:
        with pytest.raises(tools.Failed, match="access-denied"):
            await grant(**{"grantee": BOSS, "caller": vendor.app, **until(passed)})
        return
    child = await grant(**{"grantee": BOSS, "caller": vendor.app, **until(passed)})
    assert (child.parent, child.by) == (parent.id, APP)


async def test_who_may_not_create_grants_passes_nothing_on(house, vendor, key, grant, tools):
    await grant(("Encrypt",))
    with pytest.raises(tools.Failed, match="access-denied"):
        await grant(grantee=BOSS, caller=vendor.app)


async def test_what_was_passed_on_ends_with_what_it_was_passed_on_of(house, vendor, key, grant):
    """Else the owner would have to hunt for what he never granted."""
    third = f"secretsd:{VENDOR}:user/third"
    carol = await vendor.user("third", {"effect": "Allow", "action": ["*"], "resource": [full(house, key)]})
    parent = await grant(("Encrypt", "CreateGrant"))
    child = await grant(("Encrypt", "CreateGrant"), grantee=BOSS, caller=vendor.app)
    grandchild = await grant(grantee=third, caller=vendor.boss)
    assert grandchild.parent == child.id
    assert await encrypts(house, carol, key)
    ended = await house.call("RevokeGrant", key=key, grant=parent.id)
    assert set(ended.grants) == {parent.id, child.id, grandchild.id}
    for caller in (vendor.app, vendor.boss, carol):
        assert not await encrypts(house, caller, key)
    assert await listed(house, key) == []


async def test_what_is_passed_on_while_its_parent_is_revoked_is_not_there(
    house, vendor, key, grant, tools, monkeypatch
):
    parent = await grant(("Encrypt", "CreateGrant"))

    async def revoke():
        await house.call("RevokeGrant", key=key, grant=parent.id)

    happened = overtaken(house, monkeypatch, revoke)
    with pytest.raises(tools.Failed, match="access-denied"):
        await grant(grantee=BOSS, caller=vendor.app)
    assert happened == [True]
    assert await listed(house, key) == []


@pytest.mark.parametrize("end", ["RevokeGrant", "RetireGrant"])
async def test_what_is_passed_on_while_its_parent_is_sought_out_ends_with_it(
    house, vendor, key, grant, monkeypatch, end
):
    """Read before and committed after: else the child would stay, of a parent that is gone."""
    parent = await grant(("Encrypt", "CreateGrant"))
    happened = overtaken(house, monkeypatch, lambda: grant(grantee=BOSS, caller=vendor.app))
    ended = await house.call(end, key=key, grant=parent.id)
    assert (len(ended.grants), happened) == (2, [True])
    assert await listed(house, key) == []
    assert not await encrypts(house, vendor.boss, key)


async def test_who_takes_a_name_later_passes_nothing_on_of_what_was_granted_before(house, vendor, key, grant, tools):
    """He may make grants by one of his own, which gives him no more than it says."""
    name = f"secretsd:{VENDOR}:user/temp"
    await house.call("CreateUser", vendor.boss, user="temp")
    await grant(("Encrypt", "Decrypt", "CreateGrant"), grantee=name)
    await house.call("DeleteUser", vendor.boss, user="temp")
    house.clock.ms += MINUTE_MS
    temp = await vendor.user("temp", {"effect": "Allow", "action": ["*"], "resource": [full(house, key)]})
    await grant(("DescribeKey", "CreateGrant"), grantee=name)
    with pytest.raises(tools.Failed, match="access-denied"):
        await grant(("Encrypt", "Decrypt"), grantee=name, caller=temp)
    assert not await encrypts(house, temp, key)
    assert (await grant(("DescribeKey",), grantee=BOSS, caller=temp)).parent
