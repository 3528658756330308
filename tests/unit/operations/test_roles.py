"""Roles: who may assume them is said by their trust policy, which speaks of nothing else; sessions end with them."""

import hashlib
from dataclasses import replace

import pytest

from secretsd.domain.names import Resource
from secretsd.domain.principals import Principal
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import SESSION_PREFIX, Caller
from secretsd.operations.request_facts import SCHEDULED, RequestFacts
from secretsd.testing import access_samples
from secretsd.testing.policies import document

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
TRUST = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}
STRANGER = "900000000009"


async def session_of(house, role, lasting_ms=3_600_000):
    """A caller with a session of the role, opened now."""
    token = f"{SESSION_PREFIX}{house.clock.now_ms():043}"
    record = await house.storage.accounts.role(house.account, role)
    digest = hashlib.sha256(token.encode()).hexdigest()
    opened = max(house.clock.now_ms(), record.revoked_ms + 1)  # as AssumeRole does
    made = replace(
        access_samples.session(digest, f"STS{opened}"), account=house.account, role=role, role_id=record.id,
        policy=(), created_ms=opened, expires_ms=opened + lasting_ms,
    )  # fmt: skip
    await house.add_record(made)
    return Caller("tcp", token=Plaintext(token.encode()))


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="x", text="1")
    await house.call("CreatePolicy", policy="reads", document=document(READ))
    await house.call("CreateRole", role="reader", trust=document(TRUST))
    return house


async def decided(house, principal, permission, path):
    facts = RequestFacts(principal, SCHEDULED, None, house.clock.now_ms())
    return (await house.authorizer.decide(principal, permission, Resource(house.account, path), facts)).allowed


async def test_a_role_is_told_whole(app):
    made = await app.call(
        "CreateRole", role="r", trust=document(TRUST), description="d", max_session_seconds=900, boundary="reads",
        tags={"a": "b"},
    )  # fmt: skip
    assert (made.policies, made.sessions_revoked_ms) == ((), None)
    await app.call("AttachRolePolicy", role="r", policy="reads")
    await app.call("PutRolePolicy", role="r", policy="own", document=document(READ))
    told = await app.call("DescribeRole", role="r")
    assert told.resource == f"secretsd:{app.account}:role/r"
    assert (told.policies, told.inline_policies, told.boundary) == (("reads",), ("own",), "reads")
    assert (told.description, told.max_session_seconds, told.tags) == ("d", 900, {"a": "b"})
    assert '"AssumeRole"' in told.trust
    assert told in (await app.call("ListRoles")).roles


async def test_roles_are_listed_in_pages(app):
    for name in ("b", "a"):
        await app.call("CreateRole", role=name, trust=document(TRUST))
    first = await app.call("ListRoles", limit=2)
    second = await app.call("ListRoles", limit=2, next_token=first.next_token)
    assert [one.role for one in (*first.roles, *second.roles)] == ["a", "b", "reader"]


@pytest.mark.parametrize("name", ["rotation", "key-rotation"])
async def test_the_names_of_scheduled_work_are_taken(app, tools, name):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await app.call("CreateRole", role=name, trust=document(TRUST))


@pytest.mark.parametrize(
    ("trust", "wrong"),
    [
        ({**TRUST, "action": ["DeleteRole"]}, "an action matches no operation"),
        ({**TRUST, "action": ["GetSecretValue", "AssumeRole"]}, "an action matches no operation"),
        ({**TRUST, "resource": ["role/x"]}, "leave Resource out"),
        ({"effect": "Allow", "action": ["AssumeRole"]}, "says in Principal"),
        ({**TRUST, "principal": ["ann"]}, "a principal is"),
    ],
)
async def test_a_trust_policy_speaks_of_assuming_alone(app, tools, trust, wrong):
    for operation, name in (("CreateRole", "other"), ("UpdateAssumeRolePolicy", "reader")):
        with pytest.raises(tools.Failed, match="invalid-request") as refused:
            await app.call(operation, role=name, trust=document(trust))
        assert wrong in refused.value.error.message
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("DescribeRole", role="other")


async def test_what_is_not_given_stays(app):
    before = await app.call("DescribeRole", role="reader")
    assert await app.call("UpdateRole", role="reader") == before
    assert (await app.call("UpdateRole", role="reader", max_session_seconds=43_200)).max_session_seconds == 43_200
    told = await app.call("UpdateRole", role="reader", description="new")
    assert (told.description, told.max_session_seconds) == ("new", 43_200)


async def test_administrators_administer_roles_whose_trust_names_others(app):
    """The trust policy guards AssumeRole; what else is done with a role is for policies as with anything."""
    nobody = {**TRUST, "principal": [f"secretsd:{STRANGER}:user/bob"]}
    denying = {"effect": "Deny", "action": ["*"], "principal": ["*"]}
    told = await app.call("UpdateAssumeRolePolicy", role="reader", trust=document(nobody, denying))
    assert STRANGER in told.trust
    assert (await app.call("DescribeRole", role="reader")).role == "reader"
    await app.call("UpdateAssumeRolePolicy", role="reader", trust=document(TRUST))


async def test_trust_lets_others_assume_and_nothing_else(app):
    """Even `*` in a trust policy opens the role to no other operation, least of all across accounts."""
    admin = Principal(app.account, "user/admin", "unix:uid/0")
    mine = f"secretsd:{app.account}:user/admin"
    for principal, may in ((["*"], True), ([mine], True), ([app.account], True), ([STRANGER], False)):
        trust = {**TRUST, "action": ["*"], "principal": principal}
        await app.call("UpdateAssumeRolePolicy", role="reader", trust=document(trust))
        assert await decided(app, admin, "AssumeRole", "role/reader") is may
        assert await decided(app, admin, "DeleteRole", "role/reader")
        bob = Principal(app.account, "user/bob", "unix:uid/1")
        for permission in ("DeleteRole", "UpdateAssumeRolePolicy", "DescribeRole"):
            assert not await decided(app, bob, permission, "role/reader")


async def test_a_session_has_what_the_role_has(app, tools):
    caller = await session_of(app, "reader")
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.text("x", caller)
    await app.call("AttachRolePolicy", role="reader", policy="reads")
    assert await app.text("x", caller) == "1"
    await app.call("DetachRolePolicy", role="reader", policy="reads")
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.text("x", caller)


async def test_revoked_sessions_end_and_new_ones_are_good(app, tools):
    await app.call("AttachRolePolicy", role="reader", policy="reads")
    caller = await session_of(app, "reader")
    assert await app.text("x", caller) == "1"
    told = await app.call("RevokeRoleSessions", role="reader")
    assert told.sessions_revoked_ms is not None
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("x", caller)
    assert await app.text("x", await session_of(app, "reader")) == "1"


async def test_a_clock_set_back_revives_no_session(app, tools):
    caller = await session_of(app, "reader")
    first = await app.call("RevokeRoleSessions", role="reader")
    app.clock.ms -= 1_000_000
    assert (await app.call("RevokeRoleSessions", role="reader")).sessions_revoked_ms == first.sessions_revoked_ms
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("x", caller)


async def test_sessions_of_a_deleted_role_end_also_where_it_is_made_again(app, tools):
    caller = await session_of(app, "reader")
    await app.call("DeleteRole", role="reader")
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("x", caller)
    await app.call("CreateRole", role="reader", trust=document(TRUST))
    await app.call("AttachRolePolicy", role="reader", policy="reads")
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("x", caller)


async def test_a_role_to_which_a_binding_leads_stays(app, tools):
    from secretsd.domain.proofs import Binding

    await app.add_record(Binding("unix:uid/4711", app.account, "", 1, role="reader"))
    with pytest.raises(tools.Failed, match="invalid-state"):
        await app.call("DeleteRole", role="reader")


@pytest.mark.parametrize("seconds", [899, 43_201, 0])
async def test_sessions_are_neither_too_short_nor_too_long(app, seconds):
    import msgspec

    from secretsd.api.roles import CreateRoleRequest, UpdateRoleRequest

    for kind, more in ((CreateRoleRequest, {"trust": "{}"}), (UpdateRoleRequest, {})):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"role": "r", "max_session_seconds": seconds, **more}, kind)


async def test_nobody_without_the_permission_touches_roles(app, tools):
    ann = await app.user("ann", READ)
    for operation, fields in (
        ("CreateRole", {"trust": document(TRUST)}), ("UpdateRole", {"description": "x"}), ("DeleteRole", {}),
        ("DescribeRole", {}), ("UpdateAssumeRolePolicy", {"trust": document(TRUST)}), ("RevokeRoleSessions", {}),
        ("PutRolePermissionsBoundary", {"boundary": "reads"}), ("DeleteRolePermissionsBoundary", {}),
        ("AttachRolePolicy", {"policy": "reads"}), ("DetachRolePolicy", {"policy": "reads"}),
        ("PutRolePolicy", {"policy": "p", "document": document(READ)}), ("GetRolePolicy", {"policy": "p"}),
        ("DeleteRolePolicy", {"policy": "p"}), ("ListRolePolicies", {}),
    ):  # fmt: skip
        for role in ("reader", "none"):
            with pytest.raises(tools.Failed, match="access-denied"):
                await app.call(operation, ann, role=role, **fields)
