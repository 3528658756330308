"""SECURITY 13: `*` stops before the account `system`, no account reaches into another, operators read nothing."""

import json

import pytest

from secretsd.testing.daemon import secret_path
from secretsd.testing.intruder import as_user
from secretsd.testing.policies import document

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
SYSTEM = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}


@pytest.fixture(scope="module")
def people(target):
    """A reader who may do everything in the account, an operator of the system, and another account's chief."""
    target.create("prod/app", "plaintext of the account")
    target.second_account()
    return {
        "reader": target.user("reader", EVERYTHING),
        "operator": target.user("operator", SYSTEM),
        "other": "secretsd_" + "0" * 43,
    }


def call(target, token, method, path, body=None, **query):
    return target.daemon.call(method, path, body, query=query or None, token=token)


def test_everything_in_an_account_is_nothing_in_the_system(target, people):
    reader = people["reader"]
    assert target.get("prod/app", reader).status == 200
    for answer in (
        call(target, reader, "GET", "/v1/events", account="system"),
        call(target, reader, "POST", "/v1/bindings", {"proof": "unix:uid/65534", "user": "reader"}),
        call(target, reader, "POST", "/v1/bindings:delete", {"proof": "unix:uid/0"}),
    ):
        assert (answer.status, answer.kind) == (403, "access-denied")
    answer = as_user(65534, lambda: target.daemon.call("GET", "/v1/caller-identity"))
    assert answer.kind == "unauthenticated"


def test_an_operator_does_the_systems_work_and_reads_nothing(target, people):
    operator = people["operator"]
    assert call(target, operator, "GET", "/v1/events", account="system").status == 200
    account = target.ok("GET", "/v1/caller-identity")["account"]
    space = {"space": "unix:uid/64001", "account": account}
    assert call(target, operator, "POST", "/v1/proof-spaces", space).status == 200
    for answer in (
        # Whoever may say whose proofs are whose is nobody's administrator by that: else he could become the reader.
        call(target, operator, "POST", "/v1/bindings", {"proof": "unix:uid/64001", "user": "reader"}),
        call(target, operator, "POST", "/v1/bindings", {"proof": "unix:uid/64003", "user": "reader"}),
        target.get("prod/app", operator),
        call(target, operator, "GET", "/v1/secrets"),
        call(target, operator, "GET", "/v1/events"),
        call(target, operator, "PUT", secret_path("prod/app", "value"), {"text": "x"}),
        call(target, operator, "POST", "/v1/users", {"user": "mine"}),
    ):
        assert (answer.status, answer.kind) == (403, "access-denied")


@pytest.mark.parametrize(
    "resource",
    ["*", "secretsd:*", "secretsd:*:*", "secretsd:sys*:*", "s*", "*:*", "secretsd:?ystem:*", "**", "proof/*"],
)
def test_no_glob_stands_for_an_account(target, people, resource):
    """Either such a pattern is refused, or it matches in the account alone."""
    name = "glob-" + "".join(f"{ord(character):x}" for character in resource)
    statement = {"effect": "Allow", "action": ["*"], "resource": [resource]}
    target.ok("POST", "/v1/users", {"user": name})
    made = target.daemon.call("POST", "/v1/policies", {"policy": name, "document": document(statement)})
    if made.status != 200:
        assert made.kind == "invalid-request"
        return
    target.ok("POST", f"/v1/users/{name}:attach-policy", {"policy": name})
    token = target.ok("POST", f"/v1/users/{name}:create-token", {})["token"]
    assert call(target, token, "GET", "/v1/events", account="system").kind == "access-denied"
    body = {"proof": "unix:uid/64002", "user": name}
    assert call(target, token, "POST", "/v1/bindings", body).kind == "access-denied"


def test_an_accounts_administrator_cannot_make_himself_an_operator(target, people):
    """Neither by a policy of his own, nor by one that is there, nor by the token of somebody who is one."""
    reader = people["reader"]
    reach = {
        "effect": "Allow",
        "action": ["ListTargets", "UseTarget"],
        "resource": ["secret/*", "secretsd:system:target/*"],
    }
    for path, body in (
        ("/v1/policies", {"policy": "mine", "document": document(reach)}),
        ("/v1/policies", {"policy": "mine", "document": document(SYSTEM)}),
        ("/v1/users/reader:attach-policy", {"policy": "operator"}),
        ("/v1/users/admin:create-token", {}),
        ("/v1/users/operator:create-token", {}),
    ):
        answer = call(target, reader, "POST", path, body)
        assert (answer.status, answer.kind) == (403, "access-denied"), (path, body)
    assert call(target, reader, "GET", "/v1/targets").kind == "access-denied"


def test_an_accounts_administrator_hands_on_the_use_of_targets_and_what_denies(target, people):
    """A target's own list says who may rotate what there, so this makes nobody an operator."""
    reader = people["reader"]
    use = {"effect": "Allow", "action": ["UseTarget"], "resource": ["secretsd:system:target/*"]}
    never = {"effect": "Deny", "action": ["*"], "resource": ["secretsd:system:*"]}
    for name, statement in (("use", use), ("never", never)):
        made = call(target, reader, "POST", "/v1/policies", {"policy": name, "document": document(statement)})
        assert made.status == 200, name
        assert call(target, reader, "POST", "/v1/users/reader:attach-policy", {"policy": name}).status == 200
    assert call(target, reader, "POST", "/v1/users/reader:create-token", {}).status == 200


def test_another_accounts_chief_sees_nothing_of_this_one(target, people):
    other = people["other"]
    assert call(target, other, "GET", "/v1/secrets").body == {"secrets": []}
    assert target.get("prod/app", other).kind == "not-found"
    assert call(target, other, "GET", "/v1/events", account=target.account).kind == "access-denied"
    assert [user["user"] for user in call(target, other, "GET", "/v1/users").body["users"]] == ["boss"]
    for method, path, body in (
        ("POST", "/v1/bindings:delete", {"proof": "unix:uid/0"}),
        ("POST", "/v1/bindings", {"proof": "unix:uid/64003", "user": "boss"}),
        ("GET", "/v1/events?account=system", None),
        ("POST", "/v1/users/admin:create-token", {}),
        ("GET", "/v1/users/admin", None),
        ("GET", "/v1/policies/administrator", None),
        ("GET", secret_path("prod/app"), None),
        ("DELETE", secret_path("prod/app") + "?force=true", None),
    ):
        answer = call(target, other, method, path, body)
        assert answer.kind in ("access-denied", "not-found"), (path, answer)
    assert target.get("prod/app").body["text"] == "plaintext of the account"


def test_naming_another_account_in_a_policy_reaches_nothing(target, people):
    """Both sides would have to allow; the other one has not."""
    token = target.user("crosser", {"effect": "Allow", "action": ["*"], "resource": ["*", "secretsd:200000000002:*"]})
    assert call(target, token, "GET", "/v1/events", account="200000000002").kind == "access-denied"


def test_a_key_of_another_account_cannot_be_named(target, people):
    theirs = call(target, people["other"], "GET", "/v1/keys").body["keys"][0]["id"]
    answer = target.daemon.call("POST", "/v1/secrets", {"name": "under/theirs", "text": "x", "key_id": theirs})
    assert answer.kind == "not-found"


def test_every_event_names_the_account_of_its_resource(target, people):
    refused = call(target, people["reader"], "GET", "/v1/events", account="system")
    ours = target.daemon.events(request_id=refused.request_id)
    systems = target.daemon.events(request_id=refused.request_id, account="system")
    assert [json.dumps(one) for one in ours] == [json.dumps(one) for one in systems]
    assert ours[0]["accounts"] == [target.account, "system"]
    assert ours[0]["outcome"] == "access-denied"


def test_an_operator_reads_nothing_in_an_account_that_he_made(target, people):
    operator = people["operator"]
    made = target.ok("POST", "/v1/accounts", {"account_name": "made-by-operator"}, token=operator)
    boss, before = made["token"], f"secretsd:{made['account']}"
    target.ok("POST", "/v1/secrets", {"name": "x", "text": "plaintext of the account that was made"}, token=boss)
    key = target.ok("POST", "/v1/keys", {}, token=boss)["id"]
    for method, path, body, query in (
        ("GET", secret_path(f"{before}:secret/x", "value"), None, {}),
        ("GET", secret_path(f"{before}:secret/x"), None, {}),
        ("POST", f"/v1/keys/{before}:key/{key}:generate-data-key", {}, {}),
        ("GET", "/v1/events", None, {"account": made["account"]}),
        ("POST", "/v1/accounts:recover-administrator", {"account": made["account"]}, {}),
    ):
        answer = call(target, operator, method, path, body, **query)
        assert (answer.status, answer.kind) == (403, "access-denied"), path
    # What he did is in the view of the account, and its administrator is no operator.
    (event,) = target.ok("GET", "/v1/events", token=boss, query={"operation": "CreateAccount"})["events"]
    assert event["principal"] == f"secretsd:{target.account}:user/operator"
    assert call(target, boss, "GET", "/v1/accounts").kind == "access-denied"
    assert call(target, people["reader"], "POST", "/v1/accounts", {"account_name": "mine"}).kind == "access-denied"
