"""Grants and policies of resources from the command line: what is sent, what is shown, what is asked before."""

import json
import time

KEY = "secretsd:100000000001:alias/orders"
APP = "secretsd:200000000002:role/app"
GRANT = {
    "id": "ab" * 32, "key": "k", "grantee": APP, "operations": ["Decrypt", "Encrypt"], "by": "b", "created_ms": 0,
    "context_subset": {"tenant": "7"}, "expires_ms": 0, "name": "orders",
}  # fmt: skip
POLICY = '{"Version": "1", "Statement": []}'


def test_a_grant_is_made_with_what_was_said(ctl, wire) -> None:
    wire.answer("CreateGrant", GRANT)
    before = time.time() * 1000
    done = ctl(
        "grant", "create", KEY, "--to", APP, "--allow", "Encrypt", "--allow", "Decrypt", "--context", "tenant=7",
        "--context", "a=b=c", "--retiring", APP, "--for", "2h", "--name", "orders", "-o", "raw",
    )  # fmt: skip
    assert (done.code, done.text) == (0, "ab" * 32 + "\n"), done.err
    sent = wire.body("CreateGrant")
    assert 0 <= sent.pop("expires_ms") - before - 2 * 3600 * 1000 < 60_000
    assert sent == {
        "grantee": APP, "operations": ["Encrypt", "Decrypt"], "context_equals": {"tenant": "7", "a": "b=c"},
        "retiring_principal": APP, "name": "orders",
    }  # fmt: skip
    assert wire.sent[-1].target == "/v1/keys/secretsd%3A100000000001%3Aalias/orders:create-grant"


def test_what_no_grant_can_have_is_not_sent(ctl, wire) -> None:
    asked = ("grant", "create", KEY, "--to", APP, "--allow")
    for more in (("CreateKey",), ("Encrypt", "--for", "soon"), ("Encrypt", "--context", "tenant")):
        assert ctl(*asked, *more).code == 1
    assert ctl("grant", "create", KEY, "--to", "app", "--allow", "Encrypt").code == 1
    assert wire.sent == []


def test_grants_are_listed_page_by_page(ctl, wire) -> None:
    wire.answer("ListGrants", {"grants": [GRANT]})
    text = ctl("grant", "list", KEY).text
    assert all(part in text for part in (APP, "Decrypt Encrypt", "tenant=7 …", "1970-01-01T00:00:00Z", "orders"))
    assert json.loads(ctl("grant", "list", KEY, "-o", "json").text)[0]["context_subset"] == {"tenant": "7"}
    wire.answer("ListRetirableGrants", {"grants": [GRANT]})
    assert ctl("grant", "retirable", "-o", "raw").text == "ab" * 32 + "\n"


def test_a_grant_is_ended_with_what_was_passed_on_of_it(ctl, wire) -> None:
    for verb, done in (("revoke", "revoked"), ("retire", "retired")):
        wire.answer(f"{verb.capitalize()}Grant", {"grants": ["ab" * 32, "cd" * 32]})
        text = ctl("grant", verb, KEY, "ab" * 32).text
        assert text == f"{'ab' * 32}: {done}\n{'cd' * 32}: {done}\n"
        assert wire.body(f"{verb.capitalize()}Grant") == {"grant": "ab" * 32}


def test_the_policy_of_a_resource_is_put_shown_and_taken_away(ctl, wire, tmp_path) -> None:
    described = {"resource": "secretsd:1:secret/prod/db", "document": POLICY, "changed_ms": 0}
    wire.answer("PutResourcePolicy", described)
    wire.answer("GetResourcePolicy", described)
    wire.answer("DeleteResourcePolicy", {})
    file = tmp_path / "policy.json"
    file.write_text(POLICY)
    assert ctl("resource-policy", "put", "secret/prod/db", f"@{file}").text == f"secretsd:1:secret/prod/db\n{POLICY}\n"
    assert wire.body("PutResourcePolicy")["document"] == POLICY
    assert (wire.sent[-1].method, wire.sent[-1].target) == ("PUT", "/v1/resource-policies/secret/prod/db")
    assert ctl("resource-policy", "put", "secret/prod/db", f"@{file}", "--bypass-lockout-check").code == 0
    assert wire.body("PutResourcePolicy")["bypass_lockout_check"] is True
    assert ctl("resource-policy", "show", "secret/prod/db", "-o", "raw").text == POLICY + "\n"
    sent = len(wire.sent)
    assert ctl("resource-policy", "delete", "secret/prod/db").code == 1
    assert len(wire.sent) == sent
    assert ctl("resource-policy", "delete", "secret/prod/db", "--yes").code == 0
