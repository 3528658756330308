"""The load generator against a server that answers as it is told to: what is counted, and what is not let through."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from benchmarks.load import NUMBER, Exchange, Order, Outcome, http
from benchmarks.load_generator import content_length, fulfil

Answering = Callable[[bytes], bytes]


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


@contextlib.asynccontextmanager
async def serving(path: Path, answering: Answering, delay: float = 0.0) -> AsyncIterator[str]:
    ended: list[asyncio.Future[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.get_running_loop().create_future())
        mine = ended[-1]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                body = await reader.readexactly(content_length(head) or 0)
                await asyncio.sleep(delay)
                writer.write(answering(head + body))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        mine.set_result(None)

    server = await asyncio.start_unix_server(connected, str(path / "socket"))
    async with server:
        yield str(path / "socket")
        await asyncio.gather(*ended)


async def load(address: str, exchange: Exchange, **options: object) -> Outcome:
    wanted = {"connections": 3, "seconds": 0.3, "warm_up_seconds": 0.05, **options}
    return await fulfil(Order(address=address, scripts=[[exchange]], **wanted))  # type: ignore[arg-type]  # by name


async def test_right_answers_are_counted_with_their_latencies(tmp_path: Path) -> None:
    async with serving(tmp_path, lambda _: answer(b'{"text":"right"}'), delay=0.005) as address:
        outcome = await load(address, Exchange(http("GET", "/"), b'"right"'))
    assert outcome.wrong == 0
    assert outcome.answers > 3
    assert 5 <= outcome.p50_ms <= outcome.p99_ms <= outcome.max_ms


@pytest.mark.parametrize(
    "wrong",
    [
        answer(b'{"text":"other"}'),
        answer(b'{"text":"right"}', b"403 Forbidden"),
        answer(b'{"text":"right"}') + b"more",
        b'HTTP/1.1 200 OK\r\nX: "right"\r\n\r\n',
    ],
    ids=["another value", "another status", "more than was announced", "no length"],
)
async def test_wrong_answers_are_told(tmp_path: Path, wrong: bytes) -> None:
    async with serving(tmp_path, lambda _: wrong) as address:
        outcome = await load(address, Exchange(http("GET", "/"), b'"right"'))
    assert outcome.wrong > 0


async def test_an_answer_in_pieces_is_one_answer(tmp_path: Path) -> None:
    body = b"x" * 300_000 + b"right"
    async with serving(tmp_path, lambda _: answer(body)) as address:
        outcome = await load(address, Exchange(http("GET", "/"), b"right"))
    assert outcome.wrong == 0
    assert outcome.answers > 0


async def test_a_connection_that_is_closed_counts_as_wrong(tmp_path: Path) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(connected, str(tmp_path / "socket")):
        outcome = await load(str(tmp_path / "socket"), Exchange(http("GET", "/"), b""))
    assert outcome.wrong == 3
    assert outcome.answers == 0


async def test_numbers_run_in_requests_and_in_what_is_expected(tmp_path: Path) -> None:
    seen: list[int] = []

    def counted(request: bytes) -> bytes:
        seen.append(int(request[-12:]))
        return answer(b'{"version":%d}' % seen[-1])

    exchange = Exchange(http("PUT", "/", body=b"v" + NUMBER), b'"version":' + NUMBER + b"}", 7)
    async with serving(tmp_path, counted) as address:
        outcome = await load(address, exchange, connections=1)
    assert outcome.wrong == 0
    assert seen == list(range(7, 7 + len(seen)))


async def test_a_limit_ends_the_round(tmp_path: Path) -> None:
    async with serving(tmp_path, lambda _: answer(b"right")) as address:
        outcome = await load(address, Exchange(http("GET", "/"), b"right"), seconds=60.0, limit=20)
    assert 20 <= outcome.answers <= 23
    assert outcome.seconds < 30


async def test_at_a_rate_latency_counts_from_when_a_request_was_due(tmp_path: Path) -> None:
    # One connection that takes 50 ms an answer, asked for 100 a second: what is due waits, ever longer.
    async with serving(tmp_path, lambda _: answer(b"right"), delay=0.05) as address:
        exchange = Exchange(http("GET", "/"), b"right")
        outcome = await load(address, exchange, connections=1, rate=100.0, seconds=1.0)
    assert outcome.wrong == 0
    assert outcome.answers <= 21
    assert outcome.max_ms > 400


async def test_at_a_rate_no_more_is_sent_than_is_due(tmp_path: Path) -> None:
    async with serving(tmp_path, lambda _: answer(b"right")) as address:
        outcome = await load(address, Exchange(http("GET", "/"), b"right"), rate=40.0, seconds=0.5)
    assert 1 <= outcome.answers <= 40 * outcome.seconds + 2


def test_the_length_of_an_answer_is_found_in_any_spelling() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\nContent-LENGTH: 12\r\nX: 1") == 12
    assert content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked") is None
