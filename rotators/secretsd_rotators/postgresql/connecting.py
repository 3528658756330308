"""Opens connections through libpq: where a server is, how both sides prove themselves, what it may not decide.

Everything that libpq would otherwise look up somewhere else is said here.
"""

import asyncio
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

from psycopg import pq

from secretsd.ports.rotator import RotationFailed
from secretsd_rotators.postgresql.failures import Refused, away
from secretsd_rotators.postgresql.settings import PostgreSQLAddress
from secretsd_rotators.postgresql.values import Credential

# Of libpq's trace: the only place where a refused connection shows its code.
_CODE = re.compile(rb'ErrorResponse\t S "[^"\n]{0,60}" (?:V "[A-Z]{1,9}" )?C "([0-9A-Z]{5})"')
_REFUSED = frozenset({"28P01", "28000"})
# Of libpq's own words; a connection that ended in the middle of a handshake proves nothing about certificates.
_TLS = re.compile(
    rb"SSL error: (?!unexpected eof)|server certificate for|server does not support SSL|root certificate file"
)
# Where systems keep the certificates that they trust; the OpenSSL inside psycopg has a directory that nobody has.
SYSTEM_AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# What settings of a role or a database must not decide. Whoever owns a database could otherwise put functions of his
# own before PostgreSQL's, and have them run with the administrator's rights.
SETTINGS = {
    "search_path": "pg_catalog,pg_temp",
    "role": "none",
    "lock_timeout": "2s",
    "statement_timeout": "6s",
    "idle_in_transaction_session_timeout": "10s",
    "synchronous_commit": "on",
}


async def connect(address: PostgreSQLAddress, who: Credential, application_name: str) -> pq.abc.PGconn:
    """A connection that proved itself and us by SCRAM alone. Refused; RotationFailed where it cannot be had."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # libpq would let it have a say
    try:
        with _authorities(address) as authorities:
            async with asyncio.timeout(address.connect_seconds):
                places = await _places(address)
                return await _connected(_options(address, places, who, application_name, authorities))
    except (TimeoutError, socket.gaierror):
        raise RotationFailed("target-unreachable", away=True) from None


async def _connected(options: bytes) -> pq.abc.PGconn:
    connection = pq.PGconn.connect_start(options)
    trace = os.memfd_create("trace")
    try:
        connection.trace(trace)
        status: int = pq.PollingStatus.WRITING
        while connection.status != pq.ConnStatus.BAD and status != pq.PollingStatus.OK:
            if status == pq.PollingStatus.FAILED:
                break
            await ready(connection.socket, status)
            status = connection.connect_poll()
        connection.untrace()
        if status == pq.PollingStatus.OK and connection.status == pq.ConnStatus.OK:
            connection.nonblocking = 1
            return connection
        raise _failure(connection, os.pread(trace, 1 << 20, 0))
    except BaseException:
        connection.finish()
        raise
    finally:
        os.close(trace)


def _failure(connection: pq.abc.PGconn, trace: bytes) -> Exception:
    """Why a connection was refused: by the server's code where it gave one, else it was not reached or not believed."""
    codes = _CODE.findall(trace)
    if not codes:
        # Only our own side speaks of certificates and methods before the server has said anything.
        text = connection.error_message
        if _TLS.search(text):
            return RotationFailed("tls-not-verified")
        if b"authentication method requirement" in text:
            return RotationFailed("scram-not-offered")
        return RotationFailed("target-unreachable", away=True)
    code = codes[-1].decode()
    if code in _REFUSED:
        return Refused()
    return away(code) or RotationFailed("database-missing" if code == "3D000" else "login-failed")


async def ready(fd: int, status: int) -> None:
    """Return once the socket can be read from, or written to."""
    loop = asyncio.get_running_loop()
    happened = asyncio.Event()
    if status == pq.PollingStatus.READING:
        loop.add_reader(fd, happened.set)
    else:
        loop.add_writer(fd, happened.set)
    try:
        await happened.wait()
    finally:
        loop.remove_reader(fd)
        loop.remove_writer(fd)


@contextmanager
def _authorities(address: PostgreSQLAddress) -> Iterator[str]:
    """The path of a file with the certificates to trust, as long as the block runs."""
    if address.ca is not None:
        file = os.memfd_create("ca")
        try:
            os.write(file, address.ca.encode())
            yield f"/proc/self/fd/{file}"
        finally:
            os.close(file)
        return
    yield next((path for path in SYSTEM_AUTHORITIES if os.path.exists(path)), SYSTEM_AUTHORITIES[0])


async def _places(address: PostgreSQLAddress) -> list[str]:
    """The addresses behind the host; libpq would look them up itself, and let everything wait meanwhile."""
    if address.host.startswith("/"):
        return []
    found = await asyncio.get_running_loop().getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    places = list(dict.fromkeys(str(place[4][0]) for place in found))
    if address.tls == "off" and not all(ip_address(place).is_loopback for place in places):
        raise RotationFailed("tls-not-verified", "without TLS only loopback is reached")
    return places


def _options(
    address: PostgreSQLAddress, places: Sequence[str], who: Credential, application_name: str, authorities: str
) -> bytes:
    """The connection string: everything that libpq would otherwise look up somewhere else is said here."""
    options = {
        "host": ",".join([address.host] * max(len(places), 1)),
        "hostaddr": ",".join(places),
        "port": str(address.port),
        "dbname": address.database,
        "user": who.login,
        "password": who.password.reveal().decode(),
        "application_name": application_name,
        "client_encoding": "UTF8",
        "options": " ".join(f"-c {name}={value}" for name, value in SETTINGS.items()),
        "require_auth": "scram-sha-256",
        "gssencmode": "disable",
        "passfile": os.devnull,
        "sslcertmode": "disable",
        "sslmode": "disable",
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
        "tcp_user_timeout": "8000",
    }
    if address.tls == "verify-full":
        options["sslmode"] = "verify-full"
        options["sslrootcert"] = authorities
        options["ssl_min_protocol_version"] = "TLSv1.2"
    quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in options.items()}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items()).encode()
