"""Imported AES keys on a module without GCM: the HSM makes the MAC key, and it outlives material that is deleted."""

import dataclasses
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.api.fields import BinaryValue
from secretsd.domain.envelope import (
    COMMITMENT,
    MAC_TAG_BYTES,
    SUITE_AES_256_CBC_HMAC,
    SUITE_AES_256_GCM,
    CiphertextHeader,
)
from secretsd.domain.errors import AccessDenied, Internal, InvalidCiphertext, Unsupported
from secretsd.domain.key_import import WrappingSpec
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import SEALED_MAC_KEY_BYTES, KeyVersionState, WrappedKey
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.testing.customer import wrap
from secretsd.testing.keystore_suite import ACCOUNT, CONTEXT, TEXT, USE, metadata
from secretsd.testing.keystore_suite_import import ONE_STEP, TWO_STEPS, external, material_of
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM
from secretsd.testing.storage import temporary_storage
from tests.unit.operations import importing
from tests.unit.operations.conftest import Failed, House

from .ceremonies import rotate
from .conftest import Shim
from .test_faults import DEVICE_ERROR, GENERAL_ERROR
from .test_suite_2 import CBC_ALONE

pytestmark = pytest.mark.integration
AES_256 = KeySpec.AES_256


@pytest.fixture(scope="module")
def standing() -> tuple[str, ...]:
    return CBC_ALONE


@pytest.fixture
def material() -> bytes:
    return material_of(AES_256)


@pytest.fixture
async def pair(keystore: ProcessKeyStore) -> WrappedKey:
    return await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)


async def taken(
    keystore: ProcessKeyStore, pair: WrappedKey, material: bytes, before: WrappedKey | None = None
) -> WrappedKey:
    wrapped = wrap(pair.public_key, TWO_STEPS, material)
    return await keystore.import_key(external(AES_256, pair), pair, TWO_STEPS, wrapped, before)


async def opens(keystore: ProcessKeyStore, key: WrappedKey, ciphertext: bytes) -> bool:
    try:
        return await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
    except InvalidCiphertext:
        return False


async def test_the_cipher_key_is_the_customers_and_the_mac_key_the_modules(
    keystore: ProcessKeyStore, pair: WrappedKey, material: bytes
) -> None:
    for algorithm in (ONE_STEP, TWO_STEPS):
        wrapped = wrap(pair.public_key, algorithm, material)
        key = await keystore.import_key(external(AES_256, pair), pair, algorithm, wrapped)
        assert (key.metadata, key.suite) == (external(AES_256, pair), SUITE_AES_256_CBC_HMAC)
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        assert await opens(keystore, key, ciphertext)
        header, _, encrypted = CiphertextHeader.split(ciphertext)
        decryptor = Cipher(algorithms.AES(material), modes.CBC(header.iv)).decryptor()
        unpadder = PKCS7(128).unpadder()
        padded = decryptor.update(encrypted[:-MAC_TAG_BYTES]) + decryptor.finalize()
        assert unpadder.update(padded) + unpadder.finalize() == COMMITMENT + TEXT.reveal()
        changed = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
        assert not await opens(keystore, key, changed)


async def test_what_was_encrypted_opens_again_when_the_material_came_back(
    keystore: ProcessKeyStore, process: KeyStoreProcess, pair: WrappedKey, material: bytes
) -> None:
    first = await taken(keystore, pair, material)
    ciphertext = await keystore.encrypt(first, USE, TEXT, CONTEXT)
    stays = first.without_material()
    assert stays.state is KeyVersionState.ABSENT
    assert stays.blob == first.blob[-SEALED_MAC_KEY_BYTES:], "the MAC key, and nothing of the material"
    process.restart()
    again = await keystore.generate_import_key(ACCOUNT, pair.key_id, WrappingSpec.RSA_2048)
    back = await taken(keystore, again, material, stays)
    assert back.fingerprint == first.fingerprint
    assert await opens(keystore, back, ciphertext)
    assert await opens(keystore, first, await keystore.encrypt(back, USE, TEXT, CONTEXT))
    assert await taken(keystore, pair, material, first) == back, "beside material that is there it is the same"


async def test_only_the_same_material_gets_its_mac_key_back(
    keystore: ProcessKeyStore, pair: WrappedKey, material: bytes
) -> None:
    first = await taken(keystore, pair, material)
    ciphertext = await keystore.encrypt(first, USE, TEXT, CONTEXT)
    other = await taken(keystore, pair, os.urandom(32), first.without_material())
    assert other.fingerprint != first.fingerprint
    assert other.blob[-SEALED_MAC_KEY_BYTES:] != first.blob[-SEALED_MAC_KEY_BYTES:]
    assert not await opens(keystore, other, ciphertext)
    anew = await taken(keystore, pair, material)
    assert anew.fingerprint == first.fingerprint, "it is known again by the cipher key alone"
    assert not await opens(keystore, anew, ciphertext)


async def test_a_mac_key_that_is_not_the_one_of_this_key_is_refused(
    keystore: ProcessKeyStore, pair: WrappedKey, material: bytes
) -> None:
    """A worker tells what the row was: it must not make another key out of what lies about in storage."""
    first = await taken(keystore, pair, material)
    stays = first.without_material()
    made = await keystore.generate_key(metadata())
    elsewhere = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
    others = (await taken(keystore, elsewhere, material)).without_material()
    size = len(stays.blob)
    tampered = [bytes([*stays.blob[:at], stays.blob[at] ^ 1, *stays.blob[at + 1 :]]) for at in (0, 39, 40, size - 1)]
    for blob in (*tampered, others.blob, made.blob[40:] + stays.blob[40:], made.blob, stays.blob[:-1], b""):
        with pytest.raises(Internal, match="not what the key store made"):
            await taken(keystore, pair, material, dataclasses.replace(stays, blob=blob))
    with pytest.raises(AccessDenied, match="another key's"):
        await taken(keystore, pair, material, others)
    for suite in (0, 3, 4, 5, 99):
        with pytest.raises(Internal, match="not what the key store made"):
            await taken(keystore, pair, material, dataclasses.replace(stays, suite=suite))
    for blob in (first.blob[:80], first.blob[:80] + others.blob[40:], first.blob[:40] + others.blob):
        with pytest.raises(Internal, match="not what the key store made"):
            await keystore.encrypt(dataclasses.replace(first, blob=blob), USE, TEXT, CONTEXT)


async def test_what_stays_of_a_key_is_no_key(keystore: ProcessKeyStore, pair: WrappedKey, material: bytes) -> None:
    stays = (await taken(keystore, pair, material)).without_material()
    with pytest.raises(Internal, match="not what the key store made"):
        await keystore.encrypt(stays, USE, TEXT, CONTEXT)


@pytest.fixture
def own(tmp_path: Path, module_shim: Shim) -> Iterator[KeyStoreProcess]:
    module_shim.fail()
    token = SoftHSM.create(tmp_path / "own", module=str(module_shim.path), environment=module_shim.environment)
    with KeyStoreProcess(token) as process:
        yield process
    module_shim.fail()


async def test_both_halves_move_to_a_new_root_and_the_material_is_known_there(
    own: KeyStoreProcess, material: bytes
) -> None:
    keystore = ProcessKeyStore(own.path, deadline_seconds=30)
    pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
    old = await taken(keystore, pair, material)
    ciphertext = await keystore.encrypt(old, USE, TEXT, CONTEXT)
    rotate(own.token)
    assert (await keystore.status()).kek_id != old.kek_id
    new = await keystore.rewrap(old)
    assert new.kek_id == (await keystore.status()).kek_id
    assert await opens(keystore, new, ciphertext)
    assert await taken(keystore, pair, material, old.without_material()) == old, "compared as it was made"
    assert await taken(keystore, pair, material, new.without_material()) == new
    await keystore.close()


async def test_a_key_keeps_its_suite_over_a_module_that_learns_gcm_and_loses_it(
    own: KeyStoreProcess, module_shim: Shim
) -> None:
    keystore = ProcessKeyStore(own.path, deadline_seconds=30)
    pairs = [await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048) for _ in "12"]
    materials = [material_of(AES_256) for _ in pairs]
    paired = await taken(keystore, pairs[0], materials[0])
    old = await keystore.encrypt(paired, USE, TEXT, CONTEXT)

    dataclasses.replace(module_shim, standing=()).fail()
    own.restart()
    back = await taken(keystore, pairs[0], materials[0], paired.without_material())
    assert back.suite == SUITE_AES_256_CBC_HMAC
    assert await opens(keystore, back, old)
    single = await taken(keystore, pairs[1], materials[1])
    assert single.suite == SUITE_AES_256_GCM
    assert single.without_material().blob == b""
    new = await keystore.encrypt(single, USE, TEXT, CONTEXT)

    module_shim.fail()
    own.restart()
    single_back = await taken(keystore, pairs[1], materials[1], single.without_material())
    assert single_back == single
    with pytest.raises(Unsupported, match="this HSM offers no AES-256-GCM"):
        await keystore.decrypt(single_back, USE, new, CONTEXT)
    await keystore.close()


@pytest.mark.parametrize("code", [GENERAL_ERROR, DEVICE_ERROR])
@pytest.mark.parametrize("function", ["C_GenerateKey", "C_WrapKey", "C_UnwrapKey", "C_SignInit", "C_Sign"])
async def test_one_error_anywhere_goes_unnoticed(
    keystore: ProcessKeyStore, pair: WrappedKey, material: bytes, shim: Shim, function: str, code: int
) -> None:
    first = await taken(keystore, pair, material)
    ciphertext = await keystore.encrypt(first, USE, TEXT, CONTEXT)
    for times in (1, 2):
        shim.fail(f"{function} return {code:#x} {times}")
        back = await taken(keystore, pair, material, first.without_material())
        assert await opens(keystore, back, ciphertext)


@pytest.mark.parametrize("spec", [KeySpec.AES_128, KeySpec.AES_192])
async def test_keys_without_a_suite_here_are_not_taken_in(
    keystore: ProcessKeyStore, pair: WrappedKey, spec: KeySpec
) -> None:
    wrapped = wrap(pair.public_key, ONE_STEP, material_of(spec))
    with pytest.raises(Unsupported, match=f"without it no cipher for {spec.value}"):
        await keystore.import_key(external(spec, pair), pair, ONE_STEP, wrapped)


@pytest.fixture
async def house(tmp_path: Path, keystore: ProcessKeyStore) -> AsyncIterator[House]:
    async with temporary_storage(tmp_path / "storage") as storage:
        house = House(storage, keystore)  # type: ignore[arg-type]  # any key store does
        house.account = await ensure_first_account(house.parts, (), "test")
        yield house


async def test_a_secret_and_a_ciphertext_outlive_the_deletion_of_the_material(house: House, material: bytes) -> None:
    key = await importing.external(house)

    async def bring(brought: bytes) -> None:
        told = await importing.parameters(house, key, "RSA_AES_KEY_WRAP_SHA_1")
        await importing.bring(house, key, brought, told)

    await bring(material)
    await house.call("CreateSecret", name="app", text="hunter2", key_id=key)
    encrypted = await house.call("Encrypt", key=key, plaintext=BinaryValue(TEXT.reveal()))
    await house.call("DeleteImportedKeyMaterial", key=key)
    with pytest.raises(Failed, match="invalid-state"):
        await house.call("Decrypt", key=key, ciphertext=encrypted.ciphertext)
    with pytest.raises(Failed, match="conflict"):
        await bring(os.urandom(32))
    await bring(material)
    opened = await house.call("Decrypt", key=key, ciphertext=encrypted.ciphertext)
    assert opened.plaintext.reveal() == TEXT.reveal()
    assert await house.text("app") == "hunter2"
