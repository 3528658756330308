"""The part of the key store's suite that is about material that must not come in, and about misused import keys.

class TestMine(BadImportSuite):
    @pytest.fixture
    async def keystore(self): ...
"""

# ruff: noqa: S101 - a suite asserts

import dataclasses
import os
import uuid
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from secretsd.domain.algorithms import EncryptionAlgorithm, SigningAlgorithm
from secretsd.domain.errors import AccessDenied, Internal, InvalidCiphertext, InvalidKeyUsage, SecretsdError
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.ports.keystore import KeyStore
from secretsd.testing.customer import PrivateKey, pkcs8, wrap
from secretsd.testing.keystore_suite import ACCOUNT, TEXT, USE
from secretsd.testing.keystore_suite_import import ONE_STEP, SECRET_KEYS, TWO_STEPS, external, material_of, p256


class BadImportSuite:
    """Inherit, and give a `keystore` fixture."""

    @pytest.fixture
    async def pair(self, keystore: KeyStore) -> WrappedKey:
        """A fresh import's key pair."""
        return await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)

    async def refused(self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec, material: bytes) -> None:
        """Material that is no such key, as its customer has wrapped it."""
        wrapped = wrap(pair.public_key, TWO_STEPS, material)
        with pytest.raises(InvalidCiphertext, match=r"^cannot "):
            await keystore.import_key(external(spec, pair), pair, TWO_STEPS, wrapped)
        assert (await keystore.status()).available

    @pytest.mark.parametrize("spec", SECRET_KEYS)
    async def test_a_secret_key_of_another_length_is_refused(
        self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec
    ) -> None:
        size = SPECS[spec].bits // 8
        for other in {1, 8, 16, 24, 31, 32, 33, 48, 64, size - 1, size - 7, size + 1, size + 8, 2 * size} - {size}:
            await self.refused(keystore, pair, spec, os.urandom(other))
            if other <= 64:
                wrapped = wrap(pair.public_key, ONE_STEP, os.urandom(other))
                with pytest.raises(InvalidCiphertext, match=r"^cannot "):
                    await keystore.import_key(external(spec, pair), pair, ONE_STEP, wrapped)
        await self.refused(keystore, pair, spec, bytes(size))

    @pytest.mark.parametrize(
        "make",
        [
            lambda: ec.generate_private_key(ec.SECP384R1()),
            lambda: ec.generate_private_key(ec.SECP256K1()),
            lambda: ec.generate_private_key(ec.SECP256R1()),
            lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505  # its weakness is what is refused
            lambda: rsa.generate_private_key(65537, 2056),
            lambda: rsa.generate_private_key(65537, 3072),
            lambda: rsa.generate_private_key(3, 2048),
        ],
        ids=["P-384", "secp256k1", "P-256", "RSA-1024", "RSA-2056", "RSA-3072", "RSA-2048-e3"],
    )
    async def test_a_private_key_of_another_kind_is_refused(
        self, keystore: KeyStore, pair: WrappedKey, make: Callable[[], PrivateKey]
    ) -> None:
        key = make()
        await self.refused(keystore, pair, KeySpec.RSA_2048, pkcs8(key))
        await self.refused(keystore, pair, KeySpec.ECC_NIST_P521, pkcs8(key))
        await self.refused(keystore, pair, KeySpec.AES_256, pkcs8(key))

    @pytest.mark.parametrize("spec", [KeySpec.RSA_2048, KeySpec.ECC_NIST_P256])
    async def test_what_is_no_private_key_is_refused(self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec) -> None:
        whole = pkcs8(rsa.generate_private_key(65537, 2048) if spec is KeySpec.RSA_2048 else p256())
        for material in (os.urandom(32), os.urandom(1218), whole[:-5], whole[:40], b"\x30\x82" + bytes(100)):
            await self.refused(keystore, pair, spec, material)

    @pytest.mark.parametrize("algorithm", [ONE_STEP, TWO_STEPS])
    async def test_every_changed_byte_is_noticed(
        self, keystore: KeyStore, pair: WrappedKey, algorithm: WrappingAlgorithm
    ) -> None:
        wrapped = wrap(pair.public_key, algorithm, material_of(KeySpec.AES_256))
        for place in range(len(wrapped)):
            changed = bytearray(wrapped)
            changed[place] ^= 1
            with pytest.raises(InvalidCiphertext):
                await keystore.import_key(external(KeySpec.AES_256, pair), pair, algorithm, bytes(changed))
        for other in (b"", wrapped[:-1], wrapped[:256][:-1], wrapped + b"\0", bytes(256), bytes(8192), bytes(8193)):
            with pytest.raises(InvalidCiphertext):
                await keystore.import_key(external(KeySpec.AES_256, pair), pair, algorithm, other)
        key = await keystore.import_key(external(KeySpec.AES_256, pair), pair, algorithm, wrapped)
        assert len(key.blob) == 40

    async def test_material_wrapped_under_another_pair_or_otherwise_is_refused(
        self, keystore: KeyStore, pair: WrappedKey
    ) -> None:
        other = await keystore.generate_import_key(ACCOUNT, pair.key_id, WrappingSpec.RSA_2048)
        for foreign, algorithm, read_as in (
            (other, ONE_STEP, ONE_STEP),
            (other, TWO_STEPS, TWO_STEPS),
            (pair, ONE_STEP, TWO_STEPS),
            (pair, TWO_STEPS, ONE_STEP),
            (pair, WrappingAlgorithm.RSAES_OAEP_SHA_256, ONE_STEP),
        ):
            wrapped = wrap(foreign.public_key, algorithm, material_of(KeySpec.AES_256))
            with pytest.raises(InvalidCiphertext):
                await keystore.import_key(external(KeySpec.AES_256, pair), pair, read_as, wrapped)

    @pytest.mark.parametrize(
        ("spec", "algorithm"),
        [
            (KeySpec.RSA_2048, ONE_STEP),
            (KeySpec.ECC_NIST_P256, ONE_STEP),
            (KeySpec.ECC_NIST_EDWARDS25519, TWO_STEPS),
            (KeySpec.AES_256, WrappingAlgorithm.SM2PKE),
        ],
    )
    async def test_what_does_not_come_in_that_way_is_refused(
        self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec, algorithm: WrappingAlgorithm
    ) -> None:
        with pytest.raises(InvalidKeyUsage):
            await keystore.import_key(external(spec, pair), pair, algorithm, bytes(256))

    async def test_a_pair_imports_for_its_own_key_and_account_alone(self, keystore: KeyStore, pair: WrappedKey) -> None:
        wrapped = wrap(pair.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        mine = external(KeySpec.AES_256, pair)
        for other in (
            dataclasses.replace(mine, key_id=str(uuid.uuid4())),
            dataclasses.replace(mine, account="000000000002"),
        ):
            with pytest.raises(AccessDenied):
                await keystore.import_key(other, pair, ONE_STEP, wrapped)

    async def test_a_pair_does_nothing_but_import(self, keystore: KeyStore, pair: WrappedKey) -> None:
        sealed = wrap(pair.public_key, ONE_STEP, b"text")
        with pytest.raises(InvalidKeyUsage):
            await keystore.decrypt_asymmetric(pair, USE, EncryptionAlgorithm.RSAES_OAEP_SHA_1, sealed)
        with pytest.raises(InvalidKeyUsage):
            await keystore.sign(pair, USE, SigningAlgorithm.RSASSA_PSS_SHA_256, bytes(32))
        with pytest.raises(InvalidKeyUsage):
            await keystore.encrypt(pair, USE, TEXT, {})
        with pytest.raises(InvalidKeyUsage):
            await keystore.rewrap(pair)
        with pytest.raises(InvalidKeyUsage):
            await keystore.generate_key(pair.metadata)
        wrapped = wrap(pair.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        version_0 = dataclasses.replace(external(KeySpec.AES_256, pair), version=0)
        with pytest.raises(InvalidKeyUsage):
            await keystore.import_key(version_0, pair, ONE_STEP, wrapped)

    @pytest.mark.parametrize(("field", "value"), [("spec", KeySpec.RSA_3072), ("blob", bytes(1232)), ("key_id", None)])
    async def test_a_pair_that_the_key_store_did_not_make_is_refused(
        self, keystore: KeyStore, pair: WrappedKey, field: str, value: object
    ) -> None:
        row = dataclasses.replace(pair, **{field: value or str(uuid.uuid4())})  # type: ignore[arg-type]  # as given
        wrapped = wrap(pair.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        with pytest.raises(Internal, match=r"^cannot use key"):
            await keystore.import_key(external(KeySpec.AES_256, row), row, ONE_STEP, wrapped)

    async def test_an_ordinary_key_imports_nothing(self, keystore: KeyStore, pair: WrappedKey) -> None:
        rsa_key = await keystore.generate_key(
            KeyMetadata(ACCOUNT, pair.key_id, 1, KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT)
        )
        wrapped = wrap(rsa_key.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        with pytest.raises(SecretsdError, match=r"^cannot import"):
            await keystore.import_key(external(KeySpec.AES_256, pair), rsa_key, ONE_STEP, wrapped)
