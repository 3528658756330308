"""Bindings of what JWTs prove: only what a token can make up is taken, and only of an issuer of the account's own."""

import msgspec
import pytest

from secretsd.api.bindings import CreateBindingRequest
from secretsd.testing.jwt_issuer import jwks
from tests.unit.operations.jwt_house import ISSUER, KEY, PROOF, Cluster
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import Vendor


@pytest.mark.parametrize(
    "proof",
    [
        PROOF, "jwt:a/b=c", "jwt:github/sub=repo:octo-org%2Focto-repo:environment:prod", "jwt:a/b=c,d=e",
        "jwt:cluster//kubernetes.io/namespace=prod,/kubernetes.io/serviceaccount/name=app", "jwt:a=b@c/d=e",
    ],
)  # fmt: skip
def test_proofs_that_tokens_make_up(proof):
    assert msgspec.convert({"proof": proof, "user": "app"}, CreateBindingRequest).proof == proof


@pytest.mark.parametrize(
    "proof",
    [
        "jwt:", "jwt:a", "jwt:a/", "jwt:a/b", "jwt:a/b=", "jwt:a/=c", "jwt:/b=c", "jwt:a/b=c/d", "jwt:a/b=c,",
        "jwt:a/b=c,d", "jwt:a/b=*", "jwt:a/b=?", "jwt:a/b=%2f", "jwt:a/b=%2", "jwt:a/b=c d", "jwt:a/b=c\n",
        "JWT:a/b=c", "jwt:a b/c=d", "jwt:a/" + ",".join(["b=c"] * 9), "jwt:a/b=" + "c" * 2048, "jwt:a/b=é",
        "xjwt:a/b=c", "unix:uid/1,jwt:a/b=c",
    ],
)  # fmt: skip
def test_what_no_token_makes_up(proof):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"proof": proof, "user": "app"}, CreateBindingRequest)


async def test_a_proof_is_bound_by_the_account_of_its_issuer(house):
    cluster = await Cluster(house).settle()
    await house.call("CreateBinding", proof="jwt:cluster/sub=bob", user="app")
    found = await cluster.identity(cluster.token(sub="bob"))
    assert (found.principal, found.proof) == (f"secretsd:{house.account}:user/app", "jwt:cluster/sub=bob")


async def test_nobody_binds_the_proofs_of_another_account_or_of_nobody(house, tools):
    vendor = await Vendor(house).settle()
    theirs = {"account": vendor.account, "issuer": ISSUER, "audience": "vendor", "keys": jwks(KEY)}
    await house.call("CreateTokenIssuer", token_issuer="theirs", **theirs)
    await house.call("CreateUser", user="app")
    for name in ("theirs", "nothing"):
        with pytest.raises(tools.Failed, match=r"^not-found$") as failed:
            await house.call("CreateBinding", proof=f"jwt:{name}/sub=bob", user="app")
        assert failed.value.error.message == f"cannot bind the proof: the account has no token issuer {name}"


async def test_a_binding_is_not_made_for_an_issuer_that_goes_meanwhile(house, tools, monkeypatch):
    cluster = await Cluster(house).settle()
    await house.call("DeleteBinding", proof=PROOF)
    happened = overtaken(house, monkeypatch, lambda: house.call("DeleteTokenIssuer", token_issuer="cluster"))
    with pytest.raises(tools.Failed, match=r"^not-found$"):
        await cluster.house.call("CreateBinding", proof=PROOF, user="app")
    assert happened == [True]
