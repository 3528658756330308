"""Policies of keys and secrets: put, shown, taken away, with their resource; nobody locks himself out unawares."""

import json

import msgspec
import pytest

from secretsd.api.resource_policies import PutResourcePolicyRequest
from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import APP, TEXT, VENDOR, Vendor, outcome, speaks

READ = speaks("GetSecretValue", APP)


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="prod/app", text="one")
    return house


async def kept(house):
    """The policies in storage, by what they are about."""
    secret = await house.storage.secrets.get(house.account, "prod/app")
    try:
        return await house.storage.grants.policy(house.account, f"secret-id/{secret.id}")
    except Exception:  # noqa: BLE001  # none
        return None


async def test_a_policy_is_put_shown_replaced_and_taken_away(app, tools):
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("GetResourcePolicy", resource="secret/prod/app")
    put = await app.call("PutResourcePolicy", resource="secret/prod/app", document=READ)
    assert put.resource == f"secretsd:{app.account}:secret/prod/app"
    shown = await app.call("GetResourcePolicy", resource="secret/prod/app")
    assert shown == put
    (statement,) = json.loads(shown.document)["Statement"]
    assert (statement["Action"], statement["Principal"]) == (["GetSecretValue"], [APP])
    other = speaks("DescribeSecret", VENDOR)
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=other)
    shown = await app.call("GetResourcePolicy", resource="secret/prod/app")
    assert json.loads(shown.document)["Statement"][0]["Action"] == ["DescribeSecret"]
    await app.call("DeleteResourcePolicy", resource="secret/prod/app")
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("DeleteResourcePolicy", resource="secret/prod/app")


async def test_a_key_is_named_by_its_id_or_an_alias(house):
    key = (await house.call("CreateKey", alias="mine")).id
    await house.call("PutResourcePolicy", resource="alias/mine", document=speaks("Encrypt", APP))
    shown = await house.call("GetResourcePolicy", resource=f"key/{key}")
    assert shown.resource == f"secretsd:{house.account}:key/{key}"
    assert (await house.call("GetResourcePolicy", resource="alias/mine")) == shown


async def test_it_allows_in_ones_own_account_by_itself_and_denies_over_ones_own_policies(app):
    ann = await app.user("ann")
    bob = await app.user("bob", {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["*"]})
    await app.call(
        "PutResourcePolicy",
        resource="secret/prod/app",
        document=document(
            {"effect": "Allow", "action": ["*"], "principal": [f"secretsd:{app.account}:user/ann"]},
            {"effect": "Deny", "action": ["GetSecretValue"], "principal": [f"secretsd:{app.account}:user/bob"]},
        ),
    )
    assert await app.text("prod/app", ann) == "one"
    assert await outcome(app, "GetSecretValue", bob, name="prod/app") == "access-denied"


@pytest.mark.parametrize("principal", ["*", "{account}", "secretsd:{account}:user/admin"])
async def test_nobody_locks_himself_out_unless_he_says_so(app, tools, principal):
    denies = speaks("*", principal.format(account=app.account), "Deny")
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await app.call("PutResourcePolicy", resource="secret/prod/app", document=denies)
    assert "bypass_lockout_check" in refused.value.error.message
    assert await kept(app) is None
    answer = await app.run("PutResourcePolicy", resource="secret/prod/app", document=denies, bypass_lockout_check=True)
    assert answer.error is None
    (event,) = await app.events(answer.request_id)
    assert event["fields"]["bypass_lockout_check"] is True
    assert await outcome(app, "PutResourcePolicy", tools.ROOT, resource="secret/prod/app", document=READ) == (
        "access-denied"
    )


async def test_who_is_denied_something_else_is_not_locked_out(app):
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=speaks("GetSecretValue", "*", "Deny"))
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=READ)


@pytest.mark.parametrize(
    "text",
    [
        document({"effect": "Allow", "action": ["GetSecretValue"], "resource": ["*"]}),
        document({"effect": "Allow", "action": ["GetSecretValue"], "principal": ["secretsd:system:user/x"]}),
        document({"effect": "Allow", "action": ["Nonsense"], "principal": ["*"]}),
        document({"effect": "Allow", "action": ["GetSecretValue"], "principal": ["*"], "resource": ["secret/other"]}),
        "{}",
        "plain text",
    ],
)
async def test_what_is_no_policy_of_a_resource_is_refused_with_its_line(app, tools, text):
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await app.call("PutResourcePolicy", resource="secret/prod/app", document=text)
    assert "line 1" in refused.value.error.message


@pytest.mark.parametrize("resource", ["secret/none", "key/00000000-0000-4000-8000-000000000000", "alias/none"])
async def test_there_is_no_policy_of_what_is_not_there(house, tools, resource):
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("PutResourcePolicy", resource=resource, document=READ)


async def test_another_accounts_key_has_the_policy_that_its_owner_puts(house):
    """Whoever may do everything in his own account names it in full where a name of his own belongs."""
    vendor = await Vendor(house).settle()
    key = (await house.call("CreateKey")).id
    await house.call("PutResourcePolicy", resource=f"key/{key}", document=READ)
    resource = f"key/secretsd:{house.account}:key/{key}"
    fields = {"resource": resource, "document": READ, "bypass_lockout_check": True}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, PutResourcePolicyRequest)
    before = await house.storage.grants.policy(house.account, f"key/{key}")
    assert await outcome(house, "PutResourcePolicy", vendor.boss, **fields) == "not-found"
    assert await outcome(house, "DeleteResourcePolicy", vendor.boss, resource=resource) == "not-found"
    assert await house.storage.grants.policy(house.account, f"key/{key}") == before


async def test_a_secrets_policy_ends_with_it(app):
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=READ)
    policy = await kept(app)
    await app.call("DeleteSecret", name="prod/app", force=True)
    with pytest.raises(Exception, match="cannot find a policy"):
        await app.storage.grants.policy(app.account, policy.resource)


async def test_two_that_put_at_once_leave_one_of_them_whole(app, monkeypatch):
    async def other():
        await app.call("PutResourcePolicy", resource="secret/prod/app", document=speaks("DescribeSecret", APP))

    assert overtaken(app, monkeypatch, other) == []
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=READ)
    policy = await kept(app)
    assert (policy.statements[0].actions, policy.revision) == (("GetSecretValue",), 1)


async def test_a_policy_put_on_a_secret_that_is_erased_meanwhile_is_not_there(app, tools, monkeypatch):
    secret = await app.storage.secrets.get(app.account, "prod/app")

    async def erase():
        await app.call("DeleteSecret", name="prod/app", force=True)

    happened = overtaken(app, monkeypatch, erase)
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("PutResourcePolicy", resource="secret/prod/app", document=READ)
    assert happened == [True]
    with pytest.raises(Exception, match="cannot find a policy"):
        await app.storage.grants.policy(app.account, f"secret-id/{secret.id}")


async def test_a_condition_of_the_owner_holds_for_the_foreign_caller(house):
    vendor = await Vendor(house).settle()
    key = (await house.call("CreateKey")).id
    condition = {"StringEquals": {"secretsd:EncryptionContext/tenant": "7"}}
    text = speaks("Encrypt", APP, condition=condition)
    await house.call("PutResourcePolicy", resource=f"key/{key}", document=text)
    named = f"secretsd:{house.account}:key/{key}"
    for tenant, wanted in (("7", "ok"), ("8", "access-denied")):
        asked = {"key": named, "plaintext": TEXT, "context": {"tenant": tenant}}
        assert await outcome(house, "Encrypt", vendor.app, **asked) == wanted


async def test_a_policy_that_is_lost_denies_all_until_it_is_put_anew(app, tools):
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=speaks("DescribeSecret", APP))
    assert await app.text("prod/app") == "one"
    lost = UnitOfWork((Delete(await kept(app)),), samples.event("Lost", accounts=(app.account,)))
    await app.storage.commit(lost)
    app.storage.refresh()
    for operation in ("GetSecretValue", "DescribeSecret", "DeleteSecret"):
        assert await outcome(app, operation, tools.ROOT, name="prod/app") == "access-denied"
    await app.call("PutResourcePolicy", resource="secret/prod/app", document=READ)
    assert await app.text("prod/app") == "one"
    await app.call("DeleteResourcePolicy", resource="secret/prod/app")
    assert await app.text("prod/app") == "one"
    assert not (await app.storage.secrets.get(app.account, "prod/app")).has_policy
