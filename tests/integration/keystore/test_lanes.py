"""Two keystore processes on one token: what is slow holds nobody up, and what one of them destroys is gone for both."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.keystore_process.lanes import LaneKeyStore
from secretsd.domain.algorithms import SigningAlgorithm
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidState
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyUse
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

pytestmark = pytest.mark.integration
ACCOUNT = "000000000001"
USE = KeyUse(ACCOUNT, Purpose.API_CIPHERTEXT, "request-1")


@pytest.fixture
async def lanes(tmp_path: Path) -> AsyncIterator[LaneKeyStore]:
    token = SoftHSM.create(tmp_path / "keystore")
    with (
        KeyStoreProcess(token) as fast,
        KeyStoreProcess(token, path=tmp_path / "slow.sock", lane="slow") as slow,
    ):
        keystore = LaneKeyStore(
            ProcessKeyStore(fast.path, deadline_seconds=10), ProcessKeyStore(slow.path, deadline_seconds=60)
        )
        yield keystore
        await keystore.close()


def metadata(spec: KeySpec, usage: KeyUsage) -> KeyMetadata:
    return KeyMetadata(ACCOUNT, str(uuid.uuid4()), 1, spec, usage)


async def test_making_rsa_keys_holds_up_nobody_who_encrypts(lanes: LaneKeyStore) -> None:
    key = await lanes.generate_key(metadata(KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT))
    wanted = [metadata(KeySpec.RSA_4096, KeyUsage.SIGN_VERIFY) for _ in range(3)]
    making = asyncio.ensure_future(asyncio.gather(*map(lanes.generate_key, wanted)))
    text = Plaintext(b"text")
    for _ in range(20):
        ciphertext = await lanes.encrypt(key, USE, text, {})
        assert await lanes.decrypt(key, USE, ciphertext, {}) == text
    assert (await lanes.status()).available
    assert not making.done(), "the encryptions waited for the keys"
    made = await making
    signed = await lanes.sign(made[0], USE, SigningAlgorithm.RSASSA_PSS_SHA_256, bytes(32))
    assert len(signed) == 512


async def test_uses_are_counted_in_both(lanes: LaneKeyStore) -> None:
    key = await lanes.generate_key(metadata(KeySpec.RSA_2048, KeyUsage.SIGN_VERIFY))
    await lanes.sign(key, USE, SigningAlgorithm.RSASSA_PKCS1_V1_5_SHA_256, bytes(32))
    assert (await lanes.status()).uses[f"{key.key_id}/1"] == 1


async def test_what_is_destroyed_is_gone_in_both(lanes: LaneKeyStore) -> None:
    key = await lanes.generate_key(metadata(KeySpec.RSA_2048, KeyUsage.SIGN_VERIFY))
    await lanes.sign(key, USE, SigningAlgorithm.RSASSA_PKCS1_V1_5_SHA_256, bytes(32))
    await lanes.destroy_key(ACCOUNT, key.key_id, 1)
    with pytest.raises(InvalidState, match="destroyed"):
        await lanes.sign(key, USE, SigningAlgorithm.RSASSA_PKCS1_V1_5_SHA_256, bytes(32))
