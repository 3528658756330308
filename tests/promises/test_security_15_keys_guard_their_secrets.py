"""SECURITY 15: a secret under a customer's key needs the caller's permission on the key, cached or not."""

import pytest

from secretsd.testing.daemon import secret_path
from secretsd.testing.policies import document
from tests.promises.conftest import OTHER_TOKEN

pytestmark = pytest.mark.integration
# Two workers: what one has in memory must not outlive what the other was told, or what the files say.
SETTINGS = {"workers": 2}
VALUE = "plaintext under a customer's key"


@pytest.fixture(scope="module")
def guarded(target):
    """A secret under a key of its own, read often by the administrator, so that its rows and data key are in memory."""
    key = target.ok("POST", "/v1/keys", {"description": "the customer's"})["id"]
    target.create("guarded", VALUE, key_id=key)
    target.create("plain", "plaintext under the default key")
    for _ in range(3):
        assert target.get("guarded").body["text"] == VALUE
    return key


def statement(actions, resource, effect="Allow"):
    return {"effect": effect, "action": actions, "resource": [resource]}


def refused(answer):
    assert (answer.status, answer.kind) == (403, "access-denied"), answer
    assert VALUE not in str(answer.body)


def test_the_secrets_permission_alone_reads_nothing_though_all_is_in_memory(target, guarded):
    token = target.user("ann", statement(["*"], "secret/*"))
    assert target.get("plain", token).status == 200
    for _ in range(3):
        refused(target.get("guarded", token))
    batch = {"names": ["guarded", "plain"]}
    answer = target.daemon.call("POST", "/v1/secrets:batch-value", batch, token=token)
    assert [value["name"] for value in answer.body["values"]] == ["plain"]
    assert [error["kind"] for error in answer.body["errors"]] == ["access-denied"]


def test_decrypt_on_the_key_opens_it_and_losing_that_closes_it_at_once(target, guarded):
    token = target.user("bea", statement(["GetSecretValue"], "secret/*"))
    target.ok(
        "POST", "/v1/policies", {"policy": "bea-key", "document": document(statement(["Decrypt"], f"key/{guarded}"))}
    )
    refused(target.get("guarded", token))
    for _ in range(2):
        target.ok("POST", "/v1/users/bea:attach-policy", {"policy": "bea-key"})
        assert target.get("guarded", token).body["text"] == VALUE
        target.ok("POST", "/v1/users/bea:detach-policy", {"policy": "bea-key"})
        refused(target.get("guarded", token))


def test_a_deny_on_the_key_wins(target, guarded):
    token = target.user("cid", statement(["*"], "*"), statement(["Decrypt"], f"key/{guarded}", "Deny"))
    assert target.get("plain", token).status == 200
    refused(target.get("guarded", token))


def test_reading_needs_decrypt_and_writing_generate_data_key(target, guarded):
    key = f"key/{guarded}"
    reader = target.user("dan", statement(["*"], "secret/*"), statement(["Decrypt"], key))
    writer = target.user("eve", statement(["*"], "secret/*"), statement(["GenerateDataKey"], key))
    put = {"text": VALUE}
    assert target.get("guarded", reader).status == 200
    refused(target.get("guarded", writer))
    path = secret_path("guarded", "value")
    refused(target.daemon.call("PUT", path, put, token=reader))
    assert target.daemon.call("PUT", path, put, token=writer).status == 200
    refused(target.daemon.call("PATCH", secret_path("guarded"), put, token=reader))
    new = {"name": "new", "text": "x", "key_id": guarded}
    refused(target.daemon.call("POST", "/v1/secrets", new, token=reader))
    assert target.daemon.call("POST", "/v1/secrets", new, token=writer).status == 200


def test_a_token_tells_nothing_to_who_may_only_write(target, guarded):
    """Whether a token's value is the one given is a question about the value: it needs Decrypt."""
    target.create("asked", "the answer", key_id=guarded, token="t-1")
    writer = target.user("fay", statement(["*"], "secret/*"), statement(["GenerateDataKey"], f"key/{guarded}"))
    for text in ("the answer", "another answer"):
        body = {"text": text, "token": "t-1"}
        refused(target.daemon.call("PUT", secret_path("asked", "value"), body, token=writer))


def test_moving_a_secret_off_the_key_needs_the_key_too(target, guarded):
    target.create("moving", VALUE, key_id=guarded)
    default = target.ok("GET", secret_path("plain"))["key_id"]
    token = target.user("gus", statement(["*"], "secret/*"))
    refused(target.daemon.call("PATCH", secret_path("moving"), {"key_id": default}, token=token))
    assert target.ok("GET", secret_path("moving"))["key_id"] == guarded
    assert target.get("moving").body["text"] == VALUE


def test_the_refusal_is_recorded_as_one(target, guarded):
    token = target.user("hal", statement(["*"], "secret/*"))
    answer = target.get("guarded", token)
    (event,) = target.daemon.events(request_id=answer.request_id)
    assert event["outcome"] == "access-denied"
    assert event["principal"].endswith("user/hal")


@pytest.fixture(scope="module")
def foreign(target, guarded):
    """The administrator of another account with a secret under the customer's key, which is granted to him."""
    account, customer = target.second_account(), target.account
    uses = {"effect": "Allow", "action": ["GenerateDataKey", "Decrypt"], "resource": [f"secretsd:{customer}:key/*"]}
    ok(target, "POST", "/v1/policies", {"policy": "uses", "document": document(uses)})
    ok(target, "POST", "/v1/users/boss:attach-policy", {"policy": "uses"})
    granted = {"grantee": f"secretsd:{account}:user/boss", "operations": ["GenerateDataKey", "Decrypt"]}
    grant = target.ok("POST", f"/v1/keys/{guarded}:create-grant", granted)["id"]
    key = f"secretsd:{customer}:key/{guarded}"
    ok(target, "POST", "/v1/secrets", {"name": "theirs", "text": VALUE, "key_id": key})
    for _ in range(3):
        assert target.get("theirs", OTHER_TOKEN).body["text"] == VALUE
    return grant


def ok(target, method, path, body):
    """As the other account's administrator."""
    answer = target.daemon.call(method, path, body, token=OTHER_TOKEN)
    assert answer.status == 200, answer


def of_customer(target, answer):
    """The event in the key owner's own view."""
    (event,) = target.daemon.events(request_id=answer.request_id)
    assert event["accounts"] == ["200000000002", target.account]
    return event["outcome"]


@pytest.mark.needs_root
def test_the_owner_of_a_foreign_key_sees_each_read_though_all_is_in_memory(target, foreign):
    for tcp in (False, True) * 3:
        answer = target.daemon.call("GET", secret_path("theirs", "value"), token=OTHER_TOKEN, tcp=tcp)
        assert answer.body["text"] == VALUE
        assert of_customer(target, answer) == "ok"


@pytest.mark.needs_root
def test_the_owner_of_a_foreign_key_ends_it_at_once_on_both_workers(target, guarded, foreign):
    """Each change is made over a connection of its own, and read back over others: some worker has not made it."""

    def read():
        return [target.get("theirs", OTHER_TOKEN) for _ in range(8)]

    target.ok("POST", f"/v1/keys/{guarded}:disable")
    for answer in read():
        assert answer.kind == "key-disabled"
        assert of_customer(target, answer) == "key-disabled"
    target.ok("POST", f"/v1/keys/{guarded}:enable")
    assert {answer.status for answer in read()} == {200}
    target.ok("POST", f"/v1/keys/{guarded}:revoke-grant", {"grant": foreign})
    for answer in read():
        refused(answer)
        assert of_customer(target, answer) == "access-denied"
    put = target.daemon.call("PUT", secret_path("theirs", "value"), {"text": "new"}, token=OTHER_TOKEN)
    refused(put)
    assert of_customer(target, put) == "access-denied"
