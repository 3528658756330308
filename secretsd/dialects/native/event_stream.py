"""Streams as server-sent events: `id`, `event` and `data` lines, comments as signs of life, a `bye` at the end."""

from collections.abc import Callable
from typing import Any

from secretsd.operations.streams import Batch, Stream

EVENT_STREAM = "text/event-stream"
SHUTDOWN = "shutdown"


class EventStream:
    """A stream as the bytes of its events.

    Only the last event of a batch carries its id: whoever has got that one has got them all, and may go on from there.
    A sign of life carries the id too, so that a quiet watcher's place in the feed does not grow old.
    """

    def __init__(self, stream: Stream[Any], encode: Callable[[Any], bytes]) -> None:
        self._stream = stream
        self._encode = encode
        self._event = b"event: %s\ndata: " % stream.kind.encode()

    async def next(self) -> bytes:
        """The next piece, waited for; empty when the stream is over."""
        batch = await self._stream.next()
        return b"" if batch is None else self._piece(batch)

    def end(self) -> None:
        """The connection is about to end: say goodbye."""
        self._stream.end(SHUTDOWN)

    def close(self) -> None:
        """Let go of the stream."""
        self._stream.close()

    def _piece(self, batch: Batch[Any]) -> bytes:
        if batch.farewell:
            return b'event: bye\ndata: {"reason":"%s"}\n\n' % batch.farewell.encode()
        mark = b"id: %s\n" % batch.position.encode()
        if not batch.items:
            return b": \n%s\n" % mark
        *before, last = (self._event + self._encode(item) + b"\n\n" for item in batch.items)
        return b"".join([*before, mark, last])
