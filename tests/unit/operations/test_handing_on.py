"""Nobody hands on a reach into account `system` that he has not got: groups, roles, inline policies, bounds, tags."""

import pytest

from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document

ALL = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
SYSTEM = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}
BARS = {"effect": "Deny", "action": ["*"], "resource": ["secretsd:system:account/*"]}
BARS_ALL = {"effect": "Deny", "action": ["CreateTarget"], "resource": ["*"]}
BARS_OTHERS = {"effect": "Deny", "action": ["*"], "not_resource": ["secretsd:system:target/*"]}
HERE = {"effect": "Deny", "action": ["*"], "resource": ["secret/*"]}
READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}


def trust(*principals):
    return document({"effect": "Allow", "action": ["AssumeRole"], "principal": list(principals)})


@pytest.fixture
async def chief(house):
    """The administrator of the account, who is no operator."""
    caller = await house.user("chief", ALL)
    await house.call("CreatePolicy", policy="reach", document=document(SYSTEM))
    await house.call("CreatePolicy", policy="bars", document=document(BARS))
    await house.call("CreatePolicy", policy="reads", document=document(READ))
    await house.call("CreateUser", user="ann")
    await house.call("CreateUser", user="operator")
    await house.call("AttachPolicy", user="operator", policy="reach")
    await house.call("CreateGroup", group="operators")
    await house.call("AttachGroupPolicy", group="operators", policy="reach")
    await house.call("CreateGroup", group="plain")
    await house.call("CreateRole", role="ops", trust=trust("*"))
    await house.call("AttachRolePolicy", role="ops", policy="reach")
    await house.call("CreateRole", role="plain", trust=trust("*"))
    return caller


@pytest.fixture
def only_operators(house, tools, chief):
    """An operation that the account's administrator is refused, and the operator is not."""

    async def check(operation, **fields):
        with pytest.raises(tools.Failed, match="access-denied") as refused:
            await house.call(operation, chief, **fields)
        (event,) = await house.events(refused.value.request_id)
        assert event["accounts"] == [house.account, "system"]
        await house.call(operation, **fields)

    return check


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("AttachPolicy", {"user": "ann", "policy": "reach"}),
        ("AttachGroupPolicy", {"group": "plain", "policy": "reach"}),
        ("AttachRolePolicy", {"role": "plain", "policy": "reach"}),
        ("PutUserPolicy", {"user": "ann", "policy": "own", "document": document(SYSTEM)}),
        ("PutGroupPolicy", {"group": "plain", "policy": "own", "document": document(SYSTEM)}),
        ("PutRolePolicy", {"role": "plain", "policy": "own", "document": document(SYSTEM)}),
        ("CreatePolicy", {"policy": "new", "document": document(READ, SYSTEM)}),
        ("UpdatePolicy", {"policy": "reads", "document": document(SYSTEM)}),
        ("AddUserToGroup", {"group": "operators", "user": "ann"}),
        ("UpdateAssumeRolePolicy", {"role": "ops", "trust": trust("200000000002")}),
        ("CreateToken", {"user": "operator"}),
        ("CreateToken", {"user": "operator", "ttl_seconds": 60}),
        ("CreateBinding", {"proof": "unix:uid/4711", "user": "operator"}),
        ("TagResource", {"resource": "user/operator", "tags": {"a": "b"}}),
        ("UntagResource", {"resource": "role/ops", "keys": ("a",)}),
    ],
)
async def test_what_makes_an_operator_is_an_operators_to_do(only_operators, operation, fields):
    await only_operators(operation, **fields)


async def test_whoever_is_one_by_a_group_or_by_himself_is_one(house, only_operators):
    await house.call("CreateUser", user="member")
    await house.call("AddUserToGroup", group="operators", user="member")
    await only_operators("CreateToken", user="member")
    await house.call("CreateUser", user="own")
    await house.call("PutUserPolicy", user="own", policy="p", document=document(SYSTEM))
    await only_operators("CreateToken", user="own")
    await house.call("PutGroupPolicy", group="plain", policy="p", document=document(SYSTEM))
    await only_operators("AddUserToGroup", group="plain", user="ann")


async def test_whom_an_operators_role_names_is_one_too(house, tools, chief, only_operators):
    """Otherwise a token for the user that the role trusts would do."""
    await house.call("CreateToken", chief, user="ann")
    role = f"secretsd:{house.account}:role/step"
    await house.call("UpdateAssumeRolePolicy", role="ops", trust=trust(role))
    await house.call("CreateToken", chief, user="ann")
    await house.call("CreateRole", role="step", trust=trust(f"secretsd:{house.account}:user/ann"))
    await only_operators("CreateToken", user="ann")
    await only_operators("UpdateAssumeRolePolicy", role="step", trust=trust(f"secretsd:{house.account}:user/eve"))


async def test_roles_that_trust_each_other_are_looked_at_once(house, chief):
    for role, other in (("a", "b"), ("b", "a")):
        await house.call("CreateRole", role=role, trust=trust(f"secretsd:{house.account}:role/{other}"))
    assert (await house.call("UpdateAssumeRolePolicy", chief, role="a", trust=trust("*"))).role == "a"


async def test_what_makes_no_operator_is_the_administrators(house, chief):
    for operation, fields in (
        ("AttachPolicy", {"user": "ann", "policy": "reads"}),
        ("DetachPolicy", {"user": "operator", "policy": "reach"}),
        ("DetachGroupPolicy", {"group": "operators", "policy": "reach"}),
        ("DetachRolePolicy", {"role": "ops", "policy": "reach"}),
        ("PutUserPolicy", {"user": "ann", "policy": "own", "document": document(ALL, BARS)}),
        ("UpdatePolicy", {"policy": "reach", "document": document(READ)}),
        ("AddUserToGroup", {"group": "plain", "user": "ann"}),
        ("RevokeRoleSessions", {"role": "ops"}),
        ("TagResource", {"resource": "user/ann", "tags": {"a": "b"}}),
        ("CreateToken", {"user": "ann"}),
    ):  # fmt: skip
        await house.call(operation, chief, **fields)


@pytest.mark.parametrize("barring", [BARS, BARS_ALL, BARS_OTHERS])
async def test_a_denial_that_bounds_an_operator_is_an_operators_to_lift(house, only_operators, barring):
    await house.call("UpdatePolicy", policy="bars", document=document(barring))
    await house.call("AttachPolicy", user="operator", policy="bars")
    await only_operators("DetachPolicy", user="operator", policy="bars")
    await house.call("AttachPolicy", user="operator", policy="bars")
    await only_operators("UpdatePolicy", policy="bars", document=document(READ))
    await house.call("PutUserPolicy", user="operator", policy="own", document=document(barring))
    await only_operators("PutUserPolicy", user="operator", policy="own", document=document(READ))
    await house.call("PutUserPolicy", user="operator", policy="own", document=document(barring))
    await only_operators("DeleteUserPolicy", user="operator", policy="own")


async def test_a_denial_of_a_group_bounds_the_operators_in_it(house, only_operators):
    await house.call("AttachGroupPolicy", group="plain", policy="bars")
    await house.call("PutGroupPolicy", group="plain", policy="own", document=document(BARS))
    for user in ("ann", "operator"):
        await house.call("AddUserToGroup", group="plain", user=user)
    await only_operators("UpdatePolicy", policy="bars", document=document(READ, BARS))
    await only_operators("DetachGroupPolicy", group="plain", policy="bars")
    await only_operators("RemoveUserFromGroup", group="plain", user="operator")
    await house.call("AddUserToGroup", group="plain", user="operator")
    await only_operators("DeleteGroupPolicy", group="plain", policy="own")


async def test_a_denial_that_bounds_no_operator_is_the_administrators_to_lift(house, chief):
    await house.call("AttachPolicy", user="ann", policy="bars")
    await house.call("AttachGroupPolicy", group="plain", policy="bars")
    await house.call("AddUserToGroup", group="plain", user="ann")
    await house.call("PutUserPolicy", user="operator", policy="own", document=document(HERE))
    for operation, fields in (
        ("UpdatePolicy", {"policy": "bars", "document": document(READ, BARS)}),
        ("DetachPolicy", {"user": "ann", "policy": "bars"}),
        ("RemoveUserFromGroup", {"group": "plain", "user": "ann"}),
        ("DetachGroupPolicy", {"group": "plain", "policy": "bars"}),
        ("DeleteUserPolicy", {"user": "operator", "policy": "own"}),
    ):  # fmt: skip
        await house.call(operation, chief, **fields)


@pytest.mark.parametrize("kind", ["user", "role"])
async def test_a_boundary_of_an_operator_is_an_operators_to_move(house, chief, only_operators, kind):
    name = {"user": "operator"} if kind == "user" else {"role": "ops"}
    put, delete = (f"{verb}{kind.capitalize()}PermissionsBoundary" for verb in ("Put", "Delete"))
    await house.call(put, chief, **name, boundary="reads")  # the first one only narrows
    await only_operators(put, **name, boundary="reach")
    await only_operators(delete, **name)


async def test_a_lost_policy_denied_everything_and_is_an_operators_to_take_away(house, only_operators):
    await house.call("CreatePolicy", policy="lost", document=document(READ))
    await house.call("AttachPolicy", user="operator", policy="lost")
    lost = await house.storage.accounts.policy(house.account, "lost")
    await house.storage.commit(UnitOfWork((Delete(lost),), samples.event("Lost", accounts=(house.account,))))
    house.storage.refresh()
    await only_operators("DetachPolicy", user="operator", policy="lost")
