"""Listeners that share a socket share its connections, although the kernel would give them all to the first to ask."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from secretsd.dialects.native.dialect import Incoming, Reply
from secretsd.domain.errors import SecretsdError
from secretsd.operations.authenticator import Caller
from secretsd.transport.limits import Limits
from secretsd.transport.listener import Listener

CONNECTIONS = 32


class Unasked:
    async def answer(self, incoming: Incoming) -> Reply:
        raise AssertionError("nothing is asked here")

    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply:
        raise AssertionError("nothing is refused here")


async def until(listeners: list[Listener], open_connections: int) -> None:
    deadline = time.monotonic() + 30

    def reached() -> bool:
        return sum(one.open_connections for one in listeners) == open_connections

    while not reached() and time.monotonic() < deadline:  # noqa: ASYNC110  # the kernel's queue has no event of ours
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("shared", [True, False])
async def test_connections_that_come_one_by_one_are_shared_out(tmp_path: Path, shared: bool) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    listening.listen(CONNECTIONS)
    sockets = [listening, listening.dup()]
    listeners = [Listener(one, Unasked(), Limits(), shared=shared) for one in sockets]
    for listener in listeners:
        listener.start()
    clients = []
    try:
        for number in range(CONNECTIONS):
            client = socket.socket(socket.AF_UNIX)
            clients.append(client)
            client.connect(str(tmp_path / "socket"))
            await until(listeners, number + 1)
        counts = [listener.accepted for listener in listeners]
    finally:
        for client in clients:
            client.close()
        await until(listeners, 0)
        for listener in listeners:
            await listener.stop(1.0)
    assert sum(counts) == CONNECTIONS
    # What the same connections do without sharing shows that this test can fail.
    assert (min(counts) >= CONNECTIONS // 4) == shared
