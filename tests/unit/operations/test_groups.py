"""Groups: members have what the group has, at once; one with members is not deleted, whatever happens meanwhile."""

import asyncio

import pytest

from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}


async def denied(house, tools, caller, name="x"):
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.text(name, caller)


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="x", text="1")
    await house.call("CreatePolicy", policy="reads", document=document(READ))
    await house.call("CreateGroup", group="readers", description="they read")
    return house


async def test_a_member_has_what_the_group_has(app, tools):
    ann = await app.user("ann")
    await app.call("AttachGroupPolicy", group="readers", policy="reads")
    await denied(app, tools, ann)
    assert (await app.call("AddUserToGroup", group="readers", user="ann")).groups == ("readers",)
    assert await app.text("x", ann) == "1"
    await app.call("DetachGroupPolicy", group="readers", policy="reads")
    await denied(app, tools, ann)
    await app.call("PutGroupPolicy", group="readers", policy="own", document=document(READ))
    assert await app.text("x", ann) == "1"
    assert (await app.call("RemoveUserFromGroup", group="readers", user="ann")).groups == ()
    await denied(app, tools, ann)


async def test_a_denial_of_the_group_wins(app, tools):
    ann = await app.user("ann", READ)
    deny = {"effect": "Deny", "action": ["*"], "resource": ["secret/x"]}
    await app.call("PutGroupPolicy", group="readers", policy="stop", document=document(deny))
    assert await app.text("x", ann) == "1"
    await app.call("AddUserToGroup", group="readers", user="ann")
    await denied(app, tools, ann)


async def test_a_group_is_told_with_its_members_in_pages(app):
    for number in range(5):
        await app.call("CreateUser", user=f"u{number}")
        await app.call("AddUserToGroup", group="readers", user=f"u{number}")
    await app.call("AttachGroupPolicy", group="readers", policy="reads")
    seen, token = [], None
    while True:
        page = await app.call("DescribeGroup", group="readers", limit=2, next_token=token)
        seen += page.members
        if (token := page.next_token) is None:
            break
    assert seen == [f"u{number}" for number in range(5)]
    assert (page.policies, page.description, page.resource) == (
        ("reads",), "they read", f"secretsd:{app.account}:group/readers",
    )  # fmt: skip
    assert (await app.call("UpdateGroup", group="readers", description="new")).description == "new"
    assert (await app.call("UpdateGroup", group="readers")).description == "new"


async def test_groups_are_listed_in_pages(app):
    for name in ("b", "a"):
        await app.call("CreateGroup", group=name)
    first = await app.call("ListGroups", limit=2)
    second = await app.call("ListGroups", limit=2, next_token=first.next_token)
    assert [one.group for one in (*first.groups, *second.groups)] == ["a", "b", "readers"]
    assert second.next_token is None


async def test_joining_twice_and_leaving_what_one_is_not_in(app):
    await app.call("CreateUser", user="ann")
    for _ in range(2):
        assert (await app.call("AddUserToGroup", group="readers", user="ann")).groups == ("readers",)
    for _ in range(2):
        assert (await app.call("RemoveUserFromGroup", group="readers", user="ann")).groups == ()


async def test_a_group_with_members_stays(app, tools):
    await app.call("CreateUser", user="ann")
    await app.call("AddUserToGroup", group="readers", user="ann")
    with pytest.raises(tools.Failed, match="invalid-state"):
        await app.call("DeleteGroup", group="readers")
    await app.call("RemoveUserFromGroup", group="readers", user="ann")
    await app.call("DeleteGroup", group="readers")
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("DescribeGroup", group="readers")


async def test_who_joins_a_group_while_it_is_deleted_finds_it_gone(app, tools, monkeypatch):
    await app.call("CreateUser", user="ann")
    happened = overtaken(app, monkeypatch, lambda: app.call("DeleteGroup", group="readers"))
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("AddUserToGroup", group="readers", user="ann")
    assert happened
    assert (await app.call("DescribeUser", user="ann")).groups == ()


async def test_a_group_that_somebody_joins_while_it_is_deleted_stays(app, tools, monkeypatch):
    await app.call("CreateUser", user="ann")
    happened = overtaken(app, monkeypatch, lambda: app.call("AddUserToGroup", group="readers", user="ann"))
    with pytest.raises(tools.Failed, match="invalid-state"):
        await app.call("DeleteGroup", group="readers")
    assert happened
    assert (await app.call("DescribeGroup", group="readers")).members == ("ann",)


async def test_many_join_at_once(app):
    for number in range(12):
        await app.call("CreateUser", user=f"u{number}")
    await asyncio.gather(*(app.call("AddUserToGroup", group="readers", user=f"u{number}") for number in range(12)))
    assert len((await app.call("DescribeGroup", group="readers")).members) == 12


async def test_members_of_a_lost_group_may_nothing_until_they_are_out(app, tools):
    ann = await app.user("ann", READ)
    await app.call("AddUserToGroup", group="readers", user="ann")
    lost = await app.storage.accounts.group(app.account, "readers")
    await app.storage.commit(UnitOfWork((Delete(lost),), samples.event("Lost", accounts=(app.account,))))
    app.storage.refresh()
    await denied(app, tools, ann)
    assert (await app.call("RemoveUserFromGroup", group="readers", user="ann")).groups == ()
    assert await app.text("x", ann) == "1"
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("RemoveUserFromGroup", group="readers", user="ann")


async def test_a_user_is_in_a_bounded_number_of_groups(app, tools):
    await app.call("CreateUser", user="ann")
    for number in range(11):
        await app.call("CreateGroup", group=f"g{number}")
    for number in range(10):
        await app.call("AddUserToGroup", group=f"g{number}", user="ann")
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await app.call("AddUserToGroup", group="g10", user="ann")


async def test_who_or_what_is_not_there(app, tools):
    await app.call("CreateUser", user="ann")
    for operation in ("AddUserToGroup", "RemoveUserFromGroup"):
        for group, user in (("readers", "none"), ("none", "ann")):
            with pytest.raises(tools.Failed, match="not-found"):
                await app.call(operation, group=group, user=user)
    with pytest.raises(tools.Failed, match="already-exists"):
        await app.call("CreateGroup", group="readers")


async def test_nobody_without_the_permission_touches_groups(app, tools):
    ann = await app.user("ann", READ)
    for operation, fields in (
        ("UpdateGroup", {"description": "x"}), ("DeleteGroup", {}), ("DescribeGroup", {}), ("CreateGroup", {}),
        ("AddUserToGroup", {"user": "ann"}), ("RemoveUserFromGroup", {"user": "ann"}),
        ("AttachGroupPolicy", {"policy": "reads"}), ("DetachGroupPolicy", {"policy": "reads"}),
        ("PutGroupPolicy", {"policy": "p", "document": document(READ)}), ("GetGroupPolicy", {"policy": "p"}),
        ("DeleteGroupPolicy", {"policy": "p"}), ("ListGroupPolicies", {}),
    ):  # fmt: skip
        for group in ("readers", "none"):
            with pytest.raises(tools.Failed, match="access-denied"):
                await app.call(operation, ann, group=group, **fields)
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("ListGroups", ann)
