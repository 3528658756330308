"""RSA keys of 3,072 and 4,096 bits, made in the HSM: they sign and decrypt as another library says, and outlive it."""

import dataclasses
import hashlib
import uuid

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.domain.algorithms import EncryptionAlgorithm, SigningAlgorithm, signing_algorithms
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.testing.keystore_suite import ACCOUNT, TEXT, USE
from secretsd.testing.softhsm import KeyStoreProcess

pytestmark = pytest.mark.integration
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
of_either_length = pytest.mark.parametrize("spec", [KeySpec.RSA_3072, KeySpec.RSA_4096])


async def made(keystore: ProcessKeyStore, spec: KeySpec, usage: KeyUsage) -> tuple[WrappedKey, rsa.RSAPublicKey]:
    """A new key, which takes the HSM seconds, and its public half."""
    key = await keystore.generate_key(KeyMetadata(ACCOUNT, str(uuid.uuid4()), 1, spec, usage))
    public = serialization.load_der_public_key(key.public_key)
    assert isinstance(public, rsa.RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (SPECS[spec].bits, 65537)
    return key, public


@of_either_length
async def test_it_signs_by_every_algorithm_and_after_a_restart(
    keystore: ProcessKeyStore, process: KeyStoreProcess, spec: KeySpec
) -> None:
    key, public = await made(keystore, spec, KeyUsage.SIGN_VERIFY)
    use = dataclasses.replace(USE, purpose=Purpose.API_SIGNATURE)

    async def sign(algorithm: SigningAlgorithm) -> None:
        hashed = HASHES[algorithm.value[-3:]]
        digest = hashlib.new(hashed.name, b"message").digest()
        signature = await keystore.sign(key, use, algorithm, digest)
        assert len(signature) * 8 == SPECS[spec].bits
        pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
        scheme = pss if "PSS" in algorithm.value else padding.PKCS1v15()
        public.verify(signature, digest, scheme, utils.Prehashed(hashed))

    algorithms = signing_algorithms(spec)
    assert len(algorithms) == 6
    for algorithm in algorithms:
        await sign(algorithm)
    process.restart()
    await sign(algorithms[0])


@of_either_length
async def test_it_decrypts_what_its_public_half_encrypted_and_nothing_else(
    keystore: ProcessKeyStore, process: KeyStoreProcess, spec: KeySpec
) -> None:
    key, public = await made(keystore, spec, KeyUsage.ENCRYPT_DECRYPT)
    algorithm = EncryptionAlgorithm.RSAES_OAEP_SHA_1
    longest = Plaintext(b"x" * (SPECS[spec].bits // 8 - 42))  # RFC 8017, 7.1.1
    for text in (TEXT, longest):
        ciphertext = public.encrypt(text.reveal(), OAEP)
        assert await keystore.decrypt_asymmetric(key, USE, algorithm, ciphertext) == text
    process.restart()
    assert await keystore.decrypt_asymmetric(key, USE, algorithm, ciphertext) == longest
    for changed in (ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), ciphertext[1:], ciphertext + b"\0", bytes(256)):
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt_asymmetric(key, USE, algorithm, changed)
