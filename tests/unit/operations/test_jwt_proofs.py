"""JWTs as callers bring them: whom a good one proves, and that nothing else proves anybody."""

import json

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.jwt_claims import LEEWAY_SECONDS, MAX_LIFETIME_SECONDS
from secretsd.operations.jwt_proofs import MAX_TOKEN_BYTES
from secretsd.testing.jwt_issuer import SigningKey, encoded, jwks, part
from secretsd.testing.jwt_samples import kubernetes
from tests.unit.operations.jwt_house import ANYTHING, ISSUER, KEY, OTHER, PROOF, Cluster, bearer
from tests.unit.operations.two_accounts import Vendor

ELLIPTIC = SigningKey.make("ec", "ES256")


@pytest.fixture
async def cluster(house):
    return await Cluster(house).settle()


async def test_a_good_token_proves_whom_its_proof_is_bound_to(cluster, house):
    found = await cluster.identity(cluster.token())
    assert (found.account, found.principal) == (house.account, f"secretsd:{house.account}:user/app")
    assert found.proof == PROOF
    answer = await house.run("GetCallerIdentity", bearer(cluster.token()))
    (event,) = await house.events(answer.request_id)
    assert (event["proof"], event["outcome"]) == (PROOF, "ok")


async def test_a_role_may_be_bound_as_well(cluster, house):
    trust = '{"Version": "1", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "AssumeRole"}]}'
    await house.call("CreateRole", role="deployer", trust=trust)
    await cluster.bind("jwt:cluster/sub=system:serviceaccount:prod:deployer", role="deployer")
    token = cluster.token(sub="system:serviceaccount:prod:deployer")
    answer = await house.run("GetCallerIdentity", bearer(token))
    (event,) = await house.events(answer.request_id)
    assert event["principal"] == f"secretsd:{house.account}:role/deployer"


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
async def test_every_accepted_algorithm(house, algorithm):
    key = SigningKey.make("k", algorithm)
    cluster = await Cluster(house).settle(keys=jwks(key))
    assert await cluster.outcome(cluster.token(key)) == "ok"
    assert await cluster.outcome(cluster.token(SigningKey.make("k", algorithm))) == "unauthenticated"


@pytest.mark.parametrize("audience", ["secretsd", ["secretsd"], ["other", "secretsd", "secretsd"]])
@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+JWT", None])
async def test_what_varies_between_issuers(cluster, audience, kind):
    assert await cluster.outcome(cluster.token(header={"typ": kind}, aud=audience)) == "ok"


@pytest.mark.parametrize("kid", [None, "k1"])
@pytest.mark.parametrize(
    "header", [{"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example"}, {"jwk": OTHER.jwk()}]
)
async def test_keys_and_addresses_of_keys_in_a_token_are_never_used(cluster, header, kid):
    header = {**header, "kid": kid}
    assert await cluster.outcome(cluster.token(header=header)) == "ok"
    assert await cluster.outcome(cluster.token(OTHER, header=header)) == "unauthenticated"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": ISSUER + "/"}, {"iss": "https://other.example"}, {"iss": ...}, {"iss": [ISSUER]}, {"iss": None},
        {"aud": "other"}, {"aud": []}, {"aud": ...}, {"aud": "secretsd "}, {"aud": "Secretsd"}, {"aud": [["secretsd"]]},
        {"aud": {"secretsd": 1}}, {"sub": ...}, {"sub": ""}, {"sub": ["system:serviceaccount:prod:app"]},
        {"sub": "system:serviceaccount:prod:other"}, {"sub": "system:serviceaccount:prod:app\n"}, {"sub": 5},
        {"exp": ...}, {"exp": "2000000000"}, {"exp": True}, {"exp": None}, {"exp": 10**30}, {"exp": -1},
        {"iat": ...}, {"iat": "1"}, {"iat": -5}, {"nbf": "1"}, {"nbf": 10**30}, {"nbf": {}},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_that_says_anything_else_proves_nobody(cluster, changed):
    assert await cluster.outcome(cluster.token(**changed)) == "unauthenticated"


@pytest.mark.parametrize(
    ("times", "outcome"),
    [
        ({"exp": 1}, "ok"),
        ({"exp": 0}, "unauthenticated"),
        ({"exp": -1}, "unauthenticated"),
        ({"exp": 0.9}, "ok"),
        ({"nbf": LEEWAY_SECONDS}, "ok"),
        ({"nbf": LEEWAY_SECONDS + 1}, "unauthenticated"),
        ({"iat": LEEWAY_SECONDS}, "ok"),
        ({"iat": LEEWAY_SECONDS + 1}, "unauthenticated"),
        ({"iat": 0, "exp": MAX_LIFETIME_SECONDS}, "ok"),
        ({"iat": 0, "exp": MAX_LIFETIME_SECONDS + 1}, "unauthenticated"),
        ({"iat": 3700 - MAX_LIFETIME_SECONDS}, "ok"),
        ({"iat": 3500 - MAX_LIFETIME_SECONDS}, "unauthenticated"),
    ],
    ids=str,
)
async def test_a_token_is_good_for_its_time_and_for_a_day_at_most(cluster, house, times, outcome):
    house.clock.ms = cluster.now * 1000 - 1  # the next look is on the second
    now = cluster.now + 1
    assert await cluster.outcome(cluster.token(**{name: now + seconds for name, seconds in times.items()})) == outcome


async def test_a_remembered_token_ends_with_its_time(cluster, house):
    token = cluster.token(exp=cluster.now + 30)
    assert await cluster.outcome(token) == "ok"
    house.clock.ms += 29_000
    assert await cluster.outcome(token) == "ok"
    house.clock.ms += 1_000
    assert await cluster.outcome(token) == "unauthenticated"


async def test_a_remembered_token_is_not_good_before_its_time_either(cluster, house):
    token = cluster.token()
    assert await cluster.outcome(token) == "ok"
    house.clock.ms -= 3600_000
    assert await cluster.outcome(token) == "unauthenticated"


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"}, {"alg": "None"}, {"alg": "HS256"}, {"alg": "rs256"}, {"alg": None}, {"alg": ["RS256"]},
        {"alg": ""}, {"alg": "RS384"}, {"alg": "PS256"}, {"alg": "ES256"}, {"alg": "ES256K"}, {"alg": "EdDSA"},
        {"kid": "k2"}, {"kid": ""}, {"kid": 1}, {"kid": "../../dev/null"}, {"crit": []}, {"crit": ["exp"]},
        {"b64": True}, {"b64": False, "crit": ["b64"]}, {"typ": "logout+jwt"}, {"typ": "dpop+jwt"}, {"typ": 1},
        {"cty": "JWT"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_header_that_is_not_that_of_the_key_proves_nobody(cluster, header):
    told = {"alg": "RS256", "kid": "k1", **header}
    text = f"{part({name: value for name, value in told.items() if value is not None})}.{part(kubernetes(cluster.now))}"
    for signature in (KEY.signature(text.encode()), b"\0" * 256):
        assert await cluster.outcome(f"{text}.{encoded(signature)}") == "unauthenticated"
    assert await cluster.outcome(f"{text}.") == "unauthenticated"


async def test_no_key_is_taken_for_the_secret_of_an_hmac(cluster, house):
    for key in (KEY, ELLIPTIC):
        assert await cluster.outcome(key.confused(kubernetes(cluster.now))) == "unauthenticated"


async def test_a_key_of_another_kind_with_the_same_kid_is_not_tried(house):
    cluster = await Cluster(house).settle(keys=json.dumps({"keys": [KEY.jwk(), ELLIPTIC.jwk(kid="k1")]}))
    assert await cluster.outcome(cluster.token()) == "ok"
    assert await cluster.outcome(cluster.token(ELLIPTIC, header={"kid": "k1"})) == "ok"
    assert await cluster.outcome(cluster.token(ELLIPTIC, header={"kid": "k1", "alg": "RS256"})) == "unauthenticated"


@pytest.mark.parametrize(
    "token",
    [
        "..", "a.b.c", "a.b", "a.b.c.d", "\0.\0.\0", "e30.e30.e30", "é.é.é", "." * 5, "W10.W10.W10", "bnVsbA.bnVsbA.AA",
        "A" * 100_000, f"{'A' * MAX_TOKEN_BYTES}.e30.AA", f"{encoded(b'[' * 9000)}.e30.AA",
        f"e30.{encoded(b'[' * 9000)}.AA", f"{part({'alg': 'RS256', 'x': 1})}.{encoded(b'[' * 9000)}.AA",
        f"{encoded(bytes([255]))}.e30.AA",
    ],
    ids=lambda token: token[:20],
)  # fmt: skip
async def test_what_is_no_token_proves_nobody(cluster, token):
    assert await cluster.outcome(token) == "unauthenticated"


async def test_a_token_is_taken_in_one_spelling_only(cluster):
    token = cluster.token()
    for other in (
        token + "=",
        token + "==",
        " " + token,
        token + "\n",
        token.replace(".", ".\n"),
        token.replace("_", "/") + "!",
    ):
        assert await cluster.outcome(other) == "unauthenticated"
    assert await cluster.outcome(token) == "ok"


async def test_the_largest_token(cluster):
    token = cluster.token()
    most = cluster.token(more="x" * ((MAX_TOKEN_BYTES - len(token)) * 3 // 4 - 20))
    assert MAX_TOKEN_BYTES - 40 < len(most) <= MAX_TOKEN_BYTES
    assert await cluster.outcome(most) == "ok"
    assert await cluster.outcome(cluster.token(more="x" * (MAX_TOKEN_BYTES * 3 // 4))) == "unauthenticated"


async def test_a_nested_claim_and_required_ones(house):
    cluster = await Cluster(house).settle(
        claims=("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name"),
        required={"/kubernetes.io/node/name": "node-1", "jti": "7"},
    )
    await cluster.bind("jwt:cluster//kubernetes.io/namespace=prod,/kubernetes.io/serviceaccount/name=app")
    assert await cluster.outcome(cluster.token(jti="7")) == "ok"
    assert await cluster.outcome(cluster.token(jti=7)) == "ok"
    for changed in ({"jti": "8"}, {"jti": ...}, {"jti": ["7"]}, {"jti": None}):
        assert await cluster.outcome(cluster.token(**changed)) == "unauthenticated"
    elsewhere = kubernetes(cluster.now, jti="7")
    elsewhere["kubernetes.io"]["node"]["name"] = "node-2"
    assert await cluster.outcome(KEY.token(elsewhere)) == "unauthenticated"


async def test_no_value_forges_another_claim(house):
    cluster = await Cluster(house).settle(claims=("repository", "ref"))
    await cluster.bind("jwt:cluster/repository=mine,ref=main")
    assert await cluster.outcome(cluster.token(repository="mine", ref="main")) == "ok"
    for repository, ref in (("mine,ref=main", "x"), ("mine", "main,x=y"), ("mine,ref=main", "")):
        assert await cluster.outcome(cluster.token(repository=repository, ref=ref)) == "unauthenticated"
    assert await cluster.outcome(cluster.token(repository="mine,ref=main")) == "unauthenticated"


async def test_a_proof_is_good_in_the_account_of_its_issuer_alone(cluster, house):
    vendor = await Vendor(house).settle()
    await cluster.bind("jwt:cluster/sub=bob", user="boss", account=vendor.account)
    assert await cluster.outcome(cluster.token(sub="bob")) == "unauthenticated"
    theirs = {"account": vendor.account, "issuer": ISSUER, "keys": jwks(KEY)}
    await house.call("CreateTokenIssuer", token_issuer="theirs", audience="vendor", **theirs)
    await cluster.bind("jwt:theirs/sub=bob", user="boss", account=vendor.account)
    found = await cluster.identity(cluster.token(sub="bob", aud="vendor"))
    assert found.principal == f"secretsd:{vendor.account}:user/boss"


async def test_a_token_for_the_audiences_of_two_issuers_proves_nobody(cluster, house):
    vendor = await Vendor(house).settle()
    theirs = {"account": vendor.account, "issuer": ISSUER, "keys": jwks(KEY)}
    await house.call("CreateTokenIssuer", token_issuer="theirs", audience="vendor", **theirs)
    assert await cluster.outcome(cluster.token(aud=["secretsd", "vendor"])) == "unauthenticated"
    assert await cluster.outcome(cluster.token(aud=["secretsd", "nobody"])) == "ok"


async def test_one_issuers_key_signs_nothing_for_another(cluster, house):
    other = {"account": house.account, "issuer": "https://other.example", "audience": "secretsd", "keys": jwks(OTHER)}
    await house.call("CreateTokenIssuer", token_issuer="other", **other)
    assert await cluster.outcome(cluster.token(OTHER)) == "unauthenticated"
    assert await cluster.outcome(cluster.token(OTHER, header={"kid": "k1"})) == "unauthenticated"
    await cluster.bind("jwt:other/sub=system:serviceaccount:prod:app")
    assert (await cluster.identity(cluster.token(OTHER, iss="https://other.example"))).proof.startswith("jwt:other/")


async def test_a_token_wins_over_what_the_connection_proves(cluster, house):
    bad = Caller("unix", uid=0, token=Plaintext(cluster.token(aud="other").encode()))
    answer = await house.run("GetCallerIdentity", bad)
    assert answer.error is not None
    assert answer.error.kind.value == "unauthenticated"


async def test_the_time_of_issue_is_a_fact_for_conditions(cluster, house):
    since = {"DateGreaterThanEquals": {"secretsd:TokenIssueTime": "2027-01-15T08:00:00Z"}}  # the house's first moment
    await house.user("bob", {**ANYTHING, "condition": since})
    await cluster.bind("jwt:cluster/sub=bob", user="bob")
    assert await cluster.outcome(cluster.token(sub="bob"), "ListUsers") == "ok"
    assert await cluster.outcome(cluster.token(sub="bob", iat=cluster.now - 3600), "ListUsers") == "access-denied"
