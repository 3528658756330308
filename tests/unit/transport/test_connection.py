"""A connection answers every request once, in order, and gives nothing away."""

import asyncio
import logging

import pytest

from secretsd.transport.limits import BodyRoom
from tests.unit.transport.conftest import Connect, MemoryDialect, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def post(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /b HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers, b"", body])


async def test_requests_one_after_the_other(connect: Connect, dialect: MemoryDialect) -> None:
    client = await connect()
    for _ in range(3):
        await client.send(GET)
        assert await client.answer() == (200, b"/a 0")
    await client.send(post(b"x" * 1000))
    assert await client.answer() == (200, b"/b 1000")
    assert [incoming.caller.way.uid for incoming in dialect.asked] == [7] * 4


@pytest.mark.parametrize("piece", [1, 7, 50, 10_000])
async def test_pipelined_requests_in_pieces(connect: Connect, piece: int) -> None:
    client = await connect(header_seconds=10.0)
    data = (GET + post(b"y" * 33) + GET) * 15
    for start in range(0, len(data), piece):
        await client.send(data[start : start + piece])
    for _ in range(15):
        assert [(await client.answer())[1] for _ in range(3)] == [b"/a 0", b"/b 33", b"/a 0"]


async def test_more_pipelined_requests_than_are_queued(connect: Connect, dialect: MemoryDialect) -> None:
    dialect.gate = asyncio.Event()
    client = await connect()
    await client.send(GET * 200)
    await until(lambda: dialect.asked)
    dialect.gate.set()
    for _ in range(200):
        assert await client.answer() == (200, b"/a 0")
    await asyncio.sleep(0.3)  # longer than the header deadline: nothing is half there
    await client.send(GET)
    assert (await client.answer())[0] == 200
    assert dialect.refused == []


@pytest.mark.parametrize("whole", [b"", GET, post(b"z" * 5), GET + post(b"z")])
async def test_a_half_head_is_refused_behind_whole_requests(
    connect: Connect, dialect: MemoryDialect, whole: bytes
) -> None:
    client = await connect()
    await client.send(whole + b"GET /a HTTP/1.1\r\nHo")
    for _ in range(whole.count(b"HTTP/1.1")):
        assert (await client.answer())[0] == 200
    assert (await client.answer())[0] == 408
    assert await client.ended()
    assert len(dialect.refused) == 1


async def test_a_half_head_while_an_answer_takes_long(connect: Connect, dialect: MemoryDialect) -> None:
    """The deadline waits for its turn: an answer that is due comes first and whole."""
    dialect.gate = asyncio.Event()
    client = await connect()
    await client.send(GET)
    await until(lambda: dialect.asked)
    await client.send(b"GET /a")
    await asyncio.sleep(0.3)
    assert dialect.refused == []
    dialect.gate.set()
    assert (await client.answer())[0] == 200
    assert (await client.answer())[0] == 408


@pytest.mark.parametrize("between", [b"\r\n", b"\r\n\r\n"])
async def test_empty_lines_begin_nothing(connect: Connect, dialect: MemoryDialect, between: bytes) -> None:
    client = await connect()
    await client.send(GET)
    await client.answer()
    await client.send(between)
    await asyncio.sleep(0.3)
    await client.send(GET)
    assert (await client.answer())[0] == 200
    assert dialect.refused == []


async def test_a_body_that_comes_late_is_refused_once(connect: Connect, dialect: MemoryDialect, room: BodyRoom) -> None:
    client = await connect()
    await client.send(post(b"x" * 100)[:-1])
    assert (await client.answer())[0] == 408
    assert await client.ended()
    assert len(dialect.refused) == 1
    assert dialect.asked == []
    assert room.held == 0


async def test_bodies_share_their_room(connect: Connect, dialect: MemoryDialect, room: BodyRoom) -> None:
    room.take(room._limit - 150)
    dialect.gate = asyncio.Event()
    first, second = await connect(), await connect()
    await first.send(post(b"x" * 100))
    await until(lambda: dialect.asked)
    await second.send(post(b"x" * 100))
    assert (await second.answer())[0] == 429
    dialect.gate.set()
    assert (await first.answer())[0] == 200
    await until(lambda: room.held == room._limit - 150)


async def test_a_refused_peer_may_go_on_sending_for_a_while(connect: Connect) -> None:
    client = await connect(max_body_bytes=1000)
    await client.send(b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
    assert (await client.answer())[0] == 413
    await client.send(b"x" * 3_000_000)
    assert await client.ended()


async def test_a_refused_peer_that_never_stops_is_cut_off(connect: Connect) -> None:
    client = await connect(max_body_bytes=1000, linger_seconds=60.0, max_discarded_bytes=100_000)
    await client.send(b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n")
    assert (await client.answer())[0] == 413
    async with asyncio.timeout(10):
        while client.connection.transport is not None:
            await client.send(b"x" * 50_000)
            await asyncio.sleep(0)


async def test_the_end_of_the_stream_answers_what_came(connect: Connect, dialect: MemoryDialect) -> None:
    client = await connect()
    await client.send(GET + GET + b"GET /ha")
    client.writer.write_eof()
    assert [(await client.answer())[0] for _ in range(3)] == [200, 200, 400]
    assert await client.ended()
    assert len(dialect.refused) == 1


async def test_a_call_outlives_its_client(connect: Connect, dialect: MemoryDialect) -> None:
    dialect.gate = asyncio.Event()
    client = await connect()
    await client.send(GET)
    await until(lambda: dialect.asked)
    task = client.connection._task_handler
    client.writer.transport.abort()
    await until(lambda: client.connection._ended)
    assert task is not None
    assert not task.done()
    dialect.gate.set()
    await asyncio.wait_for(task, 10)
    assert not task.cancelled()
    await until(lambda: client.connection.transport is None)


async def test_a_peer_that_never_reads_is_cut_off(connect: Connect, dialect: MemoryDialect) -> None:
    dialect.padding = 4_000_000
    client = await connect()
    client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, as all sockets'
    await client.send(GET)
    await until(lambda: client.connection.transport is None)


async def test_head_ends_with_its_headers(connect: Connect) -> None:
    client = await connect()
    await client.send(GET.replace(b"GET", b"HEAD") + GET)
    assert await client.answer(head_only=True) == (200, b"")
    assert await client.answer() == (200, b"/a 0")


async def test_expect_100_continue(connect: Connect) -> None:
    client = await connect()
    request = post(b"body", b"Expect: 100-continue")
    await client.send(request[:-4])
    assert await client.answer() == (100, b"")
    await client.send(b"body")
    assert await client.answer() == (200, b"/b 4")


async def test_http_1_0_ends_after_its_answer(connect: Connect) -> None:
    client = await connect()
    await client.send(b"GET /a HTTP/1.0\r\n\r\n")
    assert (await client.answer())[0] == 200
    assert await client.ended()


async def test_an_idle_connection_is_let_go_of(connect: Connect, dialect: MemoryDialect) -> None:
    client = await connect(idle_seconds=0.1)
    assert await client.ended()
    assert dialect.refused == []


async def test_a_fault_of_ours_says_no_word_of_the_request(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    client = await connect()
    with caplog.at_level(logging.DEBUG):
        await client.send(b"GET /fault HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await client.ended()
    assert "RuntimeError" in caplog.text
    assert "Zq7Xe" not in caplog.text


@pytest.mark.parametrize(
    ("header", "token"),
    [(b"Bearer abc", b"abc"), (b"bearer  abc ", b"abc"), (b"Basic abc", b""), (b"abc", b""), (b"Bearer", b"")],
)
async def test_what_proves_identity(connect: Connect, dialect: MemoryDialect, header: bytes, token: bytes) -> None:
    client = await connect()
    await client.send(GET[:-2] + b"Authorization: %s\r\n\r\n" % header)
    await client.answer()
    given = dialect.asked[0].caller.token
    assert given is not None
    assert given.reveal() == token
