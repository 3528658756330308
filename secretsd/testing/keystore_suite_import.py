"""The part of the key store's suite that is about imported material: what comes in, what does not, what knows it again.

class TestMine(ImportSuite):
    @pytest.fixture
    async def keystore(self): ...
"""

# ruff: noqa: S101 - a suite asserts

import hashlib
import hmac
import os
import uuid
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import COMMITMENT, CiphertextHeader, canonical_context
from secretsd.domain.errors import AccessDenied, InvalidState
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, KeyOrigin, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStore
from secretsd.testing.customer import pkcs8, public_key_info, wrap
from secretsd.testing.keystore_suite import ACCOUNT, CONTEXT, TEXT, USE

ONE_STEP, TWO_STEPS = WrappingAlgorithm.RSAES_OAEP_SHA_1, WrappingAlgorithm.RSA_AES_KEY_WRAP_SHA_1
SECRET_KEYS = [
    KeySpec.AES_128,
    KeySpec.AES_192,
    KeySpec.AES_256,
    KeySpec.HMAC_256,
    KeySpec.HMAC_384,
    KeySpec.HMAC_512,
]
CURVES: dict[KeySpec, tuple[ec.EllipticCurve, SigningAlgorithm, hashes.HashAlgorithm]] = {
    KeySpec.ECC_NIST_P256: (ec.SECP256R1(), SigningAlgorithm.ECDSA_SHA_256, hashes.SHA256()),
    KeySpec.ECC_NIST_P384: (ec.SECP384R1(), SigningAlgorithm.ECDSA_SHA_384, hashes.SHA384()),
    KeySpec.ECC_NIST_P521: (ec.SECP521R1(), SigningAlgorithm.ECDSA_SHA_512, hashes.SHA512()),
    KeySpec.ECC_SECG_P256K1: (ec.SECP256K1(), SigningAlgorithm.ECDSA_SHA_256, hashes.SHA256()),
}
OTHER_ROOT = "00000000-0000-4000-8000-000000000000"


def external(spec: KeySpec, pair: WrappedKey, usage: KeyUsage | None = None) -> KeyMetadata:
    """What a key that is imported under that pair is bound to."""
    return KeyMetadata(pair.account, pair.key_id, 1, spec, usage or SPECS[spec].usages[0], KeyOrigin.EXTERNAL)


def material_of(spec: KeySpec) -> bytes:
    """New material of a secret key."""
    return os.urandom(SPECS[spec].bits // 8)


class ImportSuite:
    """Inherit, and give a `keystore` fixture."""

    @pytest.fixture
    async def pair(self, keystore: KeyStore) -> WrappedKey:
        """A fresh import's key pair."""
        return await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)

    async def taken(
        self,
        keystore: KeyStore,
        pair: WrappedKey,
        spec: KeySpec,
        material: bytes,
        usage: KeyUsage | None = None,
        algorithm: WrappingAlgorithm = TWO_STEPS,
    ) -> WrappedKey:
        """The key that comes of material which its customer has wrapped."""
        wrapped = wrap(pair.public_key, algorithm, material)
        return await keystore.import_key(external(spec, pair, usage), pair, algorithm, wrapped)

    @pytest.mark.parametrize("spec", [WrappingSpec.RSA_2048, WrappingSpec.RSA_3072, WrappingSpec.RSA_4096])
    async def test_a_key_pair_of_any_size_imports(self, keystore: KeyStore, spec: WrappingSpec) -> None:
        pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), spec)
        assert (pair.account, pair.version, pair.spec.value, pair.suite) == (ACCOUNT, 0, spec.value, 0)
        public = serialization.load_der_public_key(pair.public_key)
        assert isinstance(public, rsa.RSAPublicKey)
        assert public.key_size == int(spec.value.removeprefix("RSA_"))
        for algorithm in (ONE_STEP, TWO_STEPS):
            await self.taken(keystore, pair, KeySpec.AES_256, material_of(KeySpec.AES_256), algorithm=algorithm)

    @pytest.mark.parametrize("algorithm", [ONE_STEP, TWO_STEPS])
    @pytest.mark.parametrize("spec", SECRET_KEYS)
    async def test_a_secret_key_does_what_its_customer_does_with_it(
        self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec, algorithm: WrappingAlgorithm
    ) -> None:
        material = material_of(spec)
        key = await self.taken(keystore, pair, spec, material, algorithm=algorithm)
        assert key.metadata == external(spec, pair)
        assert key.public_key == b""
        assert len(key.fingerprint) == 32
        if SPECS[spec].usages[0] is KeyUsage.GENERATE_VERIFY_MAC:
            chosen = MacAlgorithm(f"HMAC_SHA_{SPECS[spec].bits}")
            mac = await keystore.generate_mac(key, USE, chosen, b"message")
            assert mac == hmac.digest(material, b"message", f"sha{SPECS[spec].bits}")
            return
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT
        header, packed, encrypted = CiphertextHeader.split(ciphertext)
        opened = AESGCM(material).decrypt(header.iv, encrypted, packed + canonical_context(CONTEXT))
        assert opened == COMMITMENT + TEXT.reveal()

    @pytest.mark.parametrize("spec", CURVES)
    async def test_an_ec_key_signs_as_its_customer_does(
        self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec
    ) -> None:
        curve, algorithm, hashed = CURVES[spec]
        mine = ec.generate_private_key(curve)
        key = await self.taken(keystore, pair, spec, pkcs8(mine))
        assert key.public_key == public_key_info(mine)
        digest = hashlib.new(hashed.name, b"message").digest()
        signature = await keystore.sign(key, USE, algorithm, digest)
        mine.public_key().verify(signature, digest, ec.ECDSA(utils.Prehashed(hashed)))

    @pytest.mark.parametrize("bits", [2048, 3072, 4096])
    async def test_an_rsa_key_signs_or_decrypts_as_its_customer_does(
        self, keystore: KeyStore, pair: WrappedKey, bits: int
    ) -> None:
        mine = rsa.generate_private_key(65537, bits)
        spec = KeySpec(f"RSA_{bits}")
        signing = await self.taken(keystore, pair, spec, pkcs8(mine), KeyUsage.SIGN_VERIFY)
        assert signing.public_key == public_key_info(mine)
        digest = hashlib.sha256(b"message").digest()
        signature = await keystore.sign(signing, USE, SigningAlgorithm.RSASSA_PSS_SHA_256, digest)
        padded = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        mine.public_key().verify(signature, digest, padded, utils.Prehashed(hashes.SHA256()))
        opening = await self.taken(keystore, pair, spec, pkcs8(mine), KeyUsage.ENCRYPT_DECRYPT)
        sealed = wrap(public_key_info(mine), ONE_STEP, b"text")
        oaep = EncryptionAlgorithm.RSAES_OAEP_SHA_1
        assert await keystore.decrypt_asymmetric(opening, USE, oaep, sealed) == Plaintext(b"text")

    @pytest.mark.parametrize("spec", [*SECRET_KEYS, KeySpec.ECC_NIST_P256, KeySpec.RSA_2048])
    async def test_the_same_material_is_known_again_and_no_other(
        self, keystore: KeyStore, pair: WrappedKey, spec: KeySpec
    ) -> None:
        def made() -> bytes:
            if spec is KeySpec.RSA_2048:
                return pkcs8(rsa.generate_private_key(65537, 2048))
            return pkcs8(p256()) if spec is KeySpec.ECC_NIST_P256 else material_of(spec)

        material = made()
        first = await self.taken(keystore, pair, spec, material)
        again = await keystore.generate_import_key(ACCOUNT, pair.key_id, WrappingSpec.RSA_2048)
        assert (await self.taken(keystore, again, spec, material)).fingerprint == first.fingerprint
        assert (await self.taken(keystore, pair, spec, made())).fingerprint != first.fingerprint
        elsewhere = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.RSA_2048)
        assert (await self.taken(keystore, elsewhere, spec, material)).fingerprint != first.fingerprint

    async def test_a_key_may_be_put_under_a_root_that_is_known_and_no_other(
        self, keystore: KeyStore, pair: WrappedKey
    ) -> None:
        wrapped = wrap(pair.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        metadata = external(KeySpec.AES_256, pair)
        key = await keystore.import_key(metadata, pair, ONE_STEP, wrapped)
        for before in (key, key.without_material()):
            assert await keystore.import_key(metadata, pair, ONE_STEP, wrapped, before) == key
            with pytest.raises(InvalidState, match=r"^cannot tell whether it is the same material"):
                await keystore.import_key(metadata, pair, ONE_STEP, wrapped, replace(before, kek_id=OTHER_ROOT))

    async def test_nothing_is_imported_beside_the_row_of_another_key(
        self, keystore: KeyStore, pair: WrappedKey
    ) -> None:
        wrapped = wrap(pair.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        metadata = external(KeySpec.AES_256, pair)
        key = await keystore.import_key(metadata, pair, ONE_STEP, wrapped)
        for other in (replace(key, key_id=str(uuid.uuid4())), replace(key, account="000000000009")):
            with pytest.raises(AccessDenied, match="another key's"):
                await keystore.import_key(metadata, pair, ONE_STEP, wrapped, other)

    async def test_a_key_that_is_destroyed_takes_nothing_more(self, keystore: KeyStore, pair: WrappedKey) -> None:
        wrapped = wrap(pair.public_key, ONE_STEP, material_of(KeySpec.AES_256))
        key = await keystore.import_key(external(KeySpec.AES_256, pair), pair, ONE_STEP, wrapped)
        await keystore.destroy_key(ACCOUNT, pair.key_id, 1)
        with pytest.raises(InvalidState, match="destroyed"):
            await keystore.import_key(external(KeySpec.AES_256, pair), pair, ONE_STEP, wrapped)
        with pytest.raises(InvalidState, match="destroyed"):
            await keystore.encrypt(key, USE, TEXT, {})


def p256() -> ec.EllipticCurvePrivateKey:
    """A new key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())
