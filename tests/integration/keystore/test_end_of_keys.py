"""Keys come to their end in a real HSM: refused from then on, also after a restart and though their rows came back."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import WrappedKey
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.ports.keystore import KeyUse
from secretsd.services.key_deletion import KeyDeletions
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM
from secretsd.testing.storage import temporary_storage
from tests.unit.operations.conftest import House

pytestmark = pytest.mark.integration
SPECS = ("AES_256", "HMAC_256", "RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(SoftHSM.create(tmp_path / "keystore")) as process:
        yield process


@pytest.fixture
async def keystore(process: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
    keystore = ProcessKeyStore(process.path, deadline_seconds=30)
    yield keystore
    await keystore.close()


@pytest.fixture
async def house(tmp_path: Path, keystore: ProcessKeyStore) -> AsyncIterator[House]:
    async with temporary_storage(tmp_path / "storage") as storage:
        house = House(storage, keystore)  # type: ignore[arg-type]  # any key store does
        house.account = await ensure_first_account(house.parts, (), "test")
        yield house


async def use(keystore: ProcessKeyStore, key: WrappedKey) -> Any:
    """What a key of that kind is for."""
    on_behalf = KeyUse(key.account, Purpose.API_CIPHERTEXT, "test")
    match key.spec.value:
        case "AES_256":
            return await keystore.generate_data_key(key, on_behalf, {})
        case "HMAC_256":
            return await keystore.generate_mac(key, on_behalf, MacAlgorithm.HMAC_SHA_256, b"message")
        case "RSA_2048":
            return await keystore.sign(key, on_behalf, SigningAlgorithm.RSASSA_PSS_SHA_256, bytes(32))
        case "ECC_NIST_P256":
            return await keystore.sign(key, on_behalf, SigningAlgorithm.ECDSA_SHA_256, bytes(32))
        case _:
            return await keystore.sign(key, on_behalf, SigningAlgorithm.ED25519_SHA_512, b"message")


async def test_a_destroyed_key_is_refused_by_the_hsm_s_process_for_good(
    house: House, keystore: ProcessKeyStore, process: KeyStoreProcess
) -> None:
    gone: list[WrappedKey] = []
    stays: list[WrappedKey] = []
    for spec in SPECS:
        for keys in (gone, stays):
            key = (await house.call("CreateKey", spec=spec)).id
            keys.append(await house.storage.keys.version(house.account, key, 1))
            assert await use(keystore, keys[-1])
    for key in gone:
        await house.call("ScheduleKeyDeletion", key=key.key_id, pending_window_days=7)
        assert await use(keystore, key), "only the worker's side holds a key that waits back"
    house.clock.pass_days(8)
    assert await KeyDeletions(house.pipeline).ensure() == len(SPECS)
    for restarted in (False, True):
        if restarted:
            process.restart()
        for key in gone:
            with pytest.raises(InvalidState, match="destroyed"):
                await use(keystore, key)
        for key in stays:
            assert await use(keystore, key)
    shown = (await house.call("ListKeys", state="destroyed")).keys
    assert sorted(key.id for key in shown) == sorted(key.key_id for key in gone)
