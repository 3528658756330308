"""Users, groups, roles and policies from the command line: what is sent, what is shown, what is asked before."""

import json

import pytest

USER = {"user": "ann", "resource": "r", "created_ms": 0, "policies": ["reads"]}
GROUP = {"group": "dbas", "resource": "r", "created_ms": 0, "policies": ["reads"], "inline_policies": ["own"]}
TRUST = '{\n  "Version": "1",\n  "Statement": []\n}'
ROLE = {"role": "ops", "resource": "r", "created_ms": 0, "trust": TRUST, "policies": [], "max_session_seconds": 3600}
POLICY = {"policy": "p", "resource": "r", "description": "d", "created_ms": 0, "document": TRUST}


def test_a_user_is_made_with_what_was_said(ctl, wire) -> None:
    wire.answer("CreateUser", {**USER, "boundary": "within", "tags": {"team": "a"}, "service": True})
    options = ("--description", "d", "--service", "--boundary", "within", "--tag", "team=a")
    done = ctl("user", "create", "ann", *options)
    assert done.code == 0, done.err
    assert wire.body("CreateUser") == {
        "user": "ann", "description": "d", "service": True, "boundary": "within", "tags": {"team": "a"},
    }  # fmt: skip
    shown = dict(line.split(maxsplit=1) for line in done.text.splitlines())
    assert (shown["boundary"], shown["tags"], shown["service"]) == ("within", "team=a", "yes")
    assert ctl("user", "create", "ann", "--tag", "team").code == 1
    assert len(wire.sent) == 1


def test_a_user_is_described_with_all_that_he_has(ctl, wire) -> None:
    more = {"inline_policies": ["own"], "groups": ["dbas", "ops"], "boundary": "within", "description": "d"}
    wire.answer("DescribeUser", {**USER, **more})
    shown = dict(line.split(maxsplit=1) for line in ctl("user", "describe", "ann").text.splitlines())
    assert shown == {
        "user": "ann", "resource": "r", "created": "1970-01-01T00:00:00Z", "policies": "reads",
        "inline_policies": "own", "groups": "dbas ops", "boundary": "within", "service": "no", "description": "d",
    }  # fmt: skip
    wire.answer("ListUsers", {"users": [{**USER, **more}]})
    assert "reads own:own  dbas ops  within" in ctl("user", "list").text
    assert ctl("user", "list", "-o", "raw").text == "ann\n"


def test_an_update_sends_what_is_named_and_nothing_else(ctl, wire) -> None:
    for noun, answer in (("user", USER), ("group", GROUP), ("role", ROLE)):
        operation = f"Update{noun.capitalize()}"
        wire.answer(operation, answer)
        assert ctl(noun, "update", "x", "--description", "new").code == 0
        assert wire.body(operation) == {"description": "new"}
        assert (wire.sent[-1].method, wire.sent[-1].target) == ("PATCH", f"/v1/{noun}s/x")
    assert ctl("user", "update", "ann", "--no-service").code == 0
    assert wire.body("UpdateUser") == {"service": False}
    assert ctl("role", "update", "ops", "--max-session", "2h").code == 0
    assert wire.body("UpdateRole") == {"max_session_seconds": 7200}


@pytest.mark.parametrize("noun", ["user", "group", "role", "policy"])
def test_nothing_is_deleted_unasked(ctl, wire, noun) -> None:
    operation = f"Delete{noun.capitalize()}"
    wire.answer(operation, {})
    refused = ctl(noun, "delete", "x")
    assert (refused.code, wire.sent) == (1, [])
    assert f"delete {noun} x without a question" in refused.err
    assert ctl(noun, "delete", "x", "--yes").text == f"{noun} x: deleted\n"
    plural = "policies" if noun == "policy" else f"{noun}s"
    assert (wire.sent[-1].method, wire.sent[-1].target) == ("DELETE", f"/v1/{plural}/x")


@pytest.mark.parametrize(
    ("noun", "kind", "answer"), [("user", "", USER), ("group", "Group", GROUP), ("role", "Role", ROLE)]
)
def test_policies_are_attached_and_detached(ctl, wire, noun, kind, answer) -> None:
    for verb in ("attach", "detach"):
        operation = f"{verb.capitalize()}{kind}Policy"
        wire.answer(operation, answer)
        assert ctl(noun, verb, "x", "reads").code == 0
        assert wire.body(operation) == {"policy": "reads"}
        assert wire.sent[-1].target == f"/v1/{noun}s/x:{verb}-policy"


@pytest.mark.parametrize("noun", ["user", "group", "role"])
def test_inline_policies(ctl, wire, noun) -> None:
    kind = noun.capitalize()
    wire.answer(f"Put{kind}Policy", {"policy": "own", "document": TRUST})
    assert ctl(noun, "inline", "put", "x", "own", "-", stdin=b"{}").text == f"{noun} x: has policy own of its own\n"
    assert wire.body(f"Put{kind}Policy") == {"policy": "own", "document": "{}"}
    refused = ctl(noun, "inline", "put", "x", "own", '{"canary": 1}')
    assert refused.code == 1
    assert "canary" not in refused.err
    wire.answer(f"Get{kind}Policy", {"policy": "own", "document": TRUST})
    assert ctl(noun, "inline", "show", "x", "own").text == f"{TRUST}\n"
    assert wire.sent[-1].target == f"/v1/{noun}s/x:inline-policy?policy=own"
    wire.answer(f"List{kind}Policies", {"policies": ["a", "b"]})
    assert ctl(noun, "inline", "ls", "x").text == "a\nb\n"
    wire.answer(f"Delete{kind}Policy", {})
    assert ctl(noun, "inline", "delete", "x", "own").code == 0
    assert (wire.sent[-1].method, wire.sent[-1].target) == ("DELETE", f"/v1/{noun}s/x:inline-policy?policy=own")


@pytest.mark.parametrize(("noun", "answer"), [("user", USER), ("role", ROLE)])
def test_boundaries_and_tags(ctl, wire, noun, answer) -> None:
    kind = noun.capitalize()
    wire.answer(f"Put{kind}PermissionsBoundary", {**answer, "boundary": "within"})
    assert "within" in ctl(noun, "boundary", "put", "x", "within").text
    assert wire.body(f"Put{kind}PermissionsBoundary") == {"boundary": "within"}
    wire.answer(f"Delete{kind}PermissionsBoundary", answer)
    assert ctl(noun, "boundary", "delete", "x").code == 0
    assert (wire.sent[-1].method, wire.sent[-1].target) == ("DELETE", f"/v1/{noun}s/x:boundary")
    wire.answer("TagResource", {"resource": f"{noun}/x", "tags": {"a": "b"}})
    assert ctl(noun, "tag", "x", "a=b").text == f"{noun}/x: a=b\n"
    assert wire.sent[-1].target == f"/v1/tags/{noun}/x"
    wire.answer("UntagResource", {"resource": f"{noun}/x", "tags": {}})
    assert ctl(noun, "untag", "x", "a").text == f"{noun}/x: no tags\n"
    assert wire.body("UntagResource") == {"keys": ["a"]}


def test_a_group_is_told_with_all_its_members(ctl, wire) -> None:
    wire.answer("DescribeGroup", {**GROUP, "members": ["ann"], "next_token": "dG9r"})
    wire.answer("DescribeGroup", {**GROUP, "members": ["bob"]})
    shown = dict(line.split(maxsplit=1) for line in ctl("group", "describe", "dbas").text.splitlines())
    assert (shown["members"], shown["inline_policies"]) == ("ann bob", "own")
    assert "next_token" not in shown
    assert wire.sent[-1].target.endswith("next_token=dG9r")
    for verb, preposition in (("add", "is in group dbas\n"), ("remove", "is in group dbas no more\n")):
        operation = "AddUserToGroup" if verb == "add" else "RemoveUserFromGroup"
        wire.answer(operation, USER)
        assert ctl("group", verb, "dbas", "ann").text == f"user ann: {preposition}"
        assert (wire.sent[-1].target, wire.body(operation)) == (f"/v1/groups/dbas:{verb}-user", {"user": "ann"})
    wire.answer("CreateGroup", GROUP)
    assert ctl("group", "create", "dbas", "--description", "d").code == 0
    wire.answer("ListGroups", {"groups": [GROUP]})
    assert "reads own:own" in ctl("group", "list").text


def test_a_role_is_made_of_a_trust_policy(ctl, wire) -> None:
    wire.answer("CreateRole", ROLE)
    done = ctl("role", "create", "ops", "-", "--max-session", "2h", "--boundary", "within", stdin=TRUST.encode())
    assert done.code == 0, done.err
    sent = wire.body("CreateRole")
    assert (sent["trust"], sent["max_session_seconds"], sent["boundary"]) == (TRUST, 7200, "within")
    assert done.text.endswith(f"{TRUST}\n")
    wire.answer("UpdateAssumeRolePolicy", ROLE)
    assert ctl("role", "trust", "ops", "-", stdin=TRUST.encode()).code == 0
    assert (wire.sent[-1].method, wire.sent[-1].target) == ("PUT", "/v1/roles/ops:trust")
    wire.answer("DescribeRole", ROLE)
    assert "trust" not in ctl("role", "describe", "ops").text.replace(TRUST, "")
    assert json.loads(ctl("role", "describe", "ops", "-o", "json").out)["trust"] == TRUST
    wire.answer("RevokeRoleSessions", {**ROLE, "sessions_revoked_ms": 1000})
    assert "until 1970-01-01T00:00:01Z are no longer good" in ctl("role", "revoke-sessions", "ops").text
    wire.answer("ListRoles", {"roles": [ROLE]})
    assert ctl("role", "list", "-o", "raw").text == "ops\n"


def test_policies_change_and_tell_who_has_them(ctl, wire) -> None:
    wire.answer("UpdatePolicy", POLICY)
    assert ctl("policy", "update", "p", "-", stdin=b"{}").text == f"p  d\n{TRUST}\n"
    assert wire.body("UpdatePolicy") == {"document": "{}"}
    assert ctl("policy", "update", "p", "--description", "d").code == 0
    assert wire.body("UpdatePolicy") == {"description": "d"}
    entity = {"kind": "user", "name": "ann", "attached": True, "boundary": False}
    wire.answer("ListEntitiesForPolicy", {"entities": [entity]})
    assert ctl("policy", "entities", "p").text.splitlines()[1].split() == ["user", "ann", "yes", "no"]
    assert ctl("policy", "entities", "p", "-o", "raw").text == "user/ann\n"


def test_a_document_is_validated_and_the_exit_code_says_so(ctl, wire) -> None:
    wire.answer("ValidatePolicy", {"valid": True, "reaches_system": True})
    wire.answer("ValidatePolicy", {"valid": False, "line": 3, "problem": "it is bad"})
    good = ctl("policy", "validate", "-", "--kind", "trust", stdin=b"{}")
    assert (good.code, good.text) == (0, "good; it makes an operator of whoever has it\n")
    assert wire.body("ValidatePolicy") == {"document": "{}", "kind": "trust"}
    bad = ctl("policy", "validate", "-", stdin=b"{}")
    assert (bad.code, bad.text) == (1, "line 3: it is bad\n")
    assert ctl("policy", "validate", "-", "--kind", "nonsense", stdin=b"{}").code == 1
