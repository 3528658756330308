"""Users: what is told of them, how they change, and that nobody is deleted whom something still leads to."""

from dataclasses import replace

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations import users
from secretsd.operations.authenticator import Caller
from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import access_samples, samples
from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
DAY = 24 * 3600


async def test_a_user_is_told_whole(house):
    await house.call("CreateSecret", name="x", text="1")
    for policy in ("bounds", "reads"):
        await house.call("CreatePolicy", policy=policy, document=document(READ))
    made = await house.call(
        "CreateUser", user="ann", description="of billing", service=True, boundary="bounds", tags={"team": "a"}
    )
    assert (made.policies, made.groups, made.inline_policies) == ((), (), ())
    await house.call("AttachPolicy", user="ann", policy="reads")
    await house.call("PutUserPolicy", user="ann", policy="own", document=document(READ))
    await house.call("CreateGroup", group="dbas")
    await house.call("AddUserToGroup", group="dbas", user="ann")
    told = await house.call("DescribeUser", user="ann")
    assert told.resource == f"secretsd:{house.account}:user/ann"
    assert (told.policies, told.inline_policies, told.groups, told.boundary) == (
        ("reads",),
        ("own",),
        ("dbas",),
        "bounds",
    )
    assert (told.description, told.service, told.tags) == ("of billing", True, {"team": "a"})
    assert told in (await house.call("ListUsers")).users


async def test_what_is_not_given_stays(house):
    before = await house.call("CreateUser", user="ann", description="one", tags={"a": "b"})
    assert (await house.call("UpdateUser", user="ann")) == before
    assert (await house.call("UpdateUser", user="ann", description="two")).description == "two"
    told = await house.call("UpdateUser", user="ann", service=True)
    assert (told.service, told.description, told.tags) == (True, "two", {"a": "b"})
    assert not (await house.call("UpdateUser", user="ann", service=False)).service


async def test_an_update_that_changes_nothing_writes_nothing(house):
    await house.call("CreateUser", user="ann", description="one")
    answer = await house.run("UpdateUser", user="ann", description="one")
    (event,) = await house.events(answer.request_id)
    assert (event["outcome"], event.get("changes")) == ("ok", None)


@pytest.mark.parametrize(
    "left",
    [
        {"tokens": 1},
        {"access_keys": 1},
        {"bindings": 1},
        {"tokens": 2, "access_keys": 1, "bindings": 3},
    ],
)
async def test_a_user_to_whom_something_leads_is_not_deleted(house, tools, left):
    await house.call("CreateUser", user="ann")
    for _ in range(left.get("tokens", 0)):
        await house.call("CreateToken", user="ann")
    for number in range(left.get("access_keys", 0)):
        await house.add_record(replace(access_samples.access_key(f"AK{number}"), account=house.account))
    for number in range(left.get("bindings", 0)):
        await house.call("CreateBinding", proof=f"unix:uid/{4000 + number}", user="ann")
    with pytest.raises(tools.Failed, match="invalid-state") as refused:
        await house.call("DeleteUser", user="ann")
    names = {"tokens": "token", "access_keys": "access key", "bindings": "binding"}
    for name, count in left.items():
        assert f"{count} {names[name]}{'s' if count > 1 else ''}" in refused.value.error.message
    assert (await house.call("DescribeUser", user="ann")).user == "ann"


async def test_a_user_goes_with_his_rights_and_his_tokens_that_are_over(house, tools):
    ann = await house.user("ann", READ)
    await house.call("CreateToken", user="ann", ttl_seconds=60)
    (lasting,) = [one for one in (await house.call("ListTokens", user="ann")).tokens if one.expires_ms is None]
    await house.call("DeleteToken", user="ann", id=lasting.id)
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await house.call("GetCallerIdentity", ann)
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("DeleteUser", user="ann")
    house.clock.pass_days(1)
    await house.call("DeleteUser", user="ann")
    assert await house.storage.proofs.tokens(house.account, "ann", "", 9) == []
    for operation in ("DescribeUser", "DeleteUser", "UpdateUser", "CreateToken"):
        with pytest.raises(tools.Failed, match="not-found"):
            await house.call(operation, user="ann")
    # Made again under that name it is another one, with nothing of the one before.
    assert (await house.call("CreateUser", user="ann")).policies == ()


async def test_a_token_made_while_its_user_is_deleted_does_not_outlive_it(house, tools, monkeypatch):
    await house.call("CreateUser", user="ann")
    happened = overtaken(house, monkeypatch, lambda: house.call("DeleteUser", user="ann"))
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("CreateToken", user="ann")
    assert happened
    assert await house.storage.proofs.tokens(house.account, "ann", "", 9) == []


async def test_a_binding_made_while_its_user_is_deleted_does_not_outlive_it(house, tools, monkeypatch):
    await house.call("CreateUser", user="ann")
    happened = overtaken(house, monkeypatch, lambda: house.call("DeleteUser", user="ann"))
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("CreateBinding", proof="unix:uid/4711", user="ann")
    assert happened


async def test_a_service_has_no_lasting_credentials(house, tools):
    await house.call("CreateUser", user="app", service=True)
    for ttl in (None, 43_201):
        with pytest.raises(tools.Failed, match="invalid-state"):
            await house.call("CreateToken", user="app", ttl_seconds=ttl)
    made = await house.call("CreateToken", user="app", ttl_seconds=43_200)
    await house.call("GetCallerIdentity", Caller("tcp", token=Plaintext(made.token.reveal())))


async def test_a_user_with_lasting_credentials_becomes_no_service(house, tools):
    await house.call("CreateUser", user="app")
    await house.call("CreateToken", user="app", ttl_seconds=600)
    lasting = await house.call("CreateToken", user="app", ttl_seconds=2 * DAY)
    with pytest.raises(tools.Failed, match="invalid-state") as refused:
        await house.call("UpdateUser", user="app", service=True)
    assert "1 lasting token;" in refused.value.error.message
    await house.call("DeleteToken", user="app", id=lasting.id)
    key = replace(access_samples.access_key("AK1", "app"), account=house.account)
    await house.add_record(key)
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("UpdateUser", user="app", service=True)
    await house.storage.commit(UnitOfWork((Delete(key),), samples.event("Gone", accounts=(house.account,))))
    assert (await house.call("UpdateUser", user="app", service=True)).service


async def test_what_a_host_will_get_counts_as_lasting(house, tools):
    await house.call("CreateUser", user="app")
    await house.call("CreateEnrolmentToken", user="app", token_seconds=43_200)
    await house.call("CreateEnrolmentToken", user="app", token_seconds=43_201, ttl_seconds=60)
    with pytest.raises(tools.Failed, match="invalid-state") as refused:
        await house.call("UpdateUser", user="app", service=True)
    assert "1 lasting token;" in refused.value.error.message
    house.clock.ms += 61_000
    assert (await house.call("UpdateUser", user="app", service=True)).service


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        ("CreateToken", {}),
        ("CreateToken", {"ttl_seconds": 2 * DAY}),
        ("CreateEnrolmentToken", {"token_seconds": 2 * DAY}),
        ("CreateAccessKey", {}),
    ],
)
async def test_a_user_who_gets_lasting_credentials_at_once_becomes_no_service(house, tools, monkeypatch, made, fields):
    await house.call("CreateUser", user="app")
    overtaken(house, monkeypatch, lambda: house.call(made, user="app", **fields))
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("UpdateUser", user="app", service=True)
    assert not (await house.call("DescribeUser", user="app")).service


@pytest.mark.parametrize(
    ("made", "fields"), [("CreateToken", {}), ("CreateEnrolmentToken", {"token_seconds": 2 * DAY})]
)
async def test_nor_does_a_service_get_them(house, tools, monkeypatch, made, fields):
    await house.call("CreateUser", user="app")
    overtaken(house, monkeypatch, lambda: house.call("UpdateUser", user="app", service=True))
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call(made, user="app", **fields)


async def test_users_and_roles_are_tagged_and_conditions_see_it(house, tools):
    rule = {"condition": {"StringEquals": {"secretsd:PrincipalTag/team": "a"}}}
    ann = await house.user("ann", {**READ, **rule})
    await house.call("CreateSecret", name="x", text="1")
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.text("x", ann)
    told = await house.call("TagResource", resource="user/ann", tags={"team": "a", "b": "c"})
    assert told.tags == {"team": "a", "b": "c"}
    assert await house.text("x", ann) == "1"
    assert (await house.call("UntagResource", resource="user/ann", keys=("team",))).tags == {"b": "c"}
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.text("x", ann)
    trust = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}
    await house.call("CreateRole", role="r", trust=document(trust), tags={"a": "b"})
    assert (await house.call("TagResource", resource="role/r", tags={"a": "c"})).tags == {"a": "c"}
    assert (await house.call("DescribeRole", role="r")).tags == {"a": "c"}


@pytest.mark.parametrize("resource", ["user/none", "role/none"])
async def test_what_is_not_there_is_not_tagged(house, tools, resource):
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("TagResource", resource=resource, tags={"a": "b"})


@pytest.mark.parametrize("resource", ["user/", "role/a b", "user/a/b"])
async def test_a_name_that_is_none_is_not_tagged(house, tools, resource):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("TagResource", resource=resource, tags={"a": "b"})


async def test_nobody_without_the_permission_touches_users(house, tools):
    await house.call("CreateUser", user="victim")
    ann = await house.user("ann", READ)
    for operation, fields in (
        ("UpdateUser", {"description": "x"}), ("DeleteUser", {}), ("DescribeUser", {}),
        ("PutUserPermissionsBoundary", {"boundary": "of-ann"}), ("DeleteUserPermissionsBoundary", {}),
        ("PutUserPolicy", {"policy": "p", "document": document(READ)}), ("GetUserPolicy", {"policy": "p"}),
        ("DeleteUserPolicy", {"policy": "p"}), ("ListUserPolicies", {}),
    ):  # fmt: skip
        for user in ("victim", "nobody"):
            with pytest.raises(tools.Failed, match="access-denied"):
                await house.call(operation, ann, user=user, **fields)


@pytest.mark.parametrize(
    ("parts", "said"), [(("a",), "a"), (("a", "", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_lists_in_sentences(parts, said):
    assert users._listed(parts) == said


async def test_conditions_on_the_names_of_tags_hold_for_taking_them_away(house, tools):
    await house.call("CreateSecret", name="x", text="v", tags={"team": "a", "restricted": "yes"})
    team_alone = {"condition": {"ForAllValues:StringEquals": {"secretsd:TagKeys": ["team"]}}}
    tags = {"effect": "Allow", "action": ["TagResource", "UntagResource"], "resource": ["secret/*"], **team_alone}
    caller = await house.user("tagger", tags)
    for operation, fields in (
        ("TagResource", {"tags": {"restricted": "no"}}),
        ("UntagResource", {"keys": ("restricted",)}),
    ):
        with pytest.raises(tools.Failed, match="access-denied"):
            await house.call(operation, caller, resource="secret/x", **fields)
    assert (await house.call("UntagResource", caller, resource="secret/x", keys=("team",))).tags == {
        "restricted": "yes"
    }
