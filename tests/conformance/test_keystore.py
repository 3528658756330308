"""The key store's suite over the fake and over the real thing: SoftHSM2 behind the keystore process."""

from collections.abc import AsyncIterator, Iterator

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.testing.keystore_suite import KeyStoreSuite
from secretsd.testing.keystore_suite_import import ImportSuite
from secretsd.testing.keystore_suite_import_bad import BadImportSuite
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(SoftHSM.create(tmp_path_factory.mktemp("keystore"))) as process:
        yield process


class TestMemoryKeyStore(KeyStoreSuite):
    @pytest.fixture
    def keystore(self) -> MemoryKeyStore:
        return MemoryKeyStore()


@pytest.mark.integration
class TestProcessKeyStore(KeyStoreSuite):
    @pytest.fixture
    async def keystore(self, process: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        yield keystore
        await keystore.close()


class TestImportIntoMemoryKeyStore(ImportSuite, BadImportSuite):
    @pytest.fixture
    def keystore(self) -> MemoryKeyStore:
        return MemoryKeyStore()


@pytest.mark.integration
class TestImportIntoProcessKeyStore(ImportSuite, BadImportSuite):
    @pytest.fixture
    async def keystore(self, process: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        yield keystore
        await keystore.close()
