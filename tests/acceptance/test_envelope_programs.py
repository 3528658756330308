"""Envelope encryption by programs, against a real daemon and the AWS Encryption SDK's own package."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from secretsd.client import Client, Plaintext
from secretsd.client.encryption import Encryption, InvalidCiphertext, SyncEncryption
from secretsd.client.errors import ClientError
from secretsd.client.sync import SyncClient
from secretsd.domain.errors import AccessDenied, KeyDisabled
from secretsd.testing.daemon import Daemon
from tests.acceptance.envelope_commands import Ctl, client, ctl, daemon, key
from tests.unit.client import official_sdk

__all__ = ["client", "ctl", "daemon", "key"]
pytestmark = pytest.mark.acceptance
CONTEXT = {"table": "orders", "zoë": "ü"}
BIG = bytes(range(256)) * 4096 * 3 + b"the end"


def test_ten_thousand_messages_ask_for_eleven_data_keys_at_most(ctl: Ctl, client: SyncClient, daemon: Daemon) -> None:
    key = client.run(lambda c: c.create_key(description="of many messages")).id
    encryption = SyncEncryption(client, key)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: encryption.encrypt(Plaintext(b"%d" % n), context=CONTEXT), range(10_000)))
        reader = SyncEncryption(client, accepted=[key])
        opened = pool.map(lambda message: reader.decrypt(message, context=CONTEXT).reveal(), made)
        assert list(opened) == [b"%d" % n for n in range(10_000)]
    found = json.loads(ctl("audit", "lookup", "--resource", f"key/{key}", "-o", "json").out)
    operations = [one["operation"] for one in found]
    assert 1 <= operations.count("GenerateDataKey") <= 11
    assert 1 <= operations.count("Decrypt") <= 11


async def test_a_program_with_an_event_loop_does_the_same(daemon: Daemon, key: str, tmp_path: Path) -> None:
    async with Client(socket=daemon.socket, token=Plaintext.from_text(daemon.token)) as client:
        encryption = Encryption(client, key)
        message = await encryption.encrypt(Plaintext(b"canary"), context=CONTEXT)
        assert (await encryption.decrypt(message, context=CONTEXT)).reveal() == b"canary"
        (tmp_path / "big").write_bytes(BIG)
        with (tmp_path / "big").open("rb") as source, (tmp_path / "sealed").open("wb") as sink:
            assert await encryption.encrypt_stream(source, sink, context=CONTEXT) == len(BIG)
        with (tmp_path / "sealed").open("rb") as source, (tmp_path / "plain").open("wb") as sink:
            assert await encryption.decrypt_stream(source, sink, context=CONTEXT) == len(BIG)
    assert (tmp_path / "plain").read_bytes() == BIG


def provider(client: SyncClient, key: str) -> official_sdk.Secretsd:
    """The daemon as a key provider of the AWS Encryption SDK."""

    def generate(context):
        made = client.run(lambda c: c.generate_data_key(key, spec="AES_256", context=context))
        return made.plaintext.reveal(), made.ciphertext

    def decrypt(ciphertext, context):
        return client.run(lambda c: c.decrypt(ciphertext=ciphertext, context=context)).plaintext.reveal()

    return official_sdk.Secretsd(key, generate, decrypt)


def test_the_aws_encryption_sdk_reads_and_writes_the_same_messages(ctl: Ctl, client: SyncClient, key: str) -> None:
    context = ("--context", "table=orders", "--context", "zoë=ü")
    message = ctl("encrypt", "-", "--key", key, *context, stdin=BIG).out
    assert official_sdk.decrypt(provider(client, key), message) == (BIG, CONTEXT)
    theirs = official_sdk.encrypt(provider(client, key), BIG, CONTEXT)
    assert ctl("decrypt", "-", *context, stdin=theirs).out == BIG


def test_a_key_that_is_disabled_opens_nothing_that_was_not_kept(ctl: Ctl, client: SyncClient) -> None:
    key = client.run(lambda c: c.create_key()).id
    encryption, stranger = SyncEncryption(client, key), SyncEncryption(client, key)
    message = encryption.encrypt(Plaintext(b"canary"))
    assert encryption.decrypt(message).reveal() == b"canary"
    client.run(lambda c: c.disable_key(key))
    assert encryption.decrypt(message).reveal() == b"canary"  # for as long as the limits say
    with pytest.raises(KeyDisabled):
        stranger.decrypt(message)
    with pytest.raises(KeyDisabled):
        stranger.encrypt(Plaintext(b"x"))
    client.run(lambda c: c.enable_key(key))
    assert stranger.decrypt(message).reveal() == b"canary"


def test_who_may_not_use_the_key_gets_nothing(daemon: Daemon, client: SyncClient, key: str) -> None:
    message = SyncEncryption(client, key).encrypt(Plaintext(b"canary"))
    client.run(lambda c: c.create_user(user="nobody-special"))
    token = client.run(lambda c: c.create_token("nobody-special")).token
    with SyncClient(Client(address=daemon.environment["SECRETSD_ADDR"], token=Plaintext(token.reveal()))) as weak:
        with pytest.raises(AccessDenied):
            SyncEncryption(weak, key).encrypt(Plaintext(b"x"))
        with pytest.raises(AccessDenied):
            SyncEncryption(weak).decrypt(message)


def test_what_is_no_data_key_of_ours_is_an_invalid_ciphertext(client: SyncClient, key: str) -> None:
    message = bytearray(SyncEncryption(client, key).encrypt(Plaintext(b"canary")))
    message[message.index(key.encode()) + 36 + 2 + 30] ^= 1  # within the encrypted data key
    with pytest.raises(InvalidCiphertext):
        SyncEncryption(client).decrypt(bytes(message))


def test_after_a_fork_the_child_begins_anew(daemon: Daemon, client: SyncClient, key: str) -> None:
    encryption = SyncEncryption(client, key)
    encryption.encrypt(Plaintext(b"x"))
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            encryption.encrypt(Plaintext(b"x"))
        except ClientError as error:
            os.write(tell, error.message.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(tell)
    assert os.read(told, 1000).startswith(b"cannot use the client after a fork")
    os.close(told)
