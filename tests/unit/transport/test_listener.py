"""Listeners that share a socket share its connections; what they hold is bounded; they stop in order."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretsd.domain.errors import Throttled
from secretsd.transport.limits import BodyRoom, Limits
from secretsd.transport.listener import Listener
from secretsd.transport.peer import peer_of
from tests.unit.transport.conftest import MemoryDialect, until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
WORKER = """
import asyncio, os, socket, sys
import uvloop
from secretsd.dialects.native.dialect import Reply
from secretsd.transport.limits import Limits
from secretsd.transport.listener import Listener

class Dialect:
    async def answer(self, incoming):
        return Reply(200, "text/plain", str(os.getpid()).encode())
    async def refuse(self, caller, error, status=None):
        return Reply(400, "text/plain", b"refused")

async def main():
    listener = Listener(socket.socket(fileno=int(sys.argv[1])), Dialect(), Limits(), shared=True)
    listener.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

uvloop.run(main())
"""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        bound.listen(1024)
        yield bound


def connected(listening: socket.socket) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(listening.getsockname())
    return client


def test_two_processes_share_the_connections(listening: socket.socket) -> None:
    """64 connections made at once: neither process gets fewer than a quarter of them."""
    number = listening.fileno()
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(number)],
            pass_fds=[number],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
        clients = [connected(listening) for _ in range(64)]
        for client in clients:
            client.sendall(GET)
        served = [client.recv(4096).rpartition(b"\r\n\r\n")[2] for client in clients]
        for client in clients:
            client.close()
        shares = {worker.pid: served.count(str(worker.pid).encode()) for worker in workers}
        assert sum(shares.values()) == 64
        assert min(shares.values()) >= 16, shares
    finally:
        for worker in workers:
            worker.communicate()


async def read(client: socket.socket) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(None, client.recv, 4096)


async def test_no_more_connections_than_the_limit(listening: socket.socket) -> None:
    listener = Listener(listening.dup(), MemoryDialect(), Limits(max_connections=2))
    listener.start()
    clients = [connected(listening) for _ in range(4)]
    await until(lambda: listener.turned_away == 2)
    assert (listener.accepted, listener.open_connections) == (2, 2)
    assert [await read(client) for client in clients[2:]] == [b"", b""]
    clients[0].close()
    await until(lambda: listener.open_connections == 1)
    again = connected(listening)
    again.sendall(GET)
    assert (await read(again)).startswith(b"HTTP/1.1 200")
    await listener.stop(1)
    for client in (*clients, again):
        client.close()


async def test_stop_lets_answers_out(listening: socket.socket) -> None:
    dialect = MemoryDialect(gate=asyncio.Event())
    assert dialect.gate is not None
    listener = Listener(listening.dup(), dialect, Limits())
    listener.start()
    busy, idle = connected(listening), connected(listening)
    busy.sendall(GET)
    await until(lambda: dialect.asked and listener.open_connections == 2)
    stopping = asyncio.create_task(listener.stop(10))
    assert await read(idle) == b""
    assert not stopping.done()
    dialect.gate.set()
    assert (await read(busy)).startswith(b"HTTP/1.1 200")
    await stopping
    listener.start()  # as after a shortage of descriptors: once stopped it stays so
    busy.close()
    idle.close()


async def test_stop_does_not_wait_for_good(listening: socket.socket) -> None:
    dialect = MemoryDialect(gate=asyncio.Event())
    assert dialect.gate is not None
    listener = Listener(listening.dup(), dialect, Limits())
    listener.start()
    client = connected(listening)
    client.sendall(GET)
    await until(lambda: dialect.asked)
    await listener.stop(0.05)
    assert await read(client) == b""
    dialect.gate.set()
    client.close()


def test_peers(listening: socket.socket) -> None:
    with connected(listening) as client:
        accepted, _ = listening.accept()
        peer = peer_of(accepted)
        assert (peer.source, peer.uid, peer.tcp) == (f"unix:pid/{os.getpid()}", os.geteuid(), False)
        accepted.close()
        client.close()
    for family, host, shown in ((socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET6, "::1", "[::1]")):
        with socket.socket(family) as bound:
            try:
                bound.bind((host, 0))
            except OSError:
                continue  # a host without IPv6
            bound.listen()
            with socket.create_connection(bound.getsockname()[:2]) as client:
                accepted, _ = bound.accept()
                peer = peer_of(accepted)
                assert (peer.source, peer.uid) == (f"tcp:{shown}:{client.getsockname()[1]}", None)
                accepted.close()


def test_room_for_bodies() -> None:
    room = BodyRoom(100)
    room.take(60)
    with pytest.raises(Throttled):
        room.take(41)
    room.take(40)
    room.give(100)
    assert room.held == 0
