"""Messages of ours are read by the AWS Encryption SDK's own package, and its messages by us."""

import asyncio

import pytest
from cryptography.exceptions import InvalidTag

from secretsd.api.cryptography import DecryptRequest, DecryptResponse
from secretsd.api.data_keys import GenerateDataKeyRequest, GenerateDataKeyResponse
from secretsd.client import Plaintext
from secretsd.client.encryption import Encryption, InvalidCiphertext
from tests.unit.client import official_sdk
from tests.unit.client.data_key_daemon import KEY, DataKeyDaemon

FRAME = 4096
LENGTHS = (0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 7)
CONTEXTS: tuple[dict[str, str], ...] = ({}, {"order": "17"}, {"zoë": "düsseldorf", "a": "", "": "empty name", "B": "1"})


@pytest.fixture
def daemon() -> DataKeyDaemon:
    return DataKeyDaemon()


def provider(daemon: DataKeyDaemon) -> official_sdk.Secretsd:
    """For the package, which is synchronous: it runs on a thread without a loop."""

    def generate(context):
        request = GenerateDataKeyRequest(key=KEY, spec="AES_256", context=context)
        made = asyncio.run(daemon.exchange("GenerateDataKey", request, GenerateDataKeyResponse))
        return made.plaintext.reveal(), made.ciphertext

    def decrypt(ciphertext, context):
        request = DecryptRequest(ciphertext=ciphertext, context=context)
        return asyncio.run(daemon.exchange("Decrypt", request, DecryptResponse)).plaintext.reveal()

    return official_sdk.Secretsd(KEY, generate, decrypt)


@pytest.mark.parametrize("context", CONTEXTS, ids=len)
@pytest.mark.parametrize("length", LENGTHS)
async def test_the_package_reads_what_we_write(daemon, length, context) -> None:
    data = bytes(range(256)) * (length // 256 + 1)
    message = await Encryption(daemon, KEY, frame_bytes=FRAME).encrypt(Plaintext(data[:length]), context=context)
    plaintext, found = await asyncio.to_thread(official_sdk.decrypt, provider(daemon), message)
    assert plaintext == data[:length]
    assert found == context


@pytest.mark.parametrize("context", CONTEXTS, ids=len)
@pytest.mark.parametrize("length", LENGTHS)
async def test_we_read_what_the_package_writes(daemon, length, context) -> None:
    data = (bytes(range(256)) * (length // 256 + 1))[:length]
    message = await asyncio.to_thread(official_sdk.encrypt, provider(daemon), data, context, FRAME)
    encryption = Encryption(daemon)
    assert (await encryption.decrypt(message, context=context)).reveal() == data
    with pytest.raises(InvalidCiphertext, match="its encryption context is another one"):
        await encryption.decrypt(message, context={**context, "more": "x"})


async def test_the_package_refuses_what_we_refuse(daemon) -> None:
    message = bytearray(await Encryption(daemon, KEY).encrypt(Plaintext(b"canary"), context={"a": "b"}))
    message[-1] ^= 1
    with pytest.raises(InvalidTag):
        await asyncio.to_thread(official_sdk.decrypt, provider(daemon), bytes(message))
