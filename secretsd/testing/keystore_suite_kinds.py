"""The conformance suite of the key store port for keys of every spec that an HSM can have: what they do, and for whom.

class TestMine(KeyKindsSuite):
    @pytest.fixture
    async def keystore(self): ...
"""

# ruff: noqa: S101 - a suite asserts

import dataclasses
import hashlib
import uuid

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from secretsd.domain.algorithms import (
    EncryptionAlgorithm,
    MacAlgorithm,
    SigningAlgorithm,
    digest_bytes,
    hash_of,
    mac_algorithms,
    signing_algorithms,
)
from secretsd.domain.envelope import GCM_SUITES, SUITE_NONE, CiphertextHeader, Purpose
from secretsd.domain.errors import (
    AccessDenied,
    Internal,
    InvalidCiphertext,
    InvalidKeyUsage,
    InvalidRequest,
    Unsupported,
)
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStore, KeyUse

ACCOUNT = "000000000001"
TEXT = Plaintext(b"correct horse battery staple")
MESSAGE = b"pay 100 to bob"
SIGNING = KeyUse(ACCOUNT, Purpose.API_SIGNATURE, "request-1")
ENCRYPTING = KeyUse(ACCOUNT, Purpose.API_CIPHERTEXT, "request-2")
AUTHENTICATING = KeyUse(ACCOUNT, Purpose.API_MAC, "request-3")
IN_AN_HSM = [spec for spec, rules in SPECS.items() if not rules.software]
# Making RSA keys takes seconds, so the larger ones are made once.
SIGNERS = [
    (spec, one) for spec in IN_AN_HSM if SPECS[spec].bits not in (3072, 4096) for one in signing_algorithms(spec)
]
MACS = [(spec, one) for spec in IN_AN_HSM for one in mac_algorithms(spec)]
OAEP: dict[EncryptionAlgorithm, hashes.HashAlgorithm] = {
    EncryptionAlgorithm.RSAES_OAEP_SHA_1: hashes.SHA1(),  # noqa: S303  # OAEP needs no collision resistance of its hash
    EncryptionAlgorithm.RSAES_OAEP_SHA_256: hashes.SHA256(),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


async def new_key(
    keystore: KeyStore, spec: KeySpec, usage: KeyUsage | None = None, account: str = ACCOUNT
) -> WrappedKey:
    """A fresh key of the account, for the first use that its spec allows unless told otherwise."""
    wanted = KeyMetadata(account, str(uuid.uuid4()), 1, spec, usage or SPECS[spec].usages[0])
    made = await keystore.generate_key(wanted)
    assert made.metadata == wanted
    return made


def signed_bytes(algorithm: SigningAlgorithm, message: bytes = MESSAGE) -> bytes:
    """What is handed to the key store for a message."""
    return message if digest_bytes(algorithm) is None else hashlib.new(hash_of(algorithm), message).digest()


def verify(public_key: bytes, algorithm: SigningAlgorithm, message: bytes, signature: bytes) -> None:
    """Raise InvalidSignature unless it is the key's signature of the message; `cryptography` is the judge."""
    key = serialization.load_der_public_key(public_key)
    if isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, message)
        return
    chosen = _HASHES[hash_of(algorithm)]
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, message, ec.ECDSA(chosen))
        return
    assert isinstance(key, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(chosen), chosen.digest_size)
    key.verify(signature, message, pss if "PSS" in algorithm.value else padding.PKCS1v15(), chosen)


class KeyKindsSuite:
    """Inherit, and give a `keystore` fixture."""

    @pytest.mark.parametrize("spec", IN_AN_HSM)
    async def test_a_key_of_every_spec_says_what_it_is(self, keystore: KeyStore, spec: KeySpec) -> None:
        await keystore.require_able(spec)
        key = await new_key(keystore, spec)
        assert key.suite == GCM_SUITES.get(spec, SUITE_NONE)
        assert bool(key.public_key) == SPECS[spec].asymmetric
        if key.public_key:
            public = serialization.load_der_public_key(key.public_key)
            family = {
                KeyFamily.RSA: rsa.RSAPublicKey,
                KeyFamily.ECC: ec.EllipticCurvePublicKey,
                KeyFamily.EDWARDS: ed25519.Ed25519PublicKey,
            }[SPECS[spec].family]
            assert isinstance(public, family)
            assert getattr(public, "key_size", 256) == SPECS[spec].bits

    @pytest.mark.parametrize("spec", [KeySpec.AES_256, KeySpec.AES_192, KeySpec.AES_128])
    async def test_aes_keys_of_every_size_encrypt(self, keystore: KeyStore, spec: KeySpec) -> None:
        key = await new_key(keystore, spec)
        made = await keystore.encrypt(key, ENCRYPTING, TEXT, {"a": "b"})
        assert CiphertextHeader.split(made)[0].suite == GCM_SUITES[spec]
        assert await keystore.decrypt(key, ENCRYPTING, made, {"a": "b"}) == TEXT
        for suite in set(GCM_SUITES.values()) - {GCM_SUITES[spec]}:
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(key, ENCRYPTING, made[:1] + bytes([suite]) + made[2:], {"a": "b"})

    @pytest.mark.parametrize(("spec", "algorithm"), SIGNERS)
    async def test_signatures_verify_elsewhere(
        self, keystore: KeyStore, spec: KeySpec, algorithm: SigningAlgorithm
    ) -> None:
        key = await new_key(keystore, spec)
        signature = await keystore.sign(key, SIGNING, algorithm, signed_bytes(algorithm))
        verify(key.public_key, algorithm, MESSAGE, signature)
        with pytest.raises(InvalidSignature):
            verify(key.public_key, algorithm, b"pay 900 to eve", signature)

    async def test_ecdsa_signatures_are_der_and_never_the_same_twice(self, keystore: KeyStore) -> None:
        key = await new_key(keystore, KeySpec.ECC_NIST_P256)
        algorithm = SigningAlgorithm.ECDSA_SHA_256
        made = [await keystore.sign(key, SIGNING, algorithm, signed_bytes(algorithm)) for _ in range(30)]
        assert len({utils.decode_dss_signature(one)[0] for one in made}) == 30

    @pytest.mark.parametrize(("spec", "algorithm"), [one for one in SIGNERS if digest_bytes(one[1]) is not None])
    async def test_a_digest_has_the_length_of_its_hash(
        self, keystore: KeyStore, spec: KeySpec, algorithm: SigningAlgorithm
    ) -> None:
        key = await new_key(keystore, spec)
        size = digest_bytes(algorithm)
        assert size is not None
        for wrong in (0, 1, 20, size - 1, size + 1, 1024):
            with pytest.raises(InvalidRequest):
                await keystore.sign(key, SIGNING, algorithm, bytes(wrong))
        assert await keystore.sign(key, SIGNING, algorithm, bytes(size))

    @pytest.mark.parametrize(("spec", "algorithm"), MACS)
    async def test_macs_are_the_same_again_and_of_one_key_and_message(
        self, keystore: KeyStore, spec: KeySpec, algorithm: MacAlgorithm
    ) -> None:
        key, other = await new_key(keystore, spec), await new_key(keystore, spec)
        macs = [await keystore.generate_mac(one, AUTHENTICATING, algorithm, MESSAGE) for one in (key, key, other)]
        assert macs[0] == macs[1] != macs[2]
        assert len(macs[0]) == hashlib.new(hash_of(algorithm)).digest_size
        assert await keystore.generate_mac(key, AUTHENTICATING, algorithm, MESSAGE + b"!") != macs[0]
        assert await keystore.generate_mac(key, AUTHENTICATING, algorithm, b"")
        assert await keystore.generate_mac(key, AUTHENTICATING, algorithm, bytes(4096))

    @pytest.mark.parametrize("algorithm", OAEP)
    async def test_what_others_encrypt_under_the_public_key_is_opened(
        self, keystore: KeyStore, algorithm: EncryptionAlgorithm
    ) -> None:
        key = await new_key(keystore, KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT)
        public = serialization.load_der_public_key(key.public_key)
        assert isinstance(public, rsa.RSAPublicKey)
        chosen = OAEP[algorithm]
        oaep = padding.OAEP(padding.MGF1(chosen), chosen, None)
        room = 256 - 2 * chosen.digest_size - 2
        for size in (0, 1, room):
            made = public.encrypt(bytes(size), oaep)
            if algorithm.value in (await keystore.status()).inabilities:
                with pytest.raises(Unsupported):
                    await keystore.decrypt_asymmetric(key, ENCRYPTING, algorithm, made)
                with pytest.raises(Unsupported, match=f"^cannot encrypt by {algorithm.value}: this HSM "):
                    await keystore.require_able(algorithm)
                continue
            await keystore.require_able(algorithm)
            opened = await keystore.decrypt_asymmetric(key, ENCRYPTING, algorithm, made)
            assert opened == Plaintext(bytes(size))

    async def test_a_bad_rsa_ciphertext_is_invalid_and_nothing_else(self, keystore: KeyStore) -> None:
        algorithm = EncryptionAlgorithm.RSAES_OAEP_SHA_1
        key = await new_key(keystore, KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT)
        public = serialization.load_der_public_key(key.public_key)
        assert isinstance(public, rsa.RSAPublicKey)
        chosen = OAEP[algorithm]
        made = public.encrypt(b"text", padding.OAEP(padding.MGF1(chosen), chosen, None))
        labelled = public.encrypt(b"text", padding.OAEP(padding.MGF1(chosen), chosen, b"label"))
        pkcs1 = public.encrypt(b"text", padding.PKCS1v15())
        bad = [b"", made[:-1], made + b"\0", bytes(256), b"\xff" * 256, labelled, pkcs1]
        for one in (*bad, *(bytes([*made[:at], made[at] ^ 1, *made[at + 1 :]]) for at in range(0, 256, 15))):
            with pytest.raises(InvalidCiphertext, match=r"^cannot open the ciphertext$"):
                await keystore.decrypt_asymmetric(key, ENCRYPTING, algorithm, one)
        assert (await keystore.status()).available
        assert (await keystore.decrypt_asymmetric(key, ENCRYPTING, algorithm, made)).reveal() == b"text"

    async def test_a_key_does_what_it_is_for_and_nothing_else(self, keystore: KeyStore) -> None:
        aes, mac = await new_key(keystore, KeySpec.AES_256), await new_key(keystore, KeySpec.HMAC_256)
        signing = await new_key(keystore, KeySpec.RSA_2048)
        opening = await new_key(keystore, KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT)
        curve = await new_key(keystore, KeySpec.ECC_NIST_P256)
        digest = bytes(32)
        for key in (mac, signing, opening, curve):
            with pytest.raises(InvalidKeyUsage):
                await keystore.encrypt(key, ENCRYPTING, TEXT, {})
            with pytest.raises(InvalidKeyUsage):
                await keystore.generate_data_key(key, ENCRYPTING, {})
        for key in (aes, mac, opening):
            with pytest.raises(InvalidKeyUsage):
                await keystore.sign(key, SIGNING, SigningAlgorithm.RSASSA_PSS_SHA_256, digest)
        for key in (aes, signing, curve):
            with pytest.raises(InvalidKeyUsage):
                await keystore.generate_mac(key, AUTHENTICATING, MacAlgorithm.HMAC_SHA_256, MESSAGE)
        oaep = EncryptionAlgorithm.RSAES_OAEP_SHA_1
        for key in (aes, mac, signing, curve):
            with pytest.raises(InvalidKeyUsage):
                await keystore.decrypt_asymmetric(key, ENCRYPTING, oaep, bytes(256))

    async def test_a_key_knows_its_own_algorithms_only(self, keystore: KeyStore) -> None:
        curve, mac = await new_key(keystore, KeySpec.ECC_NIST_P384), await new_key(keystore, KeySpec.HMAC_384)
        for wrong in set(SigningAlgorithm) - {SigningAlgorithm.ECDSA_SHA_384}:
            with pytest.raises(InvalidKeyUsage):
                await keystore.sign(curve, SIGNING, wrong, bytes(digest_bytes(wrong) or 48))
        for other in set(MacAlgorithm) - {MacAlgorithm.HMAC_SHA_384}:
            with pytest.raises(InvalidKeyUsage):
                await keystore.generate_mac(mac, AUTHENTICATING, other, MESSAGE)

    async def test_a_key_works_for_its_own_account_alone(self, keystore: KeyStore) -> None:
        curve, mac = await new_key(keystore, KeySpec.ECC_NIST_P256), await new_key(keystore, KeySpec.HMAC_256)
        stranger = dataclasses.replace(SIGNING, account="000000000002")
        with pytest.raises(AccessDenied):
            await keystore.sign(curve, stranger, SigningAlgorithm.ECDSA_SHA_256, bytes(32))
        with pytest.raises(AccessDenied):
            await keystore.generate_mac(mac, stranger, MacAlgorithm.HMAC_SHA_256, MESSAGE)

    async def test_a_changed_public_key_is_noticed(self, keystore: KeyStore) -> None:
        """Whoever writes storage must not make callers encrypt or verify under a key of his own."""
        curve, other = [await new_key(keystore, KeySpec.ECC_NIST_P256) for _ in range(2)]
        changed = dataclasses.replace(curve, public_key=other.public_key)
        with pytest.raises(Internal, match=r"^cannot use key"):
            await keystore.sign(changed, SIGNING, SigningAlgorithm.ECDSA_SHA_256, bytes(32))
