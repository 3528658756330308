"""Why somebody may do something or not: told with the statement that decides, and to nobody who may not know it."""

from typing import Any

import pytest

from secretsd.domain.condition_keys import CONDITION_KEYS
from secretsd.testing import samples
from secretsd.testing.policies import document
from tests.unit.operations.two_accounts import BOSS, VENDOR, Vendor, outcome, speaks

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/*"]}
NOT_PAYROLL = {"sid": "NotPayroll", "effect": "Deny", "action": ["*"], "resource": ["secret/prod/payroll"]}
ONLY_HOME = {**READ, "condition": {"IpAddress": {"secretsd:SourceIp": ["10.0.0.0/8"]}}}
TEAM: dict[str, Any] = {**READ, "condition": {"StringEquals": {"secretsd:ResourceTag/team": ["billing"]}}}


async def explained(house, action, resource, principal="user/ann", caller=None, **facts):
    given = {f"secretsd:{key}": (value,) if isinstance(value, str) else value for key, value in facts.items()}
    fields = {"principal": principal, "action": action, "resource": resource, "facts": given}
    return await (
        house.call("ExplainDecision", caller, **fields) if caller else house.call("ExplainDecision", **fields)
    )


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="prod/app", text="one", tags={"team": "billing"})
    await house.call("CreateSecret", name="prod/payroll", text="two")
    await house.call("CreateUser", user="ann")
    return house


async def test_the_statement_that_allows_is_named(app):
    await app.allow("ann", "readers", READ, NOT_PAYROLL)
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert (told.decision, told.reason) == ("allowed", "allowed")
    assert (told.by.source, told.by.number) == ("policy/readers", 1)
    assert told.told == "statement 1 of policy/readers allows it, and nothing denies it"
    assert told.resource == f"secretsd:{app.account}:secret/prod/app"


async def test_the_statement_that_denies_is_named_before_all_that_allow(app):
    await app.allow("ann", "readers", READ, NOT_PAYROLL)
    told = await explained(app, "GetSecretValue", "secret/prod/payroll")
    assert (told.decision, told.reason) == ("denied", "denied")
    assert (told.by.side, told.by.source, told.by.number, told.by.sid) == ("denies", "policy/readers", 2, "NotPayroll")
    assert [one.side for one in told.statements] == ["denies", "identity"]
    assert told.told == "statement 2 (NotPayroll) of policy/readers denies it"


async def test_nothing_allows_it(app):
    told = await explained(app, "PutSecretValue", "secret/prod/app")
    assert (told.decision, told.reason, told.by, told.statements) == ("denied", "not-allowed", None, ())


async def test_it_agrees_with_what_happens(app, tools):
    ann = await app.user("bob", READ, NOT_PAYROLL)
    for name in ("prod/app", "prod/payroll"):
        told = await explained(app, "GetSecretValue", f"secret/{name}", "user/bob")
        assert (told.decision == "allowed") is (await outcome(app, "GetSecretValue", ann, name=name) == "ok")


async def test_groups_inline_policies_and_boundaries_are_named(app):
    await app.call("CreateGroup", group="dbas")
    await app.call("PutGroupPolicy", group="dbas", policy="own", document=document(READ))
    await app.call("AddUserToGroup", group="dbas", user="ann")
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert told.by.source == "group/dbas/inline-policy/own"
    await app.call("CreatePolicy", policy="within", document=document({**READ, "action": ["DescribeSecret"]}))
    await app.call("PutUserPermissionsBoundary", user="ann", boundary="within")
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert (told.decision, told.reason) == ("denied", "outside-boundary")


async def test_facts_that_are_not_given_are_unknown(app):
    await app.allow("ann", "home", ONLY_HOME)
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert (told.decision, told.unknown) == ("depends", ("secretsd:SourceIp",))
    (condition,) = told.statements[0].conditions
    assert (condition.operator, condition.values, condition.holds) == ("IpAddress", ("10.0.0.0/8",), "unknown")
    at_home = await explained(app, "GetSecretValue", "secret/prod/app", SourceIp="10.1.2.3")
    assert (at_home.decision, at_home.statements[0].holds, at_home.unknown) == ("allowed", "yes", ())
    for address in ("192.0.2.1", ()):
        away = await explained(app, "GetSecretValue", "secret/prod/app", SourceIp=address)
        assert (away.decision, away.reason) == ("denied", "not-allowed")
        assert away.statements[0].conditions[0].holds == "no"


async def test_tags_and_time_are_known_and_can_be_given_otherwise(app):
    after = {**TEAM, "condition": {**TEAM["condition"], "DateLessThan": {"secretsd:CurrentTime": "2037-01-01"}}}
    await app.allow("ann", "teams", after)
    assert (await explained(app, "GetSecretValue", "secret/prod/app")).decision == "allowed"
    assert (await explained(app, "GetSecretValue", "secret/prod/payroll")).decision == "denied"
    late = await explained(app, "GetSecretValue", "secret/prod/app", CurrentTime="2037-01-02T00:00:00Z")
    assert late.decision == "denied"
    tagged = await explained(app, "GetSecretValue", "secret/prod/payroll", **{"ResourceTag/team": "billing"})
    assert tagged.decision == "allowed"


async def test_the_resources_own_policy_and_grants_are_named(app):
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=speaks("GetSecretValue", "*"))
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert (told.by.side, told.by.source, told.owner_shown) == ("owner", "resource policy", True)
    key = await app.call("CreateKey", alias="orders")
    grantee = f"secretsd:{app.account}:user/ann"
    grant = await app.call(
        "CreateGrant", key=key.id, grantee=grantee, operations=("Decrypt",), context_subset={"tenant": "7"}
    )
    told = await explained(app, "Decrypt", "alias/orders")
    assert (told.decision, told.resource) == ("depends", f"secretsd:{app.account}:key/{key.id}")
    assert told.unknown == ("secretsd:EncryptionContext/tenant",)
    told = await explained(app, "Decrypt", "alias/orders", **{"EncryptionContext/tenant": "7"})
    assert (told.decision, told.by.source) == ("allowed", f"grant/{grant.id}")
    assert told.told == f"grant/{grant.id} allows it, and nothing denies it"


async def test_a_role_has_to_trust_whoever_becomes_it(app):
    await app.allow("ann", "becomes", {"effect": "Allow", "action": ["AssumeRole"], "resource": ["role/*"]})
    trust = document({"effect": "Allow", "action": ["AssumeRole"], "principal": [f"secretsd:{app.account}:user/bob"]})
    await app.call("CreateRole", role="deployer", trust=trust)
    told = await explained(app, "AssumeRole", "role/deployer")
    assert (told.decision, told.reason) == ("denied", "not-allowed-by-owner")


async def test_a_policy_that_is_missing_is_named(app):
    from secretsd.ports.storage import Delete, UnitOfWork

    await app.allow("ann", "readers", READ)
    lost = await app.storage.accounts.policy(app.account, "readers")
    await app.storage.commit(UnitOfWork((Delete(lost),), samples.event("DeletePolicy", accounts=(app.account,))))
    app.storage.refresh()
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert (told.decision, told.reason) == ("denied", "policy-missing")
    assert told.told.startswith("policy/readers is missing")


async def test_what_no_policy_decides_is_told(app):
    assert (await explained(app, "GetCallerIdentity", "caller")).reason == "open-to-all"
    assert (await explained(app, "RecoverAdministrator", "account")).reason == "root-only"


async def test_the_roles_of_scheduled_work_can_be_asked_about(app):
    told = await explained(app, "Decrypt", "key/00000000-0000-4000-8000-000000000000", "role/rotation")
    assert (told.decision, told.by.source) == ("allowed", "role/rotation")


async def test_system_is_told_whole_to_whoever_may_ask(app):
    told = await explained(app, "CreateTarget", "secretsd:system:target/db")
    assert (told.decision, told.reason, told.owner_shown) == ("denied", "not-allowed", True)


async def test_who_may_ask(app, tools):
    """Nobody without the permission, not even about himself; it shows what stands in policies."""
    ann = await app.user("bob", READ)
    with pytest.raises(tools.Failed, match="access-denied"):
        await explained(app, "GetSecretValue", "secret/prod/app", "user/bob", ann)
    await app.allow("bob", "asks", {"effect": "Allow", "action": ["ExplainDecision"], "resource": ["user/bob"]})
    told = await explained(app, "GetSecretValue", "secret/prod/app", "user/bob", ann)
    assert [one.source for one in told.statements] == ["policy/of-bob"]
    assert (told.decision, told.owner_shown) == ("depends", False)
    with pytest.raises(tools.Failed, match="access-denied"):
        await explained(app, "GetSecretValue", "secret/prod/app", "user/ann", ann)


async def test_what_the_resource_says_is_not_shown_to_who_may_not_ask_about_it(app):
    """Then nothing of it counts: neither its policy nor its tags, nor whether there is such a resource at all."""
    bob = await app.user("bob", TEAM, {"effect": "Allow", "action": ["ExplainDecision"], "resource": ["user/bob"]})
    await app.call("PutResourcePolicy", resource="secret/prod/payroll", document=speaks("GetSecretValue", "*", "Deny"))
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=speaks("GetSecretValue", "*"))
    answers = set()
    for name in ("app", "payroll", "nothing-of-that-name"):
        for action in ("GetSecretValue", "PutSecretValue"):
            told = await explained(app, action, f"secret/prod/{name}", "user/bob", bob)
            assert not told.owner_shown
            answers.add((action, told.decision, told.reason, told.told, told.statements, told.unknown))
    assert len(answers) == 2
    await app.allow("bob", "asks", {"effect": "Allow", "action": ["ExplainDecision"], "resource": ["secret/prod/app"]})
    told = await explained(app, "GetSecretValue", "secret/prod/app", "user/bob", bob)
    assert (told.owner_shown, told.decision) == (True, "allowed")


async def test_an_alias_leads_nowhere_for_who_may_not_ask_about_the_key(app):
    bob = await app.user("bob", {"effect": "Allow", "action": ["ExplainDecision"], "resource": ["user/bob"]})
    await app.call("CreateKey", alias="orders")
    found = {(await explained(app, "Encrypt", f"alias/{name}", "user/bob", bob)).resource for name in ("orders", "no")}
    assert found == {f"secretsd:{app.account}:alias/orders", f"secretsd:{app.account}:alias/no"}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"action": "GetSecretValu"}, "no operation of that name"),
        ({"action": "Get*"}, "no operation of that name"),
        ({"facts": {"secretsd:nothing": ("x",)}}, "no such condition key"),
        ({"facts": {"secretsd:SourceIp": ("x",)}}, "an address such as"),
        ({"facts": {"secretsd:Principal": ("x",)}}, "follows from the principal"),
    ],
)
async def test_what_cannot_be_asked_is_refused(app, tools, fields, why):
    asked = {"principal": "user/ann", "action": "GetSecretValue", "resource": "secret/prod/app", **fields}
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await app.call("ExplainDecision", **asked)
    assert why in refused.value.error.message


async def test_nobody_of_that_name(app, tools):
    for principal in ("user/nobody", "role/nobody"):
        with pytest.raises(tools.Failed, match="not-found"):
            await explained(app, "GetSecretValue", "secret/prod/app", principal)


async def test_long_lists_are_cut(app):
    for number in range(3):
        await app.allow("ann", f"p{number}", *[READ] * 50)
    told = await explained(app, "GetSecretValue", "secret/prod/app")
    assert (len(told.statements), told.left_out) == (100, 50)


async def test_the_event_says_what_was_asked_and_no_fact(app):
    asked = {"principal": "user/ann", "action": "GetSecretValue", "resource": "secret/prod/app"}
    answer = await app.run("ExplainDecision", **asked, facts={"secretsd:ExternalId": ("of-the-vendor",)})
    (event,) = await app.events(answer.request_id)
    assert event["resource"] == f"secretsd:{app.account}:user/ann"
    assert event["fields"] == {"action": "GetSecretValue", "resource": "secret/prod/app"}
    assert "of-the-vendor" not in str(event)


async def test_all_condition_keys_are_listed(app):
    found = (await app.call("ListConditionKeys")).keys
    assert [one.key.removesuffix("/…") for one in found] == list(CONDITION_KEYS)
    assert {one.key for one in found if one.family} >= {"secretsd:ResourceTag/…"}


@pytest.fixture
async def vendor(app):
    return await Vendor(app).settle()


async def test_nothing_of_another_accounts_side_is_looked_at(app, vendor):
    """Neither what its policy says, nor tags, nor whether there is such a thing; nor is anything left in its view."""
    there = f"secretsd:{VENDOR}:secret/"
    await app.allow("ann", "far", {**TEAM, "resource": [f"{there}*"]})
    await app.call("CreateSecret", vendor.boss, name="open", text="x", tags={"team": "billing"})
    await app.call("CreateSecret", vendor.boss, name="shut", text="x")
    everybody = speaks("GetSecretValue", [f"secretsd:{app.account}:user/ann"])
    await app.call("PutResourcePolicy", vendor.boss, resource="secret/open", document=everybody)
    before = len(await app.events(account=VENDOR))
    answers = set()
    for name in ("open", "shut", "nothing"):
        for facts in ({}, {"ResourceTag/team": "billing"}):
            told = await explained(app, "GetSecretValue", there + name, **facts)
            answers.add((bool(facts), told.decision, told.reason, told.told, told.statements, told.unknown))
            assert not told.owner_shown
    assert len(answers) == 2
    assert len(await app.events(account=VENDOR)) == before
    told = await explained(app, "DeleteSecret", there + "open")
    assert (told.decision, told.reason) == ("denied", "not-allowed")


async def test_what_stays_within_an_account_is_told_so(app, vendor):
    far = {"effect": "Allow", "action": ["*"], "resource": [f"secretsd:{VENDOR}:*"]}
    await app.allow("ann", "far", far)
    told = await explained(app, "DeleteSecret", f"secretsd:{VENDOR}:secret/open")
    assert (told.decision, told.reason) == ("denied", "not-allowed-by-owner")
    assert told.told == "it stays within an account: no owner can let another account do it"


async def test_nobody_of_another_account_is_explained(app, vendor, tools):
    with pytest.raises(tools.Failed, match="access-denied"):
        await explained(app, "GetSecretValue", "secret/prod/app", BOSS)
