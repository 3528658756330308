"""Policies change at once wherever they are attached, and nobody loses one that somebody has."""

import msgspec
import pytest

from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
DENY = {"effect": "Deny", "action": ["GetSecretValue"], "resource": ["secret/x"]}
TRUST = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}
CANARY = "canary-of-a-document"


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="x", text="1")
    await house.call("CreatePolicy", policy="reads", document=document(READ), description="they read")
    return house


async def test_another_document_is_in_force_at_once(app, tools):
    ann = await app.user("ann")
    await app.call("AttachPolicy", user="ann", policy="reads")
    assert await app.text("x", ann) == "1"
    told = await app.call("UpdatePolicy", policy="reads", document=document(READ, DENY))
    assert '"Deny"' in told.document
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.text("x", ann)
    assert (await app.call("GetPolicy", policy="reads")) == told
    await app.call("UpdatePolicy", policy="reads", document=document(READ))
    assert await app.text("x", ann) == "1"


async def test_what_is_not_given_stays(app):
    before = await app.call("GetPolicy", policy="reads")
    assert await app.call("UpdatePolicy", policy="reads") == before
    told = await app.call("UpdatePolicy", policy="reads", description="new")
    assert (told.description, told.document) == ("new", before.document)
    assert (await app.call("UpdatePolicy", policy="reads", document=document(DENY))).description == "new"


async def test_a_bad_document_changes_nothing(app, tools):
    before = await app.call("GetPolicy", policy="reads")
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await app.call("UpdatePolicy", policy="reads", document=document({**READ, "action": ["GetSecretValu"]}))
    assert 'perhaps "GetSecretValue" is meant' in refused.value.error.message
    assert await app.call("GetPolicy", policy="reads") == before


async def holding(house, kind):
    """Somebody of the kind gets the policy `reads`; what takes it from him again."""
    match kind:
        case "user":
            await house.call("CreateUser", user="h")
            await house.call("AttachPolicy", user="h", policy="reads")
            return "DetachPolicy", {"user": "h", "policy": "reads"}
        case "group":
            await house.call("CreateGroup", group="h")
            await house.call("AttachGroupPolicy", group="h", policy="reads")
            return "DetachGroupPolicy", {"group": "h", "policy": "reads"}
        case "role":
            await house.call("CreateRole", role="h", trust=document(TRUST))
            await house.call("AttachRolePolicy", role="h", policy="reads")
            return "DetachRolePolicy", {"role": "h", "policy": "reads"}
        case "bounded user":
            await house.call("CreateUser", user="h", boundary="reads")
            return "DeleteUserPermissionsBoundary", {"user": "h"}
        case "bounded role":
            await house.call("CreateRole", role="h", trust=document(TRUST), boundary="reads")
            return "DeleteRolePermissionsBoundary", {"role": "h"}
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", ["user", "group", "role", "bounded user", "bounded role"])
async def test_a_policy_that_somebody_has_stays(app, tools, kind):
    operation, fields = await holding(app, kind)
    with pytest.raises(tools.Failed, match="invalid-state") as refused:
        await app.call("DeletePolicy", policy="reads")
    assert f"{kind.split()[-1]} h has it" in refused.value.error.message
    await app.call(operation, **fields)
    await app.call("DeletePolicy", policy="reads")
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call("GetPolicy", policy="reads")


@pytest.mark.parametrize("kind", ["user", "group", "role", "bounded user", "bounded role"])
async def test_a_policy_that_somebody_gets_while_it_is_deleted_stays(app, tools, monkeypatch, kind):
    happened = overtaken(app, monkeypatch, lambda: holding(app, kind))
    with pytest.raises(tools.Failed, match="invalid-state"):
        await app.call("DeletePolicy", policy="reads")
    assert happened
    assert (await app.call("GetPolicy", policy="reads")).policy == "reads"


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("AttachPolicy", {"user": "u", "policy": "reads"}),
        ("AttachGroupPolicy", {"group": "g", "policy": "reads"}),
        ("AttachRolePolicy", {"role": "r", "policy": "reads"}),
        ("PutUserPermissionsBoundary", {"user": "u", "boundary": "reads"}),
        ("PutRolePermissionsBoundary", {"role": "r", "boundary": "reads"}),
        ("CreateUser", {"user": "new", "boundary": "reads"}),
        ("CreateRole", {"role": "new", "trust": document(TRUST), "boundary": "reads"}),
    ],
)
async def test_who_gets_a_policy_while_it_is_deleted_finds_it_gone(app, tools, monkeypatch, operation, fields):
    await app.call("CreateUser", user="u")
    await app.call("CreateGroup", group="g")
    await app.call("CreateRole", role="r", trust=document(TRUST))
    happened = overtaken(app, monkeypatch, lambda: app.call("DeletePolicy", policy="reads"))
    with pytest.raises(tools.Failed, match="not-found"):
        await app.call(operation, **fields)
    assert happened


async def test_who_has_a_policy_is_listed_in_pages(app):
    for name in ("a", "b"):
        await app.call("CreateUser", user=name, boundary="reads" if name == "b" else None)
        await app.call("AttachPolicy", user=name, policy="reads")
        await app.call("CreateGroup", group=name)
        await app.call("AttachGroupPolicy", group=name, policy="reads")
    await app.call("CreateRole", role="r", trust=document(TRUST), boundary="reads")
    await app.call("CreateUser", user="c")
    for limit in (1, 2, 3, 100):
        seen, token = [], None
        while True:
            page = await app.call("ListEntitiesForPolicy", policy="reads", limit=limit, next_token=token)
            assert len(page.entities) <= limit
            seen += page.entities
            if (token := page.next_token) is None:
                break
        assert [(one.kind, one.name, one.attached, one.boundary) for one in seen] == [
            ("group", "a", True, False), ("group", "b", True, False), ("role", "r", False, True),
            ("user", "a", True, False), ("user", "b", True, True),
        ]  # fmt: skip
    with pytest.raises(Exception, match="not-found"):
        await app.call("ListEntitiesForPolicy", policy="none")


@pytest.mark.parametrize(
    ("kind", "statement", "problem"),
    [
        ("identity", READ, None),
        ("identity", {**READ, "principal": ["*"]}, "leave Principal out"),
        ("resource", {"effect": "Allow", "action": ["Decrypt"], "principal": ["*"]}, None),
        ("resource", READ, "leave Resource out"),
        ("trust", TRUST, None),
        ("trust", {**TRUST, "action": ["Decrypt"]}, "matches no operation"),
        ("identity", {**READ, "action": ["GetSecretValu"]}, 'perhaps "GetSecretValue" is meant'),
        ("identity", {**READ, "condition": {"StringEqual": {"secretsd:SourceIp": CANARY}}}, '"StringEquals"'),
        ("identity", {**READ, "effect": CANARY}, "Effect is Allow or Deny"),
    ],
)
async def test_a_document_is_looked_at_and_nothing_is_stored(app, kind, statement, problem):
    before = await app.call("ListPolicies")
    text = msgspec.json.format(document(statement).encode(), indent=2).decode()
    told = await app.call("ValidatePolicy", document=text, kind=kind)
    assert told.valid is (problem is None)
    if problem is not None:
        assert problem in told.problem
        assert told.line > 1
        assert CANARY not in told.problem
    assert await app.call("ListPolicies") == before


async def test_the_line_is_that_of_what_is_wrong(app):
    written = '{\n "Version": "1",\n "Statement": {\n  "Effect": "Allow",\n  "Action": "*",\n  "Resourc": "*"}}'
    told = await app.call("ValidatePolicy", document=written)
    assert (told.valid, told.line) == (False, 6)
    assert '"Resource" is meant' in told.problem
    assert (await app.call("ValidatePolicy", document="{\n}")).line == 1
    assert not (await app.call("ValidatePolicy", document="no json")).valid


@pytest.mark.parametrize(
    ("operation", "fields", "statement"),
    [
        ("CreatePolicy", {"policy": "new"}, READ),
        ("UpdatePolicy", {"policy": "reads"}, READ),
        ("PutUserPolicy", {"user": "u", "policy": "inline"}, READ),
        ("CreateRole", {"role": "r"}, TRUST),
    ],
)
async def test_what_no_storage_keeps_is_no_policy(app, tools, operation, fields, statement):
    """JSON can spell half of a surrogate pair."""
    await app.call("CreateUser", user="u")
    written = document({**statement, "sid": "HALF"}).replace("HALF", "\\ud800")
    field = "trust" if operation == "CreateRole" else "document"
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await app.call(operation, **fields, **{field: written})
    assert "line 1" in refused.value.error.message
    assert not (await app.call("ValidatePolicy", document=written)).valid


async def test_it_is_told_what_makes_an_operator(app):
    reach = {**READ, "resource": ["secretsd:system:*"]}
    assert (await app.call("ValidatePolicy", document=document(reach))).reaches_system
    assert not (await app.call("ValidatePolicy", document=document(READ))).reaches_system


async def test_nobody_without_the_permission_touches_policies(app, tools):
    ann = await app.user("ann", READ)
    for operation, fields in (
        ("UpdatePolicy", {"document": document(READ)}), ("DeletePolicy", {}), ("ListEntitiesForPolicy", {}),
        ("GetPolicy", {}),
    ):  # fmt: skip
        for policy in ("reads", "none"):
            with pytest.raises(tools.Failed, match="access-denied"):
                await app.call(operation, ann, policy=policy, **fields)
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("ValidatePolicy", ann, document=document(READ))
