"""Token issuers as operators see them: made, changed, deleted; what would make forgery possible is refused."""

import json
from typing import Any

import msgspec
import pytest

from secretsd.api.token_issuers import CreateTokenIssuerRequest
from secretsd.operations import token_issuers
from secretsd.ports.issuer_keys import NoIssuerKeys
from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.jwt_issuer import SigningKey, jwks
from tests.unit.operations.jwt_house import ANYTHING, ISSUER, KEY, OTHER, PROOF, Cluster
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import Vendor

OPERATOR = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:token-issuer/*"]}
URL = "https://issuer.example/jwks"


@pytest.fixture
def reachable(monkeypatch):
    """URLs may be named; nothing is fetched from them."""
    monkeypatch.setattr(
        NoIssuerKeys, "refusal", lambda self, url: None if url.startswith("https:") else "it is no https"
    )


async def create(house: Any, name: str = "cluster", **fields: Any) -> Any:
    given = {"keys": jwks(KEY)} if "keys_url" not in fields else {}
    told = {"account": house.account, "issuer": ISSUER, "audience": "secretsd", **given, **fields}
    return await house.call("CreateTokenIssuer", token_issuer=name, **told)


async def refused(tools: Any, kind: str, about: Any) -> str:
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await about
    return str(failed.value.error.message)


async def test_an_issuer_is_told_as_it_was_described(house):
    made = await create(house, claims=("sub", "/kubernetes.io/namespace"), required={"a": "b"})
    assert (made.token_issuer, made.resource) == ("cluster", "secretsd:system:token-issuer/cluster")
    assert (made.account, made.issuer, made.audience) == (house.account, ISSUER, "secretsd")
    assert (made.claims, made.required) == (("sub", "/kubernetes.io/namespace"), {"a": "b"})
    assert (made.keys, made.keys_url) == (jwks(KEY), None)
    assert await house.call("DescribeTokenIssuer", token_issuer="cluster") == made
    assert (await house.call("ListTokenIssuers")).token_issuers == (made,)


async def test_the_subject_is_the_proof_where_nothing_is_said(house):
    assert (await create(house)).claims == ("sub",)


async def test_lists_come_in_pages(house):
    for name in ("c", "a", "b"):
        await create(house, name, audience=name)
    first = await house.call("ListTokenIssuers", limit=2)
    assert [one.token_issuer for one in first.token_issuers] == ["a", "b"]
    second = await house.call("ListTokenIssuers", limit=2, next_token=first.next_token)
    assert ([one.token_issuer for one in second.token_issuers], second.next_token) == (["c"], None)


async def test_what_is_not_given_stays_and_keys_and_url_take_each_others_place(house, reachable):
    made = await create(house)
    changed = await house.call("UpdateTokenIssuer", token_issuer="cluster", keys_url=URL)
    assert (changed.keys, changed.keys_url) == (None, URL)
    assert (changed.issuer, changed.audience, changed.claims) == (made.issuer, made.audience, made.claims)
    changed = await house.call("UpdateTokenIssuer", token_issuer="cluster", keys=jwks(OTHER), audience="other")
    assert (changed.keys, changed.keys_url, changed.audience) == (jwks(OTHER), None, "other")
    changed = await house.call("UpdateTokenIssuer", token_issuer="cluster", claims=("email",), required={"a": "b"})
    assert (changed.claims, changed.required, changed.audience) == (("email",), {"a": "b"}, "other")
    changed = await house.call("UpdateTokenIssuer", token_issuer="cluster", required={})
    assert changed.required == {}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"keys": None}, "either keys or keys_url"),
        ({"keys": jwks(KEY), "keys_url": URL}, "either keys or keys_url"),
        ({"keys": "{}"}, "its form is"),
        ({"keys": '{"keys": []}'}, "no key in it verifies"),
        ({"keys": json.dumps({"keys": [KEY.jwk(), OTHER.jwk(d="Zq7Xe")]})}, "is no public key"),
        ({"keys": json.dumps({"keys": [{"kty": "oct", "k": "Zq7Xe"}]})}, "is no public key"),
        ({"keys": jwks(SigningKey.make("small", bits=1024))}, "2048"),
        ({"keys_url": "http://issuer.example"}, "it is no https"),
        ({"claims": ("sub", "sub")}, "twice"),
    ],
)
async def test_bad_input_is_refused(house, tools, reachable, fields, why):
    said = await refused(tools, "invalid-request", create(house, **fields))
    assert why in said
    assert "Zq7Xe" not in said
    assert await house.storage.proofs.issuers() == []
    await create(house)
    if fields != {"keys": None}:
        assert why in await refused(
            tools, "invalid-request", house.call("UpdateTokenIssuer", token_issuer="cluster", **fields)
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"account": "system"}, {"account": "1"}, {"account": "1" * 12 + "\n"}, {"token_issuer": "a/b"},
        {"token_issuer": ""}, {"issuer": ""}, {"issuer": "a b"}, {"issuer": "a\n"}, {"audience": ""},
        {"audience": "\u007f"}, {"claims": []}, {"claims": [""]}, {"claims": ["/"]}, {"claims": ["a\n"]},
        {"claims": ["/a/"]}, {"claims": ["a"] * 9}, {"claims": "sub"}, {"required": {"": "b"}}, {"required": {"a": ""}},
        {"required": {"a": True}}, {"required": {str(n): "a" for n in range(17)}}, {"keys": "x" * 65_537},
        {"keys": {"keys": []}}, {"keys_url": "https://a b"}, {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_requests_of_another_form_are_not_read(changed):
    told = {"token_issuer": "x", "account": "1" * 12, "issuer": ISSUER, "audience": "secretsd", "keys": "{}"}
    msgspec.convert(told, CreateTokenIssuerRequest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**told, **changed}, CreateTokenIssuerRequest)


async def test_an_account_that_is_not_there_has_no_issuer(house, tools):
    await refused(tools, "not-found", create(house, account="999999999999"))


async def test_names_and_issuer_with_audience_are_there_once(house, tools):
    vendor = await Vendor(house).settle()
    await create(house)
    assert "exists already" in await refused(tools, "already-exists", create(house, audience="other"))
    said = await refused(tools, "already-exists", create(house, "theirs", account=vendor.account))
    assert "belong to another token issuer" in said
    assert "cluster" not in said
    await create(house, "theirs", account=vendor.account, audience="vendor")
    taken = house.call("UpdateTokenIssuer", token_issuer="theirs", audience="secretsd")
    assert "belong to another" in await refused(tools, "already-exists", taken)


async def test_what_is_not_there(house, tools):
    for operation in ("DescribeTokenIssuer", "UpdateTokenIssuer", "DeleteTokenIssuer"):
        await refused(tools, "not-found", house.call(operation, token_issuer="nothing"))


async def test_an_issuer_stays_while_its_proofs_are_bound(house, tools):
    cluster = await Cluster(house).settle()
    await create(house, "cluster2", audience="2")
    await house.call("DeleteTokenIssuer", token_issuer="cluster2")
    said = await refused(tools, "conflict", house.call("DeleteTokenIssuer", token_issuer="cluster"))
    assert "jwt:cluster/" in said
    assert await cluster.outcome(cluster.token()) == "ok"
    await house.call("DeleteBinding", proof=PROOF)
    await house.call("DeleteTokenIssuer", token_issuer="cluster")
    assert await cluster.outcome(cluster.token()) == "unauthenticated"


async def test_issuers_are_the_operators(house, tools):
    await create(house)
    owner = await house.user("owner", ANYTHING)
    operator = await house.user("operator", OPERATOR)
    calls: dict[str, dict[str, Any]] = {
        "CreateTokenIssuer": {
            "token_issuer": "mine", "account": house.account, "issuer": "https://mine.example", "audience": "x",
            "keys": jwks(OTHER),
        },
        "DescribeTokenIssuer": {"token_issuer": "cluster"},
        "ListTokenIssuers": {},
        "UpdateTokenIssuer": {"token_issuer": "cluster", "keys": jwks(OTHER)},
        "DeleteTokenIssuer": {"token_issuer": "cluster"},
    }  # fmt: skip
    for name, fields in calls.items():
        await refused(tools, "access-denied", house.call(name, owner, **fields))
    for name, fields in calls.items():
        await house.call(name, operator, **fields)


async def test_the_account_sees_whatever_is_done_to_its_issuers(house):
    vendor = await Vendor(house).settle()
    await create(house, account=vendor.account)
    await house.call("UpdateTokenIssuer", token_issuer="cluster", keys=jwks(OTHER), audience="new")
    await house.call("DeleteTokenIssuer", token_issuer="cluster")
    seen = {one["operation"]: one for one in await house.events(account=vendor.account)}
    assert {"CreateTokenIssuer", "UpdateTokenIssuer", "DeleteTokenIssuer"} <= set(seen)
    assert seen["CreateTokenIssuer"]["fields"]["issuer"] == ISSUER
    assert seen["UpdateTokenIssuer"]["fields"] == {"audience": "new", "changed": ["audience", "keys"]}


async def test_there_are_only_so_many(house, tools, monkeypatch):
    monkeypatch.setattr(token_issuers, "MAX_TOKEN_ISSUERS", 1)
    await create(house)
    assert "there are 1 already" in await refused(tools, "conflict", create(house, "second", audience="second"))


async def test_no_issuer_is_made_for_an_account_that_goes_meanwhile(house, tools, monkeypatch):
    vendor = await Vendor(house).settle()
    record = await house.storage.accounts.get(vendor.account)
    event = samples.event("Deleted", accounts=(house.account,))
    happened = overtaken(house, monkeypatch, lambda: house.storage.commit(UnitOfWork((Delete(record),), event)))
    await refused(tools, "not-found", create(house, account=vendor.account))
    assert happened == [True]
    assert await house.storage.proofs.issuers() == []
