"""One HTTP/1.1 connection: aiohttp's parser, our own reading, deadlines and answers.

aiohttp's defaults would echo a malformed request to its sender and to stderr, and leave a half-sent header open for
good. So what happens between its parser and the dialect is ours: every request, however broken, gets one answer.
"""

import asyncio
import time
from email.utils import formatdate
from typing import Any, Protocol

from aiohttp import web_protocol
from aiohttp.http_parser import RawRequestMessage

from secretsd.dialects.native.dialect import Incoming, Reply
from secretsd.domain.errors import InvalidRequest, LimitExceeded, SecretsdError
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.transport.limits import Limits
from secretsd.transport.peer import Peer

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Dialect(Protocol):
    """What a connection needs of a dialect."""

    async def answer(self, incoming: Incoming) -> Reply: ...
    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply: ...


class Refused(Exception):
    """The request is answered before any operation, and the connection closed after it."""

    def __init__(self, status: int, error: SecretsdError) -> None:
        super().__init__()
        self.status = status
        self.error = error


class _Date:
    """The Date header's line, made anew once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"Date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._line


_date = _Date()


class Connection(web_protocol.RequestHandler):
    """Replaces aiohttp's request loop: no request objects, no task a request, one write an answer."""

    __slots__ = ("_answering", "_dialect", "_half_since", "_half_timer", "_limits", "_peer")

    def __init__(self, manager: Any, loop: asyncio.AbstractEventLoop, dialect: Dialect, peer: Peer, limits: Limits):
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=limits.idle_seconds,
            tcp_keepalive=peer.tcp,
            access_log=None,  # type: ignore[arg-type]  # aiohttp itself tests for it; the audit trail is our log
            max_line_size=limits.max_line_bytes,
            max_headers=limits.max_headers,
            max_field_size=limits.max_line_bytes,
            auto_decompress=False,
        )
        self._dialect = dialect
        self._peer = peer
        self._limits = limits
        self._answering = False
        self._half_since = 0.0
        self._half_timer: asyncio.TimerHandle | None = None

    async def answered(self) -> None:
        """Return once no request is being answered; the connection ends then, because it was closed to new ones."""
        if self._answering and self._task_handler is not None:
            await asyncio.wait([self._task_handler])

    def data_received(self, data: bytes) -> None:
        """Parse; start the clock when a request has begun and is not complete yet."""
        super().data_received(data)
        if self._messages or self._answering:
            self._half_since = 0.0
        elif not self._half_since and not self._force_close and not self._close:
            self._half_since = self._loop.time()
            if self._half_timer is None:
                self._half_timer = self._loop.call_later(self._limits.header_seconds, self._half_done)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of the timer; a call that is under way runs to its end, or it would erase its own trace."""
        if self._half_timer is not None:
            self._half_timer.cancel()
            self._half_timer = None
        if self._half_since and not self._answering:
            self._loop.create_task(self._too_late())
        super().connection_lost(exc)

    async def start(self) -> None:
        """The connection's one task: request after request until either side closes."""
        while not self._force_close:
            if not self._messages:
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
            reply, close = await self._one(message, payload)
            self._answering = False
            if self.transport is None:
                break
            self.transport.write(_bytes(reply, close))
            if self._paused:
                await self._drained()
            if close or self._close:
                break
            self._next_keepalive_close_time = self._loop.time() + self._limits.idle_seconds
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        self._task_handler = None
        if self.transport is not None:
            self.transport.close()

    async def _one(self, message: Any, payload: Any) -> tuple[Reply, bool]:
        caller = Caller(self._peer.source, self._peer.uid)
        try:
            if not isinstance(message, RawRequestMessage) and not hasattr(message, "headers"):
                raise Refused(400, InvalidRequest("cannot read the request: it is not HTTP/1.1 as we accept it"))
            headers = message.headers
            authorization = headers.get("Authorization")
            if authorization is not None:
                caller = Caller(self._peer.source, self._peer.uid, _bearer(authorization))
            if message.upgrade or "Content-Encoding" in headers:
                raise Refused(400, InvalidRequest("cannot read the request: no upgrade and no encoding is offered"))
            body = await self._body(message, payload) if not payload.is_eof() or payload.total_bytes else b""
            path, _, query = message.path.partition("?")
            if not message.path.isascii() or "#" in message.path:
                raise Refused(400, InvalidRequest("cannot read the path: a URL is made of ASCII without a fragment"))
            incoming = Incoming(message.method, path, query, headers.get("Content-Type", ""), body, caller)
            return await self._dialect.answer(incoming), message.should_close
        except Refused as refused:
            return await self._dialect.refuse(caller, refused.error, refused.status), True

    async def _body(self, message: Any, payload: Any) -> bytes:
        limit = self._limits.max_body_bytes
        length = message.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length[:12]) > limit:
            raise Refused(413, LimitExceeded(f"cannot read the body: it is over {limit} bytes"))
        if message.headers.get("Expect", "").lower() == "100-continue" and self.transport is not None:
            self.transport.write(CONTINUE)
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while part := await payload.readany():
                    size += len(part)
                    if size > limit:
                        raise Refused(413, LimitExceeded(f"cannot read the body: it is over {limit} bytes"))
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, InvalidRequest("cannot wait for the body any longer")) from None
        except Refused:
            raise
        except Exception:  # noqa: BLE001  # aiohttp raises several kinds for a body that breaks off or is malformed
            raise Refused(400, InvalidRequest("cannot read the body: it broke off or is malformed")) from None
        return b"".join(parts)

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self._drain_helper()
        except (TimeoutError, ConnectionError):
            self.force_close()

    def _half_done(self) -> None:
        """The header deadline: answer what was begun and not completed, once, and close."""
        self._half_timer = None
        if not self._half_since or self._answering or self.transport is None:
            return
        waited = self._loop.time() - self._half_since
        if waited < self._limits.header_seconds:
            self._half_timer = self._loop.call_later(self._limits.header_seconds - waited, self._half_done)
            return
        self._answering = True
        self._loop.create_task(self._too_late())

    async def _too_late(self) -> None:
        error = InvalidRequest("cannot wait for the rest of the request any longer")
        reply = await self._dialect.refuse(Caller(self._peer.source, self._peer.uid), error, 408)
        if self.transport is not None:
            self.transport.write(_bytes(reply, True))
        self.force_close()


def _bearer(authorization: str) -> Plaintext:
    """The token of an Authorization header; whatever else stands there proves nothing, as an empty token does."""
    scheme, _, token = authorization.partition(" ")
    return Plaintext(token.strip().encode("utf-8", "surrogateescape") if scheme.lower() == "bearer" else b"")


def _bytes(reply: Reply, close: bool) -> bytes:
    further = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    if reply.request_id:
        further += f"X-Request-Id: {reply.request_id}\r\n"
    if close:
        further += "Connection: close\r\n"
    head = (
        f"HTTP/1.1 {reply.status} {reply.reason}\r\nContent-Type: {reply.content_type}\r\n"
        f"Content-Length: {len(reply.body)}\r\nCache-Control: no-store\r\n{further}"
    )
    return head.encode() + _date.line() + b"\r\n" + reply.body
