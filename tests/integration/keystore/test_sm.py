"""SM keys in the real keystore process: where their material is and is not, and what becomes of it when things fail."""

import dataclasses
import os
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.pkcs11.software_keys import wipe
from secretsd.adapters.sm import extra, sm2
from secretsd.domain.errors import Internal, Unsupported
from secretsd.domain.key_import import WrappingSpec
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyOrigin, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.testing import softhsm
from secretsd.testing.keystore_suite import metadata as aes_metadata
from secretsd.testing.keystore_suite_sm import ACCOUNT, CONTEXT, DSA, IMPORT, PKE, TEXT, USE, metadata, pkcs8
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once

from .conftest import Shim

pytestmark = pytest.mark.integration

SM4, SIGNER = (KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT), (KeySpec.SM2, KeyUsage.SIGN_VERIFY)
DEVICE_ERROR, SESSION_HANDLE_INVALID = 0x30, 0xB3
# The process, with the library of the extra hidden from it.
BARE = """
import runpy, sys
sys.modules["gmssl_pyx"] = None
runpy.run_module("secretsd.adapters.keystore_process", None, "__main__")
"""


@pytest.fixture
def alone(tmp_path: Path) -> SoftHSM:
    """A token of the test's own."""
    return SoftHSM.create(tmp_path / "keystore")


@pytest.fixture
async def client() -> AsyncIterator[Callable[[KeyStoreProcess], ProcessKeyStore]]:
    made: list[ProcessKeyStore] = []

    def make(process: KeyStoreProcess) -> ProcessKeyStore:
        made.append(ProcessKeyStore(process.path, deadline_seconds=30))
        return made[-1]

    yield make
    for keystore in made:
        await keystore.close()


async def work(keystore: ProcessKeyStore, sm4: WrappedKey, signer: WrappedKey) -> None:
    """Use both keys, each with the right answer."""
    ciphertext = await keystore.encrypt(sm4, USE, TEXT, CONTEXT)
    assert await keystore.decrypt(sm4, USE, ciphertext, CONTEXT) == TEXT
    digest = keystore.sm2.digest(signer.public_key, b"message")
    assert keystore.sm2.verify(signer.public_key, digest, await keystore.sign(signer, USE, DSA, digest))


async def imported(keystore: ProcessKeyStore, spec: KeySpec, usage: KeyUsage, material: bytes) -> WrappedKey:
    """A key whose material the test knows."""
    wanted = dataclasses.replace(metadata(spec, usage), origin=KeyOrigin.EXTERNAL)
    pair = await keystore.generate_import_key(ACCOUNT, wanted.key_id, WrappingSpec.SM2)
    return await keystore.import_key(wanted, pair, IMPORT, keystore.sm2.encrypt(pair.public_key, Plaintext(material)))


def parts(process: KeyStoreProcess) -> Iterator[bytes]:
    """The process's memory as far as it can be written, region by region."""
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if found is not None and "[vvar" not in line:
                start, end = (int(place, 16) for place in found.groups())
                memory.seek(start)
                yield memory.read(end - start)


def loaded(process: KeyStoreProcess) -> set[str]:
    """Which of the native libraries are in the process."""
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    return {name for name in ("pkcs11", "gmssl_pyx", "cryptography") if f"/{name}/" in maps}


def copies(process: KeyStoreProcess, wanted: bytes) -> int:
    """How often the bytes stand in the process's memory."""
    return sum(part.count(wanted) for part in parts(process))


@pytest.mark.needs_root
async def test_the_libraries_are_loaded_for_sm_keys_alone(alone: SoftHSM, client) -> None:
    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        aes = await keystore.generate_key(aes_metadata())
        await keystore.encrypt(aes, USE, TEXT, {})
        assert loaded(process) == {"pkcs11"}
        await keystore.generate_key(metadata(*SIGNER))
        assert loaded(process) == {"pkcs11", "gmssl_pyx"}
        sm4 = await keystore.generate_key(metadata(*SM4))
        await keystore.encrypt(sm4, USE, TEXT, {})
        assert loaded(process) == {"pkcs11", "gmssl_pyx", "cryptography"}


@pytest.mark.needs_root
async def test_material_is_in_this_process_alone_and_only_while_the_key_is_loaded(
    alone: SoftHSM, client, tmp_path: Path
) -> None:
    private, public_key = sm2.generate()
    material = os.urandom(16)
    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        sm4 = await imported(keystore, *SM4, material)
        signer = await imported(keystore, *SIGNER, pkcs8(private, public_key))
        await work(keystore, sm4, signer)
        assert copies(process, material) > 0, "it is not where it is used: this test looks in the wrong place"
        assert copies(process, private) > 0, "it is not where it is used: this test looks in the wrong place"
        for row in (sm4, signer):
            await keystore.destroy_key(ACCOUNT, row.key_id, 1)
        assert (copies(process, material), copies(process, private)) == (0, 0)
        for row in (sm4, signer):
            assert material not in row.blob + row.public_key + row.fingerprint
            assert private not in row.blob + row.public_key + row.fingerprint
        files = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240 - a few local files
        assert len(files) > 8
        for path in files:
            assert material not in path.read_bytes(), path.name
            assert private not in path.read_bytes(), path.name


def test_what_is_wiped_is_zeros_for_whoever_still_has_it() -> None:
    material = os.urandom(32)
    wipe(material)
    assert material == bytes(32)


def test_what_python_shares_is_not_wiped() -> None:
    byte = bytes([0x70])
    wipe(byte)
    assert list(byte) == [0x70]
    assert list(bytes([0x70])) == [0x70]


async def test_keys_live_on_in_a_process_that_was_started_again(alone: SoftHSM, client) -> None:
    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        sm4, signer = await keystore.generate_key(metadata(*SM4)), await keystore.generate_key(metadata(*SIGNER))
        ciphertext = await keystore.encrypt(sm4, USE, TEXT, CONTEXT)
        process.restart()
        assert await keystore.decrypt(sm4, USE, ciphertext, CONTEXT) == TEXT
        await work(keystore, sm4, signer)


async def test_more_keys_than_are_kept_loaded_take_turns(alone: SoftHSM, client) -> None:
    with KeyStoreProcess(alone, max_loaded_keys=2) as process:
        keystore = client(process)
        keys = [await keystore.generate_key(metadata(*SM4)) for _ in range(5)]
        made = [await keystore.encrypt(key, USE, TEXT, {}) for key in keys]
        for key, ciphertext in zip(keys, made, strict=True):
            assert await keystore.decrypt(key, USE, ciphertext, {}) == TEXT
        assert (await keystore.status()).loaded_keys == 2


@pytest.mark.parametrize("code", [DEVICE_ERROR, SESSION_HANDLE_INVALID])
@pytest.mark.parametrize(
    "function", ["C_GenerateKey", "C_WrapKey", "C_UnwrapKey", "C_Encrypt", "C_Decrypt", "C_DestroyObject", "C_Sign"]
)
async def test_one_error_of_the_module_goes_unnoticed(
    keystore: ProcessKeyStore, shim: Shim, function: str, code: int
) -> None:
    shim.fail(f"{function} return {code:#x} 1")
    sm4, signer = await keystore.generate_key(metadata(*SM4)), await keystore.generate_key(metadata(*SIGNER))
    await work(keystore, sm4, signer)
    shim.fail(f"{function} return {code:#x} 1")
    await work(keystore, sm4, signer)


@pytest.mark.needs_root
async def test_with_the_token_gone_the_material_is_gone(
    process: KeyStoreProcess, keystore: ProcessKeyStore, shim: Shim
) -> None:
    """What the HSM guards is not used without the HSM: its sessions end, and the material with them."""
    known = [os.urandom(16) for _ in range(30)]  # many, because memory that is free is soon written over in part
    keys = [await imported(keystore, *SM4, material) for material in known]
    made = [await keystore.encrypt(key, USE, TEXT, {}) for key in keys]
    assert all(copies(process, material) > 0 for material in known)
    aes = await keystore.generate_key(aes_metadata())
    shim.fail(f"C_EncryptInit return {SESSION_HANDLE_INVALID:#x} 1")
    await keystore.encrypt(aes, USE, TEXT, {})
    assert [material for material in known if copies(process, material)] == []
    for key, ciphertext in zip(keys, made, strict=True):
        assert await keystore.decrypt(key, USE, ciphertext, {}) == TEXT


async def test_under_a_new_root_only_the_guard_is_wrapped_anew(alone: SoftHSM, client) -> None:
    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        before = [await imported(keystore, *SM4, os.urandom(16)), await keystore.generate_key(metadata(*SIGNER))]
        ciphertext = await keystore.encrypt(before[0], USE, TEXT, CONTEXT)
        ceremony = alone.configuration("rotate-root", so_pin=alone.initialised["so_pin"], refuse_recovery=True)
        status, _, errors = run_once(ceremony)
        assert status == 0, errors
        kek_id = (await keystore.status()).kek_id
        after = [await keystore.rewrap(key) for key in before]
        for old, new in zip(before, after, strict=True):
            assert (old.kek_id == kek_id, new.kek_id == kek_id) == (False, True)
            assert new.blob[:40] != old.blob[:40]
            assert new.blob[40:] == old.blob[40:]
            assert dataclasses.replace(new, kek_id=old.kek_id, blob=old.blob, mac=old.mac, fingerprint=b"") == (
                dataclasses.replace(old, fingerprint=b"")
            )
        assert before[0].fingerprint != after[0].fingerprint != b""
        assert await keystore.decrypt(after[0], USE, ciphertext, CONTEXT) == TEXT
        await work(keystore, *after)
        await work(keystore, *before)
        mixed = dataclasses.replace(after[0], blob=before[0].blob)
        with pytest.raises(Internal):
            await keystore.encrypt(mixed, USE, TEXT, {})


async def test_without_the_extra_nothing_is_made_and_nobody_falls(
    alone: SoftHSM, client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        signer = await keystore.generate_key(metadata(*SIGNER))
    monkeypatch.setattr(softhsm, "COMMAND", (softhsm.COMMAND[0], "-I", "-c", BARE))
    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        pid, told = process.pid, (await keystore.status()).inabilities
        assert {name for name, reason in told.items() if reason == extra.MISSING} == {"SM2", "SM4", "SM2DSA", "SM2PKE"}
        for kind in (SM4, SIGNER):
            with pytest.raises(Unsupported, match=r"install secretsd\[sm\]"):
                await keystore.generate_key(metadata(*kind))
        with pytest.raises(Unsupported, match=r"install secretsd\[sm\]"):
            await keystore.generate_import_key(ACCOUNT, signer.key_id, WrappingSpec.SM2)
        with pytest.raises(Unsupported, match=r"install secretsd\[sm\]"):
            await keystore.sign(signer, USE, DSA, bytes(32))
        aes = await keystore.generate_key(aes_metadata())
        assert await keystore.encrypt(aes, USE, TEXT, {})
        assert (process.pid, process.ping()) == (pid, True)


async def test_openssl_verifies_and_opens(alone: SoftHSM, client, tmp_path: Path) -> None:
    """The keys of the real process, and the command line on the other side."""

    def run(*command: str | Path, text: bytes = b"") -> bytes:
        whole = ["openssl", "pkeyutl", *map(str, command)]
        return subprocess.run(whole, input=text, capture_output=True, check=True).stdout

    with KeyStoreProcess(alone) as process:
        keystore = client(process)
        signer = await keystore.generate_key(metadata(*SIGNER))
        (tmp_path / "public.der").write_bytes(signer.public_key)
        (tmp_path / "message").write_bytes(b"message")
        digest = keystore.sm2.digest(signer.public_key, b"message")
        (tmp_path / "signature").write_bytes(await keystore.sign(signer, USE, DSA, digest))
        public = ("-pubin", "-keyform", "DER", "-inkey", tmp_path / "public.der")
        signed = ("-sigfile", tmp_path / "signature", "-rawin", "-digest", "sm3", "-in", tmp_path / "message")
        assert b"Success" in run("-verify", *public, *signed, "-pkeyopt", "distid:1234567812345678")
        opener = await keystore.generate_key(metadata(KeySpec.SM2, KeyUsage.ENCRYPT_DECRYPT))
        (tmp_path / "public.der").write_bytes(opener.public_key)
        ciphertext = run("-encrypt", *public, text=TEXT.reveal())
        assert await keystore.decrypt_asymmetric(opener, USE, PKE, ciphertext) == TEXT
