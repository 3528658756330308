"""The key store's suite for every kind of key, over the fake and the real thing; the OpenSSL command line as judge."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import EncryptionAlgorithm, SigningAlgorithm, digest_bytes, hash_of
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.testing.keystore_suite_kinds import (
    ENCRYPTING,
    MESSAGE,
    SIGNERS,
    SIGNING,
    KeyKindsSuite,
    new_key,
    signed_bytes,
)
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyStoreProcess]:
    with KeyStoreProcess(SoftHSM.create(tmp_path_factory.mktemp("keystore"))) as process:
        yield process


class TestMemoryKeyStore(KeyKindsSuite):
    @pytest.fixture
    def keystore(self) -> MemoryKeyStore:
        return MemoryKeyStore()


@pytest.mark.integration
class TestProcessKeyStore(KeyKindsSuite):
    @pytest.fixture
    async def keystore(self, process: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
        keystore = ProcessKeyStore(process.path, deadline_seconds=60)
        yield keystore
        await keystore.close()


def openssl(directory: Path, *words: str, **files: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a directory with these files."""
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return subprocess.run(["openssl", *words], cwd=directory, capture_output=True, check=False, timeout=60)


@pytest.mark.integration
class TestCommandLine:
    @pytest.fixture
    async def keystore(self, process: KeyStoreProcess) -> AsyncIterator[ProcessKeyStore]:
        keystore = ProcessKeyStore(process.path, deadline_seconds=60)
        yield keystore
        await keystore.close()

    @pytest.mark.parametrize(("spec", "algorithm"), SIGNERS)
    async def test_it_verifies_signatures(
        self, keystore: ProcessKeyStore, tmp_path: Path, spec: KeySpec, algorithm: SigningAlgorithm
    ) -> None:
        key = await new_key(keystore, spec)
        signature = await keystore.sign(key, SIGNING, algorithm, signed_bytes(algorithm))
        words = [
            "pkeyutl",
            "-verify",
            "-pubin",
            "-keyform",
            "DER",
            "-inkey",
            "key",
            "-sigfile",
            "signature",
            "-in",
            "in",
        ]
        if digest_bytes(algorithm) is None:
            words += ["-rawin"]
        else:
            words += ["-pkeyopt", f"digest:{hash_of(algorithm)}"]
        if "PSS" in algorithm.value:
            words += ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
        given = {"key": key.public_key, "signature": signature, "in": signed_bytes(algorithm)}
        ran = openssl(tmp_path, *words, **given)
        assert (ran.returncode, b"Signature Verified Successfully" in ran.stdout) == (0, True), ran.stderr
        ran = openssl(tmp_path, *words, **{**given, "in": signed_bytes(algorithm, MESSAGE + b"!")})
        assert (ran.returncode, b"Successfully" in ran.stdout) == (1, False)

    async def test_what_it_encrypts_is_opened(self, keystore: ProcessKeyStore, tmp_path: Path) -> None:
        key = await new_key(keystore, KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT)
        words = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "in", "-out", "out"]
        words += ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1"]
        ran = openssl(tmp_path, *words, **{"key": key.public_key, "in": MESSAGE})
        assert ran.returncode == 0, ran.stderr
        made = (tmp_path / "out").read_bytes()
        opened = await keystore.decrypt_asymmetric(key, ENCRYPTING, EncryptionAlgorithm.RSAES_OAEP_SHA_1, made)
        assert opened.reveal() == MESSAGE
