"""Who may use a permission on a resource: own users and roles, and whom its owner names; many of them in pages."""

import asyncio

import pytest

from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import User
from secretsd.ports.storage import Add, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document
from secretsd.testing.storage import authenticator
from tests.unit.operations.two_accounts import APP, VENDOR, Vendor, outcome, speaks

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/*"]}
HOME = {**READ, "condition": {"IpAddress": {"secretsd:SourceIp": ["10.0.0.0/8"]}}}


async def who(house, action, resource, **fields):
    found, token = [], None
    while True:
        page = await house.call("WhoCan", action=action, resource=resource, next_token=token, **fields)
        found += page.principals
        token = page.next_token
        if token is None:
            return found


async def names(house, action, resource, **fields):
    return [one.principal.removeprefix(f"secretsd:{house.account}:") for one in await who(house, action, resource)]


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="prod/app", text="one")
    return house


async def test_users_and_roles_with_the_statement_by_which(app):
    ann, bob = await app.user("ann", READ), await app.user("bob")
    await app.call("CreateRole", role="reader", trust=speaks("AssumeRole", "*"))
    await app.call("AttachRolePolicy", role="reader", policy="of-ann")
    found = {
        one.principal.split(":")[2]: (one.source, one.number)
        for one in await who(app, "GetSecretValue", "secret/prod/app")
    }
    assert found == {
        "user/admin": ("policy/administrator", 1),
        "user/ann": ("policy/of-ann", 1),
        "role/reader": ("policy/of-ann", 1),
    }
    for name, caller in (("ann", ann), ("bob", bob)):
        assert (await outcome(app, "GetSecretValue", caller, name="prod/app") == "ok") is (f"user/{name}" in found)


async def test_who_is_denied_or_bounded_is_not_on_the_list(app):
    await app.user("ann", READ, {**READ, "effect": "Deny"})
    await app.user("bob", READ)
    await app.call("CreatePolicy", policy="within", document=document({**READ, "action": ["DescribeSecret"]}))
    await app.call("PutUserPermissionsBoundary", user="bob", boundary="within")
    assert await names(app, "GetSecretValue", "secret/prod/app") == ["user/admin"]


async def test_conditions_that_are_unknown_are_named(app):
    await app.user("ann", HOME)
    await app.user("bob", READ, {**HOME, "effect": "Deny"})
    found = {one.principal.split("/")[1]: one.unknown for one in await who(app, "GetSecretValue", "secret/prod/app")}
    assert found == {"admin": (), "ann": ("secretsd:SourceIp",), "bob": ("secretsd:SourceIp",)}


async def test_tags_decide_as_they_are(app):
    await app.user("ann", {**READ, "condition": {"StringEquals": {"secretsd:PrincipalTag/team": ["billing"]}}})
    assert await names(app, "GetSecretValue", "secret/prod/app") == ["user/admin"]
    await app.call("TagResource", resource="user/ann", tags={"team": "billing"})
    assert await names(app, "GetSecretValue", "secret/prod/app") == ["user/admin", "user/ann"]


async def test_scheduled_work_is_on_the_list(app):
    key = await app.call("CreateKey")
    assert "role/rotation" in await names(app, "Decrypt", f"key/{key.id}")


async def test_grantees_and_whom_the_resources_policy_names(app):
    await Vendor(app).settle()
    key = await app.call("CreateKey", alias="orders")
    grant = await app.call(
        "CreateGrant", key=key.id, grantee=APP, operations=("Decrypt",), context_subset={"tenant": "7"}
    )
    own = f"secretsd:{app.account}:user/ann"
    await app.user("ann")
    await app.call("CreateGrant", key=key.id, grantee=own, operations=("Decrypt",))
    text = speaks("Decrypt", ["300000000003", f"secretsd:{VENDOR}:role/loader"])
    await app.call("PutResourcePolicy", resource="alias/orders", document=text)
    found = {one.principal: one for one in await who(app, "Decrypt", "alias/orders") if one.account_decides}
    assert set(found) == {APP, "300000000003", f"secretsd:{VENDOR}:role/loader"}
    assert (found[APP].source, found[APP].unknown) == (f"grant/{grant.id}", ("secretsd:EncryptionContext/tenant",))
    assert found["300000000003"].source == "resource policy"
    assert "user/ann" in await names(app, "Decrypt", "alias/orders")
    # What no owner can hand on names nobody.
    await app.call("PutResourcePolicy", resource="alias/orders", document=speaks("*", "*"), bypass_lockout_check=True)
    assert [one for one in await who(app, "DisableKey", "alias/orders") if one.account_decides] == []
    assert [one.principal for one in await who(app, "Encrypt", "alias/orders") if one.account_decides] == ["*"]


async def test_a_denial_of_the_owner_takes_others_off_the_list(app):
    await Vendor(app).settle()
    text = document(
        {"effect": "Allow", "action": ["GetSecretValue"], "principal": [APP, VENDOR]},
        {"effect": "Deny", "action": ["GetSecretValue"], "principal": [APP]},
    )
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=text)
    assert [one.principal for one in await who(app, "GetSecretValue", "secret/prod/app") if one.account_decides] == [
        VENDOR
    ]


async def test_who_may_ask(app, tools):
    ann = await app.user("ann", {"effect": "Allow", "action": ["WhoCan"], "resource": ["secret/prod/*"]})
    asked = {"action": "GetSecretValue", "resource": "secret/prod/app"}
    assert (await app.call("WhoCan", ann, **asked)).principals
    for resource in ("secret/test/app", "key/x", f"secretsd:{VENDOR}:secret/prod/app", "secretsd:system:target/x"):
        with pytest.raises(tools.Failed, match="access-denied"):
            await app.call("WhoCan", ann, **{**asked, "resource": resource})


async def test_not_even_with_all_rights_about_anothers_resource(app, tools):
    vendor = await Vendor(app).settle()
    await app.call("CreateSecret", vendor.boss, name="theirs", text="x")
    await app.call("PutResourcePolicy", vendor.boss, resource="secret/theirs", document=speaks("*", "*"))
    boss = await app.user("boss", {"effect": "Allow", "action": ["*"], "resource": ["*", f"secretsd:{VENDOR}:*"]})
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("WhoCan", boss, action="GetSecretValue", resource=f"secretsd:{VENDOR}:secret/theirs")


@pytest.mark.parametrize("action", ["GetSecretValu", "GetCallerIdentity", "RecoverAdministrator"])
async def test_what_no_policy_decides_is_refused(app, tools, action):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await app.call("WhoCan", action=action, resource="secret/prod/app")


@pytest.fixture
async def crowd(app):
    """A thousand and some users, of whom every hundredth may."""
    rights = (Statement(Effect.ALLOW, ("GetSecretValue",), ("secret/*",)),)
    records: list[Policy | User] = [Policy(app.account, "may", rights, "", 1)]
    records += [User(app.account, f"u{at:04}", 1, ("may",) if at % 100 == 0 else ()) for at in range(1100)]
    changes = tuple(Add(record, authenticator().mac(record)) for record in records)
    for at in range(0, len(changes), 100):
        event = samples.event("Added", accounts=(app.account,))
        await app.storage.commit(UnitOfWork(changes[at : at + 100], event))
    app.storage.refresh()
    return app


async def test_many_are_looked_at_in_pages_that_may_be_short(crowd):
    first = await crowd.call("WhoCan", action="GetSecretValue", resource="secret/prod/app")
    assert first.next_token is not None
    assert len(first.principals) < 10
    found = await names(crowd, "GetSecretValue", "secret/prod/app")
    assert found == ["user/admin", *(f"user/u{at:04}" for at in range(0, 1100, 100))]
    one_each = [one.principal.split(":")[2] for one in await who(crowd, "GetSecretValue", "secret/prod/app", limit=1)]
    assert one_each == found


async def test_others_have_their_turn_meanwhile(crowd, monkeypatch):
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    # All that is read is in memory, so that nothing waits for storage.
    await names(crowd, "GetSecretValue", "secret/prod/app")
    everybody = await crowd.storage.accounts.users(crowd.account, "", 5000)

    async def users(account: str, after: str, limit: int) -> list[User]:
        return [user for user in everybody if user.name > after][:limit]

    monkeypatch.setattr(crowd.storage.accounts, "users", users)
    task = asyncio.create_task(others())
    await crowd.call("WhoCan", action="GetSecretValue", resource="secret/prod/app")
    task.cancel()
    assert turns >= 500 // 25


@pytest.mark.parametrize("token", ["x", "1", "OSB4", "!!"])
async def test_a_token_of_nobodys_making_opens_nothing(app, tools, token):
    answer = await app.run("WhoCan", action="GetSecretValue", resource="secret/prod/app", next_token=token)
    assert answer.error is None or answer.error.kind.value == "invalid-request"
