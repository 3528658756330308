"""How long what a client certificate proved holds: until it, a list, a binding or a record changes."""

from datetime import timedelta
from typing import Any

from secretsd.domain.proofs import CertificateAuthority
from secretsd.operations import certificate_chains, tls_proofs
from secretsd.operations.authenticator import Caller
from secretsd.ports.storage import Add, UnitOfWork
from secretsd.testing import access_samples, samples
from secretsd.testing.client_certificates import DAY, Signer, pem_of
from secretsd.testing.storage import authenticator
from tests.unit.operations.tls_house import WEB, ca, caller

__all__ = ["ca"]

HOUR = timedelta(hours=1)


async def test_a_revoked_certificate_ends_open_connections_too(ca):
    issued, kept = ca.root.issue("web.example"), ca.root.issue("web.example")
    open_connection = caller(issued)
    assert await ca.outcome(issued, open_connection) == "ok"
    await ca.revocation(ca.root.revoke(issued.certificate))
    assert "revoked" in await ca.outcome(issued, open_connection)
    assert await ca.outcome(kept) == "ok"


async def test_a_revoked_intermediate_and_an_issuer_without_a_list(ca):
    issued = ca.mid.issue("web.example")
    await ca.revocation(ca.root.revoke())
    assert "no list of revoked certificates" in await ca.outcome(issued)
    await ca.house.call("UpdateCertificateAuthority", certificate_authority="ca", certificates=ca.root.pem + ca.mid.pem)
    await ca.revocation(ca.root.revoke() + ca.mid.revoke())
    assert await ca.outcome(issued) == "ok"
    await ca.revocation(ca.root.revoke() + ca.mid.revoke(issued.certificate))
    assert "revoked" in await ca.outcome(issued)
    await ca.house.call("UpdateCertificateAuthority", certificate_authority="ca", certificates=ca.root.pem)
    assert "no list of revoked certificates" in await ca.outcome(ca.mid.issue("web.example"))


async def test_a_list_that_is_over_denies_all_that_its_issuer_signed(ca, house):
    issued = ca.root.issue("web.example")
    await ca.revocation(ca.root.revoke())
    open_connection = caller(issued)
    assert await ca.outcome(issued, open_connection) == "ok"
    house.clock.pass_days(1.1)
    assert "list of revoked certificates is over" in await ca.outcome(issued, open_connection)
    ca.root.now += DAY
    await ca.revocation(ca.root.revoke())
    assert await ca.outcome(issued, open_connection) == "ok"


async def test_an_open_connection_ends_with_its_certificate(ca, house):
    issued = ca.root.issue("web.example", lasts=HOUR)
    open_connection = caller(issued)
    assert await ca.outcome(issued, open_connection) == "ok"
    house.clock.pass_days(1)
    assert "not valid at this time" in await ca.outcome(issued, open_connection)


async def test_an_open_connection_ends_with_its_binding_and_its_authority(ca, house):
    open_connection = caller(ca.root.issue("web.example"))
    issued = ca.root.issue("web.example")
    assert await ca.outcome(issued, open_connection) == "ok"
    await house.call("DeleteBinding", proof=WEB)
    assert "none of its names is bound" in await ca.outcome(issued, open_connection)
    await house.call("CreateBinding", proof=WEB, user="web")
    assert await ca.outcome(issued, open_connection) == "ok"
    await house.call("DeleteBinding", proof=WEB)
    await house.call("DeleteCertificateAuthority", certificate_authority="ca")
    assert "no authority" in await ca.outcome(issued, open_connection)


async def test_a_certificate_that_was_not_valid_yet_becomes_good(ca, house):
    issued = ca.root.issue("web.example", begins=HOUR)
    assert "not valid at this time" in await ca.outcome(issued)
    house.clock.pass_days(0.5)
    assert await ca.outcome(issued) == "ok"


async def test_a_chain_is_verified_once_until_something_changes(ca, monkeypatch):
    verified: list[int] = []
    genuine = certificate_chains.verify

    def counted(*given: Any) -> Any:
        verified.append(1)
        return genuine(*given)

    monkeypatch.setattr(certificate_chains, "verify", counted)
    issued = ca.root.issue("web.example")
    for _ in range(3):
        assert await ca.outcome(issued) == "ok"
    assert len(verified) == 1
    await ca.revocation(ca.root.revoke())
    assert await ca.outcome(issued) == "ok"
    assert len(verified) == 2


async def test_what_is_remembered_is_bounded(ca, house):
    proofs = tls_proofs.TlsProofs(house.storage, house.parts.rows, house.parts.cache, max_chains=2)
    for _ in range(4):
        certificate = tls_proofs.ClientCertificate(ca.root.issue("web.example").chain)
        assert (await proofs.binding(certificate, house.clock.ms)).user == "web"
    assert (len(proofs._remembered), len(proofs._bound)) == (2, 2)


async def test_garbage_is_no_certificate(ca):
    for chain in ((b"",), (b"x" * 100,), (ca.root.issue("web.example").chain[0], b"x")):
        who = Caller("tcp", certificate=tls_proofs.ClientCertificate(chain))
        assert await ca.outcome(ca.root.issue("web.example"), who) == "it cannot be read"


async def test_a_record_that_cannot_be_read_leaves_the_others_alone(ca, house):
    await house.add_record(access_samples.authority("broken"))
    assert await ca.outcome(ca.root.issue("web.example")) == "ok"
    assert (await house.parts.tls_proofs.anchors())[1] == ca.root.pem


async def test_a_handshake_hears_of_what_another_worker_changed(ca, house):
    await house.parts.tls_proofs.anchors()
    other = Signer("other", now=ca.root.now)
    record = CertificateAuthority("other", house.account, other.pem, "", 1)
    change = Add(record, authenticator().mac(record))
    await house.storage.commit(UnitOfWork((change,), samples.event("Added", accounts=(house.account,))))
    assert (await house.parts.tls_proofs.anchors())[1] == ca.root.pem + other.pem


async def test_anchors_change_with_the_records(ca, house):
    before, text = await house.parts.tls_proofs.anchors()
    assert text == ca.root.pem
    assert (await house.parts.tls_proofs.anchors())[0] == before
    await house.call("UpdateCertificateAuthority", certificate_authority="ca", certificates=pem_of(ca.mid.certificate))
    after, text = await house.parts.tls_proofs.anchors()
    assert (after != before, text) == (True, ca.mid.pem)
