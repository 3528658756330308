"""Whatever decides who may do what is in the trail: an auditor sees what was given, not only that a row has changed."""

import pytest

from secretsd.testing.policies import document
from tests.unit.operations.two_accounts import APP, Vendor

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
TAGS = {"team": "dba", "env": "prod"}
SHOWN = ["env=prod", "team=dba"]


@pytest.fixture
async def fields(house):
    """Run an operation, and see what its event shows."""

    async def ask(operation, **asked):
        answer = await house.run(operation, **asked)
        assert answer.error is None
        (event,) = await house.events(answer.request_id)
        return event.get("fields", {})

    return ask


async def test_tags_are_shown_wherever_they_are_set(house, fields):
    assert (await fields("CreateUser", user="u", tags=TAGS))["tags"] == SHOWN
    assert (await fields("TagResource", resource="user/u", tags={"team": "ops"}))["tags"] == ["team=ops"]
    assert (await fields("UntagResource", resource="user/u", keys=("team",)))["keys"] == ["team"]
    assert (await fields("CreateSecret", name="x", text="1", tags=TAGS))["tags"] == SHOWN
    assert (await fields("CreateKey", tags=TAGS))["tags"] == SHOWN


async def test_whom_a_role_trusts_and_what_bounds_a_session_are_shown(house, fields):
    trust = {"effect": "Allow", "action": ["AssumeRole"], "principal": [f"secretsd:{house.account}:user/admin"]}
    nobody = {"effect": "Deny", "action": ["AssumeRole"], "principal": [f"secretsd:{house.account}:user/u"]}
    made = await fields("CreateRole", role="r", trust=document(trust, nobody), tags=TAGS)
    assert (made["trusted"], made["tags"]) == (trust["principal"], SHOWN)
    opened = await fields("AssumeRole", role="r", session_name="one")
    assert "bounded" not in opened
    assert (await fields("AssumeRole", role="r", session_name="two", session_policy=document(READ)))["bounded"] is True
    assert (await fields("UpdateAssumeRolePolicy", role="r", trust=document(nobody)))["trusted"] == []


async def test_what_a_grant_is_held_to_is_shown_by_name(house, fields):
    key = (await house.call("CreateKey")).id
    asked = {"key": key, "grantee": APP, "operations": ("Encrypt",)}
    assert (await fields("CreateGrant", **asked, context_subset={"tenant": "8"}))["context_subset"] == ["tenant"]
    assert (await fields("CreateGrant", **asked, context_equals={"a": "1", "b": "2"}))["context_equals"] == ["a", "b"]


async def test_an_account_that_there_is_not_gets_no_view(house):
    answer = await house.run("GetSecretValue", name="secretsd:999999999999:secret/x")
    assert answer.error.kind.value == "access-denied"
    (event,) = await house.events(answer.request_id)
    assert event["accounts"] == [house.account]
    assert await house.events(account="999999999999") == []


async def test_ones_own_view_does_not_tell_what_another_account_has_bound(house):
    vendor = await Vendor(house).settle()
    everything = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
    mallory = await vendor.user("mallory", everything)
    await house.call("CreateUser", user="u")
    await house.call("CreateBinding", proof="unix:uid/4711", user="u")
    found = []
    for proof in ("unix:uid/4711", "unix:uid/4712"):
        answer = await house.run("DeleteBinding", mallory, proof=proof)
        (event,) = await house.events(answer.request_id, account=vendor.account)
        found.append((answer.error.kind, answer.error.message, event["accounts"], event["outcome"]))
    assert found[0] == found[1]
