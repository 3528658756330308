"""TLS listeners: handshakes with an independent client (OpenSSL's), certificates of clients."""

import asyncio
import socket
import ssl
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from secretsd.operations.tls_proofs import CertificateRefused
from secretsd.testing.client_certificates import SERVER, Signer
from tests.unit.transport.conftest import until
from tests.unit.transport.tls.place import CLOSE, GET, SERVERS

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_openssl_is_served_by_both_versions(place, tmp_path, version):
    place.start()
    (tmp_path / "ca").write_text(SERVERS.certificate)
    said = await place.openssl(version, "-CAfile", str(tmp_path / "ca"), send=CLOSE)
    assert "Verify return code: 0 (ok)" in said
    assert "HTTP/1.1 200" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"),
        ("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "AES128-SHA"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "NULL:@SECLEVEL=0"),
    ],
)
async def test_old_versions_and_weak_ciphers_get_no_handshake(place, arguments):
    place.start()
    said = await place.openssl(*arguments)
    assert "HTTP/1.1" not in said
    assert "Cipher is (NONE)" in said or "Cipher    : 0000" in said
    await until(lambda: place.listener.failed_handshakes == 1)
    assert place.dialect.asked == place.dialect.refused == []


async def test_plain_http_on_a_port_of_tls_is_not_answered(place):
    place.start()
    reader, writer = await place.connect_plainly()
    writer.write(GET)
    assert b"HTTP" not in await reader.read()
    writer.close()
    await until(lambda: place.listener.failed_handshakes == 1)


async def test_the_way_is_secure_and_the_address_is_the_peers(place):
    place.start()
    assert (await place.get()).startswith(b"HTTP/1.1 200")
    caller = place.dialect.asked[0].caller
    assert (caller.way.address, caller.way.secure, caller.certificate) == ("127.0.0.1", True, None)
    assert caller.source.startswith("tcp:127.0.0.1:")


async def test_no_certificate_is_asked_for_where_nobody_would_vouch(place, root, tmp_path):
    place.start()
    assert "Requested Signature Algorithms" not in await place.openssl(send=CLOSE)
    place.anchors.become(root.pem)
    said = await place.openssl(send=CLOSE)
    assert "Requested Signature Algorithms" in said
    assert "No client certificate CA names sent" in said  # whose customers are here is nobody's business


async def test_the_chain_that_a_client_sends_is_its_callers(place, root):
    place.anchors.become(root.pem)
    place.start()
    issued = Signer("mid", above=root).issue("web.example")
    assert (await place.get(issued)).startswith(b"HTTP/1.1 200")
    assert place.dialect.asked[0].caller.certificate.chain == issued.chain


async def test_an_intermediate_is_an_anchor_of_its_own(place, root):
    mid = Signer("mid", above=root)
    place.anchors.become(mid.pem)
    place.start()
    issued = mid.issue("web.example")
    for chain in (issued, type(issued)(issued.certificate, issued.key)):
        assert (await place.get(chain)).startswith(b"HTTP/1.1 200")
    assert [len(one.caller.certificate.chain) for one in place.dialect.asked] == [2, 1]


async def test_a_certificate_that_a_client_sends_twice_is_one(place, root):
    place.anchors.become(root.pem)
    place.start()
    issued = root.issue("web.example")
    await place.get(type(issued)(issued.certificate, issued.key, (issued.certificate,)))
    assert place.dialect.asked[0].caller.certificate.chain == issued.chain


async def test_a_client_without_a_certificate_is_served_all_the_same(place, root):
    place.anchors.become(root.pem)
    place.start()
    assert (await place.get()).startswith(b"HTTP/1.1 200")
    assert place.dialect.asked[0].caller.certificate is None


@pytest.mark.parametrize("how", [{"lasts": -HOUR}, {"begins": HOUR}, {"usages": None}])
async def test_what_the_library_does_not_judge_gets_an_answer_that_says_so(place, root, how):
    """Times and missing usages are judged at each call, by our clock, where there is an answer and an event."""
    place.anchors.become(root.pem)
    place.start()
    assert (await place.get(root.issue("web.example", **how))).startswith(b"HTTP/1.1 200")
    assert place.dialect.asked[0].caller.certificate is not None


@pytest.mark.parametrize(
    ("issued", "why"),
    [
        (lambda root: Signer("other").issue("web.example"), "unable to get local issuer certificate"),
        (lambda root: Signer("root").issue("web.example"), "unable to get local issuer certificate"),
        (lambda root: root.issue("web.example", usages=(SERVER,)), "unsuitable certificate purpose"),
        (
            lambda root: root.issue("web.example", key=rsa.generate_private_key(65537, 1024)),
            "EE certificate key too weak",
        ),
    ],
    ids=["unknown", "impostor", "server", "weak"],
)
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_certificate_that_the_library_refuses_leaves_a_record(place, root, tmp_path, issued, why, version):
    place.anchors.become(root.pem)
    place.start()
    made = issued(root)
    (tmp_path / "client").write_text(made.pem + made.key_pem)
    file = str(tmp_path / "client")
    said = await place.openssl(version, "-cipher", "DEFAULT:@SECLEVEL=0", "-cert", file, "-key", file)
    assert "HTTP/1.1" not in said
    await until(lambda: len(place.dialect.refused) == 1)
    caller, error, _ = place.dialect.refused[0]
    assert caller.source.startswith("tcp:127.0.0.1:")
    assert isinstance(error, CertificateRefused)
    assert why in error.reason
    assert place.dialect.asked == []


async def test_tls_1_3_takes_up_no_session_again(place, root):
    place.anchors.become(root.pem)
    place.start()
    said = await place.openssl("-tls1_3", send=CLOSE)
    assert "HTTP/1.1 200" in said
    assert "Post-Handshake New Session Ticket" not in said


async def test_a_session_of_tls_1_2_that_is_taken_up_again_brings_its_whole_chain(place, root):
    """By its number, from this process's memory: Python has no switch for that, and it takes nothing away."""
    place.anchors.become(root.pem)
    place.start()
    issued = Signer("mid", above=root).issue("web.example")
    trusting = place.trusting(issued)
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2

    def asked_twice() -> bool:
        session, reused = None, False
        for _ in range(2):
            plain = socket.create_connection(("127.0.0.1", place.port), timeout=10)
            with trusting.wrap_socket(plain, session=session) as wrapped:
                wrapped.sendall(CLOSE)
                assert wrapped.recv(100).startswith(b"HTTP/1.1 200")
                session, reused = wrapped.session, bool(wrapped.session_reused)
        return reused

    assert await asyncio.to_thread(asked_twice)
    assert [one.caller.certificate.chain for one in place.dialect.asked] == [issued.chain] * 2
