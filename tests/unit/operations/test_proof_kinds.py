"""`secretsd:ProofKind` has the values that are listed, each of which somebody is proved by, and no other ones."""

import ast
from pathlib import Path
from typing import get_args

import pytest

import secretsd
from secretsd.api.bindings import Proof
from secretsd.domain.condition_keys import PROOF_KINDS
from secretsd.domain.credentials import KeyPair
from secretsd.domain.principals import HOST_ROOT, Principal
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import RequestFacts, Way
from secretsd.services.expired_credentials import ExpiredCredentials
from secretsd.testing.policies import document
from tests.unit.operations.jwt_house import Cluster, bearer
from tests.unit.operations.tls_house import WEB, Certified, caller

PRODUCT = Path(secretsd.__file__).parent
MAKERS = {
    "domain/principals.py",  # HOST_ROOT
    "operations/access_key_proofs.py",
    "operations/authenticator.py",
    "operations/policy_explanations.py",  # nobody's proof: what is asked is not known to be a call's
    "operations/who_can.py",  # likewise
    "services/due_steps.py",
    "services/escrow.py",
    "services/key_deletion.py",
    "services/key_reencryption.py",
    "services/key_rotation.py",
    "services/root_rewrap.py",
    "services/rotation.py",
}
"""Where principals are made. A new place may make a new kind of proof, which the test below has to know."""


def kind(proof: str) -> str:
    """What conditions see of the proof."""
    found = RequestFacts(Principal("a", "user/x", proof), Way(), None, 0).get("secretsd:ProofKind")
    assert found is not None
    return str(found[0])


def showing(token) -> Caller:
    return Caller("tcp", token=Plaintext(token.reveal()))


async def test_the_kinds_that_are_listed_are_those_that_there_are(house):
    async def proof_of(caller: Caller) -> str:
        return str((await house.call("GetCallerIdentity", caller)).proof)

    root = Caller("unix", uid=0)
    await house.call("CreateBinding", proof="systemd:unit/web.service", user="admin")
    proofs = [
        await proof_of(root),
        await proof_of(Caller("unix", 7, None, Way(uid=7, unit="web.service"))),
    ]
    cluster, certified = await Cluster(house).settle(), await Certified(house).settle()
    proofs += [await proof_of(bearer(cluster.token())), await proof_of(caller(certified.root.issue("web.example")))]
    # A token made by hand, one that enrols, and what a host gets for that.
    enrols = await house.call("CreateEnrolmentToken", user="app")
    answer = await house.run("EnrolHost", showing(enrols.token))
    proofs += [(await house.events(answer.request_id))[0]["proof"], await proof_of(showing(answer.response.token))]
    made = await house.call("CreateToken", user="app", ttl_seconds=1)
    proofs.append(await proof_of(showing(made.token)))
    # An access key, and a token got for it.
    key = await house.call("CreateAccessKey", user="app")
    pair = Caller("tcp", pair=KeyPair(key.access_key, Plaintext(key.secret.reveal())))
    got = await house.call("CreateAccessToken", pair, grant_type="client_credentials")
    proofs += [await proof_of(pair), await proof_of(showing(got.access_token))]
    trust = document({"effect": "Allow", "principal": "*", "action": "AssumeRole"})
    await house.call("CreateRole", role="deployer", trust=trust)
    session = await house.call("AssumeRole", bearer(cluster.token()), role="deployer", session_name="job")
    proofs.append(await proof_of(showing(session.session_token)))
    # Scheduled work, and root of the host.
    house.clock.pass_days(1)
    assert await ExpiredCredentials(house.pipeline).ensure()
    proofs += [one["proof"] for one in await house.events() if one["operation"] == "ForgetExpiredCredentials"]
    proofs.append(HOST_ROOT.proof)
    assert {kind(proof) for proof in proofs} == set(PROOF_KINDS)
    assert len(set(map(kind, proofs))) == len(PROOF_KINDS)
    assert proofs[3] == WEB


def test_what_can_be_bound_is_of_a_kind_that_is_listed():
    (meta,) = get_args(Proof)[1:]
    pattern = meta.pattern
    assert [one for one in PROOF_KINDS if f"{one}:" in pattern] == ["unix", "systemd", "tls", "jwt"]
    assert pattern.count("|systemd:") + pattern.count("|jwt:") + pattern.count("|tls:") + 1 == 4


def test_principals_are_made_where_the_kinds_are_known_from():
    found = set()
    for path in PRODUCT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Principal":
                found.add(str(path.relative_to(PRODUCT)))
    assert found == MAKERS


@pytest.mark.parametrize(
    ("operator", "value", "why"),
    [
        ("StringEquals", "acess-key", 'perhaps "access-key" is meant'),
        ("StringNotEquals", "Token", 'perhaps "token" is meant'),
        ("StringNotEqualsIfExists", "token/x", "no request has such a value of this key"),
        ("StringLike", "sessions", 'perhaps "session" is meant'),
        ("StringEquals", "tok*", "no request has such a value of this key"),
        ("StringEqualsIgnoreCase", "kerberos", "no request has such a value of this key"),
        ("StringEquals", "access-key", None),
        ("StringNotEquals", "schedule", None),
        ("StringEqualsIgnoreCase", "Access-Key", None),
        ("StringLike", "access-*", None),
        ("StringNotLike", "kerb?ros", None),
        ("Null", "true", None),
    ],
)
async def test_a_policy_that_misspells_a_kind_is_refused(house, operator, value, why):
    condition = {operator: {"secretsd:ProofKind": [value]}}
    text = document({"effect": "Deny", "action": ["*"], "resource": ["*"], "condition": condition})
    told = await house.call("ValidatePolicy", document=text)
    assert told.valid == (why is None)
    if why is not None:
        assert why in told.problem
        assert (await house.run("CreatePolicy", policy="p", document=text)).error.kind.value == "invalid-request"
