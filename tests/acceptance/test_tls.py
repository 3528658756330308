"""TLS against a real daemon with two workers: its certificate renewed, clients with theirs, one that is revoked."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from secretsd.testing.authority import Authority
from secretsd.testing.client_certificates import Issued, Signer, self_signed
from secretsd.testing.daemon import Answered, Daemon, running
from tests.acceptance.wire import events_of, wait_for

pytestmark = pytest.mark.acceptance
SERVERS, CLIENTS = Authority("servers"), Signer("clients")
SPIFFE = "spiffe://example.org/web"
BOUND = f"tls:mesh/uri/{SPIFFE}"
Ctl = Callable[..., subprocess.CompletedProcess[str]]


def write_certificate(place: Path) -> None:
    """A new certificate of the daemon's, put into place as other programs do: beside it, then renamed."""
    certificate, key = SERVERS.issue("localhost", "127.0.0.1")
    for name, text in (("certificate.pem", certificate), ("key.pem", key)):
        new = place / f"{name}.new"
        new.write_text(text)
        new.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(new, 61701, 61701)  # the worker's uid in `secretsd dev`
        new.rename(place / name)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def daemon(place: Path) -> Iterator[Daemon]:
    write_certificate(place)
    (place / "ca.pem").write_text(SERVERS.certificate)
    (place / "clients.pem").write_text(CLIENTS.pem)
    tls = {"certificate": str(place / "certificate.pem"), "private_key": str(place / "key.pem")}
    limits = {"header_seconds": 1.0}
    with running(place / "state", settings={"workers": 2, "http": tls, "limits": limits}) as found:
        found.tls = trusting(place)
        assert found.call("POST", "/v1/secrets", {"name": "app/password", "text": "what it reads"}).status == 200
        assert found.call("POST", "/v1/users", {"user": "web"}).status == 200
        read = {"Effect": "Allow", "Action": ["GetSecretValue"], "Resource": ["secret/app/*"]}
        document = json.dumps({"Version": "1", "Statement": [read]})
        assert found.call("POST", "/v1/policies", {"policy": "web", "document": document}).status == 200
        assert found.call("POST", "/v1/users/web:attach-policy", {"policy": "web"}).status == 200
        yield found


@pytest.fixture(scope="module")
def ctl(daemon: Daemon, place: Path) -> Ctl:
    """The installed command over https, with the administrator's token or without."""

    def run(*arguments: str, token: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        given = {"PATH": os.environ["PATH"], "SECRETSD_ADDR": daemon.environment["SECRETSD_ADDR"]}
        given |= {"SECRETSD_CA_FILE": str(place / "ca.pem")}
        given |= {"SECRETSD_TOKEN": daemon.token} if token else {}
        return subprocess.run(command, capture_output=True, text=True, env={**given, **environment})

    return run


@pytest.fixture(scope="module")
def mesh(ctl: Ctl, daemon: Daemon, place: Path) -> str:
    """The authority of clients, made by the operator, and what one of them is bound to."""
    account = str(daemon.call("GET", "/v1/caller-identity").body["account"])
    files = ("--account", account, "--certificates", f"@{place}/clients.pem")
    done = ctl("certificate-authority", "create", "mesh", *files, "-o", "raw")
    assert (done.returncode, done.stdout) == (0, "mesh\n"), done.stderr
    assert ctl("binding", "create", BOUND, "web").returncode == 0
    return account


def trusting(place: Path, issued: Issued | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=SERVERS.certificate)
    if issued is not None:
        context.load_cert_chain(file_of(place, issued))
    return context


def file_of(place: Path, issued: Issued) -> str:
    file = place / f"client-{issued.certificate.serial_number}.pem"
    file.write_text(issued.pem + issued.key_pem)
    return str(file)


@contextlib.contextmanager
def connected(daemon: Daemon, place: Path, issued: Issued | None = None) -> Iterator[http.client.HTTPSConnection]:
    connection = http.client.HTTPSConnection(*daemon.address, timeout=20, context=trusting(place, issued))
    with contextlib.closing(connection):
        yield connection


def ask(connection: http.client.HTTPConnection, path: str = "/v1/secrets/app/password:value") -> Answered:
    connection.request("GET", path)
    with connection.getresponse() as response:
        return Answered(response.status, json.loads(response.read()), response.getheader("X-Request-Id", ""))


def serial(daemon: Daemon, place: Path) -> str:
    with connected(daemon, place) as connection:
        connection.connect()
        peer = connection.sock.getpeercert() or {}
        return str(peer["serialNumber"])


def test_a_token_over_tls_is_as_good_as_over_anything_else(daemon: Daemon) -> None:
    found = daemon.call("GET", "/v1/secrets/app/password:value", tcp=True)
    assert (found.status, found.body["text"]) == (200, "what it reads")


def test_plain_http_gets_nothing_from_a_port_of_tls(daemon: Daemon) -> None:
    with socket.create_connection(daemon.address, timeout=20) as plain:
        plain.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"HTTP" not in plain.recv(1000)


@pytest.mark.usefixtures("mesh")
def test_a_certificate_is_all_that_its_client_needs(daemon: Daemon, place: Path) -> None:
    issued = CLIENTS.issue(SPIFFE)
    for _ in range(6):  # either worker
        with connected(daemon, place, issued) as connection:
            assert ask(connection).body["text"] == "what it reads"
            assert ask(connection, "/v1/caller-identity").body["proof"] == BOUND
            assert ask(connection, "/v1/users").status == 403


@pytest.mark.usefixtures("mesh")
def test_the_command_proves_itself_by_a_certificate_from_options_or_environment(ctl: Ctl, place: Path) -> None:
    file = file_of(place, CLIENTS.issue(SPIFFE))
    done = ctl("--client-certificate", file, "whoami", "-o", "json", token=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["proof"] == BOUND
    done = ctl("get", "app/password", token=False, SECRETSD_CLIENT_CERTIFICATE=file)
    assert done.stdout == "what it reads"


@pytest.mark.usefixtures("mesh")
@pytest.mark.parametrize(
    ("issued", "why"),
    [
        (lambda: CLIENTS.issue("spiffe://example.org/other"), "none of its names is bound to anybody"),
        (lambda: CLIENTS.issue(SPIFFE, usages=None), "does not say what it is for"),
        (lambda: CLIENTS.issue(SPIFFE, lasts=timedelta(0)), "not valid at this time"),
    ],
    ids=["unbound", "no-usage", "expired"],
)
def test_a_certificate_that_proves_nobody_is_told_so_and_the_event_says_why(
    daemon: Daemon, place: Path, issued: Callable[[], Issued], why: str
) -> None:
    with connected(daemon, place, issued()) as connection:
        found = ask(connection)
    assert (found.status, found.body["detail"]) == (401, "cannot tell who is calling: no valid proof of identity")
    [event] = events_of(daemon, found.request_id)
    assert why in event["fields"]["certificate"]
    assert event["source"].startswith("tcp:127.0.0.1:")


@pytest.mark.usefixtures("mesh")
def test_a_certificate_of_nobody_ends_the_handshake_and_leaves_an_event(daemon: Daemon, ctl: Ctl, place: Path) -> None:
    file = file_of(place, self_signed(SPIFFE))
    done = ctl("--client-certificate", file, "--timeout", "2", "whoami", token=False)
    assert done.returncode == 1
    assert "it may not accept the client certificate" in done.stderr

    def recorded() -> bool:
        found = daemon.events(account="system", operation="Unrecognised")
        return any("the handshake failed" in one["fields"].get("certificate", "") for one in found)

    wait_for("the event of the handshake", recorded)


@pytest.mark.usefixtures("mesh")
def test_a_client_that_trusts_somebody_else_says_so_and_sends_nothing(ctl: Ctl, place: Path) -> None:
    (place / "other.pem").write_text(Authority("others").certificate)
    began = time.monotonic()
    done = ctl("--ca-file", str(place / "other.pem"), "whoami")
    assert done.returncode == 1
    assert "cannot trust the daemon" in done.stderr
    assert time.monotonic() - began < 8, "what cannot get better is not tried again"


@pytest.mark.usefixtures("mesh")
def test_revocation_reaches_connections_that_are_open(daemon: Daemon, ctl: Ctl, place: Path) -> None:
    gone, kept = CLIENTS.issue(SPIFFE), CLIENTS.issue(SPIFFE)
    with contextlib.ExitStack() as stack:
        of_gone = [stack.enter_context(connected(daemon, place, gone)) for _ in range(6)]
        of_kept = [stack.enter_context(connected(daemon, place, kept)) for _ in range(6)]
        assert {ask(one).status for one in of_gone + of_kept} == {200}
        (place / "crl.pem").write_text(CLIENTS.revoke(gone.certificate))
        done = ctl("certificate-authority", "revoke", "mesh", f"@{place}/crl.pem")
        assert done.returncode == 0, done.stderr
        assert {ask(one).status for one in of_gone} == {401}
        assert {ask(one).status for one in of_kept} == {200}


def test_a_new_certificate_is_served_at_the_next_connections_and_open_ones_stay(daemon: Daemon, place: Path) -> None:
    with connected(daemon, place) as old:
        assert ask(old, "/v1/health").status == 200
        before = serial(daemon, place)
        write_certificate(place)
        wait_for("the new certificate", lambda: serial(daemon, place) != before)
        old_socket = old.sock
        assert ask(old, "/v1/health").status == 200
        assert old.sock is old_socket


def test_a_hang_up_reloads_and_kills_nobody(daemon: Daemon, place: Path) -> None:
    workers = daemon.children("worker")
    before = serial(daemon, place)
    write_certificate(place)
    os.kill(daemon.pid, signal.SIGHUP)
    wait_for("the new certificate", lambda: serial(daemon, place) != before)
    assert daemon.children("worker") == workers
    assert daemon.call("GET", "/v1/health").status == 200


def test_half_open_handshakes_end_and_others_are_served_meanwhile(daemon: Daemon) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(daemon.address, timeout=20)) for _ in range(50)]
        assert daemon.call("GET", "/v1/health", tcp=True).status == 200
        began = time.monotonic()
        assert {one.recv(1) for one in silent} == {b""}
        assert time.monotonic() - began < 10


def test_the_log_holds_no_trace_of_keys(daemon: Daemon) -> None:
    text = daemon.log.read_text()
    assert "PRIVATE KEY" not in text
    assert "Traceback" not in text
