"""One HTTP/1.1 connection: aiohttp's parser, our own reading, deadlines and answers.

aiohttp's defaults would echo a malformed request to its sender and to stderr, and leave a half-sent header open for
good. So what happens between its parser and the dialect is ours: every request, however broken, gets one answer.
"""

import asyncio
import logging
from typing import Any, Protocol

from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from secretsd.dialects.native.dialect import Incoming, Reply
from secretsd.domain.errors import InvalidRequest, LimitExceeded, SecretsdError
from secretsd.operations.authenticator import Caller
from secretsd.transport.answers import answer_bytes
from secretsd.transport.bodies import read_body
from secretsd.transport.framing import END_OF_HEAD, Refused, ends_with, parsed, require_offered
from secretsd.transport.limits import BodyRoom, Limits
from secretsd.transport.peer import Peer
from secretsd.transport.tls import client_certificate
from secretsd.transport.writing import WritingHalf

log = logging.getLogger("secretsd.connection")


class Dialect(Protocol):
    """What a connection needs of a dialect."""

    async def answer(self, incoming: Incoming) -> Reply: ...
    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply: ...


class Connection(WritingHalf):
    """Replaces aiohttp's request loop: no request objects, no task a request, one write an answer."""

    __slots__ = (
        "_answering", "_body", "_body_message", "_caller", "_dialect", "_discarded", "_ended", "_gone", "_half_bytes",
        "_half_since", "_half_timer", "_peer", "_peer_alone", "_refusing", "_room",
    )  # fmt: skip

    def __init__(
        self,
        manager: Any,
        loop: asyncio.AbstractEventLoop,
        dialect: Dialect,
        peer: Peer,
        limits: Limits,
        room: BodyRoom,
    ) -> None:
        super().__init__(
            manager,
            limits,
            loop=loop,
            keepalive_timeout=limits.idle_seconds,
            tcp_keepalive=peer.tcp,
            access_log=None,  # aiohttp itself tests for it; the audit trail is our log
            max_line_size=limits.max_line_bytes,
            max_headers=limits.max_headers,
            max_field_size=limits.max_field_bytes,
            auto_decompress=False,
        )
        self._dialect = dialect
        self._peer = peer
        self._caller = self._peer_alone = Caller(peer.source, peer.uid, None, peer.way)
        self._room = room
        self._answering = False
        self._ended = False
        self._body: Any = None  # the body of the newest request that the parser has told of; it may still be coming
        self._body_message: Any = None
        self._half_since = 0.0
        self._half_bytes = 0
        self._half_timer: asyncio.TimerHandle | None = None
        self._refusing: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[None] | None = None
        self._discarded = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A TLS handshake is over by now, so what the client sent in it proves who calls."""
        if self._peer.tls and (certificate := client_certificate(transport)) is not None:
            peer = self._peer
            self._caller = self._peer_alone = Caller(peer.source, peer.uid, None, peer.way, certificate=certificate)
        super().connection_made(transport)

    async def answered(self) -> None:
        """Return once no request is being answered; the connection ends then, because it was closed to new ones."""
        answering = self._answering or self._stream is not None
        waiting = [self._refusing, self._task_handler if answering else None]
        if tasks := [task for task in waiting if task is not None]:
            await asyncio.wait(tasks)

    def data_received(self, data: bytes) -> None:
        """Parse; start the clock when a request has begun and its head is not complete yet."""
        if self._close or self._force_close:
            self._discarded += len(data)
            if self._discarded > self._limits.max_discarded_bytes:
                self.force_close()
            return
        queue, body = self._messages, self._body
        queued = len(queue)
        in_body = body is not None and not body.is_eof()
        before = body.total_bytes if in_body else 0
        super().data_received(data)
        if len(queue) > queued:
            self._half_since = 0.0
            message, payload = queue[-1]
            if payload is EMPTY_PAYLOAD:
                self._body = None
                if data.endswith(END_OF_HEAD):
                    return
            else:
                self._body, self._body_message = payload, message
            whole = self._buffer_paused or not payload.is_eof() or type(message) is not RawRequestMessage
            if not whole and data and not ends_with(data, message, payload):
                self._half_begun(0)
        elif in_body:
            if body.is_eof() and not self._body_message.chunked:
                rest = len(data) - (body.total_bytes - before)
                if rest > 0:
                    self._half_begun(rest)
        elif data and (self._half_since or data.strip(b"\r\n")):  # empty lines between requests begin nothing
            self._half_begun(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's own says None, which asyncio takes as False
        """The peer sends no more, and may still read: what it sent is answered, what it left unfinished refused."""
        self._ended = True
        if self._force_close or self._close:
            return False
        if self._body is not None and not self._body.is_eof():
            self._body.set_exception(ConnectionResetError())
        elif self._began():
            self._refuse(400, InvalidRequest("cannot read the request: it broke off"))
        self._close = True
        if self._answering or self._messages or self._refusing is not None:
            return not self._peer.tls  # where nothing is half closed: asyncio closes anyhow, and says so in the log
        self.force_close()
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of the timer; a call that is under way runs to its end, or it would erase its own trace."""
        if self._half_timer is not None:
            self._half_timer.cancel()
            self._half_timer = None
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        if not self._force_close and not self._close:
            if self._body is not None and not self._body.is_eof():
                self._body.set_exception(ConnectionResetError())
            elif self._began():
                self._refuse(400, InvalidRequest("cannot read the request: it broke off"))
        super().connection_lost(exc)

    async def start(self) -> None:
        """The connection's one task: request after request until either side closes."""
        refused = False
        while not self._force_close:
            if not self._messages:
                if self._close:
                    break
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                except asyncio.CancelledError:
                    break
                finally:
                    self._waiter = None
            message, payload = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            self._answering = True
            try:
                reply, close, refused = await self._one(message, payload)
            except Exception as error:  # noqa: BLE001  # a fault of ours ends its own connection, and is told
                log.error("cannot answer a request: %s", type(error).__name__)
                break
            finally:
                self._answering = False
            if reply.stream is not None:
                await self._send_stream(reply, reply.stream)
                break
            if self.transport is None:
                break
            close = close or (self._close and not self._messages and self._refusing is None)
            self.transport.write(answer_bytes(reply, close, getattr(message, "method", "") == "HEAD"))
            if self._paused:
                await self._drained()
            if close:
                break
            self._next_keepalive_close_time = self._loop.time() + self._limits.idle_seconds
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if self._refusing is None:  # else that task closes
            await self._finish(refused)
        self._task_handler = None

    async def _one(self, message: Any, payload: Any) -> tuple[Reply, bool, bool]:
        """The reply, whether the connection ends with it, and whether the request may not have been read to its end."""
        caller = self._peer_alone
        held = 0
        try:
            request, shown = parsed(message, self._limits)
            if shown is not None:
                caller = self._caller
                if caller.shown != shown:
                    caller = self._caller = self._peer_alone.showing(shown)
            require_offered(request)
            body = b""
            if not payload.is_eof() or payload.total_bytes:
                body = await read_body(request, payload, self._limits, self._room, self.transport)
            held = len(body)
            path, _, query = request.path.partition("?")
            kind = request.headers.get("Content-Type", "")
            incoming = Incoming(request.method, path, query, kind, body, caller, request.headers)
            return await self._dialect.answer(incoming), request.should_close, False
        except Refused as refused:
            return await self._dialect.refuse(caller, refused.error, refused.status), True, True
        finally:
            if held:
                self._room.give(held)

    async def _finish(self, refused: bool) -> None:
        """Close. A refused peer may still be sending: closing at once would reset it and take the answer away."""
        transport = self.transport
        # Over TLS nothing is half closed, and closing waits for the peer by itself (ssl_shutdown_timeout).
        if transport is not None and refused and not self._ended and transport.can_write_eof():
            self._close = True  # what still comes is thrown away
            self._gone = self._loop.create_future()
            transport.write_eof()
            transport.resume_reading()
            await asyncio.wait([self._gone], timeout=self._limits.linger_seconds)
        self.force_close()

    def _half_begun(self, size: int) -> None:
        if not self._half_since:
            self._half_since = self._loop.time()
            self._half_bytes = 0
            if self._half_timer is None:
                self._half_timer = self._loop.call_later(self._limits.header_seconds, self._half_done)
        self._half_bytes += size
        if self._half_bytes > self._limits.max_head_bytes:
            limit = self._limits.max_head_bytes
            self._refuse(431, LimitExceeded(f"cannot read the request: its head is over {limit} bytes"))

    def _half_done(self) -> None:
        """The header deadline: refuse what was begun and not completed."""
        self._half_timer = None
        if not self._half_since or self._close or self._force_close:
            return
        wait = self._half_since + self._limits.header_seconds - self._loop.time()
        if wait > 0 or self._answering or self._messages:
            self._half_timer = self._loop.call_later(max(wait, 0.1), self._half_done)
            return
        self._refuse(408, InvalidRequest("cannot wait for the rest of the request any longer"))

    def _began(self) -> bool:
        """Whether there is a request that will never be complete. To be asked once, at the end: it ends the parser."""
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except Exception:  # noqa: BLE001  # aiohttp raises several kinds for a head that breaks off
            return True

    def _refuse(self, status: int, error: SecretsdError) -> None:
        """Refuse the request that is not complete, after those before it are answered; nothing more is read."""
        if self._refusing is None:
            self._close = True
            self._refusing = self._loop.create_task(self._refused(status, error))

    async def _refused(self, status: int, error: SecretsdError) -> None:
        while self._answering or self._messages:
            if self._task_handler is None:
                break
            await asyncio.wait([self._task_handler])
        try:
            reply = await self._dialect.refuse(self._peer_alone, error, status)
            if self.transport is not None:
                self.transport.write(answer_bytes(reply, True))
        except Exception as failed:  # noqa: BLE001  # nobody waits for this task: what went wrong would be told at its end
            log.error("cannot refuse a request: %s", type(failed).__name__)
        finally:
            await self._finish(True)
