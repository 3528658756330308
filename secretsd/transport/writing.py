"""The half of a connection that writes: how long a peer is waited for, streams, and how a connection closes."""

import asyncio
import logging
from typing import Any

from aiohttp import web_protocol

from secretsd.dialects.native.dialect import Reply, Streamed
from secretsd.transport.answers import stream_head
from secretsd.transport.limits import Limits

log = logging.getLogger("secretsd.connection")


class WritingHalf(web_protocol.RequestHandler):
    """Sends what there is to send. A peer that does not read is cut off after the write deadline."""

    __slots__ = ("_limits", "_stream")

    def __init__(self, manager: Any, limits: Limits, **options: Any) -> None:
        super().__init__(manager, **options)
        self._limits = limits
        self._stream: Streamed | None = None

    def close(self) -> None:
        """Take no further request; a stream, which has no end of its own, says goodbye now."""
        super().close()
        if self._stream is not None:
            self._stream.end()
            if self._paused and self.transport is not None:
                self.transport.abort()  # the peer does not read, so nothing can be said to it

    def force_close(self) -> None:
        """Close now; what the peer does not read of its last answers is dropped after the write deadline."""
        if self._stream is not None:
            self._stream.end()
        transport = self.transport
        super().force_close()
        if transport is not None and transport.get_write_buffer_size():
            self._loop.call_later(self._limits.write_seconds, transport.abort)

    async def _send_stream(self, reply: Reply, stream: Streamed) -> None:
        """Write the head and then piece after piece, until either side has had enough; the stream is closed then.

        A piece is asked for when the one before it has gone out: behind a peer that does not read, no more is held than
        one. The connection ends with the stream, so nothing is read any more.
        """
        ending, self._close = self._close, True
        self._stream = stream
        if ending:
            stream.end()
        try:
            if await self._sent(stream_head(reply)):
                while (piece := await stream.next()) and await self._sent(piece):
                    pass
        except Exception as error:  # noqa: BLE001  # a fault of ours ends its own connection, and is told
            log.error("cannot go on with a stream: %s", type(error).__name__)
        finally:
            self._stream = None
            stream.close()

    async def _sent(self, data: bytes) -> bool:
        """Whether the data could be sent, once the peer has taken enough of what it was sent before."""
        if self.transport is not None:
            self.transport.write(data)
            if self._paused:
                await self._drained()
        return self.transport is not None

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self._drain_helper()
        except (TimeoutError, ConnectionError):
            if self.transport is not None:
                self.transport.abort()
            self.force_close()
