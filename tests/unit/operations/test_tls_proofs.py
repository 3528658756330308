"""Client certificates as proofs: whom they lead to, and all for which they lead to nobody, with the reason recorded."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.testing.client_certificates import CLIENT, SERVER, Signer, self_signed
from tests.unit.operations.tls_house import SPIFFE, WEB, WORKLOAD, Certified, ca, caller
from tests.unit.operations.two_accounts import Vendor

__all__ = ["ca"]

HOUR = timedelta(hours=1)


async def test_a_name_leads_to_the_user_it_is_bound_to(ca, house):
    found = await ca.identity(ca.root.issue("web.example"))
    assert (found.principal, found.proof) == (f"secretsd:{house.account}:user/web", WEB)


async def test_a_spiffe_id_leads_to_a_role(ca, house):
    await ca.bind(WORKLOAD, role="deployer")
    found = await ca.identity(ca.mid.issue(SPIFFE))
    assert (found.principal, found.proof) == (f"secretsd:{house.account}:role/deployer", WORKLOAD)


async def test_an_intermediate_that_the_client_sends_is_good_and_one_that_it_forgets_is_not(ca):
    issued = ca.mid.issue("web.example")
    assert await ca.outcome(issued) == "ok"
    without = type(issued)(issued.certificate, issued.key)
    assert await ca.outcome(without) == "no authority of any account signed it, or what it came with"


async def test_an_intermediate_may_be_trusted_by_itself(house):
    ca = Certified(house)
    await ca.settle(certificates=ca.mid.pem)
    issued = ca.mid.issue("web.example")
    assert await ca.outcome(issued) == "ok"
    assert await ca.outcome(type(issued)(issued.certificate, issued.key)) == "ok"
    assert "signed" in await ca.outcome(ca.root.issue("web.example"))


async def test_names_are_compared_in_lower_case_and_the_common_name_is_none(ca):
    assert await ca.outcome(ca.root.issue("WEB.Example")) == "ok"
    await ca.bind("tls:ca/dns/a client")
    assert "none of its names is bound" in await ca.outcome(ca.root.issue("other.example"))


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"lasts": -HOUR}, "not valid at this time"),
        ({"begins": HOUR}, "not valid at this time"),
        ({"usages": (SERVER,)}, "not for clients"),
        ({"usages": None}, "does not say what it is for"),
        ({"usages": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}, "not for clients"),
        ({"ca": True}, "cA must not be asserted"),
        ({"key": rsa.generate_private_key(65537, 1024)}, "key is too short"),
        ({"key": ec.generate_private_key(ec.SECP192R1())}, "key is too short"),
        ({"key": dsa.generate_private_key(2048)}, "key is too short"),
    ],
    ids=["expired", "not-yet", "server", "no-usage", "any-usage", "authority", "rsa-1024", "p-192", "dsa"],
)  # fmt: skip
async def test_a_certificate_that_is_not_good(ca, how, why):
    assert why in await ca.outcome(ca.root.issue("web.example", **how))


@pytest.mark.parametrize(
    "how",
    [
        {"usages": (SERVER, CLIENT)},
        {"key": rsa.generate_private_key(65537, 2048)},
        {"key": ec.generate_private_key(ec.SECP521R1())},
        {"key": ed25519.Ed25519PrivateKey.generate()},
    ],
    ids=["both-usages", "rsa-2048", "p-521", "ed25519"],
)
async def test_a_certificate_that_is_good(ca, how):
    assert await ca.outcome(ca.root.issue("web.example", **how)) == "ok"


async def test_who_is_signed_by_nobody_or_by_somebody_of_the_same_name(ca):
    assert "no authority of any account signed it" in await ca.outcome(self_signed("web.example"))
    impostor = Signer("root", now=ca.root.now)
    assert "signature does not match" in await ca.outcome(impostor.issue("web.example"))
    under = Signer("mid", above=impostor)
    assert "signature does not match" in await ca.outcome(under.issue("web.example"))


async def test_a_client_is_no_authority(ca):
    leaf = ca.root.issue("evil.example")
    forged = Signer("forger", above=None, now=ca.root.now)
    forged.key, forged.name = leaf.key, leaf.certificate.subject
    issued = forged.issue("web.example")
    chained = type(issued)(issued.certificate, issued.key, (leaf.certificate,))
    assert await ca.outcome(chained) != "ok"


async def test_path_length_depth_and_size_are_bounded(house):
    ca = Certified(house)
    short = Signer("short", now=ca.root.now, path_length=0)
    await ca.settle(certificates=short.pem + ca.root.pem)
    assert await ca.outcome(short.issue("web.example")) == "ok"
    assert "path" in await ca.outcome(Signer("below", above=short).issue("web.example"))
    deep = ca.root
    for number in range(8):
        deep = Signer(f"mid-{number}", above=deep)
    assert await ca.outcome(deep.issue("web.example")) == "ok"
    deep = Signer("mid-8", above=deep)
    assert "depth" in await ca.outcome(deep.issue("web.example"))
    issued = ca.root.issue("web.example")
    many = type(issued)(issued.certificate, issued.key, tuple([ca.mid.certificate] * 10))
    assert "over 10 certificates" in await ca.outcome(many)
    wide = ca.root.issue("web.example", *(f"{'x' * 60}-{number}.{'y' * 60}.example" for number in range(600)))
    assert "64 KiB" in await ca.outcome(wide)


async def test_an_expired_root_or_intermediate_vouches_for_nobody(house):
    ca = Certified(house)
    late = Signer("late", above=ca.root, lasts=HOUR)
    await ca.settle()
    issued = late.issue("web.example")
    assert await ca.outcome(issued) == "ok"
    house.clock.pass_days(1)
    assert "not valid at this time" in await ca.outcome(issued)


async def test_name_constraints_hold_and_those_that_are_not_understood_refuse(house):
    ca = Certified(house)
    permitted = x509.NameConstraints([x509.DNSName("ok.example")], None)
    uris = x509.NameConstraints([x509.UniformResourceIdentifier("example.org")], None)
    await ca.settle()
    within = Signer("within", above=ca.root, constraints=permitted)
    await ca.bind("tls:ca/dns/a.ok.example")
    assert await ca.outcome(within.issue("a.ok.example")) == "ok"
    assert "name constraints" in await ca.outcome(within.issue("web.example"))
    await ca.bind(WORKLOAD)
    assert "name constraint" in await ca.outcome(Signer("of-uris", above=ca.root, constraints=uris).issue(SPIFFE))


async def test_names_that_prove_nothing(ca):
    await ca.bind("tls:ca/dns/*.example")
    assert "no URI and no DNS name" in await ca.outcome(ca.root.issue("*.example"))
    await ca.bind(WORKLOAD)
    assert "more than one URI" in await ca.outcome(ca.root.issue(SPIFFE, SPIFFE + "2"))
    assert "more than 16 DNS names" in await ca.outcome(ca.root.issue(*(f"{n}.example" for n in range(17))))
    assert "2.5.29.17" in await ca.outcome(ca.root.issue())  # the subject's alternative names


async def test_names_of_different_principals_prove_neither_and_the_event_says_so(ca, house):
    await house.call("CreateUser", user="other")
    await ca.bind("tls:ca/dns/other.example", "other")
    why = await ca.outcome(ca.root.issue("web.example", "other.example"))
    assert why == (
        "its names are bound to different users or roles: "
        "tls:ca/dns/web.example to user/web, tls:ca/dns/other.example to user/other"
    )


async def test_names_of_one_principal_are_no_trouble(ca):
    await ca.bind("tls:ca/dns/other.example")
    assert (await ca.identity(ca.root.issue("other.example", "web.example", "third.example"))).proof in (
        WEB,
        "tls:ca/dns/other.example",
    )


async def test_an_unbound_name_is_told_in_the_event_so_that_it_can_be_bound(ca):
    why = await ca.outcome(ca.root.issue("new.example", SPIFFE))
    assert why == f"none of its names is bound to anybody: {WORKLOAD}, tls:ca/dns/new.example"


async def test_an_authority_counts_in_its_own_account_only(ca, house):
    vendor = await Vendor(house).settle()
    theirs = Signer("theirs", now=ca.root.now)
    told = {"account": vendor.account, "certificates": theirs.pem}
    await house.call("CreateCertificateAuthority", certificate_authority="theirs", **told)
    await ca.bind("tls:theirs/dns/web.example", account=vendor.account)
    assert (await ca.identity(theirs.issue("web.example"))).principal == f"secretsd:{vendor.account}:user/web"
    assert (await ca.identity(ca.root.issue("web.example"))).principal == f"secretsd:{house.account}:user/web"
    await ca.bind("tls:theirs/dns/squat.example")
    assert "none of its names is bound" in await ca.outcome(theirs.issue("squat.example"))


async def test_an_authority_under_another_accounts_makes_its_clients_ambiguous_where_both_bound_them(ca, house):
    """Operators should not do that; if they do, neither account becomes the other."""
    vendor = await Vendor(house).settle()
    told = {"account": vendor.account, "certificates": ca.mid.pem}
    await house.call("CreateCertificateAuthority", certificate_authority="theirs", **told)
    issued = ca.mid.issue("web.example")
    assert (await ca.identity(issued)).principal == f"secretsd:{house.account}:user/web"
    await ca.bind("tls:theirs/dns/web.example", account=vendor.account)
    assert "bound to different users or roles" in await ca.outcome(issued)


async def test_what_one_authority_proved_ends_with_its_list_though_another_still_vouches(ca, house):
    told = {"account": house.account, "certificates": ca.mid.pem}
    await house.call("CreateCertificateAuthority", certificate_authority="other", **told)
    await house.call("DeleteBinding", proof=WEB)
    await ca.bind("tls:other/dns/web.example")
    lists = {"certificate_authority": "other", "crl": ca.mid.revoke()}
    await house.call("UpdateCertificateRevocationList", **lists)
    issued = ca.mid.issue("web.example")
    assert await ca.outcome(issued) == "ok"
    house.clock.pass_days(1.5)
    assert await ca.outcome(issued) == "none of its names is bound to anybody: tls:ca/dns/web.example"


async def test_what_the_request_shows_wins_even_where_it_proves_nothing(ca, house):
    issued = ca.root.issue("web.example")
    bob = await house.user("bob")
    both = caller(issued).showing(bob.token)
    assert (await house.call("GetCallerIdentity", both)).principal.endswith("user/bob")
    wrong = caller(issued).showing(Plaintext(b"wrong"))
    assert (await house.run("GetCallerIdentity", wrong)).error.kind.value == "unauthenticated"


async def test_conditions_see_how_it_was_proved(ca, house):
    condition = {"StringEquals": {"secretsd:ProofKind": "tls"}, "Bool": {"secretsd:SecureTransport": "true"}}
    statement = {"effect": "Allow", "action": ["ListUsers"], "resource": ["*"], "condition": condition}
    await house.allow("web", "by-tls", statement)
    assert await house.call("ListUsers", caller(ca.root.issue("web.example")))
    made = await house.call("CreateToken", user="web")
    answer = await house.run("ListUsers", Caller("tcp", token=Plaintext(made.token.reveal())))
    assert answer.error.kind.value == "access-denied"
