"""Listening: sockets that the supervisor bound and that all workers share."""

import asyncio
import contextlib
import logging
import socket
from typing import Any

from aiohttp.web_server import Server

from secretsd.operations.authenticator import Caller
from secretsd.operations.tls_proofs import CertificateRefused
from secretsd.transport.connection import Connection, Dialect
from secretsd.transport.limits import BodyRoom, Limits
from secretsd.transport.peer import Peer, peer_of
from secretsd.transport.tls import TlsContexts, refusal

log = logging.getLogger("secretsd.listener")
MAX_COURTESY_MS = 8
ACCEPTED_AFTER_COURTESY = 4
"""So that a worker with many open connections still takes five hundred new ones a second."""


class Listener:
    """Accepts connections on one socket, `shared` when other workers accept on it as well; by TLS where `tls` is given.

    The kernel gives a connection to whoever asks first, which may be the same worker each time (16:0 was seen). So a
    worker lets others go first, for longer the more connections it holds: a millisecond for every two, up to eight.
    """

    def __init__(
        self,
        listening: socket.socket,
        dialect: Dialect,
        limits: Limits,
        *,
        shared: bool = False,
        tls: TlsContexts | None = None,
    ) -> None:
        self._listening = listening
        self._shared = shared
        self._tls = tls
        self._dialect = dialect
        self._limits = limits
        self._room = BodyRoom(limits.max_bodies_bytes)
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        self._manager = Server(_never)
        self._opening: set[asyncio.Task[Any]] = set()
        self.accepted = 0
        self.turned_away = 0
        self.failed_handshakes = 0
        listening.setblocking(False)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._manager.connections)

    def start(self) -> None:
        """Begin to accept."""
        if self._stopped:
            return
        self._loop.add_reader(self._listening.fileno(), self._readable)

    async def stop(self, seconds: float) -> None:
        """Accept no more; let requests under way end within `seconds`, then close."""
        self._stopped = True
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()
        for opening in self._opening if self._tls is not None else ():
            opening.cancel()  # a handshake that is not over yet: nothing was asked in it
        self._manager.pre_shutdown()
        answering = [connection.answered() for connection in self._connections()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*answering)
        for connection in self._connections():
            connection.force_close()

    def _connections(self) -> list[Connection]:
        return [connection for connection in self._manager.connections if isinstance(connection, Connection)]

    def _readable(self) -> None:
        milliseconds = min((self.open_connections + len(self._opening)) // 2, MAX_COURTESY_MS) if self._shared else 0
        if milliseconds:
            self._loop.remove_reader(self._listening.fileno())
            self._loop.call_later(milliseconds / 1000, self._others_had_their_turn)
        else:
            self._accept()

    def _others_had_their_turn(self) -> None:
        self.start()
        for _ in range(0 if self._stopped else ACCEPTED_AFTER_COURTESY):
            if not self._accept():
                break

    def _accept(self) -> bool:
        """Accept one; False when none is left to accept now."""
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another worker was faster, or the peer has gone
        except OSError as error:
            # Out of descriptors: the connection waits in the kernel's queue until some are free again.
            log.error("cannot accept a connection: %s", error.strerror)
            self._loop.remove_reader(self._listening.fileno())
            self._loop.call_later(0.1, self.start)
            return False
        if self.open_connections + len(self._opening) >= self._limits.max_connections:
            self.turned_away += 1
            connection.close()
            return True
        connection.setblocking(False)
        try:
            peer = peer_of(connection, tls=self._tls is not None)
        except OSError:
            connection.close()  # the peer has reset it meanwhile: nobody is left to be told anything
            return True
        self.accepted += 1
        opening = self._loop.create_task(self._open(connection, peer))
        self._opening.add(opening)
        opening.add_done_callback(self._opened)
        return True

    async def _open(self, connection: socket.socket, peer: Peer) -> None:
        def made() -> Connection:
            return Connection(self._manager, self._loop, self._dialect, peer, self._limits, self._room)

        if self._tls is None:
            await self._loop.connect_accepted_socket(made, connection)
            return
        try:
            context = await self._tls.context()
        except BaseException:
            connection.close()  # nobody else has it yet
            raise
        try:
            await self._loop.connect_accepted_socket(
                made,
                connection,
                ssl=context,
                ssl_handshake_timeout=self._limits.header_seconds,
                ssl_shutdown_timeout=self._limits.linger_seconds,
            )
        except OSError as error:  # what TLS raises is one as well, and so is a time-out
            self.failed_handshakes += 1
            if (reason := refusal(error)) is not None:
                caller = Caller(peer.source, way=peer.way)
                await self._dialect.refuse(caller, CertificateRefused(f"the handshake failed: {reason}"))

    def _opened(self, task: "asyncio.Task[Any]") -> None:
        self._opening.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("cannot serve a connection: %s", type(task.exception()).__name__)


async def _never(request: Any) -> Any:
    """aiohttp's handler, which our request loop does not call."""
    raise AssertionError("a connection answers by its dialect")
