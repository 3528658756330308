"""Certificate authorities as operators see them: made, changed, revoking, deleted; what would do harm is refused."""

from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import crl
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from secretsd.operations import certificate_authorities
from secretsd.testing.client_certificates import DAY, Signer
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.tls_house import WEB, Certified, ca, caller
from tests.unit.operations.two_accounts import Vendor

__all__ = ["ca"]

OPERATOR = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:certificate-authority/*"]}
HOUR = timedelta(hours=1)


async def refused(tools: Any, kind: str, about: Any) -> str:
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await about
    return str(failed.value.error.message)


async def create(house: Any, name: str, certificates: str, **fields: Any) -> Any:
    told = {"account": house.account, "certificates": certificates, **fields}
    return await house.call("CreateCertificateAuthority", certificate_authority=name, **told)


async def update(house: Any, certificates: str) -> Any:
    return await house.call("UpdateCertificateAuthority", certificate_authority="ca", certificates=certificates)


async def test_an_authority_is_told_as_it_is(house):
    ca = Certified(house)
    made = await create(house, "mesh", ca.root.pem + ca.mid.pem, crl=ca.root.revoke(ca.mid.certificate))
    assert (made.certificate_authority, made.account) == ("mesh", house.account)
    assert made.resource == "secretsd:system:certificate-authority/mesh"
    assert [one.subject for one in made.certificates] == ["CN=root", "CN=mid"]
    [listed] = made.revocation_lists
    assert (listed.issuer, listed.revoked) == ("CN=root", 1)
    assert listed.next_update_ms - listed.this_update_ms == 2 * 24 * 3600 * 1000
    assert await house.call("DescribeCertificateAuthority", certificate_authority="mesh") == made
    assert (await house.call("ListCertificateAuthorities")).certificate_authorities == (made,)


async def test_lists_come_in_pages(house):
    for name in ("c", "a", "b"):
        await create(house, name, Signer(name, now=Certified(house).root.now).pem)
    first = await house.call("ListCertificateAuthorities", limit=2)
    assert [one.certificate_authority for one in first.certificate_authorities] == ["a", "b"]
    second = await house.call("ListCertificateAuthorities", limit=2, next_token=first.next_token)
    assert [one.certificate_authority for one in second.certificate_authorities] == ["c"]
    assert second.next_token is None


async def test_what_stands_beside_the_certificates_is_not_kept(house):
    ca = Certified(house)
    await create(house, "mesh", "Subject: the root\n" + ca.root.pem + "and more\n")
    [record] = await house.storage.proofs.authorities()
    assert record.certificates == ca.root.pem


def leaf(ca: Certified) -> str:
    return ca.root.issue("web.example").pem


@pytest.mark.parametrize(
    ("certificates", "why"),
    [
        (lambda ca: "nothing", "they are not in PEM"),
        (lambda ca: ca.root.pem[:100] + ca.root.pem[200:], "they are not in PEM"),
        (lambda ca: ca.root.pem + ca.root.issue("a.example").key_pem, "there is a private key among them"),
        (lambda ca: ca.root.pem * 2, "one of them is there twice"),
        (lambda ca: "".join(Signer(str(n), now=ca.root.now).pem for n in range(21)), "there are over 20"),
        (lambda ca: ca.mid.pem + leaf(ca), "number 2 lacks the extension basicConstraints"),
        (lambda ca: ca.root.issue("a.example", ca=True).pem, "number 1 lacks the extension keyUsage"),
        (lambda ca: Signer("a", now=ca.root.now, ca=False).pem, "number 1 is no authority's"),
        (lambda ca: Signer("a", now=ca.root.now, signs=False).pem, "number 1 signs no certificates"),
        (lambda ca: Signer("old", now=ca.root.now, lasts=-HOUR).pem, "number 1 is over"),
        (lambda ca: Signer("w", now=ca.root.now, key=rsa.generate_private_key(65537, 1024)).pem, "too short"),
    ],
)  # fmt: skip
async def test_certificates_that_would_vouch_for_nobody_or_do_harm(house, tools, certificates, why):
    ca = Certified(house)
    given = certificates(ca)
    assert why in await refused(tools, "invalid-request", create(house, "mesh", given))
    await ca.settle()
    assert why in await refused(tools, "invalid-request", update(house, given))
    assert [one.certificates for one in await house.storage.proofs.authorities()] == [ca.root.pem]


def endless(ca: Certified) -> str:
    """A list that does not say when the next one comes, which `cryptography` makes for nobody."""
    made = crl.CertificateList.load(x509.load_pem_x509_crl(ca.root.revoke().encode()).public_bytes(Encoding.DER))
    del made["tbs_cert_list"]["next_update"]
    signed = crl.TbsCertList.load(made["tbs_cert_list"].dump(force=True))
    made["tbs_cert_list"] = signed
    made["signature"] = ca.root.key.sign(signed.dump(), ec.ECDSA(SHA256()))
    return x509.load_der_x509_crl(made.dump(force=True)).public_bytes(Encoding.PEM).decode()


def of_some(ca: Certified) -> str:
    point = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    return ca.root.revoke(scope=(point, True))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (lambda ca: "nothing", "it is not in PEM"),
        (lambda ca: ca.root.revoke()[:60] + "x\n-----END X509 CRL-----\n", "it is not in PEM"),
        (lambda ca: Signer("root", now=ca.root.now).revoke(), "list 1 is not signed by a certificate of the authority"),
        (lambda ca: ca.root.revoke() + ca.mid.revoke(), "list 2 is not signed by a certificate of the authority"),
        (lambda ca: ca.root.revoke() * 2, "list 2 is the second of its issuer"),
        (lambda ca: ca.root.revoke(lasts=-HOUR), "list 1 is over"),
        (lambda ca: ca.root.revoke(begins=HOUR), "list 1 is not valid yet"),
        (endless, "list 1 does not say when it is over"),
        (of_some, "list 1 speaks of some certificates only"),
        (lambda ca: ca.root.revoke(delta=(x509.DeltaCRLIndicator(1), True)), "list 1 speaks of some certificates only"),
        (lambda ca: ca.root.revoke(odd=(x509.CRLNumber(1), True)), "list 1 has a critical extension"),
    ],
)  # fmt: skip
async def test_lists_that_say_too_little_or_are_not_the_authoritys(ca, house, tools, text, why):
    assert why in await refused(tools, "invalid-request", ca.revocation(text(ca)))
    told = {"certificate_authority": "other", "account": house.account, "crl": text(ca), "certificates": ca.root.pem}
    assert why in await refused(tools, "invalid-request", house.call("CreateCertificateAuthority", **told))
    [record] = await house.storage.proofs.authorities()
    assert record.crl == ""


async def test_an_older_list_takes_no_newer_ones_place(ca, tools):
    newer = ca.root.revoke(begins=-HOUR)
    await ca.revocation(newer)
    message = await refused(tools, "conflict", ca.revocation(ca.root.revoke(begins=-2 * HOUR)))
    assert message == "cannot update the list of revoked certificates: the one that is there is newer"
    await ca.revocation(newer)  # the same again, by whoever tries twice
    await ca.revocation(ca.root.revoke(begins=-HOUR / 2))
    assert (await ca.revocation("")).revocation_lists == ()


async def test_while_a_root_is_replaced_both_count_and_the_lists_that_still_apply_stay(ca, house, tools):
    new = Signer("new root", now=ca.root.now)
    old_client, new_client = ca.root.issue("web.example"), new.issue("web.example")
    revoked = ca.root.issue("web.example")
    await ca.revocation(ca.root.revoke(revoked.certificate))
    await update(house, ca.root.pem + new.pem)
    assert await ca.outcome(old_client) == "ok"
    assert "revoked" in await ca.outcome(revoked)
    assert "no list" in await ca.outcome(new_client)
    message = await refused(tools, "conflict", update(house, new.pem))
    assert "it would lose its lists" in message
    await ca.revocation(ca.root.revoke(revoked.certificate) + new.revoke())
    assert await ca.outcome(new_client) == "ok"
    changed = await update(house, new.pem)
    assert [one.issuer for one in changed.revocation_lists] == ["CN=new root"]
    assert "no authority" in await ca.outcome(old_client)


async def test_a_root_that_is_renewed_with_its_key_keeps_its_list(ca, house):
    renewed = Signer("root", now=ca.root.now, key=ca.root.key, lasts=60 * DAY)
    client = ca.root.issue("web.example")
    await ca.revocation(ca.root.revoke(client.certificate))
    assert len((await update(house, renewed.pem)).revocation_lists) == 1
    assert "revoked" in await ca.outcome(client)


async def test_no_two_authorities_share_a_name(ca, house, tools):
    """Nor a key, then: and a handshake that looks for whoever signed a certificate finds one, the right one."""
    vendor = await Vendor(house).settle()
    renewed = Signer("root", now=ca.root.now, key=ca.root.key)
    for certificates in (ca.root.pem, renewed.pem, Signer("root", now=ca.root.now).pem):
        message = await refused(tools, "already-exists", create(house, "theirs", certificates, account=vendor.account))
        assert message == "cannot use these certificates: another certificate authority has one of that name"
    await create(house, "theirs", Signer("theirs", now=ca.root.now).pem, account=vendor.account)
    assert (await update(house, ca.root.pem + ca.mid.pem)).certificates[1].subject == "CN=mid"
    both = house.call("UpdateCertificateAuthority", certificate_authority="theirs", certificates=ca.mid.pem)
    await refused(tools, "already-exists", both)


async def test_what_is_there_twice_or_not_at_all(ca, house, tools, monkeypatch):
    other = Signer("other", now=ca.root.now)
    assert "exists already" in await refused(tools, "already-exists", create(house, "ca", other.pem))
    await refused(tools, "not-found", create(house, "other", other.pem, account="999999999999"))
    for operation, fields in (
        ("DescribeCertificateAuthority", {}),
        ("UpdateCertificateAuthority", {"certificates": other.pem}),
        ("UpdateCertificateRevocationList", {"crl": ""}),
        ("DeleteCertificateAuthority", {}),
    ):
        await refused(tools, "not-found", house.call(operation, certificate_authority="none", **fields))
    monkeypatch.setattr(certificate_authorities, "MAX_CERTIFICATE_AUTHORITIES", 1)
    assert "there are 1 already" in await refused(tools, "conflict", create(house, "other", other.pem))


async def test_an_authority_goes_once_nothing_is_bound_to_what_it_proves(ca, house, tools):
    delete = {"certificate_authority": "ca"}
    assert "bindings" in await refused(tools, "conflict", house.call("DeleteCertificateAuthority", **delete))
    await house.call("DeleteBinding", proof=WEB)
    await house.call("DeleteCertificateAuthority", **delete)
    assert (await house.call("ListCertificateAuthorities")).certificate_authorities == ()


async def test_each_change_is_an_event_of_both_accounts_and_tells_which_certificates(ca, house):
    vendor = await Vendor(house).settle()
    theirs = Signer("theirs", now=ca.root.now)
    await create(house, "theirs", theirs.pem, account=vendor.account)
    told = {"certificate_authority": "theirs"}
    await house.call("UpdateCertificateRevocationList", crl=theirs.revoke(), **told)
    await house.call("UpdateCertificateAuthority", certificates=theirs.pem, **told)
    await house.call("DeleteCertificateAuthority", **told)
    for account in (vendor.account, "system"):
        found = [one for one in await house.events(account=account) if one["resource"].endswith("authority/theirs")]
        assert [one["operation"] for one in found] == [
            "CreateCertificateAuthority",
            "UpdateCertificateRevocationList",
            "UpdateCertificateAuthority",
            "DeleteCertificateAuthority",
        ]
        assert all(len(one["fields"]["certificates"][0]) == 64 for one in found[:3])
        assert "BEGIN" not in str(found)


async def test_only_operators_touch_authorities(ca, house, tools):
    administrator = await house.user("administrator", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    operator = await house.user("operator", OPERATOR)
    other = Signer("other", now=ca.root.now)
    for operation, fields in (
        ("CreateCertificateAuthority", {"account": house.account, "certificates": other.pem}),
        ("DescribeCertificateAuthority", {}),
        ("UpdateCertificateAuthority", {"certificates": other.pem}),
        ("UpdateCertificateRevocationList", {"crl": ""}),
        ("DeleteCertificateAuthority", {}),
    ):
        about = house.call(operation, administrator, certificate_authority="other", **fields)
        await refused(tools, "access-denied", about)
    await refused(tools, "access-denied", house.call("ListCertificateAuthorities", administrator))
    assert len((await house.call("ListCertificateAuthorities", operator)).certificate_authorities) == 1


async def test_a_change_that_is_overtaken_is_made_from_what_is_there_then(ca, house, monkeypatch):
    new = Signer("new", now=ca.root.now)

    async def another() -> None:
        await update(house, ca.root.pem + new.pem)

    happened = overtaken(house, monkeypatch, another)
    await ca.revocation(ca.root.revoke())
    assert happened
    [record] = await house.storage.proofs.authorities()
    assert (record.certificates, bool(record.crl)) == (ca.root.pem + new.pem, True)


async def test_an_authority_that_goes_meanwhile_leaves_no_binding_behind(ca, house, tools, monkeypatch):
    await house.call("DeleteBinding", proof=WEB)

    async def another() -> None:
        await house.call("DeleteCertificateAuthority", certificate_authority="ca")

    happened = overtaken(house, monkeypatch, another)
    message = await refused(tools, "not-found", house.call("CreateBinding", proof=WEB, user="web"))
    assert (happened, message) == ([True], "cannot bind the proof: the account has no certificate authority ca")


async def test_bindings_are_made_by_the_account_of_the_authority_only(ca, house, tools):
    vendor = await Vendor(house).settle()
    theirs = Signer("theirs", now=ca.root.now)
    await create(house, "theirs", theirs.pem, account=vendor.account)
    await house.call("CreateBinding", proof="tls:ca/dns/other.example", user="web")
    assert (await ca.identity(ca.root.issue("other.example"))).proof == "tls:ca/dns/other.example"
    for proof in ("tls:theirs/dns/other.example", "tls:none/dns/other.example"):
        message = await refused(tools, "not-found", house.call("CreateBinding", proof=proof, user="web"))
        assert "the account has no certificate authority" in message
    await house.allow("web", "all", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    assert (await house.call("GetCallerIdentity", caller(ca.root.issue("web.example")))).proof == WEB
