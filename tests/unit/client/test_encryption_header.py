"""The header of a message: which data key opens it, and what is no header of ours."""

import io
import struct

import pytest

from secretsd.client import ClientError, Plaintext
from secretsd.client.encryption import Encryption, InvalidCiphertext
from secretsd.client.encryption.data_keys import DataKey
from secretsd.client.encryption.frames import MAX_FRAME_BYTES
from secretsd.client.encryption.header import EncryptedDataKey, MessageHeader, read_header
from secretsd.client.encryption.source import MessageReader
from secretsd.client.encryption.suite import MessageKeys
from secretsd.domain.errors import AccessDenied, KeyDisabled, KeyStoreUnavailable
from tests.unit.client.data_key_daemon import KEY, OTHER_KEY
from tests.unit.client.small_messages import CONTEXT, daemon, encryption, header_length

__all__ = ["daemon", "encryption"]


async def test_only_keys_that_are_accepted_open_a_message(daemon) -> None:
    message = await Encryption(daemon, OTHER_KEY).encrypt(Plaintext(b"x"))
    assert (await Encryption(daemon, accepted=[OTHER_KEY]).decrypt(message)).reveal() == b"x"
    for accepted in ([KEY], []):
        with pytest.raises(InvalidCiphertext, match="under a key that is not accepted here"):
            await Encryption(daemon, accepted=accepted).decrypt(message)
    with pytest.raises(ClientError, match="give a list of their ids"):
        Encryption(daemon, accepted=OTHER_KEY)


async def test_the_name_of_a_key_in_the_header_does_not_make_it_accepted(daemon) -> None:
    """The key's id beside the data key is anybody's word; the daemon's answer counts."""
    message = await Encryption(daemon, OTHER_KEY).encrypt(Plaintext(b"x"))
    renamed = message.replace(OTHER_KEY.encode(), KEY.encode(), 1)
    assert renamed != message
    with pytest.raises(InvalidCiphertext, match="under a key that is not accepted here"):
        await Encryption(daemon, accepted=[KEY]).decrypt(renamed)


async def test_of_several_data_keys_the_one_that_opens_it_does(daemon) -> None:
    encryption = Encryption(daemon, KEY)
    await encryption.encrypt(Plaintext(b"x"), context=CONTEXT)
    data_key = encryption.data_keys.take(KEY, CONTEXT, 1)
    assert data_key is not None
    keys = MessageKeys.derive(data_key.plaintext, bytes(32))
    theirs = EncryptedDataKey("aws-kms", b"arn", b"x")
    ours = EncryptedDataKey("secretsd", KEY.encode(), data_key.ciphertext)
    broken = EncryptedDataKey("secretsd", KEY.encode(), data_key.ciphertext[:-1] + bytes([data_key.ciphertext[-1] ^ 1]))
    opener = await encryption.opener(
        _read(MessageHeader(bytes(32), CONTEXT, (theirs, broken, ours), 16, keys.commitment), keys), CONTEXT
    )
    assert opener is not None
    for data_keys, text in (((theirs,), "none of its data keys is for the daemon"), ((broken,), "cannot open")):
        with pytest.raises(InvalidCiphertext, match=text):
            await encryption.opener(
                _read(MessageHeader(bytes(32), CONTEXT, data_keys, 16, keys.commitment), keys), CONTEXT
            )


def _read(header, keys):
    return read_header(MessageReader(io.BytesIO(header.seal(keys))))


@pytest.mark.parametrize("refusal", [AccessDenied(), KeyDisabled(), KeyStoreUnavailable()])
async def test_what_the_daemon_refuses_is_told_as_it_said(encryption, daemon, refusal) -> None:
    message = await encryption.encrypt(Plaintext(b"x"), context=CONTEXT)
    daemon.refusals = [refusal]
    with pytest.raises(type(refusal)):
        await encryption.decrypt(message, context=CONTEXT)
    daemon.refusals = [refusal]
    with pytest.raises(type(refusal)):
        await encryption.encrypt(Plaintext(b"x"), context={"another": "one"})


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({"aws-crypto-public-key": "x"}, "are reserved"),
        ({"a": "\ud800"}, "not valid Unicode"),
        ({"a": "x" * 65536}, "longer than 65535 bytes"),
        ({f"{n}": "x" * 1000 for n in range(70)}, "longer than 65535 bytes"),
        ({"a": 1}, "have to be text"),
    ],
)
async def test_a_context_that_no_message_can_hold_is_refused(encryption, daemon, context, text) -> None:
    with pytest.raises(ClientError, match=text):
        await encryption.encrypt(Plaintext(b"x"), context=context)
    assert not daemon.calls


def changed(message: bytes, place: int, by: bytes) -> bytes:
    return message[:place] + by + message[place + len(by) :]


async def test_what_is_another_format_is_told_apart(encryption) -> None:
    message = await encryption.encrypt(Plaintext(b"x"))
    for other, text in (
        (changed(message, 0, b"\x01"), "none of the AWS Encryption SDK's version 2"),
        (b"\x89PNG" + bytes(100), "none of the AWS Encryption SDK's version 2"),
        (changed(message, 1, b"\x05\x78"), "its algorithm suite is 0x0578"),
        (changed(message, 37, b"\x00\x00"), "it has 0 data keys"),
        (changed(message, 37, b"\x00\x11"), "it has 17 data keys"),
        (changed(message, header_length(message) - 16 - 37, b"\x01"), "its body is not framed"),
    ):
        with pytest.raises(InvalidCiphertext, match=text):
            await encryption.decrypt(other)


@pytest.mark.parametrize(
    "packed",
    [
        b"\0",
        b"\0\0",
        b"\0\x01",
        b"\0\x01\0\x01a",
        b"\0\x01\0\x01a\0\x05b",
        b"\0\x02\0\x01a\0\x01b",
        b"\0\x01\0\x01a\0\x01b\0",
        b"\0\x02\0\x01a\0\x01b\0\x01a\0\x01c",
        b"\0\x01\0\x01\xff\0\x01b",
    ],
)
async def test_a_malformed_context_is_refused(encryption, packed) -> None:
    message = await encryption.encrypt(Plaintext(b"x"))
    made = message[:35] + struct.pack(">H", len(packed)) + packed + message[37:]
    with pytest.raises(InvalidCiphertext, match=r"context is malformed|not valid Unicode"):
        await encryption.decrypt(made)


async def test_a_frame_too_large_for_memory_is_refused_before_any_is_taken(encryption) -> None:
    await encryption.encrypt(Plaintext(b"x"))
    data_key = encryption.data_keys.take(KEY, {}, 1)
    assert data_key is not None
    keys = MessageKeys.derive(data_key.plaintext, bytes(32))
    ours = (EncryptedDataKey("secretsd", KEY.encode(), data_key.ciphertext),)
    with pytest.raises(InvalidCiphertext, match=f"up to {MAX_FRAME_BYTES} are read"):
        await encryption.opener(
            _read(MessageHeader(bytes(32), {}, ours, MAX_FRAME_BYTES + 1, keys.commitment), keys), {}
        )


async def test_a_data_key_of_another_length_is_refused(encryption) -> None:
    message = await encryption.encrypt(Plaintext(b"x"))
    read = read_header(MessageReader(io.BytesIO(message)))
    with pytest.raises(InvalidCiphertext, match="it is not 32 bytes long"):
        encryption.proved(read, DataKey(KEY, Plaintext(bytes(16)), b"", 0.0))
