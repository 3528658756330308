"""A policy from use: what somebody did is allowed by the draft alone, and what he did not do is not."""

import json
from typing import Any

import pytest

from secretsd.api.fields import BinaryValue
from secretsd.operations import policy_from_use
from tests.unit.operations.two_accounts import VENDOR, Vendor, outcome

EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
TEXT = BinaryValue(b"of an application")


async def drafted(house, principal="user/app", caller=None, **fields):
    asked = {"principal": principal, **fields}
    return await (
        house.call("DraftPolicyFromUse", caller, **asked) if caller else house.call("DraftPolicyFromUse", **asked)
    )


def statements(draft):
    return [(one["Action"], one["Resource"]) for one in json.loads(draft.document)["Statement"]]


def pairs(draft):
    return {
        (action, resource) for actions, resources in statements(draft) for action in actions for resource in resources
    }


async def leave_only(house, document, user="app"):
    """From here on the draft is all that the user has."""
    await house.call("CreatePolicy", policy="draft", document=document)
    await house.call("DetachPolicy", user=user, policy=f"of-{user}")
    await house.call("AttachPolicy", user=user, policy="draft")


@pytest.fixture
async def app(house):
    for name in ("prod/app", "prod/other", "test/app"):
        await house.call("CreateSecret", name=name, text="one")
    return house


async def test_what_was_used_and_nothing_else(app):
    caller = await app.user("app", EVERYTHING)
    await app.call("GetSecretValue", caller, name="prod/app")
    await app.call("GetSecretValue", caller, name="prod/app")
    await app.call("ListSecrets", caller, prefix="prod/")
    draft = await drafted(app)
    assert statements(draft) == [(["ListSecrets"], ["secret/prod/*"]), (["GetSecretValue"], ["secret/prod/app"])]
    assert (draft.events, draft.complete, draft.generalised, draft.left_out) == (3, True, (), ())
    await leave_only(app, draft.document)
    assert await outcome(app, "GetSecretValue", caller, name="prod/app") == "ok"
    for operation, fields in (
        ("GetSecretValue", {"name": "prod/other"}),
        ("PutSecretValue", {"name": "prod/app", "text": "x"}),
        ("DescribeSecret", {"name": "prod/app"}),
        ("ListSecrets", {"prefix": ""}),
    ):
        assert await outcome(app, operation, caller, **fields) == "access-denied"


async def test_everything_that_was_done_can_be_done_again(app):
    """Also what takes a second permission: keys of secrets, parts of batches, aliases, both keys of a ReEncrypt."""
    caller = await app.user("app", EVERYTHING)
    one, two = [(await app.call("CreateKey", alias=name)).id for name in ("one", "two")]
    made = await app.call("Encrypt", key=one, plaintext=TEXT)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateSecret", {"name": "own/key", "text": "v", "key_id": "alias/one"}),
        ("PutSecretValue", {"name": "own/key", "text": "w", "token": "t1"}),
        ("PutSecretValue", {"name": "own/key", "text": "w", "token": "t1"}),
        ("GetSecretValue", {"name": "own/key"}),
        ("BatchGetSecretValue", {"names": ("prod/app", "test/app")}),
        ("DescribeSecret", {"name": "prod/app"}),
        ("Encrypt", {"key": "alias/one", "plaintext": TEXT}),
        ("Decrypt", {"ciphertext": made.ciphertext}),
        ("ReEncrypt", {"ciphertext": made.ciphertext, "destination_key": "alias/two"}),
        ("CreateAlias", {"alias": "third", "key": one}),
        ("UpdateAlias", {"alias": "third", "key": two}),
        ("DeleteAlias", {"alias": "third"}),
        ("CreateKey", {"alias": "four"}),
        ("TagResource", {"resource": "alias/one", "tags": {"a": "b"}}),
        ("ListKeys", {}),
        ("GetCallerIdentity", {}),
        ("GetRandomPassword", {}),
        ("ListAliases", {}),
    ]
    for operation, fields in calls:
        assert await outcome(app, operation, caller, **fields) == "ok", operation
    draft = await drafted(app)
    assert draft.left_out == ()
    await leave_only(app, draft.document)
    await app.call("DeleteSecret", name="own/key", force=True)
    for operation, fields in calls:
        again = {name: "fifth" if operation == "CreateKey" else value for name, value in fields.items()}
        found = await app.run(operation, caller, **again)
        expected = {"CreateKey": "access-denied"}.get(operation)
        assert (None if found.error is None else found.error.kind.value) == expected, operation
        if operation == "BatchGetSecretValue":
            assert len(found.response.values) == 2


async def test_the_same_value_put_twice_takes_the_right_to_compare_them(app):
    caller = await app.user("app", EVERYTHING)
    key = (await app.call("CreateKey")).id
    await app.call("CreateSecret", name="own/key", text="v", key_id=key)
    for wanted in (["GenerateDataKey"], ["Decrypt", "GenerateDataKey"]):
        await app.call("PutSecretValue", caller, name="own/key", text="w", token="t1")
        assert (wanted, [f"key/{key}"]) in statements(await drafted(app))


async def test_every_event_of_the_window_is_allowed(app):
    """What the trail has is what the draft is held against, event by event, by the daemon's own decision."""
    caller = await app.user("app", EVERYTHING)
    for name in ("prod/app", "prod/other"):
        await app.call("GetSecretValue", caller, name=name)
        await app.call("DescribeSecret", caller, name=name)
    await app.call("CreateUser", caller, user="sam")
    await app.call("PutUserPolicy", caller, user="sam", policy="own", document=json.dumps({
        "Version": "1", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
    }))  # fmt: skip
    for generalise in (None, 1):
        document = (await drafted(app, generalise=generalise)).document
        await app.call("CreatePolicy", policy=f"draft-{generalise}", document=document)
        await app.call("CreateUser", user=f"u{generalise}")
        await app.call("AttachPolicy", user=f"u{generalise}", policy=f"draft-{generalise}")
        events = [one for one in await app.events() if one.get("principal", "").endswith("user/app")]
        assert len(events) == 6
        for event in events:
            told = await app.call(
                "ExplainDecision",
                principal=f"user/u{generalise}",
                action=event["operation"],
                resource=event["resource"],
            )
            assert told.decision == "allowed", event


async def test_refused_calls_are_no_use(app):
    caller = await app.user("app", {**EVERYTHING, "resource": ["secret/prod/*"]})
    assert await outcome(app, "GetSecretValue", caller, name="test/app") == "access-denied"
    assert await outcome(app, "GetSecretValue", caller, name="prod/none") == "not-found"
    draft = await drafted(app)
    assert (draft.document, draft.events) == (None, 2)


async def test_patterns_are_made_where_they_are_asked_for_and_named(app):
    caller = await app.user("app", EVERYTHING)
    for name in ("prod/app", "prod/other"):
        await app.call("GetSecretValue", caller, name=name)
    assert (await drafted(app, generalise=2)).generalised == ()
    draft = await drafted(app, generalise=1)
    assert draft.generalised == ("secret/prod/*",)
    assert statements(draft) == [(["GetSecretValue"], ["secret/prod/*"])]


async def test_only_the_days_that_are_asked_for(app):
    caller = await app.user("app", EVERYTHING)
    await app.call("GetSecretValue", caller, name="prod/app")
    app.clock.pass_days(10)
    await app.call("DescribeSecret", caller, name="prod/app")
    assert statements(await drafted(app, days=5)) == [(["DescribeSecret"], ["secret/prod/app"])]
    assert statements(await drafted(app, days=11)) == [(["DescribeSecret", "GetSecretValue"], ["secret/prod/app"])]


async def test_another_accounts_key_is_named_in_full(app):
    vendor = await Vendor(app).settle()
    key = (await app.call("CreateKey")).id
    full = f"secretsd:{app.account}:key/{key}"
    await app.call("CreateGrant", key=key, grantee=f"secretsd:{VENDOR}:user/app", operations=("Encrypt",))
    await app.call("Encrypt", vendor.app, key=full, plaintext=TEXT)
    draft = await drafted(app, "user/app", vendor.boss)
    assert statements(draft) == [(["Encrypt"], [full])]


async def test_what_is_under_anothers_key_needs_that_key(app):
    vendor = await Vendor(app).settle()
    key = (await app.call("CreateKey")).id
    full = f"secretsd:{app.account}:key/{key}"
    uses = ("GenerateDataKey", "Decrypt")
    await app.call("CreateGrant", key=key, grantee=f"secretsd:{VENDOR}:user/app", operations=uses)
    await app.call("CreateSecret", vendor.app, name="sealed", text="x", key_id=full)
    await app.text("sealed", vendor.app)
    found = pairs(await drafted(app, "user/app", vendor.boss))
    assert found == {
        ("CreateSecret", "secret/sealed"), ("GetSecretValue", "secret/sealed"),
        ("GenerateDataKey", full), ("Decrypt", full),
    }  # fmt: skip


async def test_a_secrets_key_is_the_one_that_was_used(app):
    """Whatever key the secret is under by the time of the draft, and also where it is gone by then."""
    caller = await app.user("app", EVERYTHING)
    one, two, three = [(await app.call("CreateKey")).id for _ in range(3)]
    await app.call("CreateSecret", name="own/key", text="v", key_id=one)
    await app.call("GetSecretValue", caller, name="own/key")
    await app.call("UpdateSecret", name="own/key", key_id=two)
    await app.call("BatchGetSecretValue", caller, names=("own/key", "prod/app"))
    await app.call("PutSecretValue", caller, name="own/key", text="w")
    await app.call("UpdateSecret", name="own/key", key_id=three)
    own = {("GetSecretValue", "secret/own/key"), ("PutSecretValue", "secret/own/key")}
    batch = {("BatchGetSecretValue", "secret/*"), ("GetSecretValue", "secret/prod/app")}
    keys = {("Decrypt", f"key/{one}"), ("Decrypt", f"key/{two}"), ("GenerateDataKey", f"key/{two}")}
    assert pairs(await drafted(app)) == own | batch | keys
    await app.call("DeleteSecret", name="own/key", force=True)
    draft = await drafted(app)
    assert (pairs(draft), draft.left_out) == (own | batch | keys, ())


async def test_a_secret_that_was_under_the_default_key_took_no_right_to_a_key(app):
    caller = await app.user("app", EVERYTHING)
    await app.call("GetSecretValue", caller, name="prod/app")
    await app.call("UpdateSecret", name="prod/app", key_id=(await app.call("CreateKey")).id)
    assert pairs(await drafted(app)) == {("GetSecretValue", "secret/prod/app")}


async def test_a_key_that_a_secret_leaves_is_used_once_more(app):
    caller = await app.user("app", EVERYTHING)
    one, two = [(await app.call("CreateKey")).id for _ in range(2)]
    await app.call("CreateSecret", name="own/key", text="v", key_id=one)
    await app.call("UpdateSecret", caller, name="own/key", key_id=two)
    draft = await drafted(app)
    own = ("UpdateSecret", "secret/own/key")
    assert pairs(draft) == {own, ("Decrypt", f"key/{one}"), ("GenerateDataKey", f"key/{two}")}
    assert draft.left_out == ()


async def test_a_draft_of_part_of_the_trail_says_so(app, monkeypatch):
    caller = await app.user("app", EVERYTHING)
    for _ in range(3):
        await app.call("GetSecretValue", caller, name="prod/app")
    monkeypatch.setattr(policy_from_use, "PAGE", 1)
    monkeypatch.setattr(policy_from_use, "MAX_LOOKS", 2)
    draft = await drafted(app)
    assert (draft.complete, draft.events) == (False, 2)
    third = [one for one in await app.events() if one["operation"] == "GetSecretValue"][-1]
    assert draft.until_ms < third["time_ms"]


async def test_who_may_ask_may_read_the_trail_as_well(app, tools):
    asks = {"effect": "Allow", "action": ["DraftPolicyFromUse"], "resource": ["user/app"]}
    await app.user("app", EVERYTHING)
    one = await app.user("one", asks)
    both = await app.user("both", asks, {"effect": "Allow", "action": ["LookupEvents"], "resource": ["audit"]})
    with pytest.raises(tools.Failed, match="access-denied"):
        await drafted(app, caller=one)
    assert (await drafted(app, caller=both)).complete
    for principal in ("user/one", f"secretsd:{VENDOR}:user/app"):
        with pytest.raises(tools.Failed, match="access-denied"):
            await drafted(app, principal, caller=both)


async def test_scheduled_work_has_no_draft(app, tools):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await drafted(app, "role/rotation")


async def test_whoever_had_the_name_before_is_somebody_else(app):
    former = await app.user("app", EVERYTHING)
    await app.call("GetSecretValue", former, name="prod/other")
    for token in (await app.call("ListTokens", user="app")).tokens:
        await app.call("DeleteToken", user="app", id=token.id)
    await app.call("DeleteUser", user="app")
    app.clock.ms += 1_000
    await app.call("CreateUser", user="app")
    assert (await drafted(app)).document is None


async def test_nobody_has_used_anything_who_is_not_there(app, tools):
    with pytest.raises(tools.Failed, match="not-found"):
        await drafted(app, principal="user/nobody")


async def test_a_key_that_an_alias_led_to_is_the_one_that_was_used(app):
    caller = await app.user("app", EVERYTHING)
    one, two, three = [(await app.call("CreateKey")).id for _ in range(3)]
    await app.call("CreateAlias", alias="to", key=two)
    made = await app.call("Encrypt", caller, key=one, plaintext=TEXT)
    await app.call("ReEncrypt", caller, ciphertext=made.ciphertext, destination_key="alias/to")
    await app.call("UpdateAlias", alias="to", key=three)
    assert (["ReEncryptTo"], [f"key/{two}"]) in statements(await drafted(app))


async def test_aliases_that_are_gone_were_made_for_the_key_that_they_led_to(app):
    caller = await app.user("app", EVERYTHING)
    key = (await app.call("CreateKey")).id
    await app.call("CreateAlias", alias="there", key=key)
    await app.call("CreateAlias", caller, alias="too", key="alias/there")
    for alias in ("there", "too"):
        await app.call("DeleteAlias", alias=alias)
    draft = await drafted(app)
    assert (pairs(draft), draft.left_out) == ({("CreateAlias", "alias/too"), ("CreateAlias", f"key/{key}")}, ())
