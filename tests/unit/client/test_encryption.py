"""Messages in memory: what opens them, what does not, and that no changed byte, frame or header gets through."""

import io
import struct

import pytest

from secretsd.client import ClientError, Plaintext
from secretsd.client.encryption import DEFAULT_FRAME_BYTES, Encryption, InvalidCiphertext
from secretsd.client.encryption.frames import LAST_OVERHEAD, MAX_FRAME_BYTES, REGULAR_OVERHEAD, FrameSealer
from secretsd.client.encryption.header import MessageHeader, read_header
from secretsd.client.encryption.source import MessageReader
from secretsd.client.encryption.suite import MessageKeys
from tests.unit.client.data_key_daemon import KEY
from tests.unit.client.small_messages import CONTEXT, FRAME, daemon, encryption, header_length

__all__ = ["daemon", "encryption"]


def cut(message: bytes, frames: int) -> tuple[bytes, list[bytes]]:
    """A message of frames of FRAME bytes as its header and its frames; the last is what is left."""
    start, each = header_length(message), FRAME + REGULAR_OVERHEAD
    ends = [start + each * number for number in range(frames)]
    return message[:start], [message[a:b] for a, b in zip(ends, [*ends[1:], len(message)], strict=True)]


@pytest.mark.parametrize("length", [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 1000])
async def test_what_was_encrypted_comes_back(encryption, length) -> None:
    data = bytes(n % 251 for n in range(length))
    message = await encryption.encrypt(Plaintext(data), context=CONTEXT)
    assert (await encryption.decrypt(message, context=CONTEXT)).reveal() == data


async def test_a_long_one_is_done_on_a_thread_and_comes_back_too(daemon) -> None:
    data = bytes(range(256)) * 12288  # 3 MiB, twelve frames
    message = await Encryption(daemon, KEY).encrypt(Plaintext(data))
    assert len(message) > len(data) + 11 * REGULAR_OVERHEAD + LAST_OVERHEAD
    assert (await Encryption(daemon).decrypt(message)).reveal() == data


async def test_a_full_last_frame_has_no_empty_one_behind_it(encryption) -> None:
    message = await encryption.encrypt(Plaintext(bytes(2 * FRAME)))
    assert len(message) - header_length(message) == 2 * FRAME + REGULAR_OVERHEAD + LAST_OVERHEAD


async def test_the_plaintext_and_the_data_key_are_nowhere_in_a_message(encryption, daemon) -> None:
    message = await encryption.encrypt(Plaintext(b"canary-plaintext"), context=CONTEXT)
    data_key = encryption.data_keys.take(KEY, CONTEXT, 1)
    assert b"canary" not in message
    assert data_key.plaintext.reveal() not in message
    assert "canary" not in repr(encryption) + repr(data_key)
    assert repr(data_key.plaintext.reveal()) not in repr(data_key)


@pytest.mark.parametrize("other", [{}, {"order": "17"}, {**CONTEXT, "more": ""}, {**CONTEXT, "order": "18"}, None])
async def test_it_opens_in_its_own_context_only(encryption, daemon, other) -> None:
    message = await encryption.encrypt(Plaintext(b"canary"), context=CONTEXT)
    with pytest.raises(InvalidCiphertext, match="its encryption context is another one"):
        await encryption.decrypt(message, context=other)
    assert not daemon.calls["Decrypt"]


async def test_a_context_that_was_exchanged_in_the_message_does_not_open_it(encryption) -> None:
    message = await encryption.encrypt(Plaintext(b"canary"), context={"order": "17"})
    for keys in (encryption.data_keys, None):  # with the data key in memory, and asked for
        if keys is None:
            encryption.data_keys.clear()
        with pytest.raises(InvalidCiphertext):
            await encryption.decrypt(message.replace(b"\0\x0217", b"\0\x0218"), context={"order": "18"})


@pytest.mark.parametrize("frames", [1, 3])
async def test_no_changed_byte_gets_through(encryption, frames) -> None:
    message = await encryption.encrypt(Plaintext(bytes(FRAME * frames - 5)), context=CONTEXT)
    for place in range(len(message)):
        for flipped in (0x01, 0x80):
            changed = message[:place] + bytes([message[place] ^ flipped]) + message[place + 1 :]
            with pytest.raises(InvalidCiphertext, match=r"^cannot"):
                await encryption.decrypt(changed, context=CONTEXT)


async def test_no_shorter_or_longer_message_gets_through(encryption) -> None:
    message = await encryption.encrypt(Plaintext(bytes(FRAME * 2 + 3)), context=CONTEXT)
    for length in range(len(message)):
        with pytest.raises(InvalidCiphertext, match="ends too early"):
            await encryption.decrypt(message[:length], context=CONTEXT)
    for more in (b"\0", message):
        with pytest.raises(InvalidCiphertext, match="something follows its end"):
            await encryption.decrypt(message + more, context=CONTEXT)


async def test_frames_that_are_moved_repeated_or_left_out_are_noticed(encryption) -> None:
    message = await encryption.encrypt(Plaintext(bytes(range(FRAME * 3 + 1))), context=CONTEXT)
    header, (a, b, c, last) = cut(message, 4)
    assert header + a + b + c + last == message
    for frames in ((b, a, c, last), (a, a, b, c, last), (a, c, last), (a, b, last), (last,), (a, b, c, c, last)):
        with pytest.raises(InvalidCiphertext, match="is not in its place"):
            await encryption.decrypt(header + b"".join(frames), context=CONTEXT)


async def test_a_frame_under_another_number_is_not_authentic(encryption) -> None:
    message = await encryption.encrypt(Plaintext(bytes(range(FRAME * 3))), context=CONTEXT)
    header, (a, b, last) = cut(message, 3)
    renumbered = [struct.pack(">I", number) + frame[4:] for number, frame in ((1, b), (2, a))]
    with pytest.raises(InvalidCiphertext, match="frame 1 is not as it was written"):
        await encryption.decrypt(header + b"".join(renumbered) + last, context=CONTEXT)
    # A frame in the middle that is made to look like the last one would cut the message short.
    ended = b"\xff\xff\xff\xff" + b[:16] + struct.pack(">I", FRAME) + b[16:]
    with pytest.raises(InvalidCiphertext, match="frame 2 is not as it was written"):
        await encryption.decrypt(header + a + ended, context=CONTEXT)


async def test_a_last_frame_longer_than_a_frame_is_refused(encryption) -> None:
    """Also an authentic one: the header says how much memory a reader needs."""
    message = await encryption.encrypt(Plaintext(b"x"), context=CONTEXT)
    data_key = encryption.data_keys.take(KEY, CONTEXT, 1)
    into = memoryview(bytearray(FRAME + 1 + LAST_OVERHEAD))
    FrameSealer(MessageKeys.derive(data_key.plaintext, message[3:35]).cipher, message[3:35]).seal(
        memoryview(bytes(FRAME + 1)), into, last=True
    )
    with pytest.raises(InvalidCiphertext, match="its last frame is longer than a frame"):
        await encryption.decrypt(message[: header_length(message)] + bytes(into), context=CONTEXT)


async def test_frames_of_another_message_under_the_same_data_key_are_refused(encryption, daemon) -> None:
    one, two = [await encryption.encrypt(Plaintext(bytes(FRAME * 2)), context=CONTEXT) for _ in range(2)]
    assert daemon.calls["GenerateDataKey"] == 1
    (header, (a, _)), (_, (_, last)) = cut(one, 2), cut(two, 2)
    with pytest.raises(InvalidCiphertext, match="frame 2 is not as it was written"):
        await encryption.decrypt(header + a + last, context=CONTEXT)


async def test_a_message_commits_to_its_data_key(encryption) -> None:
    """Under GCM alone, one message could be made that opens under two keys."""
    message = await encryption.encrypt(Plaintext(b"x"), context=CONTEXT)
    data_key = encryption.data_keys.take(KEY, CONTEXT, 1)
    read = read_header(MessageReader(io.BytesIO(message)))
    keys = MessageKeys.derive(data_key.plaintext, read.header.message_id)
    assert read.verify(keys)
    # The header is sealed anew under the right cipher, so that the commitment alone is wrong.
    lying = MessageHeader(read.header.message_id, CONTEXT, read.header.data_keys, FRAME, bytes(32)).seal(keys)
    forged = lying + message[header_length(message) :]
    with pytest.raises(InvalidCiphertext, match="its header is not as it was written"):
        await encryption.decrypt(forged, context=CONTEXT)


async def test_every_message_has_a_key_of_its_own(encryption) -> None:
    made = [await encryption.encrypt(Plaintext(b"same"), context=CONTEXT) for _ in range(100)]
    assert len({message[3:35] for message in made}) == 100
    assert len({message[-20:] for message in made}) == 100


@pytest.mark.parametrize("frame_bytes", [0, -1, MAX_FRAME_BYTES + 1])
def test_frames_have_a_length_that_memory_holds(daemon, frame_bytes) -> None:
    with pytest.raises(ClientError, match="cannot use frames of"):
        Encryption(daemon, KEY, frame_bytes=frame_bytes)
    assert Encryption(daemon, KEY).frame_bytes == DEFAULT_FRAME_BYTES


async def test_without_a_key_nothing_is_encrypted(daemon) -> None:
    with pytest.raises(ClientError, match="cannot encrypt: no key was given"):
        await Encryption(daemon).encrypt(Plaintext(b"x"))
