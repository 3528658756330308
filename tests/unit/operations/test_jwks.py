"""A JWKS: which keys are taken from it, for which algorithms, and what is refused."""

import json
from typing import Any

import pytest

from secretsd.domain.errors import InvalidRequest
from secretsd.operations import jwks
from secretsd.operations.jwks import ALGORITHMS, BadSignature
from secretsd.testing.jwt_issuer import SigningKey, part
from secretsd.testing.jwt_issuer import jwks as written

KEYS = {name: SigningKey.make(f"k-{name}", name) for name in (*ALGORITHMS, "ES256K")}
RSA = KEYS["RS256"]


def read(*keys: Any) -> jwks.KeySet:
    return jwks.read(json.dumps({"keys": list(keys)}).encode())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_verifies_what_its_key_signed_and_nothing_else(algorithm):
    key = KEYS[algorithm]
    found = read(key.jwk()).key(key.kid, algorithm)
    assert found is not None
    token = key.token({"sub": "ann"})
    assert json.loads(found.payload(token.encode(), algorithm)) == {"sub": "ann"}
    head, body, signature = token.split(".")
    for other in (
        f"{head}.{part({'sub': 'bob'})}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
    ):
        with pytest.raises(BadSignature):
            found.payload(other.encode(), algorithm)


def test_an_rsa_key_without_alg_verifies_all_of_rsa_and_nothing_of_other_kinds():
    found = read({**RSA.jwk(), "alg": None})
    assert [one for one in (*ALGORITHMS, "HS256", "none") if found.key(RSA.kid, one)] == list(jwks._RSA)
    for algorithm in jwks._RSA:
        token = RSA.token({}, algorithm=algorithm).encode()
        assert found.keys[0].payload(token, algorithm) == b"{}"


@pytest.mark.parametrize("algorithm", jwks._RSA)
def test_a_signature_of_another_algorithm_by_the_same_key_is_none(algorithm):
    key = read({**RSA.jwk(), "alg": None}).keys[0]
    for other in set(jwks._RSA) - {algorithm}:
        with pytest.raises(BadSignature):
            key.payload(RSA.token({}, algorithm=other).encode(), algorithm)


def test_the_algorithm_that_a_key_states_is_its_only_one():
    found = read(RSA.jwk())
    assert [one for one in ALGORITHMS if found.key(RSA.kid, one)] == ["RS256"]


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "EdDSA"])
def test_a_curve_has_one_algorithm(algorithm):
    found = read({**KEYS[algorithm].jwk(), "alg": None})
    assert [one for one in ALGORITHMS if found.key(KEYS[algorithm].kid, one)] == [algorithm]


def test_a_key_is_chosen_by_kid_and_without_one_only_where_there_is_no_choice():
    other = SigningKey.make("other")
    found = read(RSA.jwk(), other.jwk(), KEYS["ES256"].jwk())
    assert found.key("other", "RS256") is found.keys[1]
    assert found.key("nobody", "RS256") is None
    assert found.key("", "RS256") is None
    assert found.key(None, "RS256") is None
    assert found.key(None, "ES256") is found.keys[2]


@pytest.mark.parametrize(
    ("member", "why"),
    [
        ({**RSA.jwk(), "use": "enc"}, "not for signatures"),
        ({**RSA.jwk(), "key_ops": ["encrypt"]}, "not for signatures"),
        ({**RSA.jwk(), "key_ops": "verify"}, "not for signatures"),
        ({**RSA.jwk(), "alg": "HS256"}, "does not go with it"),
        ({**RSA.jwk(), "alg": "none"}, "does not go with it"),
        ({**RSA.jwk(), "alg": "ES256"}, "does not go with it"),
        ({**RSA.jwk(), "alg": ["RS256"]}, "does not go with it"),
        ({**RSA.jwk(), "kid": 7}, "kid"),
        ({**RSA.jwk(), "kid": "k" * 513}, "kid"),
        ({**RSA.jwk(), "n": "!"}, "no key of its kind"),
        ({**RSA.jwk(), "n": 5}, "no key of its kind"),
        ({**RSA.jwk(), "e": "Ag"}, "no key of its kind"),
        ({"kty": "RSA", "kid": "x"}, "no key of its kind"),
        (SigningKey.make("small", bits=1024).jwk(), "2048"),
        ({**KEYS["ES256"].jwk(), "x": "AA"}, "no key of its kind"),
        ({**KEYS["ES256"].jwk(), "y": KEYS["ES256"].jwk()["x"]}, "no key of its kind"),
        ({**KEYS["EdDSA"].jwk(), "x": "AA"}, "no key of its kind"),
        ({**KEYS["ES256"].jwk(), "crv": "P-999"}, "neither RSA"),
        (KEYS["ES256K"].jwk(), "neither RSA"),
        ({"kty": "oct", "kid": "x", "alg": "HS256"}, "neither RSA"),
        ({"kty": ["RSA"]}, "neither RSA"),
        ({}, "neither RSA"),
    ],
)
def test_a_key_that_is_no_use_is_left_out_with_the_reason(member, why):
    found = read(KEYS["ES384"].jwk(), member)
    assert [key.kid for key in found.keys] == ["k-ES384"]
    assert len(found.left_out) == 1
    assert why in found.left_out[0]
    with pytest.raises(InvalidRequest, match=why):
        read(member)


@pytest.mark.parametrize("name", sorted(jwks.PRIVATE_PARTS))
def test_a_private_part_is_never_taken_and_refused_where_an_operator_hands_it_over(name):
    member = {**RSA.jwk(), name: "Zq7XeCanary"}
    assert [key.kid for key in read(member, KEYS["ES256"].jwk()).keys] == ["k-ES256"]
    with pytest.raises(InvalidRequest, match="is no public key") as refused:
        jwks.read_given(json.dumps({"keys": [KEYS["ES256"].jwk(), member]}))
    assert "Zq7XeCanary" not in refused.value.message


@pytest.mark.parametrize(
    "document",
    [
        b"", b"{", b"[]", b"null", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys": []}', b"\xff", b"[" * 100_000,
        b'{"keys": ' + b"[" * 100_000, b" " * (jwks.MAX_JWKS_BYTES + 1), json.dumps({"keys": [{}] * 101}).encode(),
        json.dumps({"keys": [RSA.jwk(), RSA.jwk()]}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_jwks_is_refused(document):
    with pytest.raises(InvalidRequest, match=r"^cannot use the JWKS: "):
        jwks.read(document)


def test_an_operator_may_hand_over_a_key_that_is_only_no_use():
    assert [key.kid for key in jwks.read_given(written(RSA, KEYS["ES256K"])).keys] == ["k-RS256"]
    with pytest.raises(InvalidRequest):
        jwks.read_given("\ud800")
