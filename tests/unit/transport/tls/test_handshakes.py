"""TLS listeners: handshakes with an independent client (OpenSSL's), certificates of clients, peers that dawdle."""

import asyncio
import contextlib
import logging
import socket
import ssl
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from secretsd.operations.tls_proofs import CertificateRefused
from secretsd.testing.client_certificates import SERVER, Signer
from tests.unit.transport.conftest import until
from tests.unit.transport.tls.place import CLOSE, GET, LIMITS, SERVERS

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


async def test_a_handshake_that_stays_half_open_ends(place):
    place.start()
    began = asyncio.get_running_loop().time()
    reader, writer = await place.connect_plainly()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert 0.4 < asyncio.get_running_loop().time() - began < 3
    writer.close()
    await until(lambda: (place.listener.failed_handshakes, len(place.listener._opening)) == (1, 0))


async def test_a_handshake_that_drips_ends_as_well(place):
    place.start()
    reader, writer = await place.connect_plainly()

    async def drip() -> None:
        for byte in b"\x16\x03\x01\x02\x00\x01\x00" + b"\x00" * 500:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    dripping.cancel()
    await until(lambda: place.listener.failed_handshakes == 1)


async def test_half_open_handshakes_count_as_connections(place):
    place.limits = replace(LIMITS, max_connections=2, header_seconds=5)
    place.start()
    held = [await place.connect_plainly() for _ in range(2)]
    await until(lambda: len(place.listener._opening) == 2)
    with pytest.raises(OSError):  # noqa: PT011  # reset or end, as the moment has it
        await place.connect()
    assert place.listener.turned_away == 1
    for _, writer in held:
        writer.close()


async def test_a_head_that_drips_over_tls_is_refused(place):
    place.start()
    reader, writer = await place.connect()
    writer.write(GET[:10])
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_refused_request_is_answered_though_the_peer_is_still_sending(place):
    place.start()
    trusting = place.trusting()

    def sent_to_its_end() -> bytes:
        """Sends all of it before it looks at what came: a reset would have taken the answer away."""
        plain = socket.create_connection(("127.0.0.1", place.port), timeout=10)
        with trusting.wrap_socket(plain) as wrapped:
            wrapped.sendall(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n")
            for _ in range(20):
                wrapped.sendall(b"x" * 100_000)
            return wrapped.recv(100)

    assert (await asyncio.to_thread(sent_to_its_end)).startswith(b"HTTP/1.1 413")


async def test_a_request_that_breaks_off_is_recorded_and_the_log_stays_still(place, caplog):
    place.start()
    _, writer = await place.connect()
    writer.write(GET[:10])
    writer.close()
    await until(lambda: len(place.dialect.refused) == 1)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_many_requests_on_one_connection(place):
    place.start()
    reader, writer = await place.connect()
    for _ in range(50):
        writer.write(GET)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        while await reader.readline() != b"\r\n":
            pass
        await reader.readexactly(len(b"/a 0"))
    writer.close()


async def test_a_large_answer_to_a_peer_that_reads_slowly(place):
    place.dialect.padding = 4 * 1024 * 1024
    place.start()
    reader, writer = await place.connect()
    writer.write(CLOSE)
    await asyncio.sleep(0.1)
    assert len(await reader.read()) > 4 * 1024 * 1024
    writer.close()


async def test_a_peer_that_does_not_end_with_us_is_not_waited_for(place):
    """TLS asks for an answer to its goodbye (RFC 8446, 6.1)."""
    place.start()
    _, writer = await place.connect()
    await until(lambda: place.listener.open_connections == 1)
    writer.transport.pause_reading()
    writer.write(CLOSE)
    began = asyncio.get_running_loop().time()
    await until(lambda: place.dialect.asked and place.listener.open_connections == 0)
    assert asyncio.get_running_loop().time() - began < 5


async def test_stopping_ends_connections_that_wait_for_the_anchors(place):
    place.start()
    place.anchors.gate = asyncio.Event()
    reader, _ = await place.connect_plainly()
    await until(lambda: len(place.listener._opening) == 1)
    await place.listener.stop(1)
    place.listener = None
    assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_stopping_ends_open_handshakes_and_idle_connections(place):
    place.limits = replace(LIMITS, header_seconds=60)
    place.start()
    half, half_writer = await place.connect_plainly()
    whole, whole_writer = await place.connect()
    await until(lambda: place.listener.open_connections == 1)
    await place.listener.stop(1)
    place.listener = None
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(half.read(), 5) == b""
    assert await asyncio.wait_for(whole.read(), 5) == b""
    half_writer.close()
    whole_writer.close()
