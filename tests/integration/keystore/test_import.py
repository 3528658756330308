"""Importing keys that the OpenSSL command line made and wrapped, and importing while the module fails or gets junk."""

import asyncio
import dataclasses
import hashlib
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import MacAlgorithm, SigningAlgorithm
from secretsd.domain.errors import InvalidCiphertext, InvalidState, KeyStoreUnavailable
from secretsd.domain.key_import import WrappingSpec
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import WrappedKey
from secretsd.testing.customer import pkcs8, wrap
from secretsd.testing.keystore_suite import ACCOUNT, CONTEXT, TEXT, USE
from secretsd.testing.keystore_suite_import import ONE_STEP, TWO_STEPS, external, material_of
from secretsd.testing.softhsm import KeyStoreProcess, SoftHSM

from .ceremonies import ceremony
from .conftest import Shim

pytestmark = pytest.mark.integration
GENERAL_ERROR, DEVICE_ERROR = 0x05, 0x30
FUNCTIONS = (
    "C_EncryptInit",
    "C_Encrypt",
    "C_SignInit",
    "C_Sign",
    "C_WrapKey",
    "C_UnwrapKey",
    "C_DestroyObject",
    "C_GenerateKeyPair",
)
MATERIAL: dict[KeySpec, Callable[[], bytes]] = {
    KeySpec.AES_256: lambda: material_of(KeySpec.AES_256),
    KeySpec.HMAC_512: lambda: material_of(KeySpec.HMAC_512),
    KeySpec.ECC_NIST_P384: lambda: pkcs8(ec.generate_private_key(ec.SECP384R1())),
    KeySpec.RSA_2048: lambda: pkcs8(rsa.generate_private_key(65537, 2048)),
}
NO_KEY: dict[KeySpec, Callable[[], bytes]] = {
    KeySpec.AES_256: lambda: os.urandom(31),
    KeySpec.HMAC_512: lambda: os.urandom(63),
    KeySpec.ECC_NIST_P384: MATERIAL[KeySpec.RSA_2048],
    KeySpec.RSA_2048: MATERIAL[KeySpec.ECC_NIST_P384],
}


def openssl(*arguments: str | Path, text: bytes | None = None) -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], input=text, capture_output=True, check=True)
    return done.stdout


class Customer:
    """Who has nothing but the OpenSSL command line, as the guide tells."""

    def __init__(self, place: Path, public_key: bytes) -> None:
        self.place = place
        (place / "wrapping.der").write_bytes(public_key)

    def oaep(self, text: bytes) -> bytes:
        options = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha1", "rsa_mgf1_md:sha1")
        chosen = [word for option in options for word in ("-pkeyopt", option)]
        key = ("-pubin", "-keyform", "DER", "-inkey", self.place / "wrapping.der")
        return openssl("pkeyutl", "-encrypt", *key, *chosen, text=text)

    def two_steps(self, material: bytes) -> bytes:
        key = openssl("rand", "32")
        (self.place / "material").write_bytes(material)
        cipher = ("-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", key.hex())
        return self.oaep(key) + openssl("enc", *cipher, "-in", self.place / "material")


@pytest.fixture
async def pair(keystore: ProcessKeyStore) -> WrappedKey:
    return await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)


@pytest.fixture
def customer(tmp_path: Path, pair: WrappedKey) -> Customer:
    return Customer(tmp_path, pair.public_key)


async def test_a_secret_key_of_openssl_comes_in_both_ways(
    keystore: ProcessKeyStore, pair: WrappedKey, customer: Customer
) -> None:
    material = openssl("rand", "32")
    metadata = external(KeySpec.HMAC_256, pair)
    for algorithm, wrapped in ((ONE_STEP, customer.oaep(material)), (TWO_STEPS, customer.two_steps(material))):
        key = await keystore.import_key(metadata, pair, algorithm, wrapped)
        mac = await keystore.generate_mac(key, USE, MacAlgorithm.HMAC_SHA_256, b"message")
        told = openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", text=b"message")
        assert told.split()[-1].decode() == mac.hex()


@pytest.mark.parametrize(
    ("spec", "algorithm", "made", "signing"),
    [
        (KeySpec.ECC_NIST_P256, "EC", "ec_paramgen_curve:P-256", SigningAlgorithm.ECDSA_SHA_256),
        (KeySpec.ECC_SECG_P256K1, "EC", "ec_paramgen_curve:secp256k1", SigningAlgorithm.ECDSA_SHA_256),
        (KeySpec.RSA_3072, "RSA", "rsa_keygen_bits:3072", SigningAlgorithm.RSASSA_PKCS1_V1_5_SHA_256),
    ],
)
async def test_a_private_key_of_openssl_signs_for_it(
    keystore: ProcessKeyStore,
    pair: WrappedKey,
    customer: Customer,
    spec: KeySpec,
    algorithm: str,
    made: str,
    signing: SigningAlgorithm,
) -> None:
    place = customer.place
    openssl("genpkey", "-algorithm", algorithm, "-pkeyopt", made, "-outform", "DER", "-out", place / "mine.der")
    material = openssl("pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-outform", "DER", "-in", place / "mine.der")
    metadata = external(spec, pair, KeyUsage.SIGN_VERIFY)
    key = await keystore.import_key(metadata, pair, TWO_STEPS, customer.two_steps(material))
    public = openssl("pkey", "-inform", "DER", "-in", place / "mine.der", "-pubout", "-outform", "DER")
    assert key.public_key == public
    signature = await keystore.sign(key, USE, signing, hashlib.sha256(b"message").digest())
    (place / "public.der").write_bytes(key.public_key)
    (place / "signature").write_bytes(signature)
    verified = openssl(
        "dgst", "-sha256", "-keyform", "DER", "-verify", place / "public.der", "-signature", place / "signature",
        text=b"message",
    )  # fmt: skip
    assert verified == b"Verified OK\n"


@pytest.mark.parametrize("spec", MATERIAL)
async def test_bad_material_costs_nobody_the_session(
    keystore: ProcessKeyStore, pair: WrappedKey, shim: Shim, spec: KeySpec
) -> None:
    """What anybody can send must not open the token anew: that would take everybody's loaded keys away."""
    wrapped = wrap(pair.public_key, TWO_STEPS, MATERIAL[spec]())
    await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)
    logins = shim.logins()
    changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    junk = [wrap(pair.public_key, TWO_STEPS, NO_KEY[spec]()), os.urandom(300), wrapped[:-8], changed, b""]
    junk += [wrap(pair.public_key, TWO_STEPS, os.urandom(size)) for size in (1, 8, 24, 72, 1216)]
    for one in junk:
        with pytest.raises(InvalidCiphertext):
            await keystore.import_key(external(spec, pair), pair, TWO_STEPS, one)
    assert shim.logins() == logins
    await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)


@pytest.mark.parametrize(
    ("spec", "make", "told"),
    [
        (KeySpec.AES_256, lambda: os.urandom(24), "it is no key of 256 bits"),
        (KeySpec.HMAC_512, lambda: os.urandom(63), "it is no key of 512 bits"),
        (KeySpec.HMAC_512, lambda: bytes(64), "it is nothing but zeros"),
        (
            KeySpec.ECC_NIST_P256,
            lambda: pkcs8(ec.generate_private_key(ec.SECP256K1())),
            "it is no key on the curve of ECC_NIST_P256",
        ),
        (KeySpec.RSA_2048, lambda: pkcs8(rsa.generate_private_key(65537, 2056)), "its modulus has not 2048 bits"),
        (KeySpec.RSA_2048, lambda: pkcs8(rsa.generate_private_key(3, 2048)), "its public exponent is not odd"),
        (KeySpec.RSA_2048, MATERIAL[KeySpec.AES_256], "it is not wrapped for this import, or no such key"),
    ],
)
async def test_whoever_wrapped_it_is_told_what_is_wrong_with_it(
    keystore: ProcessKeyStore, pair: WrappedKey, spec: KeySpec, make: Callable[[], bytes], told: str
) -> None:
    with pytest.raises(InvalidCiphertext, match=told):
        await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrap(pair.public_key, TWO_STEPS, make()))


@pytest.mark.parametrize("code", [GENERAL_ERROR, DEVICE_ERROR])
@pytest.mark.parametrize("function", FUNCTIONS)
async def test_one_error_anywhere_goes_unnoticed(
    keystore: ProcessKeyStore, shim: Shim, function: str, code: int
) -> None:
    shim.fail(f"{function} return {code:#x} 1")
    pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
    shim.fail(f"{function} return {code:#x} 1")
    for spec, make in MATERIAL.items():
        wrapped = wrap(pair.public_key, TWO_STEPS, make())
        await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)
        shim.fail(f"{function} return {code:#x} 1")
    await keystore.import_key(
        external(KeySpec.AES_256, pair), pair, ONE_STEP, wrap(pair.public_key, ONE_STEP, os.urandom(32))
    )


@pytest.mark.parametrize(
    ("function", "spec"),
    [
        *(("C_UnwrapKey", spec) for spec in MATERIAL),
        *(("C_WrapKey", spec) for spec in MATERIAL),
        *(("C_SignInit", spec) for spec in MATERIAL if spec is not KeySpec.AES_256),
        ("C_EncryptInit", KeySpec.AES_256),
    ],
)
async def test_a_module_that_only_fails_is_away_and_no_material_is_called_bad(
    keystore: ProcessKeyStore, pair: WrappedKey, shim: Shim, spec: KeySpec, function: str
) -> None:
    wrapped = wrap(pair.public_key, TWO_STEPS, MATERIAL[spec]())
    await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)  # the pair is loaded: only its use fails
    shim.fail(f"{function} return {GENERAL_ERROR:#x} -1")
    with pytest.raises(KeyStoreUnavailable):
        await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)
    shim.fail()
    deadline = time.monotonic() + 30
    while not (await keystore.status()).available:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)


@pytest.mark.parametrize("loss", ["close-all", "logout", "finalize"])
async def test_a_pair_imports_on_after_its_session_was_lost(
    keystore: ProcessKeyStore, pair: WrappedKey, shim: Shim, loss: str
) -> None:
    wrapped = wrap(pair.public_key, TWO_STEPS, os.urandom(32))
    await keystore.import_key(external(KeySpec.AES_256, pair), pair, TWO_STEPS, wrapped)
    shim.fail(f"C_UnwrapKey {loss} 0 1")
    key = await keystore.import_key(external(KeySpec.AES_256, pair), pair, TWO_STEPS, wrapped)
    ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
    assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT


async def test_the_same_material_is_known_again_after_the_root_was_renewed(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "own")
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
        for spec, make in MATERIAL.items():
            wrapped, other = [wrap(pair.public_key, TWO_STEPS, one) for one in (make(), make())]
            asked = (external(spec, pair), pair, TWO_STEPS)
            old = await keystore.import_key(*asked, wrapped)
            made = ceremony(token, "rotate-root", so_pin=token.initialised["so_pin"], refuse_recovery=True)
            assert (await keystore.status()).kek_id == made["root"]["kek_id"]
            new = await keystore.import_key(*asked, wrapped)
            assert new.kek_id == made["root"]["kek_id"] != old.kek_id
            assert new.fingerprint != old.fingerprint
            assert await keystore.import_key(*asked, wrapped, old) == old, "compared as it was made"
            assert (await keystore.import_key(*asked, other, old)).fingerprint != old.fingerprint
            assert await keystore.rewrap(old) == new
        await keystore.close()


async def test_a_pair_whose_root_is_gone_says_to_ask_for_another(tmp_path: Path) -> None:
    token = SoftHSM.create(tmp_path / "own")
    with KeyStoreProcess(token) as process:
        keystore = ProcessKeyStore(process.path, deadline_seconds=30)
        pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
        row = dataclasses.replace(pair, kek_id=str(uuid.uuid4()))
        with pytest.raises(InvalidState, match="get new parameters"):
            await keystore.import_key(external(KeySpec.AES_256, row), row, ONE_STEP, bytes(256))
        await keystore.close()


async def test_a_pair_is_known_to_a_process_that_was_started_since(
    keystore: ProcessKeyStore, pair: WrappedKey, process: KeyStoreProcess
) -> None:
    wrapped = wrap(pair.public_key, ONE_STEP, os.urandom(32))
    before = await keystore.import_key(external(KeySpec.AES_256, pair), pair, ONE_STEP, wrapped)
    process.restart()
    after = await keystore.import_key(external(KeySpec.AES_256, pair), pair, ONE_STEP, wrapped)
    assert after.fingerprint == before.fingerprint
