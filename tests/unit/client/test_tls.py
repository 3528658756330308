"""TLS of the client: whom it trusts, its own certificate from files that are renewed, what it says of faults."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from secretsd.client import Client, ClientError, DaemonUnavailable, Retries, TlsFiles
from secretsd.client.endpoint import Endpoint
from secretsd.client.tls import LOOK_SECONDS, ClientTls
from secretsd.testing.authority import Authority
from secretsd.testing.client_certificates import Issued, Signer, self_signed

SERVERS, CLIENTS = Authority("servers"), Signer("clients")
PAGE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"status": "ok"}'


@dataclass
class TlsDaemon:
    """Answers every request with a health document; `peers` are the serials of the certificates that were shown."""

    place: Path
    peers: list[int | None] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                peer = writer.get_extra_info("peercert")
                self.peers.append(int(peer["serialNumber"], 16) if peer else None)
                writer.write(PAGE)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def files(self, issued: Issued | None = None, *, ca: str = SERVERS.certificate, apart: bool = False) -> TlsFiles:
        """Files of a client, written anew."""
        (self.place / "ca").write_text(ca)
        if issued is None:
            return TlsFiles(self.place / "ca")
        (self.place / "client").write_text(issued.pem if apart else issued.pem + issued.key_pem)
        (self.place / "client-key").write_text(issued.key_pem)
        return TlsFiles(self.place / "ca", self.place / "client", self.place / "client-key" if apart else None)


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[TlsDaemon]:
    made = TlsDaemon(tmp_path)
    certificate, key = SERVERS.issue("localhost")
    (tmp_path / "server").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server")
    context.load_verify_locations(cadata=CLIENTS.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = await asyncio.start_server(made.serve, "localhost", ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def client(daemon: TlsDaemon, tls: TlsFiles | None, **options: object) -> Client:
    return Client(address=daemon.address, tls=tls, deadline_seconds=5, **options)  # type: ignore[arg-type]  # as given


async def test_it_trusts_the_authority_it_was_told_and_shows_nothing(daemon: TlsDaemon) -> None:
    async with client(daemon, daemon.files()) as found:
        assert (await found.health()).serving
    assert daemon.peers == [None]


@pytest.mark.parametrize("apart", [True, False])
async def test_it_shows_its_certificate_with_those_between(daemon: TlsDaemon, apart: bool) -> None:
    issued = Signer("mid", above=CLIENTS).issue("web.example")
    async with client(daemon, daemon.files(issued, apart=apart)) as found:
        assert (await found.health()).serving
    assert daemon.peers == [issued.certificate.serial_number]


async def test_a_server_that_nobody_vouches_for_is_not_told_anything_and_not_tried_again(daemon: TlsDaemon) -> None:
    for tls in (None, daemon.files(ca=Authority("others").certificate)):
        async with client(daemon, tls) as found:
            with pytest.raises(ClientError, match="cannot trust the daemon at https://localhost") as refused:
                await found.health()
            assert not isinstance(refused.value, DaemonUnavailable)
    assert daemon.peers == []


async def test_a_server_of_another_name_is_refused(daemon: TlsDaemon, tmp_path: Path) -> None:
    async with Client(address=f"https://127.0.0.1:{daemon.port}", tls=daemon.files()) as found:
        with pytest.raises(ClientError, match=r"(?s)cannot trust the daemon.*not valid for '127.0.0.1'"):
            await found.health()


async def test_an_expired_server_is_refused(daemon: TlsDaemon, tmp_path: Path) -> None:
    certificate, key = SERVERS.issue("localhost", lasts=-timedelta(hours=1))
    (tmp_path / "server").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server")
    server = await asyncio.start_server(daemon.serve, "localhost", ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Client(address=f"https://localhost:{port}", tls=daemon.files()) as found:
            with pytest.raises(ClientError, match="certificate has expired"):
                await found.health()


async def test_a_port_that_speaks_no_tls_is_told_apart(daemon: TlsDaemon) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-something\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "localhost") as server:
        port = server.sockets[0].getsockname()[1]
        async with Client(
            address=f"https://localhost:{port}", tls=daemon.files(), retries=Retries(attempts=1)
        ) as found:
            with pytest.raises(DaemonUnavailable, match="cannot agree on TLS") as refused:
                await found.health()
    assert refused.value.sent is False


async def test_a_certificate_that_the_daemon_refuses_is_hinted_at(daemon: TlsDaemon) -> None:
    async with client(daemon, daemon.files(self_signed("web.example")), retries=Retries(attempts=1)) as found:
        with pytest.raises(DaemonUnavailable, match="it may not accept the client certificate"):
            await found.health()


async def test_a_renewed_certificate_is_shown_on_a_new_connection(daemon: TlsDaemon, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("secretsd.client.tls.time.monotonic", lambda: now[0])
    before, after = CLIENTS.issue("web.example"), CLIENTS.issue("web.example")
    async with client(daemon, daemon.files(before)) as found:
        found._connections._tls._clock = lambda: now[0]  # type: ignore[union-attr]  # over https there is one
        await found.health()
        await found.health()
        assert daemon.connections == 1
        daemon.files(after)
        now[0] = LOOK_SECONDS
        await found.health()
        await found.health()
    assert daemon.connections == 2
    serials = [one.certificate.serial_number for one in (before, before, after, after)]
    assert daemon.peers == serials


def test_files_that_do_not_fit_yet_leave_the_old_ones_in_use(tmp_path: Path) -> None:
    daemon, now = TlsDaemon(tmp_path), [0.0]
    made = ClientTls(daemon.files(CLIENTS.issue("a.example"), apart=True), lambda: now[0])
    assert made.renewed() is not None
    assert made.renewed() is None
    new = CLIENTS.issue("a.example")
    (tmp_path / "client").write_text(new.pem)
    now[0] = 1.0
    assert made.renewed() is None
    (tmp_path / "client-key").write_text(new.key_pem)
    assert made.renewed() is None, "nobody looks twice in a second"
    now[0] = 2.0
    assert made.renewed() is not None
    (tmp_path / "client").unlink()
    now[0] = 3.0
    assert made.renewed() is None


def encrypted() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda place: (place / "ca").unlink(), "cannot read the authorities in .*/ca: No such file"),
        (lambda place: (place / "ca").write_text("nothing"), "cannot use the authorities in .*/ca: it is not in PEM"),
        (lambda place: (place / "client").write_text("nothing"), "and its key: it is not in PEM"),
        (lambda place: (place / "client-key").unlink(), "cannot read .*/client or .*/client-key: No such file"),
        (
            lambda place: (place / "client-key").write_text(CLIENTS.issue("a.example").key_pem),
            "and its key: they do not belong together",
        ),
        (lambda place: (place / "client-key").write_text(encrypted()), "cannot use the client key: it is encrypted"),
    ],
)
async def test_files_that_are_of_no_use_are_named(daemon: TlsDaemon, spoil, why: str) -> None:
    files = daemon.files(CLIENTS.issue("a.example"), apart=True)
    spoil(daemon.place)
    async with client(daemon, files) as found:
        with pytest.raises(ClientError, match=why) as refused:
            await found.health()
    assert "BEGIN" not in str(refused.value)


def test_what_was_given_goes_before_the_environment_and_never_mixes_with_it() -> None:
    environment = {"SECRETSD_CA_FILE": "/e/ca", "SECRETSD_CLIENT_CERTIFICATE": "/e/c", "SECRETSD_CLIENT_KEY": "/e/k"}
    assert TlsFiles.choose() is None
    assert TlsFiles.choose(environment={"SECRETSD_CA_FILE": ""}) is None
    assert TlsFiles.choose(environment=environment) == TlsFiles(Path("/e/ca"), Path("/e/c"), Path("/e/k"))
    assert TlsFiles.choose("/ca", environment=environment) == TlsFiles(Path("/ca"), Path("/e/c"), Path("/e/k"))
    assert TlsFiles.choose(None, "/c", None, environment) == TlsFiles(Path("/e/ca"), Path("/c"))
    with pytest.raises(ClientError, match="there is no client certificate"):
        TlsFiles.choose(None, None, "/k", environment)


def test_files_without_https_are_an_error_where_somebody_gave_them() -> None:
    given = TlsFiles(Path("/ca"))
    for place in ({"socket": "/run/x.sock"}, {"address": "http://127.0.0.1:1"}, {}):
        with pytest.raises(ClientError, match="not reached over https"):
            Endpoint.choose(tls=given, **place)  # type: ignore[arg-type]  # a place or none
    assert Endpoint.choose(address="https://a.example", tls=given).tls == given
    environment = {"SECRETSD_CA_FILE": os.devnull, "SECRETSD_SOCKET": "/run/x.sock"}
    assert Endpoint.choose(environment=environment).socket == Path("/run/x.sock")
