"""The native API as its users walk it: a script that reads as a manual, over both sockets, with one and two workers."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from secretsd.testing.daemon import Answered, Daemon, secret_path
from secretsd.testing.policies import document
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=request.param, rotation={"min_interval_seconds": 1}) as daemon:
        yield daemon


class Caller:
    """Calls the API over one of the sockets, each time on a new connection: any worker may answer, and must know."""

    def __init__(self, daemon: Daemon, tcp: bool) -> None:
        self._daemon = daemon
        self._tcp = tcp
        self.place = "tcp" if tcp else "unix"

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None, **query: Any) -> Answered:
        return self._daemon.call(method, path, body, query=query, token=token, tcp=self._tcp)

    def do(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        answer = self.ask(method, path, body, **query)
        assert answer.status == 200, answer.body
        done: dict[str, Any] = answer.body
        return done

    def refused(self, kind: str, method: str, path: str, body: Any = None, token: str | None = None) -> None:
        assert self.ask(method, path, body, token).kind == kind


@pytest.fixture(params=[False, True], ids=["unix", "tcp"])
def api(daemon: Daemon, request: pytest.FixtureRequest) -> Caller:
    return Caller(daemon, request.param)


def test_a_secret_and_its_versions(api: Caller) -> None:
    name = f"{api.place}/db/app"
    first = api.do("POST", "/v1/secrets", {"name": name, "text": "one", "token": "v-1"})
    assert first["version_id"] == "v-1"
    api.refused("already-exists", "POST", "/v1/secrets", {"name": name, "text": "other"})

    second = api.do("PUT", secret_path(name, "value"), {"text": "two", "token": "v-2"})
    assert (second["number"], second["stages"]) == (2, ["current"])
    assert api.do("PUT", secret_path(name, "value"), {"text": "two", "token": "v-2"}) == second, "once is enough"
    api.refused("conflict", "PUT", secret_path(name, "value"), {"text": "other", "token": "v-2"})

    assert api.do("GET", secret_path(name, "value"))["text"] == "two"
    assert api.do("GET", secret_path(name, "value"), stage="previous")["text"] == "one"
    assert api.do("GET", secret_path(name, "value"), version_id="v-1")["stages"] == ["previous"]
    api.refused("not-found", "GET", secret_path(name, "value") + "?stage=pending")

    stages = {"stage": "current", "move_to": "v-1", "remove_from": "v-2"}
    assert api.do("POST", secret_path(name, "move-stage"), stages)["stages"] == {"current": "v-1", "previous": "v-2"}
    assert api.do("GET", secret_path(name, "value"))["text"] == "one"
    versions = api.do("GET", secret_path(name, "versions"))["versions"]
    assert [version["id"] for version in versions] == ["v-2", "v-1"]


def test_bytes_come_back_as_they_went_in(api: Caller) -> None:
    data = bytes(range(256)) * 256
    name = f"{api.place}/bytes"
    api.do("POST", "/v1/secrets", {"name": name, "binary": base64.b64encode(data).decode()})
    assert base64.b64decode(api.do("GET", secret_path(name, "value"))["binary"]) == data
    text = 'ü\0\n"\\😀' * 4000
    api.do("PUT", secret_path(name, "value"), {"text": text})
    assert api.do("GET", secret_path(name, "value"))["text"] == text
    api.refused("limit-exceeded", "PUT", secret_path(name, "value"), {"text": "x" * 65_537})


def test_lists_page_and_filter(api: Caller) -> None:
    prefix = f"{api.place}/list/"
    names = [f"{prefix}{number:02}" for number in range(7)]
    for number, name in enumerate(names):
        api.do("POST", "/v1/secrets", {"name": name, "tags": {"parity": "odd" if number % 2 else "even"}})
    found: list[str] = []
    query: dict[str, Any] = {"prefix": prefix, "limit": 3}
    while True:
        page = api.do("GET", "/v1/secrets", **query)
        assert len(page["secrets"]) <= 3
        found += [secret["name"] for secret in page["secrets"]]
        if "next_token" not in page:
            break
        query["next_token"] = page["next_token"]
    assert found == names
    odd = api.do("GET", "/v1/secrets", prefix=prefix, tags="parity=odd")["secrets"]
    assert [secret["name"] for secret in odd] == names[1::2]
    api.do("POST", f"/v1/tags/secret/{names[0]}", {"tags": {"parity": "odd", "owner": "ann"}})
    api.do("POST", f"/v1/tags/secret/{names[1]}:remove", {"keys": ["parity"]})
    odd = api.do("GET", "/v1/secrets", prefix=prefix, tags="parity=odd")["secrets"]
    assert [secret["name"] for secret in odd] == [names[0], *names[3::2]]
    api.refused("invalid-request", "GET", "/v1/secrets?next_token=ours-it-is-not")


def test_a_batch_tells_each_by_itself(api: Caller) -> None:
    name = f"{api.place}/batch"
    api.do("POST", "/v1/secrets", {"name": name, "text": "in it"})
    batch = api.do("POST", "/v1/secrets:batch-value", {"names": [name, f"{api.place}/away"]})
    assert [value["text"] for value in batch["values"]] == ["in it"]
    assert [(error["name"], error["kind"]) for error in batch["errors"]] == [(f"{api.place}/away", "not-found")]


def test_deleted_restored_erased(api: Caller) -> None:
    name = f"{api.place}/short-lived"
    identity = api.do("POST", "/v1/secrets", {"name": name, "text": "x"})["id"]
    assert api.do("DELETE", secret_path(name), recovery_window_days=7)["deletion_ms"] > 0
    api.refused("invalid-state", "GET", secret_path(name, "value"))
    api.do("POST", secret_path(name, "restore"), {})
    assert api.do("GET", secret_path(name, "value"))["text"] == "x"
    api.do("DELETE", secret_path(name), force="true")
    api.refused("not-found", "GET", secret_path(name, "value"))
    assert api.do("POST", "/v1/secrets", {"name": name, "text": "y"})["id"] != identity, "the same name, another secret"


def test_a_reader_who_may_read_one_thing(api: Caller) -> None:
    user, allowed = f"reader-{api.place}", f"{api.place}/open"
    for name in (allowed, f"{api.place}/closed"):
        api.do("POST", "/v1/secrets", {"name": name, "text": "value"})
    api.do("POST", "/v1/users", {"user": user})
    rule = {"effect": "Allow", "action": ["GetSecretValue"], "resource": [f"secret/{api.place}/open"]}
    api.do("POST", "/v1/policies", {"policy": user, "document": document(rule)})
    token = api.do("POST", f"/v1/users/{user}:create-token", {})["token"]
    path = secret_path(allowed, "value")
    api.refused("access-denied", "GET", path, token=token)
    api.do("POST", f"/v1/users/{user}:attach-policy", {"policy": user})
    wait_for("every worker to know", lambda: all(api.ask("GET", path, token=token).status == 200 for _ in range(4)))
    # Values and metadata are two permissions; what is closed and what does not exist look alike.
    api.refused("access-denied", "GET", secret_path(allowed), token=token)
    api.refused("access-denied", "PUT", path, {"text": "mine"}, token=token)
    for other in ("closed", "away"):
        api.refused("access-denied", "GET", secret_path(f"{api.place}/{other}", "value"), token=token)
    api.do("POST", f"/v1/users/{user}:detach-policy", {"policy": user})
    for _ in range(4):
        api.refused("access-denied", "GET", path, token=token)
    tokens = api.do("GET", f"/v1/users/{user}:tokens")["tokens"]
    api.do("POST", f"/v1/users/{user}:delete-token", {"id": tokens[0]["id"]})
    for _ in range(4):
        api.refused("unauthenticated", "GET", path, token=token)


def test_a_value_renewed_by_schedule(api: Caller) -> None:
    name = f"{api.place}/renewed"
    api.do("POST", "/v1/secrets", {"name": name, "text": "first"})
    assert "random" in {rotator["name"] for rotator in api.do("GET", "/v1/rotators")["rotators"]}
    api.do("POST", secret_path(name, "rotate"), {"rotator": "random", "schedule": {"every_seconds": 1}})
    seen = {"first"}

    def renewed_twice() -> bool:
        seen.add(api.do("GET", secret_path(name, "value"))["text"])
        return len(seen) >= 3

    wait_for("two new values", renewed_twice)
    api.do("POST", secret_path(name, "cancel-rotation"), {})
    assert api.do("GET", secret_path(name))["rotation"]["enabled"] is False


def test_keys(api: Caller) -> None:
    key = api.do("POST", "/v1/keys", {"description": "ours", "tags": {"for": api.place}})
    described = api.do("GET", f"/v1/keys/{key['id']}")
    assert (described["state"], described["protection_level"]) == ("enabled", "HSM")
    assert key["id"] in {one["id"] for one in api.do("GET", "/v1/keys")["keys"]}
    name = f"{api.place}/under-that-key"
    api.do("POST", "/v1/secrets", {"name": name, "text": "x", "key_id": key["id"]})
    assert api.do("GET", secret_path(name))["key_id"] == key["id"]
    assert api.do("GET", secret_path(name, "value"))["text"] == "x"


def test_random_passwords(api: Caller) -> None:
    made = {
        api.do("POST", "/v1/passwords:random", {"length": 24, "exclude_punctuation": True})["text"] for _ in range(9)
    }
    assert len(made) == 9
    assert all(len(password) == 24 and password.isalnum() for password in made)


def test_who_did_it_is_written_down(api: Caller) -> None:
    name = f"{api.place}/watched"
    api.do("POST", "/v1/secrets", {"name": name, "text": "x"})
    answer = api.ask("GET", secret_path(name, "value"))
    (event,) = api.do("GET", "/v1/events", request_id=answer.request_id)["events"]
    caller = api.do("GET", "/v1/caller-identity")
    assert event["principal"] == caller["principal"]
    assert event["proof"] == caller["proof"]
    assert event["resource"].endswith(f":secret/{name}")
    assert (event["operation"], event["outcome"]) == ("GetSecretValue", "ok")
    by_resource = api.do("GET", "/v1/events", resource=event["resource"])["events"]
    assert [one["operation"] for one in by_resource] == ["CreateSecret", "GetSecretValue"]


def test_the_document_describes_what_is_served(api: Caller) -> None:
    document = api.do("GET", "/v1/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert document["paths"]["/v1/secrets/{name}:value"]["get"]["operationId"] == "GetSecretValue"
    assert api.do("GET", "/v1/health")["status"] == "ok"
