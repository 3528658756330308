"""Server-sent events out of bytes, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.client.errors import UnreadableAnswer
from secretsd.client.event_stream import MAX_EVENT_BYTES, Event, EventParser, read_events

TEXT = (
    b'event: secret\ndata: {"name":"a"}\n\n'
    b": \nid: f.1.7\n\n"
    b'id: f.1.8\nevent: secret\ndata: {"name":"b"}\n\n'
    b": nothing but a word\n\n"
    b"retry: 5\ndata: one\ndata:two\r\n\r\n"
)
EVENTS = [
    Event("secret", b'{"name":"a"}', None),
    Event("", b"", "f.1.7"),
    Event("secret", b'{"name":"b"}', "f.1.8"),
    Event("", b"one\ntwo", None),
]


@given(st.lists(st.integers(0, len(TEXT)), max_size=20))
def test_pieces_of_any_size_make_the_same_events(cuts: list[int]) -> None:
    parser = EventParser()
    found = []
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(TEXT)], strict=True):
        found += parser.feed(TEXT[start:end])
    assert found == EVENTS


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_nothing(data: bytes) -> None:
    assert all(isinstance(event, Event) for event in EventParser().feed(data))


@pytest.mark.parametrize("end", [b"\n", b""])
def test_an_event_without_an_end_is_given_up(end: bytes) -> None:
    parser, piece = EventParser(), b"data: " + b"x" * 500_000 + end
    for _ in range(MAX_EVENT_BYTES // len(piece)):
        assert parser.feed(piece) == []
    with pytest.raises(UnreadableAnswer, match="longer than"):
        parser.feed(piece)


def test_many_short_events_are_not_a_long_one() -> None:
    parser = EventParser()
    for _ in range(10):
        assert len(parser.feed((b"data: " + b"x" * 1000 + b"\n\n") * 600)) == 600


async def test_a_goodbye_is_the_end() -> None:
    pieces = [TEXT, b'event: bye\ndata: {"reason":"shutdown"}\n\n' + TEXT, TEXT]

    class Source:
        async def read(self) -> bytes:
            return pieces.pop(0)

    assert [event async for event in read_events(Source())] == EVENTS
