"""From query and body to a typed request; what does not fit is named by its field, never by its text."""

import json
from typing import Any

import pytest

from secretsd.api.audit import LookupEventsRequest
from secretsd.api.secrets import CreateSecretRequest, ListSecretsRequest
from secretsd.api.values import PutSecretValueRequest
from secretsd.dialects.native.requests import Reader
from secretsd.domain.errors import InvalidRequest
from secretsd.operations.catalogue import catalogue

MARK = "Zq7Xe"
JSON = "application/json"
READERS = {name: Reader(operation) for name, operation in catalogue().items() if operation.route is not None}


def read(operation: str, body: Any = None, *, query: str = "", name: str | None = None, kind: str = JSON) -> Any:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return READERS[operation].read(name, query, data, kind)


def test_a_body() -> None:
    request = read("CreateSecret", {"name": "a/b", "text": "value", "tags": {"k": "v"}})
    assert isinstance(request, CreateSecretRequest)
    assert request.text is not None
    assert (request.name, request.text.reveal(), request.tags) == ("a/b", b"value", {"k": "v"})
    assert "value" not in repr(request)


def test_a_body_beside_a_name_in_the_path() -> None:
    request = read("PutSecretValue", {"binary": "AAE="}, name="a/b")
    assert isinstance(request, PutSecretValueRequest)
    assert request.binary is not None
    assert (request.name, request.binary.reveal()) == ("a/b", b"\x00\x01")


def test_a_query() -> None:
    request = read("ListSecrets", query="prefix=a%2Fb&limit=7&tags=k%3Dv&tags=l%3Dw&include_deleted=true")
    assert isinstance(request, ListSecretsRequest)
    assert (request.prefix, request.limit, request.tags, request.include_deleted) == ("a/b", 7, ("k=v", "l=w"), True)


def test_words_that_look_like_something_else_stay_words() -> None:
    request = read("LookupEvents", query="operation=null&principal=true&resource=12")
    assert isinstance(request, LookupEventsRequest)
    assert (request.operation, request.principal, request.resource) == ("null", "true", "12")


@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", "Application/JSON", ""])
def test_content_types(kind: str) -> None:
    assert read("CreateSecret", {"name": "a"}, kind=kind).name == "a"


@pytest.mark.parametrize(
    ("operation", "given", "named"),
    [
        ("CreateSecret", {"body": {"name": 7}}, "name"),
        ("CreateSecret", {"body": {}}, "name is missing"),
        ("CreateSecret", {"body": {"name": f"a {MARK}"}}, "name"),
        ("CreateSecret", {"body": {"name": f"{MARK}\n"}}, "name"),
        ("CreateSecret", {"body": {"name": "a", MARK: 1}}, "a field that this operation does not know"),
        ("CreateSecret", {"body": {"name": "a", "tags": {"k": 1}}}, "tags"),
        ("CreateSecret", {"body": {"name": "a", "text": {MARK: 1}}}, "text"),
        ("CreateSecret", {"body": {"name": "a", "binary": 7}}, "binary"),
        ("CreateSecret", {"body": {"name": "a", "binary": f"*{MARK}"}}, "binary"),
        ("CreateSecret", {"body": {"name": "a", "key_id": MARK}}, "key_id"),
        ("CreateSecret", {"body": [MARK]}, "object"),
        ("CreateSecret", {"body": MARK}, "object"),
        ("CreateSecret", {"body": f"{{{MARK}".encode()}, "object"),
        ("CreateSecret", {"body": b"[" * 100_000}, "object"),
        ("CreateSecret", {"body": {"name": "a"}, "kind": f"text/{MARK}"}, "content type"),
        ("CreateSecret", {"body": {"name": "a"}, "query": f"{MARK}=1"}, "no query"),
        ("PutSecretValue", {"body": {"name": MARK, "text": "x"}, "name": "a"}, "name stands in the path"),
        ("PutSecretValue", {"body": {"text": "x"}, "name": f"a//{MARK}"}, "name"),
        ("PutSecretValue", {"body": {"text": "x", "stages": []}, "name": "a"}, "stages"),
        ("GetSecretValue", {"query": f"name={MARK}", "name": "a"}, "name stands in the path"),
        ("GetSecretValue", {"body": {"stage": MARK}, "name": "a"}, "no body"),
        ("ListSecrets", {"query": f"{MARK}=1"}, "a field that this operation does not know"),
        ("ListSecrets", {"query": MARK}, "name=value"),
        ("ListSecrets", {"query": f"prefix={MARK}%ff"}, "UTF-8"),
        ("ListSecrets", {"query": f"limit={MARK}"}, "limit"),
        ("ListSecrets", {"query": "limit=0"}, "limit"),
        ("ListSecrets", {"query": "limit=null"}, "limit"),
        ("ListSecrets", {"query": "limit=1&limit=2"}, "limit is given twice"),
        ("ListSecrets", {"query": f"include_deleted={MARK}"}, "include_deleted"),
        ("ListSecrets", {"query": "&".join(f"tags={number}" for number in range(129))}, "name=value"),
    ],
)
def test_what_does_not_fit_is_named_and_not_repeated(operation: str, given: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(operation, **given)
    assert caught.value.message.startswith("cannot ")
    assert named in caught.value.message
    assert MARK not in caught.value.message
    assert caught.value.__cause__ is None
