"""Whatever bytes come as a token or a JWKS, they are read or refused: nothing else can happen."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.token_claims import is_claim, token_proof
from secretsd.operations import jwks
from secretsd.operations.jwt_claims import Claims, Header, Refused, decoded, require_time, unverified
from secretsd.testing.jwt_issuer import SigningKey, encoded
from secretsd.testing.jwt_samples import kubernetes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "sub", "alg", "kid", "typ", "cty", "crit", "b64"])
SAID = st.dictionaries(NAMES, JSON, max_size=8) | JSON
KEY = SigningKey.make("k", "ES256").jwk()
KEYS = st.dictionaries(st.sampled_from([*KEY, "n", "e", "d", "key_ops", "crv"]), JSON, max_size=5).map(
    lambda more: KEY | more
)


def written(said: object) -> bytes:
    return json.dumps(said).encode("utf-8", "replace")


@given(st.binary(max_size=200) | st.text(alphabet="ey.AJ-_=", max_size=60).map(str.encode))
def test_bytes_are_read_or_refused(token):
    with contextlib.suppress(Refused):
        unverified(token)


@given(SAID, SAID)
def test_headers_and_claims_are_read_or_refused(header, claims):
    token = f"{encoded(written({'alg': 'RS256'} | header if isinstance(header, dict) else header))}."
    whole = kubernetes(1_000_000) | claims if isinstance(claims, dict) else claims
    token += f"{encoded(written(whole))}.AA"
    with contextlib.suppress(Refused):
        head, found = unverified(token.encode())
        assert isinstance(head, Header)
        assert isinstance(found, Claims)
        require_time("x", found, 1_000_000_000)
        assert 0 <= int(found.exp * 1000) - int(found.iat * 1000) + 60_000 <= 24 * 3600 * 1000 + 60_000


@given(JSON, st.text(max_size=10))
def test_claims_make_a_proof_or_none(claims, name):
    if is_claim(name):
        assert token_proof("x", [name], {"": claims, name: claims}) is None or isinstance(claims, str | int)


@given(st.lists(KEYS, max_size=3) | JSON)
def test_a_jwks_is_read_or_refused(members):
    with contextlib.suppress(InvalidRequest):
        assert jwks.read(written({"keys": members})).keys


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "1" * 400, "-" + "1" * 400, "1.7976931348623157e308", "-0.0", "NaN"]
)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_numbers_that_no_clock_shows(name, number):
    told = json.dumps({**kubernetes(1_000_000), name: 0}).replace(f'"{name}": 0', f'"{name}": {number}')
    with contextlib.suppress(Refused):
        require_time("x", decoded(told.encode(), Claims), 1_000_000_000)
        assert (name, number[0]) in {("nbf", "-"), ("nbf", "N")}, "it says that it has long been good"
