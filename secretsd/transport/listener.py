"""Listening: sockets that the supervisor bound and that all workers share."""

import asyncio
import contextlib
import logging
import socket
from typing import Any

from aiohttp.web_server import Server

from secretsd.transport.connection import Connection, Dialect
from secretsd.transport.limits import BodyRoom, Limits
from secretsd.transport.peer import peer_of

log = logging.getLogger("secretsd.listener")


class Listener:
    """Accepts one connection a loop turn, so that workers which share the socket share the connections too."""

    def __init__(self, listening: socket.socket, dialect: Dialect, limits: Limits) -> None:
        self._listening = listening
        self._dialect = dialect
        self._limits = limits
        self._room = BodyRoom(limits.max_bodies_bytes)
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._manager = Server(_never)
        self._opening: set[asyncio.Task[Any]] = set()
        self.accepted = 0
        self.turned_away = 0
        listening.setblocking(False)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._manager.connections)

    def start(self) -> None:
        """Begin to accept."""
        if self._stopped:
            return
        self._loop.add_reader(self._listening.fileno(), self._accept)

    async def stop(self, seconds: float) -> None:
        """Accept no more; let requests under way end within `seconds`, then close."""
        self._stopped = True
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()
        self._manager.pre_shutdown()
        answering = [connection.answered() for connection in self._connections()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*answering)
        for connection in self._connections():
            connection.force_close()

    def _connections(self) -> list[Connection]:
        return [connection for connection in self._manager.connections if isinstance(connection, Connection)]

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was faster, or the peer has gone
        except OSError as error:
            # Out of descriptors: the connection waits in the kernel's queue until some are free again.
            log.error("cannot accept a connection: %s", error.strerror)
            self._loop.remove_reader(self._listening.fileno())
            self._loop.call_later(0.1, self.start)
            return
        if self.open_connections + len(self._opening) >= self._limits.max_connections:
            self.turned_away += 1
            connection.close()
            return
        connection.setblocking(False)
        try:
            peer = peer_of(connection)
        except OSError:
            connection.close()  # the peer has reset it meanwhile: nobody is left to be told anything
            return
        self.accepted += 1
        opening = self._loop.create_task(
            self._loop.connect_accepted_socket(
                lambda: Connection(self._manager, self._loop, self._dialect, peer, self._limits, self._room), connection
            )
        )
        self._opening.add(opening)
        opening.add_done_callback(self._opened)

    def _opened(self, task: "asyncio.Task[Any]") -> None:
        self._opening.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("cannot serve a connection: %s", type(task.exception()).__name__)


async def _never(request: Any) -> Any:
    """aiohttp's handler, which our request loop does not call."""
    raise AssertionError("a connection answers by its dialect")
