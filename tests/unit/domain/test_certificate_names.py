"""Names of certificates and the proofs that they make: one spelling each, nothing that could be somebody else's."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.api.bindings import CreateBindingRequest
from secretsd.domain.certificate_names import CERTIFICATE_PROOF, MAX_NAMES, NamesRefused, certificate_proofs

SPIFFE = "spiffe://example.org/ns/prod/sa/web"


def test_the_uri_comes_first_and_dns_names_in_lower_case_once() -> None:
    found = certificate_proofs("ca", ["Web.Example", "web.example", "b.example"], [SPIFFE])
    assert found == (f"tls:ca/uri/{SPIFFE}", "tls:ca/dns/web.example", "tls:ca/dns/b.example")


@pytest.mark.parametrize(
    ("dns", "uris", "why"),
    [
        ([], [], "no URI and no DNS name"),
        (["*.example", "", "a..b", "-a.example", "a/b", "a b", "ä.example", "x" * 64], [], "no URI and no DNS name"),
        (["a.example\n", "a.example\x00b"], [], "no URI and no DNS name"),
        ([], ["spiffe://a/" + "b" * 1751], "no URI and no DNS name"),
        (["a.example"], [SPIFFE, SPIFFE], "more than one URI"),
        ([f"{n}.example" for n in range(MAX_NAMES + 1)], [], "more than 16 DNS names"),
    ],
)
def test_names_that_prove_nothing(dns: list[str], uris: list[str], why: str) -> None:
    with pytest.raises(NamesRefused) as refused:
        certificate_proofs("ca", dns, uris)
    assert why in refused.value.reason


@pytest.mark.parametrize("uri", ["no-scheme", "Spiffe://a/b", "spiffe://a/b\n", "spiffe://a/ b", "spiffe://a#b", "a:"])
def test_a_uri_that_is_none_makes_no_proof(uri: str) -> None:
    assert certificate_proofs("ca", ["a.example"], [uri]) == ("tls:ca/dns/a.example",)


@given(st.lists(st.text(max_size=70), max_size=4), st.lists(st.text(max_size=40).map("a:".__add__), max_size=1))
def test_whatever_is_made_can_be_bound_and_nothing_else_looks_like_it(dns: list[str], uris: list[str]) -> None:
    try:
        made = certificate_proofs("ca", dns, uris)
    except NamesRefused:
        return
    assert len(set(made)) == len(made)
    for proof in made:
        assert re.fullmatch(CERTIFICATE_PROOF, proof)
        assert msgspec.convert({"proof": proof, "user": "app"}, CreateBindingRequest).proof == proof


@pytest.mark.parametrize(
    "proof",
    [
        "tls:", "tls:ca", "tls:ca/", "tls:ca/dns/", "tls:ca/uri/", "tls:ca/cn/web", "tls:ca/dns/Web.example",
        "tls:ca/dns/*.example", "tls:ca/dns/a.example/", "tls:ca/dns/a.example\n", "tls:/dns/a", "tls:c a/dns/a",
        "TLS:ca/dns/a", "tls:ca/dns/a..b", "tls:ca/uri/nothing", "tls:ca/uri/a:b c", "tls:ca/uri/spiffe://a/b#c",
        "tls:ca/dns/" + "a." * 130, "xtls:ca/dns/a",
    ],
)  # fmt: skip
def test_what_no_certificate_proves_cannot_be_bound(proof: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"proof": proof, "user": "app"}, CreateBindingRequest)
