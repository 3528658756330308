"""A stream on a connection: piece by piece, bounded behind a peer that does not read, over when either side is."""

import asyncio
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from secretsd.dialects.native.dialect import Incoming, Reply
from secretsd.transport.limits import Limits
from secretsd.transport.listener import Listener
from tests.unit.transport.conftest import Client, Connect, MemoryDialect, until

WATCH = b"GET /watch HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"bye"


class MemoryStream:
    """Pieces that the test puts in; an end puts a last one in by itself."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.taken = 0
        self.ended = False
        self.closed = asyncio.Event()
        self.fault: Exception | None = None

    def put(self, piece: bytes) -> None:
        self._pieces.put_nowait(piece)

    async def next(self) -> bytes:
        piece = await self._pieces.get()
        self.taken += 1
        if self.fault is not None:
            raise self.fault
        return piece

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.put(BYE)
            self.put(b"")

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def stream(dialect: MemoryDialect) -> MemoryStream:
    """What the dialect answers to /watch."""
    made, before = MemoryStream(), dialect.answer

    async def answer(incoming: Incoming) -> Reply:
        if incoming.path != "/watch":
            return await before(incoming)
        if dialect.gate is not None:
            await dialect.gate.wait()
        return Reply(200, "text/event-stream", b"", "id-w", stream=made)

    dialect.answer = answer  # type: ignore[method-assign]  # only for this path
    return made


async def head(client: Client) -> bytes:
    async with asyncio.timeout(10):
        return await client.reader.readuntil(b"\r\n\r\n")


async def test_pieces_follow_the_head_as_they_come(connect: Connect, stream: MemoryStream) -> None:
    client = await connect()
    await client.send(WATCH)
    found = await head(client)
    assert found.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
    for line in (b"\r\nCache-Control: no-store\r\n", b"\r\nX-Request-Id: id-w\r\n", b"\r\nConnection: close\r\n"):
        assert line in found
    assert b"Content-Length" not in found
    for piece in (b"one", b"two"):
        stream.put(piece)
        assert await client.reader.readexactly(3) == piece
    stream.put(b"")
    assert await client.ended()
    assert stream.closed.is_set()


async def test_a_peer_that_goes_closes_the_stream(connect: Connect, stream: MemoryStream) -> None:
    client = await connect()
    await client.send(WATCH)
    await head(client)
    client.writer.transport.abort()
    await asyncio.wait_for(stream.closed.wait(), 5)


async def test_a_peer_that_will_send_no_more_has_had_enough(connect: Connect, stream: MemoryStream) -> None:
    client = await connect()
    await client.send(WATCH)
    await head(client)
    client.writer.write_eof()
    await asyncio.wait_for(stream.closed.wait(), 5)
    assert (await client.reader.read()) in (b"", BYE)


async def test_a_peer_that_is_gone_before_the_answer_closes_the_stream(
    connect: Connect, dialect: MemoryDialect, stream: MemoryStream
) -> None:
    dialect.gate = asyncio.Event()
    client = await connect()
    await client.send(WATCH)
    await until(lambda: client.connection._answering)
    client.writer.transport.abort()
    await until(lambda: client.connection._ended)
    dialect.gate.set()
    await asyncio.wait_for(stream.closed.wait(), 5)


async def test_nothing_piles_up_behind_a_peer_that_does_not_read(connect: Connect, stream: MemoryStream) -> None:
    client = await connect(write_seconds=0.5)
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, as all sockets'
    await client.send(WATCH)
    for _ in range(200):
        stream.put(b"x" * 50_000)
    await until(lambda: client.connection._paused)
    taken = stream.taken
    assert taken < 50, "what the socket takes, and one piece more"
    await asyncio.wait_for(stream.closed.wait(), 5)
    assert stream.taken == taken
    await until(lambda: client.connection.transport is None)


async def test_a_slow_peer_gets_it_all(connect: Connect, stream: MemoryStream) -> None:
    client = await connect(write_seconds=10.0)
    await client.send(WATCH)
    await head(client)
    for _ in range(100):
        stream.put(b"x" * 50_000)
    stream.put(b"")
    size = 0
    async with asyncio.timeout(30):
        while data := await client.reader.read(65536):
            size += len(data)
    assert size == 100 * 50_000


async def test_what_comes_behind_a_stream_is_not_answered(connect: Connect, dialect: MemoryDialect, stream) -> None:
    client = await connect()
    await client.send(WATCH + b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /ha")
    await head(client)
    stream.put(b"one")
    assert await client.reader.readexactly(3) == b"one"
    await client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.3)  # longer than the header deadline
    stream.put(b"")
    assert await client.ended()
    assert dialect.asked == []
    assert dialect.refused == []


async def test_an_endless_sender_is_cut_off(connect: Connect, stream: MemoryStream) -> None:
    client = await connect(max_discarded_bytes=100_000)
    await client.send(WATCH)
    await head(client)
    async with asyncio.timeout(10):
        while not stream.closed.is_set():
            await client.send(b"x" * 50_000)
            await asyncio.sleep(0)


async def test_a_fault_of_ours_ends_the_connection_and_says_no_word(
    connect: Connect, stream: MemoryStream, caplog: pytest.LogCaptureFixture
) -> None:
    client = await connect()
    stream.fault = ValueError("Zq7Xe")
    await client.send(WATCH)
    await head(client)
    stream.put(b"one")
    assert await client.ended()
    assert stream.closed.is_set()
    assert "ValueError" in caplog.text
    assert "Zq7Xe" not in caplog.text


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "does not read"])
async def test_a_listener_that_stops_says_goodbye_at_once(
    tmp_path: Path, dialect: MemoryDialect, stream: MemoryStream, reads: bool
) -> None:
    with socket(AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        listening.listen(8)
        listener = Listener(listening.dup(), dialect, Limits())
    listener.start()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    writer.write(WATCH)
    await reader.readuntil(b"\r\n\r\n")
    if not reads:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, as all sockets'
        for _ in range(40):
            stream.put(b"x" * 50_000)
        await until(lambda: any(one._paused for one in listener._connections()))
    async with asyncio.timeout(2):
        await listener.stop(60)
    assert stream.closed.is_set()
    if reads:
        assert await reader.read() == BYE
    writer.close()
