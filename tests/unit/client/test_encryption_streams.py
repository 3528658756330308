"""Messages as streams: any size in the memory of a few frames, in pieces of any size, no IV used twice."""

import asyncio
import io
import os
import threading
import tracemalloc

import pytest

from secretsd.client import ClientError, Plaintext
from secretsd.client.encryption import Encryption, InvalidCiphertext
from secretsd.client.encryption.data_keys import DataKey
from secretsd.client.encryption.frames import FrameSealer
from secretsd.client.encryption.streams import StreamSealing
from secretsd.client.encryption.suite import MessageKeys
from tests.unit.client.data_key_daemon import KEY, DataKeyDaemon

FRAME = 16
CONTEXT = {"file": "a"}


@pytest.fixture
def daemon() -> DataKeyDaemon:
    return DataKeyDaemon()


@pytest.fixture
def encryption(daemon: DataKeyDaemon) -> Encryption:
    return Encryption(daemon, KEY, frame_bytes=FRAME)


class Trickle:
    """Gives at most `piece` bytes at a time, by `read` alone."""

    def __init__(self, data: bytes, piece: int) -> None:
        self._source = io.BytesIO(data)
        self._piece = piece

    def read(self, size: int, /) -> bytes:
        return self._source.read(min(size, self._piece))


class Drip(io.RawIOBase):
    """Takes at most three bytes at a time, as a full pipe does."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data, /) -> int:
        self.taken += data[:3]
        return min(3, len(data))


class Keeper:
    """Keeps what it is given as it is given."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.kept.append(data)


async def sealed(encryption: Encryption, data: bytes) -> bytes:
    sink = io.BytesIO()
    assert await encryption.encrypt_stream(io.BytesIO(data), sink, context=CONTEXT) == len(data)
    return sink.getvalue()


@pytest.mark.parametrize("length", [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 5 * FRAME + 3])
async def test_a_stream_comes_back_and_is_what_memory_would_have_given(encryption, length) -> None:
    data = bytes(n % 251 for n in range(length))
    message = await sealed(encryption, data)
    assert len(message) == len(await encryption.encrypt(Plaintext(data), context=CONTEXT))
    assert (await encryption.decrypt(message, context=CONTEXT)).reveal() == data
    sink, told = io.BytesIO(), list[int]()
    assert await encryption.decrypt_stream(io.BytesIO(message), sink, context=CONTEXT, progress=told.append) == length
    assert sink.getvalue() == data
    assert sum(told) == length


@pytest.mark.parametrize("piece", [1, 7, FRAME, 100])
async def test_pieces_of_any_size_go_in_and_out(encryption, piece) -> None:
    data = bytes(range(200))
    drip = Drip()
    await encryption.encrypt_stream(Trickle(data, piece), drip, context=CONTEXT)
    keeper = Keeper()
    await encryption.decrypt_stream(Trickle(bytes(drip.taken), piece), keeper, context=CONTEXT)
    assert b"".join(keeper.kept) == data


async def test_a_message_of_one_frame_shares_a_data_key_and_a_longer_one_has_its_own(encryption, daemon) -> None:
    for _ in range(5):
        await sealed(encryption, bytes(FRAME))
    assert daemon.calls["GenerateDataKey"] == 1
    for _ in range(3):
        await sealed(encryption, bytes(FRAME + 1))
    assert daemon.calls["GenerateDataKey"] == 4


async def test_memory_stays_bounded(daemon) -> None:
    class Zeros(io.RawIOBase):
        left = 64 * 1024 * 1024

        def readinto(self, view, /) -> int:
            size = min(len(view), self.left)
            self.left -= size
            return size

    class Nowhere(io.RawIOBase):
        def write(self, data, /) -> int:
            return len(data)

    encryption = Encryption(daemon, KEY)
    tracemalloc.start()
    try:
        await encryption.encrypt_stream(Zeros(), Nowhere())
        assert tracemalloc.get_traced_memory()[1] < 8 * encryption.frame_bytes
    finally:
        tracemalloc.stop()


async def test_no_frame_is_released_before_it_is_authentic(encryption) -> None:
    message = bytearray(await sealed(encryption, bytes(range(5 * FRAME))))
    message[-3 * FRAME] ^= 1
    keeper = Keeper()
    with pytest.raises(InvalidCiphertext, match="is not as it was written"):
        await encryption.decrypt_stream(io.BytesIO(bytes(message)), keeper, context=CONTEXT)
    released = b"".join(keeper.kept)
    assert len(released) < 5 * FRAME
    assert bytes(range(5 * FRAME)).startswith(released)


async def test_the_last_frame_is_not_released_where_something_follows(encryption) -> None:
    message = await sealed(encryption, b"canary")
    keeper = Keeper()
    with pytest.raises(InvalidCiphertext, match="something follows its end"):
        await encryption.decrypt_stream(io.BytesIO(message + b"x"), keeper, context=CONTEXT)
    assert keeper.kept == []


async def test_a_source_that_does_not_wait_is_refused(encryption) -> None:
    class NotYet(io.RawIOBase):
        def readinto(self, view, /) -> None:
            return None

    class Never:
        def read(self, size: int, /) -> None:
            return None

    for source in (NotYet(), Never()):
        with pytest.raises(ClientError, match="does not wait for its data"):
            await encryption.encrypt_stream(source, io.BytesIO())


async def test_a_source_that_gives_too_much_and_a_sink_that_takes_nothing_are_refused(encryption) -> None:
    class Generous:
        def read(self, size: int, /) -> bytes:
            return bytes(size + 1)

    class Full(io.RawIOBase):
        def write(self, data, /) -> int:
            return 0

    with pytest.raises(ClientError, match="gives more than it was asked for"):
        await encryption.encrypt_stream(Generous(), io.BytesIO())
    with pytest.raises(ClientError, match="it takes nothing"):
        await encryption.encrypt_stream(io.BytesIO(b"x"), Full())


async def test_errors_of_source_and_sink_come_through(encryption) -> None:
    class Broken:
        def write(self, data: bytes, /) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await encryption.encrypt_stream(io.BytesIO(bytes(100)), Broken())


async def test_who_is_cancelled_gets_source_and_sink_back(encryption) -> None:
    """The thread has to let go of them first: a caller that closes its files must not have them written to."""
    begun, go_on = threading.Event(), threading.Event()
    writes = []

    class Slow:
        def write(self, data: bytes, /) -> int:
            begun.set()
            go_on.wait()
            writes.append(len(data))
            return len(data)

    task = asyncio.create_task(encryption.encrypt_stream(io.BytesIO(bytes(100 * FRAME)), Slow()))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(writes) < 5


def test_a_fork_in_the_middle_of_a_message_never_uses_an_iv_twice() -> None:
    """The child has a copy of everything: cipher, number of the frame, buffers. It must not write a single frame."""
    children: list[int] = []

    class Forks(io.BytesIO):
        reads = 0

        def readinto(self, view, /) -> int:
            self.reads += 1
            if self.reads == 4:
                children.append(os.fork())
            return super().readinto(view)

    sink = Keeper()
    stream = StreamSealing(Forks(bytes(10 * FRAME)), FRAME)
    stream.begin()
    try:
        stream.seal(DataKey(KEY, Plaintext(bytes(32)), b"encrypted", 0.0), CONTEXT, sink, None)
        code = 0
    except ClientError as error:
        code = 7 if "after a fork: begin a new one in this process" in error.message else 1
    finally:
        if children == [0]:
            # Header, and the frames that the parent has as well: the fourth read is the look beyond the third frame.
            os._exit(code if len(sink.kept) == 3 else 2)
    assert code == 0
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
    assert len(sink.kept) == 11


def test_a_sealer_refuses_after_a_fork_and_after_its_end() -> None:
    keys = MessageKeys.derive(Plaintext(bytes(32)), bytes(32))
    sealer, into = FrameSealer(keys.cipher, bytes(32)), memoryview(bytearray(100))
    sealer.seal(memoryview(b"one"), into, last=False)
    child = os.fork()
    if child == 0:
        try:
            sealer.seal(memoryview(b"two"), into, last=False)
        except ClientError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    sealer.seal(memoryview(b"two"), into, last=True)
    with pytest.raises(ClientError, match="it has ended"):
        sealer.seal(memoryview(b"three"), into, last=True)
