"""AssumeRole: who may, for how long, what the session may do, and when it is over."""

import json

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.testing.policies import document
from tests.unit.operations.two_accounts import VENDOR, Vendor, outcome

READS = {"effect": "Allow", "action": ["DescribeUser", "AssumeRole"], "resource": ["*"]}


def trusts(principal, **more):
    return document({"effect": "Allow", "action": ["AssumeRole"], "principal": principal, **more})


@pytest.fixture
async def role(house):
    """Make a role that may read users, and become roles."""

    async def make(trust, name="reader", **fields):
        await house.call("CreateRole", role=name, trust=trust, **fields)
        await house.call("CreatePolicy", policy=f"of-{name}", document=document(READS))
        await house.call("AttachRolePolicy", role=name, policy=f"of-{name}")

    return make


@pytest.fixture
async def ann(house):
    return await house.user("ann", {"effect": "Allow", "action": ["AssumeRole"], "resource": ["role/*"]})


def named(house, path, account=None):
    return f"secretsd:{account or house.account}:{path}"


async def assume(house, caller, role="reader", **fields):
    return await house.call("AssumeRole", caller, role=role, session_name="work", **fields)


async def refused(house, caller, role="reader", **fields):
    return await outcome(house, "AssumeRole", caller, role=role, session_name="work", **fields)


def session(made):
    return Caller("tcp", token=Plaintext(made.session_token.reveal()))


async def test_a_session_is_the_role_and_nothing_of_who_opened_it(house, role, ann):
    await role(trusts(named(house, "user/ann")))
    made = await assume(house, ann)
    as_role = session(made)
    assert await outcome(house, "DescribeUser", ann, user="ann") == "access-denied"
    assert await outcome(house, "DescribeUser", as_role, user="ann") == "ok"
    who = await house.call("GetCallerIdentity", as_role)
    assert (who.principal, who.proof) == (named(house, "role/reader"), f"session/{made.access_key_id}")
    assert made.role == named(house, "role/reader")
    (opened,) = [one for one in await house.events() if one["operation"] == "AssumeRole"]
    assert opened["fields"]["session"] == made.access_key_id
    assert opened["fields"]["session_name"] == "work"
    assert made.access_key_secret.reveal().decode() not in json.dumps(opened)


async def test_both_the_trust_policy_and_the_callers_own_have_to_allow_it(house, role, ann):
    bob = await house.user("bob")
    await role(trusts(named(house, "user/bob")))
    assert await refused(house, ann) == "access-denied", "the role does not trust her"
    assert await refused(house, bob) == "ok", "in one account the trust policy that names him is enough"
    await role(trusts(house.account), "delegated")
    assert await refused(house, bob, "delegated") == "access-denied", "what trusts the account leaves it to the account"
    assert await refused(house, ann, "delegated") == "ok"
    assert await refused(house, ann, "unknown") == "access-denied"


async def test_another_account_becomes_a_role_here_with_the_external_id_agreed_on(house, role):
    vendor = await Vendor(house).settle()
    condition = {"StringEquals": {"secretsd:ExternalId": "acme-7"}}
    await role(trusts(named(house, "user/app", VENDOR), condition=condition))
    full = named(house, "role/reader")
    assert await refused(house, vendor.app, full) == "access-denied"
    assert await refused(house, vendor.app, full, external_id="acme-8") == "access-denied"
    assert await refused(house, vendor.boss, full, external_id="acme-7") == "access-denied"
    made = await assume(house, vendor.app, full, external_id="acme-7")
    assert await outcome(house, "DescribeUser", session(made), user="admin") == "ok"
    here = [one for one in await house.events() if one["operation"] == "AssumeRole" and one["outcome"] == "ok"]
    there = [one for one in await house.events(account=VENDOR) if one["operation"] == "AssumeRole"]
    assert len(here) == 1
    assert here[0]["id"] in [one["id"] for one in there]


async def test_a_session_is_over_in_time_and_no_longer_than_the_role_allows(house, role, ann):
    await role(trusts(named(house, "user/ann")), max_session_seconds=7_200)
    assert await refused(house, ann, duration_seconds=7_201) == "invalid-request"
    made = session(await assume(house, ann, duration_seconds=900))
    house.clock.pass_days(890 / 86_400)
    assert await outcome(house, "DescribeUser", made, user="ann") == "ok"
    house.clock.pass_days(11 / 86_400)
    assert await outcome(house, "DescribeUser", made, user="ann") == "unauthenticated"


async def test_sessions_end_with_the_role_and_by_revocation(house, role, ann):
    await role(trusts(named(house, "user/ann")))
    first = session(await assume(house, ann))
    await house.call("RevokeRoleSessions", role="reader")
    assert await outcome(house, "DescribeUser", first, user="ann") == "unauthenticated"
    house.clock.pass_days(1 / 86_400)
    second = session(await assume(house, ann))
    assert await outcome(house, "DescribeUser", second, user="ann") == "ok"
    await house.call("DeleteRole", role="reader")
    assert await outcome(house, "DescribeUser", second, user="ann") == "unauthenticated"
    await house.call("CreateRole", role="reader", trust=trusts(named(house, "user/ann")))
    assert await outcome(house, "GetCallerIdentity", second) == "unauthenticated"


async def test_a_session_policy_narrows_and_never_widens(house, role, ann):
    await role(trusts(named(house, "user/ann")))
    narrow = document({"effect": "Allow", "action": ["DescribeUser"], "resource": ["user/admin"]})
    wide = document({"effect": "Allow", "action": ["*"], "resource": ["*"]})
    as_narrow, as_wide = [session(await assume(house, ann, document=policy)) for policy in (narrow, wide)]
    assert await outcome(house, "DescribeUser", as_narrow, user="admin") == "ok"
    assert await outcome(house, "DescribeUser", as_narrow, user="ann") == "access-denied"
    assert await outcome(house, "DescribeUser", as_wide, user="ann") == "ok"
    assert await outcome(house, "ListUsers", as_wide) == "access-denied"
    assert (
        await refused(house, ann, document='{"Version": "1", "Statement": [{"Effect": "Perhaps"}]}')
        == "invalid-request"
    )


async def test_a_session_opens_one_more_and_that_one_no_third(house, role, ann):
    await role(trusts(named(house, "user/ann")), max_session_seconds=7_200)
    await role(trusts(named(house, "role/reader")), "second", max_session_seconds=7_200)
    await role(trusts(named(house, "role/second")), "third")
    first = session(await assume(house, ann))
    assert await refused(house, first, "second", duration_seconds=3_601) == "invalid-request"
    second = session(await assume(house, first, "second", duration_seconds=3_600))
    assert await refused(house, second, "third") == "invalid-state"


async def test_a_session_that_was_stolen_for_another_role_is_none(house, role, ann):
    await role(trusts(named(house, "user/ann")))
    made = await assume(house, ann)
    token = made.session_token.reveal()
    for given in (
        token[:-1],
        token[:-1] + (b"A" if token[-1:] != b"A" else b"B"),
        token.replace(b"session_", b"Session_"),
    ):
        assert await outcome(house, "GetCallerIdentity", Caller("tcp", token=Plaintext(given))) == "unauthenticated"


async def test_nobody_becomes_the_role_of_scheduled_work(house, ann):
    for name in ("rotation", "key-rotation"):
        assert await refused(house, ann, name) == "access-denied"
        assert await refused(house, Caller("unix", uid=0), name) == "access-denied"
