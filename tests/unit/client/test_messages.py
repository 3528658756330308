"""Requests become exactly the URLs and bodies that the native dialect reads, and answers become typed again."""

import json

import pytest

from secretsd.api.bindings import CreateBindingRequest
from secretsd.api.fields import BinaryValue, TextValue
from secretsd.api.rotation import RotateSecretRequest, ScheduleFields
from secretsd.api.secrets import (
    CreateSecretRequest,
    DeleteSecretRequest,
    DescribeSecretRequest,
    ListSecretsRequest,
    TagResourceRequest,
    UpdateSecretRequest,
)
from secretsd.api.values import (
    GetSecretValueRequest,
    GetSecretValueResponse,
    ListSecretVersionIdsRequest,
    PutSecretValueRequest,
)
from secretsd.client._generated_calls import ROUTES
from secretsd.client.errors import ClientError, UnreadableAnswer
from secretsd.client.messages import Incoming, Outgoing, prepare, read_answer, with_token
from secretsd.domain.errors import NotFound


def sent(operation: str, request) -> Outgoing:
    return prepare(operation, ROUTES[operation], request)


def test_a_name_keeps_its_slashes_and_its_alphabet() -> None:
    request = DescribeSecretRequest(name="prod/a_b+c=d.e@f!g-h")
    assert sent("DescribeSecret", request).target == "/v1/secrets/prod/a_b+c=d.e@f!g-h"


@pytest.mark.parametrize(
    ("name", "escaped"),
    [("a:b", "a%3Ab"), ("a b", "a%20b"), ("a?b#c", "a%3Fb%23c"), ("50%", "50%25"), ("ä", "%C3%A4"), ("~", "%7E")],
)
def test_what_is_outside_the_alphabet_is_escaped_so_that_it_starts_no_verb_and_no_query(
    name: str, escaped: str
) -> None:
    assert sent("GetSecretValue", GetSecretValueRequest(name=name)).target == f"/v1/secrets/{escaped}:value"


def test_an_empty_name_would_be_another_operation_so_it_is_refused() -> None:
    with pytest.raises(ClientError, match="its name is empty"):
        sent("DeleteSecret", DeleteSecretRequest(name=""))


def test_text_that_is_no_unicode_is_refused_without_being_shown() -> None:
    with pytest.raises(ClientError, match="its prefix is not valid Unicode") as caught:
        sent("ListSecrets", ListSecretsRequest(prefix="canary\udc80"))
    assert caught.value.__context__ is None


def test_reads_carry_their_fields_in_the_query_and_leave_defaults_out() -> None:
    assert sent("ListSecrets", ListSecretsRequest()).target == "/v1/secrets"
    request = ListSecretsRequest(prefix="a+b", tags=("team=x y", "k=v"), include_deleted=True, limit=7)
    assert sent("ListSecrets", request).target == (
        "/v1/secrets?prefix=a%2Bb&tags=team%3Dx%20y&tags=k%3Dv&include_deleted=true&limit=7"
    )
    assert sent("DeleteSecret", DeleteSecretRequest(name="a", force=True)).target == "/v1/secrets/a?force=true"


def test_writes_carry_their_fields_in_the_body() -> None:
    out = sent("CreateSecret", CreateSecretRequest(name="a/b", text=TextValue.from_text('q"ü'), tags={"k": "v"}))
    assert (out.method, out.target) == ("POST", "/v1/secrets")
    assert json.loads(out.body) == {"name": "a/b", "text": 'q"ü', "tags": {"k": "v"}}
    put = sent(
        "PutSecretValue", PutSecretValueRequest(name="a/b", binary=BinaryValue(b"\x00\xff"), stages=("pending",))
    )
    assert (put.method, put.target) == ("PUT", "/v1/secrets/a/b:value")
    assert json.loads(put.body) == {"binary": "AP8=", "stages": ["pending"]}
    rotate = RotateSecretRequest(name="a", schedule=ScheduleFields(every_seconds=5), settings={"length": 9})
    assert json.loads(sent("RotateSecret", rotate).body)["schedule"]["every_seconds"] == 5


def test_a_field_that_is_emptied_is_sent_where_empty_is_not_the_default() -> None:
    assert json.loads(sent("UpdateSecret", UpdateSecretRequest(name="a", description="")).body) == {"description": ""}


def test_a_write_without_fields_has_no_body() -> None:
    assert sent("RotateSecret", RotateSecretRequest(name="a")).body == b""


def test_the_route_says_which_field_is_the_name() -> None:
    tags = sent("TagResource", TagResourceRequest(resource="secret/prod/db", tags={"k": "v"}))
    assert (tags.target, json.loads(tags.body)) == ("/v1/tags/secret/prod/db", {"tags": {"k": "v"}})
    binding = sent("CreateBinding", CreateBindingRequest(proof="unix:uid/7", user="ann"))
    assert (binding.target, json.loads(binding.body)) == ("/v1/bindings", {"proof": "unix:uid/7", "user": "ann"})


def test_a_request_of_another_operation_is_refused() -> None:
    with pytest.raises(ClientError, match="it takes GetSecretValueRequest"):
        sent("GetSecretValue", DescribeSecretRequest(name="a"))


def test_a_stored_value_gets_a_token_of_its_own_and_keeps_the_one_that_it_has() -> None:
    bare = PutSecretValueRequest(name="a", text=TextValue(b"x"))
    first, second = with_token(bare), with_token(bare)
    assert isinstance(first, PutSecretValueRequest)
    assert isinstance(second, PutSecretValueRequest)
    assert len(first.token or "") == 36
    assert first.token != second.token
    own = PutSecretValueRequest(name="a", text=TextValue(b"x"), token="mine")
    assert with_token(own) is own
    empty = CreateSecretRequest(name="a")
    assert with_token(empty) is empty  # no value, so no version that a token could name


@pytest.mark.parametrize(
    ("operation", "request_", "repeatable"),
    [
        ("GetSecretValue", GetSecretValueRequest(name="a"), True),
        ("ListSecretVersionIds", ListSecretVersionIdsRequest(name="a"), True),
        ("PutSecretValue", PutSecretValueRequest(name="a", text=TextValue(b"x")), False),
        ("PutSecretValue", PutSecretValueRequest(name="a", text=TextValue(b"x"), token="t"), True),
        ("CreateSecret", CreateSecretRequest(name="a", token="t"), False),
        ("UpdateSecret", UpdateSecretRequest(name="a", description="d"), False),
        ("DeleteSecret", DeleteSecretRequest(name="a"), False),
        ("RotateSecret", RotateSecretRequest(name="a"), False),
    ],
)
def test_only_reads_and_values_under_a_token_may_be_sent_twice(operation: str, request_, repeatable: bool) -> None:
    assert sent(operation, request_).repeatable is repeatable


def test_an_answer_is_read_into_its_type_and_its_value_stays_hidden() -> None:
    body = b'{"name":"a","version_id":"v","number":1,"stages":["current"],"created_ms":1,"binary":"AP8=","new":1}'
    found = read_answer("GetSecretValue", GetSecretValueResponse, Incoming(200, {}, body))
    assert isinstance(found, GetSecretValueResponse)
    assert found.binary == BinaryValue(b"\x00\xff")
    assert "AP8" not in repr(found)
    assert "AP8" not in repr(Incoming(200, {}, body))


@pytest.mark.parametrize("body", [b"", b"canary", b'{"name":"canary"}', b'{"name":7}', b"\xff", b'{"name":"\xff"}'])
def test_an_answer_that_cannot_be_read_is_not_shown(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer) as caught:
        read_answer("GetSecretValue", GetSecretValueResponse, Incoming(200, {}, body))
    assert str(caught.value) == "cannot read the answer to GetSecretValue: it is not a GetSecretValueResponse"
    assert caught.value.__context__ is None


def test_a_refusal_raises_the_error_that_it_was() -> None:
    body = b'{"kind":"not-found","detail":"cannot find secret a","request_id":"' + b"0a" * 16 + b'"}'
    with pytest.raises(NotFound, match="cannot find secret a") as caught:
        read_answer(
            "GetSecretValue",
            GetSecretValueResponse,
            Incoming(404, {"Content-Type": "application/problem+json"}, body),
        )
    assert caught.value.__notes__ == ["request " + "0a" * 16]
