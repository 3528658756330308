"""Frames between our own processes: whatever way the bytes come in, the same bodies come out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.adapters import frames

batches = st.lists(st.lists(st.binary(max_size=40), max_size=20), min_size=1, max_size=5)


def bodies_of(stream: bytes) -> list[bytes]:
    return frames.Unpacker().feed(stream)


@given(batches, st.data())
def test_a_stream_cut_anywhere_gives_the_same_bodies(batches: list[list[bytes]], data: st.DataObject) -> None:
    packed = [frames.pack(batch) for batch in batches]
    stream = b"".join(packed)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    unpacker, found = frames.Unpacker(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += unpacker.feed(stream[start:end])
    assert found == [frame[4:] for frame in packed]
    assert [msgspec.msgpack.decode(body) for body in found] == batches


@given(batches)
def test_what_was_read_outlives_the_place_that_it_was_read_into(batches: list[list[bytes]]) -> None:
    unpacker, found = frames.Unpacker(), []
    for frame in map(frames.pack, batches):
        for part in (frame, frame[:3], frame[3:]):
            place = bytearray(part)
            found += unpacker.feed(memoryview(place))
            place[:] = bytes(len(place))
    assert [msgspec.msgpack.decode(body) for body in found] == [batch for batch in batches for _ in range(2)]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 255, 256, 511, frames.MAX_MESSAGES])
def test_messages_that_are_encoded_already_make_the_same_frame(count: int) -> None:
    batch = [["status", number] for number in range(count)]
    assert frames.joined([msgspec.msgpack.encode(message) for message in batch]) == frames.pack(batch)


@pytest.mark.parametrize("encoded", [[b"\x01"] * (frames.MAX_MESSAGES + 1), [bytes(frames.MAX_FRAME_BYTES)]])
def test_a_frame_over_the_limit_is_not_made(encoded: list[bytes]) -> None:
    with pytest.raises(frames.BadFrame):
        frames.joined(encoded)


def test_a_frame_over_the_limit_is_not_read_even_if_it_comes_whole() -> None:
    size = frames.MAX_FRAME_BYTES + 1
    with pytest.raises(frames.BadFrame):
        bodies_of(size.to_bytes(4) + bytes(size))
    assert bodies_of((size - 1).to_bytes(4) + bytes(size - 1)) == [bytes(size - 1)]
