"""A TCP proxy in front of PostgreSQL that fails at a chosen message: for tests and for the kill hunt.

It understands just enough of the protocol (version 3) to see the client's messages: `startup`, `sasl`, the text of each
statement, `terminate`. One fault is armed at a time; it strikes once, at the k-th message from then on, or at the k-th
that matches. A client that asks for TLS sends `encryption`; where the server agrees, nothing more is seen of that
connection, and it is passed on as it is. It runs on a thread of its own, so every method may be called from anywhere.

    with CuttingProxy(server.port) as proxy:
        proxy.arm(Fault.REPLY_LOST, matches=lambda text: text.startswith("ALTER ROLE"))
        ...                              # somebody connects to proxy.port
        struck = proxy.wait_for_strike(5.0)
        proxy.heal()
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

_LENGTH = struct.Struct(">I")
_CODE = struct.Struct(">II")
_STATEMENTS = frozenset(b"QP")
_PART_OF_ANOTHER = frozenset(b"BDESHC")
_ENCRYPTION_REQUESTS = frozenset({80877103, 80877104})


class Fault(Enum):
    """What happens at the message.

    CUT_BEFORE: it is dropped and both sides are reset. CUT_AFTER: the server gets it, the client is reset before the
    reply. HALF_OPEN: it is dropped; the client is reset, the server keeps an open connection that says nothing more.
    BLACK_HOLE: nothing more is passed on in either direction, both sides stay open. REPLY_LOST: the server gets it,
    then nothing more is passed on, both sides stay open. PAUSE: it waits until `resume`, a delay of any length.
    """

    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"
    HALF_OPEN = "half-open"
    BLACK_HOLE = "black-hole"
    REPLY_LOST = "reply-lost"
    PAUSE = "pause"


@dataclass(slots=True)
class _Armed:
    fault: Fault
    at: int
    matches: Callable[[str], bool]


@dataclass(slots=True, eq=False)
class _Pipe:
    """One connection: both of its sides, and whether anything is still passed on."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    dead: bool = False
    raw: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


class CuttingProxy:
    """Listens on `port` of loopback. `seen` are the messages since the last `arm`, `struck` is the one that was hit."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.seen: list[str] = []
        self.struck: str | None = None
        self._target_port = target_port
        self._armed: _Armed | None = None
        self._refusing = False
        self._hit = threading.Event()
        self._resumed = asyncio.Event()
        self._pipes: set[_Pipe] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="cutting-proxy", daemon=True)

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        self._do(self._listen())
        return self

    def close(self) -> None:
        """End every connection and listen no more."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def arm(self, fault: Fault, at: int = 0, matches: Callable[[str], bool] = lambda _: True) -> None:
        """Strike at the message number `at` (from 0) of those that match, counted from now, over all connections."""
        self._hit.clear()
        self._do(self._arm(_Armed(fault, at, matches)))

    def disarm(self) -> None:
        """Strike no more; what was struck stays as it is."""
        self._do(self._arm(None))

    def wait_for_strike(self, seconds: float) -> str | None:
        """The message that it struck at, or None when that did not come in time."""
        return self.struck if self._hit.wait(seconds) else None

    def resume(self) -> None:
        """Let a paused message go on."""
        self._do(self._set_resumed())

    def cut_all(self) -> None:
        """Reset every connection, whatever it is doing."""
        self._do(self._cut_all())

    def refuse(self, refusing: bool) -> None:
        """Reset new connections at once, or take them again."""
        self._refusing = refusing

    def heal(self) -> None:
        """Disarm, take connections again, and reset those on which nothing is passed on any more."""
        self.refuse(False)
        self._do(self._heal())

    def _do(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for pipe in list(self._pipes):
            self._drop(pipe)
        await asyncio.sleep(0)

    async def _arm(self, armed: _Armed | None) -> None:
        self.seen, self.struck = [], None
        self._armed = armed
        self._resumed.clear()

    async def _set_resumed(self) -> None:
        self._resumed.set()

    async def _heal(self) -> None:
        self._armed = None
        self._resumed.set()
        for pipe in list(self._pipes):
            if pipe.dead:
                self._drop(pipe)

    async def _cut_all(self) -> None:
        for pipe in list(self._pipes):
            self._drop(pipe)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset(writer)
            return
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _reset(writer)
            return
        pipe = _Pipe(writer, there)
        self._pipes.add(pipe)
        pipe.tasks = [asyncio.create_task(self._forward(pipe, reader)), asyncio.create_task(self._back(pipe, back))]
        await asyncio.wait(pipe.tasks)
        self._drop(pipe)

    async def _forward(self, pipe: _Pipe, reader: asyncio.StreamReader) -> None:
        first = True
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind = b"" if first else await reader.readexactly(1)
                head = await reader.readexactly(_LENGTH.size)
                body = await reader.readexactly(_LENGTH.unpack(head)[0] - _LENGTH.size)
                text = _text(kind, head + body)
                first = text == "encryption"
                if text:
                    await self._pass(pipe, text, kind + head + body)
                elif not pipe.dead:
                    pipe.server.write(kind + head + body)
                    await pipe.server.drain()
                if first:
                    await pipe.answered.wait()
                if pipe.raw:
                    await self._copy(pipe, reader, pipe.server)
                    break
        if not pipe.dead:
            pipe.server.close()

    async def _pass(self, pipe: _Pipe, text: str, data: bytes) -> None:
        """Deal with one message."""
        if pipe.dead:
            return
        self.seen.append(text)
        fault = self._strikes(text)
        if fault is Fault.PAUSE:
            await self._resumed.wait()
        if fault in (None, Fault.PAUSE, Fault.CUT_AFTER, Fault.REPLY_LOST):
            pipe.dead = fault in (Fault.CUT_AFTER, Fault.REPLY_LOST)
            pipe.server.write(data)
            await pipe.server.drain()
        if fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER):
            pipe.dead = True
            _reset(pipe.client)
            if fault is Fault.CUT_BEFORE:
                _reset(pipe.server)
            else:
                pipe.server.close()  # after what was sent: the server reads it, works, and finds nobody
        elif fault in (Fault.HALF_OPEN, Fault.BLACK_HOLE):
            pipe.dead = True
            if fault is Fault.HALF_OPEN:
                _reset(pipe.client)

    def _strikes(self, text: str) -> Fault | None:
        armed = self._armed
        if armed is None or not armed.matches(text):
            return None
        if armed.at > 0:
            armed.at -= 1
            return None
        self._armed, self.struck = None, text
        self._hit.set()
        return armed.fault

    async def _back(self, pipe: _Pipe, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            if data := await reader.read(1):
                pipe.raw = data == b"S"  # no other message begins so before a login: the server agreed to TLS
                pipe.answered.set()
                if not pipe.dead:
                    pipe.client.write(data)
            await self._copy(pipe, reader, pipe.client)
        if not pipe.dead:
            pipe.client.close()

    async def _copy(self, pipe: _Pipe, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not pipe.dead:
                writer.write(data)
                await writer.drain()

    def _drop(self, pipe: _Pipe) -> None:
        self._pipes.discard(pipe)
        pipe.dead = True
        _reset(pipe.client)
        _reset(pipe.server)
        for task in pipe.tasks:
            task.cancel()


def _text(kind: bytes, body: bytes) -> str:
    """What a message is; "" for one that is only a part of the statement before it."""
    if not kind:
        code = _CODE.unpack_from(body)[1] if len(body) >= _CODE.size else 0
        return "encryption" if code in _ENCRYPTION_REQUESTS else "startup"
    if kind[0] in _PART_OF_ANOTHER:
        return ""
    if kind[0] not in _STATEMENTS:
        return {b"p": "sasl", b"X": "terminate"}.get(kind, "other")
    parts = body[_LENGTH.size :].split(b"\0")
    return " ".join(parts[0 if kind == b"Q" else 1].decode(errors="replace").split())


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once, with a reset: what the other side has not read yet is lost to it."""
    with contextlib.suppress(OSError, RuntimeError):
        writer.transport.abort()
