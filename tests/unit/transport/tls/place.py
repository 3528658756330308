"""A listener with TLS on a loopback address, and clients of it: OpenSSL's own command among them."""

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secretsd.testing.authority import Authority
from secretsd.testing.client_certificates import Issued
from secretsd.transport.limits import Limits
from secretsd.transport.listener import Listener
from secretsd.transport.tls import TlsContexts
from tests.unit.transport.conftest import MemoryDialect, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
LIMITS = Limits(header_seconds=0.5, body_seconds=0.5, write_seconds=0.5, linger_seconds=0.5)
SERVERS = Authority("an authority of servers")


@dataclass
class KnownAnchors:
    """Authorities of clients, as a test sets them."""

    pem: str = ""
    generation: int = 0
    failure: Exception | None = None
    gate: asyncio.Event | None = None

    def become(self, pem: str) -> None:
        self.pem, self.generation = pem, self.generation + 1

    async def anchors(self) -> tuple[int, str]:
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            await self.gate.wait()
        return self.generation, self.pem


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """A listener with TLS on a loopback address, and the files of its certificate."""

    directory: Path
    anchors: KnownAnchors = field(default_factory=KnownAnchors)
    dialect: MemoryDialect = field(default_factory=MemoryDialect)
    clock: Clock = field(default_factory=Clock)
    limits: Limits = LIMITS
    listener: Any = None
    contexts: Any = None
    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def write(self, certificate: str, key: str, mode: int = 0o640) -> None:
        (self.directory / "certificate").write_text(certificate)
        key_file = self.directory / "key"
        key_file.write_text(key)
        key_file.chmod(mode)

    def load(self) -> TlsContexts:
        return TlsContexts(self.directory / "certificate", self.directory / "key", self.anchors, self.clock)

    def start(self) -> "Place":
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.contexts = self.load()
        self.listener = Listener(listening, self.dialect, self.limits, tls=self.contexts)
        self.listener.start()
        return self

    def trusting(self, issued: Issued | None = None) -> ssl.SSLContext:
        """A client's context that trusts SERVERS, with a certificate of its own if one is given."""
        context = ssl.create_default_context(cadata=SERVERS.certificate)
        context.check_hostname = False
        if issued is not None:
            file = self.directory / "client"
            file.write_text(issued.pem + issued.key_pem)
            context.load_cert_chain(file)
        return context

    async def connect(self, issued: Issued | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that is past its handshake; closed at the end, at the latest."""
        made = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.trusting(issued))
        self.writers.append(made[1])
        return made

    async def connect_plainly(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection without a handshake."""
        made = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(made[1])
        return made

    async def close(self) -> None:
        """End all connections, and the listener."""
        for writer in self.writers:
            writer.transport.abort()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    await writer.wait_closed()
        if self.listener is not None:
            await self.listener.stop(0.1)
            await until(lambda: not self.listener.open_connections)

    async def get(self, issued: Issued | None = None) -> bytes:
        """The first line of an answer, "" where the connection ended without one."""
        reader, writer = await self.connect(issued)
        with contextlib.closing(writer), contextlib.suppress(OSError):
            writer.write(GET)
            return await reader.readline()
        return b""

    async def openssl(self, *arguments: str, send: bytes = GET) -> str:
        """What OpenSSL's own client says of a connection."""
        command = ("openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-ign_eof", *arguments)
        pipe = asyncio.subprocess.PIPE
        run = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
        said, _ = await asyncio.wait_for(run.communicate(send), 20)
        return said.decode(errors="replace")


async def serial(place: Place) -> int:
    """The serial of the certificate that a new connection is served with."""
    _, writer = await place.connect()
    with contextlib.closing(writer):
        return int(writer.get_extra_info("peercert")["serialNumber"], 16)
