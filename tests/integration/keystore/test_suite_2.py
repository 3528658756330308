"""A module without GCM: keys of suite 2, one row of two objects under one MAC, beside keys of suite 1."""

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
from cryptography.hazmat.primitives.padding import PKCS7

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.envelope import (
    CBC_IV_BYTES,
    COMMITMENT,
    MAC_TAG_BYTES,
    SUITE_AES_256_CBC_HMAC,
    SUITE_AES_256_GCM,
    CiphertextHeader,
    canonical_context,
)
from secretsd.domain.errors import Internal, InvalidCiphertext, Unsupported
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import WrappedKey
from secretsd.testing.keystore_suite import CONTEXT, TEXT, USE, KeyStoreSuite, metadata
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM, run_once

from .conftest import Shim, without
from .kinds_at_work import KINDS, AtWork
from .test_faults import DEVICE_ERROR, GENERAL_ERROR

pytestmark = pytest.mark.integration
AES_GCM, AES_CBC_PAD = 0x1087, 0x1085
CBC_ALONE = without(AES_GCM)


@pytest.fixture(scope="module")
def standing() -> tuple[str, ...]:
    return CBC_ALONE


class TestSuite2(KeyStoreSuite):
    """All that a key store must do, on a module that has no GCM."""

    suite = SUITE_AES_256_CBC_HMAC
    iv_bytes, tag_bytes, blob_bytes = CBC_IV_BYTES, MAC_TAG_BYTES, 80

    def encrypted_bytes(self, text_bytes: int) -> int:
        return (len(COMMITMENT) + text_bytes) // 16 * 16 + 16


@pytest.fixture
async def key(keystore: ProcessKeyStore) -> WrappedKey:
    return await keystore.generate_key(metadata())


@pytest.mark.parametrize("spec", [KeySpec.AES_128, KeySpec.AES_192])
async def test_keys_that_have_no_suite_here_are_refused_with_the_reason(
    keystore: ProcessKeyStore, spec: KeySpec
) -> None:
    with pytest.raises(Unsupported, match=f"without it no cipher for {spec.value}"):
        await keystore.require_able(spec)
    with pytest.raises(Unsupported, match=f"without it no cipher for {spec.value}"):
        await keystore.generate_key(dataclasses.replace(metadata(), spec=spec))


@pytest.mark.parametrize("kind", KINDS)
async def test_all_other_keys_work_as_ever(keystore: ProcessKeyStore, kind: str) -> None:
    await (await AtWork.make(keystore, kind)).use(keystore)


async def test_the_halves_of_two_keys_make_no_third(keystore: ProcessKeyStore, key: WrappedKey) -> None:
    other = await keystore.generate_key(metadata())
    for blob in (key.blob[:40] + other.blob[40:], key.blob[40:] + key.blob[:40], key.blob[:40] * 2, key.blob[:40]):
        with pytest.raises(Internal, match="not what the key store made"):
            await keystore.encrypt(dataclasses.replace(key, blob=blob), USE, TEXT, CONTEXT)


@pytest.mark.parametrize(
    "function", ["C_EncryptInit", "C_Encrypt", "C_SignInit", "C_Sign", "C_DecryptInit", "C_Decrypt"]
)
@pytest.mark.parametrize("fault", [f"return {GENERAL_ERROR:#x}", f"return {DEVICE_ERROR:#x}", "logout 0", "finalize 0"])
async def test_faults_in_either_half_go_unnoticed(
    process: KeyStoreProcess, keystore: ProcessKeyStore, key: WrappedKey, shim: Shim, function: str, fault: str
) -> None:
    pid = process.pid
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    for times in (1, 2):
        shim.fail(f"{function} {fault} {times}")
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        shim.fail(f"{function} {fault} {times}")
        again = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        assert await keystore.decrypt(key, USE, again, CONTEXT) == TEXT
    assert process.pid == pid


async def test_bad_ciphertexts_cost_nobody_the_loaded_keys(
    keystore: ProcessKeyStore, key: WrappedKey, shim: Shim
) -> None:
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    logins = shim.logins()
    shim.fail(f"C_UnwrapKey return {DEVICE_ERROR:#x} -1")  # whatever had to be loaded again would fail
    for place in (-1, -MAC_TAG_BYTES - 1, -MAC_TAG_BYTES - 17):
        changed = bytearray(ciphertext)
        changed[place] ^= 1
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(key, USE, bytes(changed), CONTEXT)
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
    assert shim.logins() == logins


@pytest.fixture
def operator() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.fixture
def own(tmp_path: Path, module_shim: Shim, operator: rsa.RSAPrivateKey) -> Iterator[KeyStoreProcess]:
    """A process of one's own, the operator's key to its root, and the module without GCM to begin with."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    module_shim.fail()
    token = SoftHSM.create(
        tmp_path,
        module=str(module_shim.path),
        environment=module_shim.environment,
        recovery_public_key=operator.public_key().public_bytes(*form).decode(),
    )
    with KeyStoreProcess(token) as process:
        yield process


def opened(own: KeyStoreProcess, operator: rsa.RSAPrivateKey, key: WrappedKey, ciphertext: bytes) -> bytes:
    """The text, from the operator's key alone and by another library; InvalidSignature."""
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    kek = operator.decrypt(base64.b64decode(own.token.initialised["recovery"]["kek"]), oaep)
    cipher_key, mac_key = (aes_key_unwrap_with_padding(kek, blob) for blob in (key.blob[:40], key.blob[40:]))
    header, packed, encrypted = CiphertextHeader.split(ciphertext)
    body, tag = encrypted[:-MAC_TAG_BYTES], encrypted[-MAC_TAG_BYTES:]
    mac = HMAC(mac_key, hashes.SHA256())
    mac.update(packed + canonical_context(CONTEXT) + body)
    mac.verify(tag)
    decryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(header.iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(decryptor.update(body) + decryptor.finalize()) + unpadder.finalize()


async def test_another_library_opens_a_ciphertext_by_the_document(
    own: KeyStoreProcess, operator: rsa.RSAPrivateKey
) -> None:
    keystore = ProcessKeyStore(own.path, deadline_seconds=30)
    key = await keystore.generate_key(metadata())
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    await keystore.close()
    assert opened(own, operator, key, ciphertext) == COMMITMENT + TEXT.reveal()
    with pytest.raises(InvalidSignature):
        opened(own, operator, key, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]))


async def test_keys_of_either_suite_work_on_where_the_module_can(
    own: KeyStoreProcess, module_shim: Shim, operator: rsa.RSAPrivateKey
) -> None:
    """The same token under a module that learns GCM, and loses it again."""
    keystore = ProcessKeyStore(own.path, deadline_seconds=30)
    pair = await keystore.generate_key(metadata())
    old = await keystore.encrypt(pair, USE, TEXT, CONTEXT)

    learned = dataclasses.replace(module_shim, standing=())
    learned.fail()
    own.restart()
    assert await keystore.decrypt(pair, USE, old, CONTEXT) == TEXT
    assert await keystore.decrypt(pair, USE, await keystore.encrypt(pair, USE, TEXT, CONTEXT), CONTEXT) == TEXT
    gcm = await keystore.generate_key(metadata())
    assert gcm.suite == SUITE_AES_256_GCM
    new = await keystore.encrypt(gcm, USE, TEXT, CONTEXT)
    storage_key = await keystore.storage_key()

    module_shim.fail()
    own.restart()
    for use in (keystore.decrypt(gcm, USE, new, CONTEXT), keystore.encrypt(gcm, USE, TEXT, CONTEXT)):
        with pytest.raises(Unsupported, match=r"^cannot use key .*: this HSM offers no AES-256-GCM"):
            await use
    assert await keystore.decrypt(pair, USE, old, CONTEXT) == TEXT
    assert await keystore.storage_key() == storage_key, "it was sealed when there was no GCM"

    dataclasses.replace(module_shim, standing=without(AES_CBC_PAD)).fail()
    own.restart()
    with pytest.raises(Unsupported, match="this HSM offers no AES-256-CBC-HMAC-SHA-256"):
        await keystore.decrypt(pair, USE, old, CONTEXT)
    assert await keystore.decrypt(gcm, USE, new, CONTEXT) == TEXT
    await keystore.close()


def test_a_module_that_names_gcm_and_does_not_do_it_has_none(token: SoftHSM, shim: Shim) -> None:
    dataclasses.replace(shim, standing=(f"* refuse {AES_GCM:#x} -1",)).fail()
    status, output, _ = run_once(token.configuration("probe"))
    found = json.loads(output)
    assert (status, found["usable"]) == (0, True), found["reason"]
