"""What a denied caller hears: the permission that he lacks, why where he may know it, and never what exists."""

import pytest

from secretsd.testing.policies import document
from tests.unit.operations.two_accounts import CONTEXT, TEXT, VENDOR, Vendor, speaks, told

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/*"]}
TEAM = {**READ, "condition": {"StringEquals": {"secretsd:ResourceTag/team": ["billing"]}}}
HIMSELF = {"effect": "Allow", "action": ["ExplainDecision"], "resource": ["user/*"]}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def denied(permission, why=""):
    return "access-denied", f"cannot do that: {permission} is not allowed, or it does not exist" + (why and f" ({why})")


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="prod/app", text="one", tags={"team": "billing"})
    return house


async def test_everybody_hears_which_permission_he_lacks(app):
    ann = await app.user("ann")
    assert await told(app, "GetSecretValue", ann, name="prod/app") == denied("GetSecretValue")


async def test_also_where_it_is_a_second_one(app):
    ann = await app.user("ann", {"effect": "Allow", "action": ["*Secret*"], "resource": ["*"]})
    key = (await app.call("CreateKey")).id
    assert await told(app, "CreateSecret", ann, name="x", text="y", key_id=key) == denied("GenerateDataKey")


async def test_why_is_for_who_may_ask_about_himself(app):
    await app.call("CreatePolicy", policy="within", document=document({**READ, "action": ["DescribeSecret"]}))
    never = {"sid": "Never", "effect": "Deny", "action": ["DeleteSecret"], "resource": ["*"]}
    ann, bob = await app.user("ann", READ, never, HIMSELF), await app.user("bob", READ, never)
    for operation, fields, why in (
        ("DeleteSecret", {}, "statement 2 (Never) of policy/of-ann denies it"),
        ("PutSecretValue", {"text": "x"}, "nothing allows it"),
    ):
        assert await told(app, operation, ann, name="prod/app", **fields) == denied(operation, why)
        assert await told(app, operation, bob, name="prod/app", **fields) == denied(operation)
    home = {**READ, "condition": {"IpAddress": {"secretsd:SourceIp": ["10.0.0.0/8"]}}}
    eve = await app.user("eve", home, HIMSELF)
    assert await told(app, "GetSecretValue", eve, name="prod/app") == denied("GetSecretValue", "nothing allows it")


async def test_the_boundary_is_named_as_the_reason(app):
    explains = {**HIMSELF, "action": ["ExplainDecision", "DescribeSecret"], "resource": ["*"]}
    await app.call("CreatePolicy", policy="within", document=document(explains))
    ann = await app.user("ann", READ, HIMSELF)
    await app.call("PutUserPermissionsBoundary", user="ann", boundary="within")
    why = "the boundary does not allow it, whatever else does"
    assert await told(app, "GetSecretValue", ann, name="prod/app") == denied("GetSecretValue", why)


async def test_what_the_resource_says_and_carries_is_not_among_the_reasons(app):
    """For who may ask about himself alone: a tag, a policy, the thing itself could be found out by them."""
    ann = await app.user("ann", TEAM, {**READ, "action": ["DescribeSecret"]}, HIMSELF)
    await app.call("CreateSecret", name="prod/kept", text="x", tags={"team": "audit"})
    await app.call("PutResourcePolicy", resource="secret/prod/kept", document=speaks("PutSecretValue", "*", "Deny"))
    for operation, fields, why in (("GetSecretValue", {}, ""), ("PutSecretValue", {"text": "x"}, "nothing allows it")):
        heard = {await told(app, operation, ann, name=name, **fields) for name in ("prod/kept", "prod/none")}
        assert heard == {denied(operation, why)}
    await app.allow("ann", "more", {**HIMSELF, "resource": ["secret/prod/*"]})
    why = "statement 1 of resource policy denies it"
    assert await told(app, "PutSecretValue", ann, name="prod/kept", text="x") == denied("PutSecretValue", why)


async def test_aliases_tell_nothing(app):
    keys = {"effect": "Deny", "action": ["Encrypt"], "resource": ["key/*"]}
    ann = await app.user("ann", keys, HIMSELF)
    key = (await app.call("CreateKey", alias="there")).id
    heard = {await told(app, "Encrypt", ann, key=f"alias/{name}", plaintext=TEXT) for name in ("there", "none")}
    assert heard == {denied("Encrypt")}
    heard = {await told(app, "Encrypt", ann, key=one, plaintext=TEXT) for one in (key, UNKNOWN)}
    assert heard == {denied("Encrypt", "statement 1 of policy/of-ann denies it")}


async def test_across_accounts_the_owner_says_nothing(app):
    vendor = await Vendor(app).settle()
    far = f"secretsd:{VENDOR}:"
    may = {"effect": "Allow", "action": ["*"], "resource": ["*", f"{far}*"]}
    ann = await app.user("ann", may)
    key = (await app.call("CreateKey", vendor.boss, alias="there")).id
    made = await app.call("Encrypt", vendor.boss, key=key, plaintext=TEXT, context=CONTEXT)
    await app.call("PutResourcePolicy", vendor.boss, resource="alias/there", document=speaks("Encrypt", "*", "Deny"))
    why = "the owner of the resource does not allow it"
    heard = {await told(app, "Encrypt", ann, key=f"{far}key/{one}", plaintext=TEXT) for one in (key, UNKNOWN)}
    assert heard == {denied("Encrypt", why)}
    heard = {await told(app, "Encrypt", ann, key=f"{far}alias/{one}", plaintext=TEXT) for one in ("there", "none")}
    assert heard == {denied("Encrypt")}
    bob = await app.user("bob", HIMSELF)
    header = bytearray(made.ciphertext)
    header[10] ^= 1  # a byte of the key's id: a key that nobody has
    heard = {await told(app, "Decrypt", bob, ciphertext=one) for one in (made.ciphertext, bytes(header))}
    assert heard == {denied("Decrypt", "nothing allows it")}


async def test_nothing_that_was_sent_comes_back(app):
    ann = await app.user("ann", HIMSELF)
    sent = {"name": "a-name-of-his-own", "text": "a-value"}
    _, message = await told(app, "PutSecretValue", ann, **sent)
    assert not any(one in message for one in sent.values())
