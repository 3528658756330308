"""The synchronous face: usable from any thread, cached, over with its block, refused after a fork."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from secretsd.api.values import GetSecretValueRequest
from secretsd.client import Client
from secretsd.client.errors import ClientError
from secretsd.client.sync import SyncClient
from secretsd.domain.errors import NotFound


async def test_threads_share_it_and_a_cached_value_is_asked_for_once(daemon, value) -> None:
    daemon.answers = [daemon.reply(200, value())]

    def use() -> set[bytes]:
        with SyncClient(Client(socket=daemon.socket)) as client, ThreadPoolExecutor(4) as pool:
            return {one.reveal() for one in pool.map(client.get, ["prod/db/app"] * 20)}

    assert await asyncio.to_thread(use) == {b"canary-value"}
    assert len(daemon.seen) == 1


async def test_errors_come_through_and_calls_by_name_work(daemon, value) -> None:
    daemon.answers = [daemon.problem(404, "not-found"), daemon.reply(200, value())]

    def use() -> None:
        with SyncClient(Client(socket=daemon.socket)) as client:
            with pytest.raises(NotFound):
                client.run(lambda c: c.get_secret_value("none"))
            client.call("GetSecretValue", GetSecretValueRequest(name="prod/db/app"))

    await asyncio.to_thread(use)


async def test_a_watch_is_an_iterator_that_can_be_left(daemon) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    daemon.answers = [head + b"".join(b'id: f.1.%d\ndata: {"name":"a","number":%d}\n\n' % (n, n) for n in (1, 2))]

    def use() -> list[int | None]:
        with SyncClient(Client(socket=daemon.socket)) as client:
            changes = client.watch(["a"])
            found = [next(changes).number, next(changes).number]
            changes.close()
            left = client.watch(["a"])
            next(left)
        left.close()  # the client is closed by now: nothing is left to be told
        return found

    assert await asyncio.to_thread(use) == [1, 2]


def test_the_thread_ends_with_the_block_and_a_closed_client_says_so() -> None:
    before = threading.active_count()
    with SyncClient(Client(environment={})) as client:
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    client.close()
    with pytest.raises(ClientError, match="it is closed"):
        client.get("a")


def test_a_use_within_a_use_is_told_instead_of_waiting_for_itself() -> None:
    with SyncClient(Client(environment={})) as client:

        async def nested(_: Client) -> None:
            client.get("a")

        with pytest.raises(ClientError, match="on its own thread"):
            client.run(nested)


def test_a_forked_child_is_told_instead_of_waiting_for_ever(monkeypatch) -> None:
    with SyncClient(Client(environment={})) as client:
        real = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: real + 1)
        with pytest.raises(ClientError, match="after a fork"):
            client.get("a")
        monkeypatch.undo()
