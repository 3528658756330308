"""Which claims make up a proof, and that no value can look like another one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.token_claims import MAX_VALUE_LENGTH, TOKEN_PROOF, claim_value, is_claim, token_proof
from secretsd.testing.jwt_samples import github, gitlab, kubernetes

TEXTS = st.text(min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("issuer", "names", "claims", "proof"),
    [
        ("cluster", ["sub"], kubernetes(0), "jwt:cluster/sub=system:serviceaccount:prod:app"),
        (
            "cluster",
            ["/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name"],
            kubernetes(0),
            "jwt:cluster//kubernetes.io/namespace=prod,/kubernetes.io/serviceaccount/name=app",
        ),
        ("github", ["sub"], github(0), "jwt:github/sub=repo:octo-org%2Focto-repo:environment:prod"),
        ("github", ["repository_id", "ref"], github(0), "jwt:github/repository_id=74,ref=refs%2Fheads%2Fmain"),
        ("gitlab", ["project_id", "runner_id"], gitlab(0), "jwt:gitlab/project_id=20,runner_id=1"),
        ("x", ["https://x.example/role"], {"https://x.example/role": "a b"}, "jwt:x/https://x.example/role=a%20b"),
        ("x", ["a,b=c"], {"a,b=c": "é"}, "jwt:x/a%2Cb%3Dc=%C3%A9"),
        ("x", ["/a~1b/c~0d"], {"a/b": {"c~d": "e"}}, "jwt:x//a~1b/c~0d=e"),
        ("x", ["yes", "no", "n"], {"yes": True, "no": False, "n": -7}, "jwt:x/yes=true,no=false,n=-7"),
    ],
)
def test_claims_make_up_a_proof(issuer, names, claims, proof):
    assert token_proof(issuer, names, claims) == proof
    assert re.fullmatch(TOKEN_PROOF, proof)


@pytest.mark.parametrize(
    "said", [None, "", 1.5, [], ["a"], {}, {"b": "c"}, "x" * (MAX_VALUE_LENGTH + 1), "\ud800", 2**63, -(2**63)]
)
def test_what_says_nothing_definite_makes_no_proof(said):
    assert claim_value({"sub": said}, "sub") is None
    assert token_proof("x", ["sub", "a"], {"sub": said, "a": "b"}) is None


@pytest.mark.parametrize("name", ["other", "/sub/deeper", "/no/where", "a.b"])
def test_what_is_not_there_makes_no_proof(name):
    assert token_proof("x", ["sub", name], {"sub": "ann", "a": {"b": "c"}}) is None


def test_a_proof_has_a_greatest_length():
    names = [f"c{number}" for number in range(8)]
    assert token_proof("x", names[:3], dict.fromkeys(names, "a" * 500)) is not None
    assert token_proof("x", names, dict.fromkeys(names, "a" * 500)) is None


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_two_different_pairs_of_values_never_make_the_same_proof(a, b, c, d):
    made, other = (token_proof("x", ["a", "b"], {"a": first, "b": second}) for first, second in ((a, b), (c, d)))
    assert made is not None
    assert re.fullmatch(TOKEN_PROOF, made)
    assert (made == other) == ((a, b) == (c, d))


@given(TEXTS)
def test_a_value_is_no_further_claim(value):
    proof = token_proof("x", ["sub"], {"sub": value})
    assert proof is not None
    told = proof.removeprefix("jwt:x/sub=")
    assert not {",", "=", "/", "*", "?", " ", "\n"} & set(told)
    assert told.isascii()
    assert told.isprintable()


@pytest.mark.parametrize(
    "name", ["sub", "kubernetes.io", "/kubernetes.io/serviceaccount/name", "https://a/b", "/a~0/~1"]
)
def test_names_of_claims(name):
    assert is_claim(name)


@pytest.mark.parametrize("name", ["", "/", "//a", "/a/", "/a~", "/a~2", "a\n", "a" * 129, "/a" * 9, "\x00"])
def test_what_is_no_name_of_a_claim(name):
    assert not is_claim(name)
