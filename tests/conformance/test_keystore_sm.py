"""The key store's suite for SM keys over the fake and over the real thing: SoftHSM2 behind the keystore process."""

from collections.abc import AsyncIterator, Iterator

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.testing.keystore_suite_sm import SMKeyStoreSuite
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(SoftHSM.create(tmp_path_factory.mktemp("keystore"))) as process:
        yield process


class TestMemoryKeyStore(SMKeyStoreSuite):
    @pytest.fixture
    def keystore(self) -> MemoryKeyStore:
        return MemoryKeyStore()


@pytest.mark.integration
class TestProcessKeyStore(SMKeyStoreSuite):
    @pytest.fixture
    async def keystore(self, process: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        yield keystore
        await keystore.close()
