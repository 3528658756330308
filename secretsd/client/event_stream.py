"""Server-sent events out of the bytes of an answer that goes on."""

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

from secretsd.client.errors import UnreadableAnswer

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""Far above what is told of a secret; what is longer does not come from our daemon."""
BYE = "bye"


class Event(NamedTuple):
    """One event. `id` is None where it has none of its own; one without `data` only says how far the stream is."""

    kind: str
    data: bytes
    id: str | None


class Source(Protocol):
    """Where the bytes come from."""

    async def read(self) -> bytes:
        """The next bytes, waited for; empty at the end."""
        ...


class EventParser:
    """Takes bytes as they come, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._size = 0
        self._kind = ""
        self._data: list[bytes] = []
        self._id: str | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete now; UnreadableAnswer when one is longer than any of ours."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = []
        for line in lines:
            if event := self._line(line.removesuffix(b"\r")):
                found.append(event)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise UnreadableAnswer(f"cannot read the events: one is longer than {MAX_EVENT_BYTES} bytes")
        return found

    def _line(self, line: bytes) -> Event | None:
        self._size += len(line)
        if not line:
            event = Event(self._kind, b"\n".join(self._data), self._id)
            self._kind, self._data, self._id, self._size = "", [], None, 0
            return event if event.data or event.id is not None else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._kind = value.decode("ascii", "replace")
        elif name == b"id":
            self._id = value.decode("ascii", "replace")
        return None  # comments and fields that are not known say nothing


async def read_events(source: Source) -> AsyncGenerator[Event, None]:
    """The events of a source until it ends or says goodbye."""
    parser = EventParser()
    while data := await source.read():
        for event in parser.feed(data):
            if event.kind == BYE:
                return
            yield event
