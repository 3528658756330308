"""A watch goes on over broken connections: from where it was, with patience, and not past a refusal that lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from secretsd.api.watch import SecretChange, WatchSecretsRequest
from secretsd.client import Client, DaemonUnavailable, Plaintext, Retries
from secretsd.client.errors import ClientError
from secretsd.client.watch import Watching
from secretsd.domain.errors import AccessDenied, NotFound

QUICK = Retries(attempts=3, first_wait_seconds=0.001, longest_wait_seconds=0.002)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def events(*numbers: int, name: str = "a") -> bytes:
    """An event with its id for each number."""
    return b"".join(
        b'id: f.1.%d\nevent: secret\ndata: {"name":"%s","number":%d}\n\n' % (number, name.encode(), number)
        for number in numbers
    )


class Streams:
    """A daemon that streams: each connection gets the next script, whose last connection stays open."""

    def __init__(self, *scripts: bytes) -> None:
        self.scripts = [*scripts]
        self.asked: list[dict[str, list[str]]] = []
        self.headers: list[str] = []
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.headers.append(head)
        self.asked.append(parse_qs(urlsplit(head.split(" ")[1]).query))
        writer.write(self.scripts.pop(0))
        if not self.scripts:
            await reader.read()
            self.gone.set()
        writer.close()


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator:
    servers = []

    async def begin(*scripts: bytes) -> tuple[Streams, Client]:
        streams = Streams(*scripts)
        servers.append(await asyncio.start_unix_server(streams.serve, tmp_path / "s.sock"))
        return streams, Client(socket=tmp_path / "s.sock", token=Plaintext(b"canary-token"), retries=QUICK)

    yield begin
    for server in servers:
        server.close()


async def numbers(client: Client, count: int, **more: str) -> list[int | None]:
    found = []
    async with asyncio.timeout(10), aclosing(client.watch(["a", "b"], **more)) as changes:
        async for change in changes:
            found.append(change.number)
            if len(found) == count:
                break
    return found


def problem(status: int, kind: str) -> bytes:
    body = b'{"kind":"%s","detail":"cannot: no"}' % kind.encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def test_it_goes_on_after_the_last_event_with_an_id(serve) -> None:
    half = b'event: secret\ndata: {"name":"b","number":9}\n\n'  # of a batch whose end did not arrive
    streams, client = await serve(HEAD + events(1, 2) + half, HEAD, HEAD + events(3))
    async with client:
        assert await numbers(client, 4) == [1, 2, 9, 3]
        await asyncio.wait_for(streams.gone.wait(), 5)
    assert [one.get("last_event_id") for one in streams.asked] == [None, ["f.1.2"], ["f.1.2"]]
    assert all(one["names"] == ["a", "b"] for one in streams.asked)
    assert all("Accept: text/event-stream" in head for head in streams.headers)
    assert all("Bearer canary-token" in head for head in streams.headers)


async def test_signs_of_life_move_the_place_too(serve) -> None:
    streams, client = await serve(HEAD + events(1) + b": \nid: f.1.5\n\n", HEAD + events(6))
    async with client:
        assert await numbers(client, 2) == [1, 6]
    assert streams.asked[1]["last_event_id"] == ["f.1.5"]


async def test_it_can_begin_where_another_ended(serve) -> None:
    streams, client = await serve(HEAD + events(8))
    async with client:
        assert await numbers(client, 1, last_event_id="f.1.7") == [8]
    assert streams.asked[0]["last_event_id"] == ["f.1.7"]


async def test_a_daemon_that_is_away_for_a_while_is_waited_for(serve) -> None:
    away = [problem(503, "storage-unavailable"), problem(429, "throttled"), b"", problem(500, "internal")] * 3
    _, client = await serve(HEAD + events(1), *away, HEAD + events(2))
    async with client:
        assert await numbers(client, 2) == [1, 2]


@pytest.mark.parametrize(
    ("status", "kind", "error"), [(403, "access-denied", AccessDenied), (404, "not-found", NotFound)]
)
async def test_what_is_refused_for_good_is_raised(serve, status: int, kind: str, error: type[Exception]) -> None:
    _, client = await serve(HEAD + events(1), problem(status, kind), HEAD)
    async with client:
        with pytest.raises(error, match="cannot: no"):
            await numbers(client, 2)


async def test_a_daemon_that_never_was_there_is_told_of(tmp_path: Path) -> None:
    async with Client(socket=tmp_path / "none.sock", retries=QUICK) as client:
        with pytest.raises(DaemonUnavailable, match=r"none\.sock"):
            await numbers(client, 1)


async def test_a_daemon_that_does_not_answer_is_told_of(serve) -> None:
    _, client = await serve(b"")
    client._deadline_seconds = 0.05
    async with client:
        with pytest.raises(DaemonUnavailable, match=r"within 0\.05 s"):
            await anext(client.watch_secrets(names=("a",)))


async def test_a_silent_connection_is_given_up(serve) -> None:
    _, client = await serve(HEAD + events(1), HEAD + events(2))
    opened: list[str | None] = []

    async def connect(last: str | None):
        opened.append(last)
        return await client._opened("WatchSecrets", WatchSecretsRequest(names=("a",)))

    streams = Watching(connect, QUICK, silence_seconds=0.05)
    async with client, aclosing(streams.told()) as following, asyncio.timeout(10):
        async for _ in following:
            if len(opened) > 1:
                break
            assert streams.connected
    assert opened[:2] == [None, "f.1.1"]
    assert not streams.connected


async def test_a_watch_that_is_left_lets_its_connection_go(serve) -> None:
    streams, client = await serve(HEAD + events(1))
    async with client:
        async for _ in client.watch(["a"]):
            break
        await asyncio.wait_for(streams.gone.wait(), 5)


async def test_watches_take_no_place_of_calls(serve) -> None:
    streams, client = await serve(*[HEAD + events(1)] * 30)
    streams.scripts.append(b"")
    async with client:
        watches = [client.watch(["a"]) for _ in range(30)]
        async with asyncio.timeout(10):
            await asyncio.gather(*(anext(one) for one in watches))
        for one in watches:
            await one.aclose()


async def test_one_connection_alone_ends_with_it(serve) -> None:
    _, client = await serve(HEAD + events(1) + b'event: bye\ndata: {"reason":"shutdown"}\n\n', b"")
    async with client:
        found = [one async for one in client.watch_secrets(names=("a",))]
    assert found == [SecretChange(name="a", number=1)]


async def test_an_answer_that_goes_on_is_none_that_can_be_called_for(serve) -> None:
    _, client = await serve(b"")
    async with client:
        with pytest.raises(ClientError, match="it goes on, so it is streamed"):
            await client.call("WatchSecrets", WatchSecretsRequest(names=("a",)))
        with pytest.raises(ClientError, match="give a list of names"):
            await anext(client.watch("prod/db/app"))
