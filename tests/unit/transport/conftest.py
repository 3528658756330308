"""Connections over real socket pairs to a dialect in memory."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp.web_server import Server

from secretsd.dialects.native.dialect import Incoming, Reply
from secretsd.domain.errors import SecretsdError
from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import Way
from secretsd.transport import processes
from secretsd.transport.connection import Connection
from secretsd.transport.limits import BodyRoom, Limits
from secretsd.transport.peer import Peer
from tests.unit.transport.peers import NO_SUCH_OPTION, Peers

LIMITS = Limits(header_seconds=0.2, body_seconds=0.3, write_seconds=0.3, linger_seconds=0.5)


@dataclass
class MemoryDialect:
    """Answers with the path and the size of the body, keeps what it was asked; `gate` holds answers back."""

    asked: list[Incoming] = field(default_factory=list)
    refused: list[tuple[Caller, SecretsdError, int | None]] = field(default_factory=list)
    gate: asyncio.Event | None = None
    padding: int = 0

    async def answer(self, incoming: Incoming) -> Reply:
        self.asked.append(incoming)
        if self.gate is not None:
            await self.gate.wait()
        if incoming.path == "/fault":
            raise RuntimeError("Zq7Xe")
        text = f"{incoming.path} {len(incoming.body)}" + "." * self.padding
        return Reply(200, "text/plain", text.encode(), f"id-{len(self.asked)}")

    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply:
        self.refused.append((caller, error, status))
        await asyncio.sleep(0)
        return Reply(status or 400, "application/problem+json", error.message.encode(), "refused")


@dataclass
class Client:
    """The other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: Connection

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def answer(self, *, head_only: bool = False) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            status = int(head.split()[1])
            sizes = [line for line in head.split("\r\n") if line.startswith("Content-Length: ")]
            size = 0 if head_only or not sizes else int(sizes[0].split()[1])
            return status, await self.reader.readexactly(size)

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read() == b""


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what is waited for has no event of its own
            await asyncio.sleep(0.005)


Connect = Callable[..., Awaitable[Client]]


@pytest.fixture
def dialect() -> MemoryDialect:
    return MemoryDialect()


@pytest.fixture
def room() -> BodyRoom:
    return BodyRoom(LIMITS.max_bodies_bytes)


@pytest.fixture
async def connect(dialect: MemoryDialect, room: BodyRoom) -> AsyncIterator[Connect]:
    """Makes connections; `limits` may be changed one by one."""
    loop = asyncio.get_running_loop()

    async def never(_: object) -> None:
        raise AssertionError("a connection answers by its dialect")

    manager = Server(never)  # type: ignore[arg-type]  # it is never called
    clients: list[Client] = []

    async def open_connection(**limits: float) -> Client:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        own = replace(LIMITS, **limits)  # type: ignore[arg-type]  # seconds and sizes alike
        peer = Peer("unix:pid/1", 7, False, Way(uid=7))
        _, connection = await loop.connect_accepted_socket(
            lambda: Connection(manager, loop, dialect, peer, own, room), ours
        )
        reader, writer = await asyncio.open_connection(sock=theirs)
        clients.append(Client(reader, writer, connection))
        return clients[-1]

    yield open_connection
    for client in clients:
        client.writer.close()
        client.connection.force_close()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()
    await until(lambda: not manager.connections)


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Peers]:
    with Peers(tmp_path / "socket", monkeypatch) as made:
        yield made


@pytest.fixture(params=["as it is", "without SO_PEERPIDFD"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The running kernel; and as if it were older than 6.5, by an option that it really does not know."""
    if request.param != "as it is":
        monkeypatch.setattr(processes, "SO_PEERPIDFD", NO_SUCH_OPTION)
    return str(request.param)
