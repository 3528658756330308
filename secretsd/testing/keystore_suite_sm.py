"""The conformance suite of the key store port for SM keys, as `keystore_suite.py`; needs the extra `sm`."""

# ruff: noqa: S101 - a suite asserts

import asyncio
import dataclasses
import uuid

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from secretsd.adapters.sm import curve as sm2_curve
from secretsd.adapters.sm import sm2
from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import (
    COMMITMENT,
    MAX_PLAINTEXT_BYTES,
    SUITE_NONE,
    SUITE_SM4_GCM,
    TAG_BYTES,
    CiphertextHeader,
    Purpose,
)
from secretsd.domain.errors import (
    AccessDenied,
    Internal,
    InvalidCiphertext,
    InvalidKeyUsage,
    InvalidRequest,
    InvalidState,
    LimitExceeded,
)
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, KeyOrigin, ProtectionLevel, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStore, KeyUse

ACCOUNT = "000000000001"
IMPORT = WrappingAlgorithm.SM2PKE
USE = KeyUse(ACCOUNT, Purpose.API_CIPHERTEXT, "request-1")
CONTEXT = {"service": "shop"}
TEXT = Plaintext(b"correct horse battery staple")
DSA, PKE = SigningAlgorithm.SM2DSA, EncryptionAlgorithm.SM2PKE
SPKI_BYTES = 91
GENERATOR = sm2_curve.spki(b"".join(number.to_bytes(32) for number in sm2_curve.G))


def metadata(spec: KeySpec, usage: KeyUsage, version: int = 1, key_id: str | None = None) -> KeyMetadata:
    """A new SM key of the account."""
    name = key_id or str(uuid.uuid4())
    return KeyMetadata(ACCOUNT, name, version, spec, usage, KeyOrigin.HSM, ProtectionLevel.SOFTWARE)


def pkcs8(private: bytes, public_key: bytes, *, number: int = 0, curve: str = "2d") -> bytes:
    """An SM2 private key as OpenSSL writes it (RFC 5958, RFC 5915); `number` and `curve` make it a wrong one."""
    point = public_key[-65:]
    inner = b"\x30\x6b\x02\x01\x01\x04\x20" + private + b"\xa1\x44\x03\x42\x00" + point
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a811ccf550182" + curve)
    return b"\x30\x81\x87\x02\x01" + bytes([number]) + algorithm + b"\x04\x6d" + inner


class SMKeyStoreSuite:
    """Inherit, and give a `keystore` fixture."""

    @pytest.fixture
    async def sm4(self, keystore: KeyStore) -> WrappedKey:
        """A key that encrypts by SM4."""
        return await keystore.generate_key(metadata(KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT))

    @pytest.fixture
    async def signer(self, keystore: KeyStore) -> WrappedKey:
        """A key that signs by SM2."""
        return await keystore.generate_key(metadata(KeySpec.SM2, KeyUsage.SIGN_VERIFY))

    @pytest.fixture
    async def opener(self, keystore: KeyStore) -> WrappedKey:
        """A key that decrypts by SM2."""
        return await keystore.generate_key(metadata(KeySpec.SM2, KeyUsage.ENCRYPT_DECRYPT))

    async def test_a_new_key_says_what_it_was_made_as_and_that_it_is_software(
        self, keystore: KeyStore, sm4: WrappedKey, signer: WrappedKey
    ) -> None:
        for key, suite, public_bytes in ((sm4, SUITE_SM4_GCM, 0), (signer, SUITE_NONE, SPKI_BYTES)):
            assert (key.suite, len(key.public_key)) == (suite, public_bytes)
            assert key.protection_level is ProtectionLevel.SOFTWARE
            assert key.kek_id == (await keystore.status()).kek_id
        await keystore.require_able(KeySpec.SM2)
        await keystore.require_able(KeySpec.SM4)

    @pytest.mark.parametrize("size", [0, 1, 16, 1000, MAX_PLAINTEXT_BYTES])
    async def test_what_sm4_encrypted_comes_back(self, keystore: KeyStore, sm4: WrappedKey, size: int) -> None:
        text = Plaintext(bytes(size))
        ciphertext = await keystore.encrypt(sm4, USE, text, CONTEXT)
        header, _, encrypted = CiphertextHeader.split(ciphertext)
        assert (header.suite, header.key_id, len(header.iv)) == (SUITE_SM4_GCM, sm4.key_id, 12)
        assert len(encrypted) == len(COMMITMENT) + size + TAG_BYTES
        assert await keystore.decrypt(sm4, USE, ciphertext, CONTEXT) == text

    async def test_every_changed_byte_and_another_context_open_nothing(
        self, keystore: KeyStore, sm4: WrappedKey
    ) -> None:
        ciphertext = await keystore.encrypt(sm4, USE, TEXT, CONTEXT)
        for place in range(len(ciphertext)):
            changed = bytearray(ciphertext)
            changed[place] ^= 1
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(sm4, USE, bytes(changed), CONTEXT)
        for size in range(len(ciphertext)):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(sm4, USE, ciphertext[:size], CONTEXT)
        for context in ({}, {"service": "shoq"}):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(sm4, USE, ciphertext, context)
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(sm4, dataclasses.replace(USE, purpose=Purpose.CREDENTIAL), ciphertext, CONTEXT)

    async def test_ivs_are_never_the_same(self, keystore: KeyStore, sm4: WrappedKey) -> None:
        made = await asyncio.gather(*(keystore.encrypt(sm4, USE, TEXT, {}) for _ in range(200)))
        assert len({CiphertextHeader.split(one)[0].iv for one in made}) == 200

    async def test_another_version_opens_nothing(self, keystore: KeyStore, sm4: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(sm4, USE, TEXT, {})
        newer = await keystore.generate_key(metadata(KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT, 2, sm4.key_id))
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(newer, USE, ciphertext, {})

    async def test_a_data_key_is_what_its_ciphertext_holds(self, keystore: KeyStore, sm4: WrappedKey) -> None:
        use = dataclasses.replace(USE, purpose=Purpose.API_DATA_KEY)
        data_key, ciphertext = await keystore.generate_data_key(sm4, use, CONTEXT, 16)
        assert len(data_key) == 16
        assert await keystore.decrypt(sm4, use, ciphertext, CONTEXT) == data_key

    async def test_a_signature_is_its_keys_own_of_that_message(self, keystore: KeyStore, signer: WrappedKey) -> None:
        digest = keystore.sm2.digest(signer.public_key, b"message")
        signature = await keystore.sign(signer, USE, DSA, digest)
        assert keystore.sm2.verify(signer.public_key, digest, signature)
        assert signature != await keystore.sign(signer, USE, DSA, digest), "its randomness came twice"
        other = await keystore.generate_key(metadata(KeySpec.SM2, KeyUsage.SIGN_VERIFY))
        assert keystore.sm2.digest(other.public_key, b"message") != digest
        assert not keystore.sm2.verify(other.public_key, digest, signature)
        assert not keystore.sm2.verify(signer.public_key, bytes(32), signature)
        for place in range(len(signature)):
            changed = bytearray(signature)
            changed[place] ^= 1
            assert not keystore.sm2.verify(signer.public_key, digest, bytes(changed))
        assert not keystore.sm2.verify(signer.public_key, digest, signature + b"\0")

    @pytest.mark.parametrize("size", [0, 31, 33, 64, 4096])
    async def test_a_digest_has_32_bytes(self, keystore: KeyStore, signer: WrappedKey, size: int) -> None:
        with pytest.raises(InvalidRequest):
            await keystore.sign(signer, USE, DSA, bytes(size))

    @pytest.mark.parametrize("size", [1, 2, 32, 254, 255])
    async def test_what_the_public_key_encrypted_opens(self, keystore: KeyStore, opener: WrappedKey, size: int) -> None:
        text = Plaintext(bytes(range(256))[:size])
        ciphertext = keystore.sm2.encrypt(opener.public_key, text)
        assert await keystore.decrypt_asymmetric(opener, USE, PKE, ciphertext) == text

    async def test_whatever_was_not_encrypted_so_opens_nothing(self, keystore: KeyStore, opener: WrappedKey) -> None:
        ciphertext = keystore.sm2.encrypt(opener.public_key, TEXT)
        for place in range(len(ciphertext)):
            changed = bytearray(ciphertext)
            changed[place] ^= 1
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt_asymmetric(opener, USE, PKE, bytes(changed))
        for other in (b"", ciphertext[:-1], ciphertext + b"\0", bytes(512), bytes(100_000)):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt_asymmetric(opener, USE, PKE, other)
        stranger = await keystore.generate_key(metadata(KeySpec.SM2, KeyUsage.ENCRYPT_DECRYPT))
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt_asymmetric(stranger, USE, PKE, ciphertext)
        assert await keystore.decrypt_asymmetric(opener, USE, PKE, ciphertext) == TEXT

    async def test_too_much_and_nothing_are_refused(self, keystore: KeyStore, opener: WrappedKey) -> None:
        with pytest.raises(LimitExceeded):
            keystore.sm2.encrypt(opener.public_key, Plaintext(bytes(256)))
        with pytest.raises(InvalidRequest):
            keystore.sm2.encrypt(opener.public_key, Plaintext(b""))
        off_the_curve = opener.public_key[:-1] + bytes([opener.public_key[-1] ^ 1])
        for no_key in (b"", bytes(SPKI_BYTES), opener.public_key[:-1], off_the_curve):
            with pytest.raises(InvalidRequest):
                keystore.sm2.encrypt(no_key, TEXT)

    async def test_a_key_does_what_its_spec_and_usage_say(
        self, keystore: KeyStore, sm4: WrappedKey, signer: WrappedKey, opener: WrappedKey
    ) -> None:
        digest = keystore.sm2.digest(opener.public_key, b"message")
        ciphertext = keystore.sm2.encrypt(signer.public_key, TEXT)
        for refused in (
            keystore.sign(opener, USE, DSA, digest),
            keystore.sign(signer, USE, SigningAlgorithm.ECDSA_SHA_256, digest),
            keystore.sign(sm4, USE, DSA, digest),
            keystore.decrypt_asymmetric(signer, USE, PKE, ciphertext),
            keystore.decrypt_asymmetric(opener, USE, EncryptionAlgorithm.RSAES_OAEP_SHA_1, ciphertext),
            keystore.decrypt_asymmetric(sm4, USE, PKE, ciphertext),
            keystore.encrypt(opener, USE, TEXT, {}),
            keystore.encrypt(signer, USE, TEXT, {}),
            keystore.generate_mac(sm4, USE, MacAlgorithm.HMAC_SHA_256, b"message"),
        ):
            with pytest.raises(InvalidKeyUsage):
                await refused

    async def test_a_key_works_for_its_own_account_alone(self, keystore: KeyStore, signer: WrappedKey) -> None:
        with pytest.raises(AccessDenied):
            await keystore.sign(signer, dataclasses.replace(USE, account="000000000002"), DSA, bytes(32))

    async def test_every_changed_byte_of_a_wrapped_key_is_noticed(self, keystore: KeyStore, sm4: WrappedKey) -> None:
        for place in range(len(sm4.blob)):
            changed = bytearray(sm4.blob)
            changed[place] ^= 1
            with pytest.raises(Internal):
                await keystore.encrypt(dataclasses.replace(sm4, blob=bytes(changed)), USE, TEXT, {})
        assert await keystore.encrypt(sm4, USE, TEXT, {})

    async def test_what_is_current_already_is_not_wrapped_anew(self, keystore: KeyStore, signer: WrappedKey) -> None:
        assert await keystore.rewrap(signer) == signer

    async def test_a_destroyed_version_is_never_used_again(self, keystore: KeyStore, sm4: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(sm4, USE, TEXT, {})
        await keystore.destroy_key(ACCOUNT, sm4.key_id, 1)
        with pytest.raises(InvalidState):
            await keystore.decrypt(sm4, USE, ciphertext, {})

    async def test_an_import_key_unwraps_and_does_nothing_else(self, keystore: KeyStore) -> None:
        pair = await keystore.generate_import_key(ACCOUNT, str(uuid.uuid4()), WrappingSpec.SM2)
        assert (pair.version, pair.spec, len(pair.public_key)) == (0, KeySpec.SM2, SPKI_BYTES)
        ciphertext = keystore.sm2.encrypt(pair.public_key, TEXT)
        with pytest.raises(InvalidKeyUsage):
            await keystore.decrypt_asymmetric(pair, USE, PKE, ciphertext)

    async def test_imported_sm4_encrypts_as_that_very_key(self, keystore: KeyStore) -> None:
        wanted = dataclasses.replace(metadata(KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT), origin=KeyOrigin.EXTERNAL)
        pair = await keystore.generate_import_key(ACCOUNT, wanted.key_id, WrappingSpec.SM2)
        material = bytes(range(16))
        wrapped = keystore.sm2.encrypt(pair.public_key, Plaintext(material))
        key = await keystore.import_key(wanted, pair, IMPORT, wrapped)
        assert key.metadata == wanted
        ciphertext = await keystore.encrypt(key, USE, TEXT, {})
        header, packed, encrypted = CiphertextHeader.split(ciphertext)
        opening = Cipher(algorithms.SM4(material), modes.GCM(header.iv, encrypted[-16:])).decryptor()
        opening.authenticate_additional_data(packed + bytes(4))
        assert opening.update(encrypted[:-16]) + opening.finalize() == COMMITMENT + TEXT.reveal()
        again = await keystore.import_key(wanted, pair, IMPORT, wrapped)
        assert again.fingerprint == key.fingerprint != b""
        assert await keystore.decrypt(again, USE, ciphertext, {}) == TEXT
        other = keystore.sm2.encrypt(pair.public_key, Plaintext(bytes(range(1, 17))))
        assert (await keystore.import_key(wanted, pair, IMPORT, other)).fingerprint != key.fingerprint

    async def test_imported_sm2_signs_as_that_very_key(self, keystore: KeyStore) -> None:
        wanted = dataclasses.replace(metadata(KeySpec.SM2, KeyUsage.SIGN_VERIFY), origin=KeyOrigin.EXTERNAL)
        pair = await keystore.generate_import_key(ACCOUNT, wanted.key_id, WrappingSpec.SM2)
        private, public_key = sm2.generate()
        wrapped = keystore.sm2.encrypt(pair.public_key, Plaintext(pkcs8(private, public_key)))
        key = await keystore.import_key(wanted, pair, IMPORT, wrapped)
        assert key.public_key == public_key
        digest = keystore.sm2.digest(public_key, b"message")
        assert keystore.sm2.verify(public_key, digest, await keystore.sign(key, USE, DSA, digest))

    @pytest.mark.parametrize(
        ("spec", "usage", "wrong"),
        [
            (KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT, bytes(16)),
            (KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT, bytes(range(15))),
            (KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT, bytes(range(32))),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, bytes(range(32))),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, pkcs8(bytes(32), GENERATOR)),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, pkcs8(b"\xff" * 32, GENERATOR)),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, pkcs8(bytes(31) + b"\x02", GENERATOR)),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, pkcs8(bytes(31) + b"\x01", GENERATOR, number=1)),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, pkcs8(bytes(31) + b"\x01", GENERATOR, curve="2e")),
            (KeySpec.SM2, KeyUsage.SIGN_VERIFY, pkcs8(bytes(31) + b"\x01", GENERATOR) + b"x"),
        ],
    )
    async def test_what_is_no_such_material_is_refused(
        self, keystore: KeyStore, spec: KeySpec, usage: KeyUsage, wrong: bytes
    ) -> None:
        wanted = dataclasses.replace(metadata(spec, usage), origin=KeyOrigin.EXTERNAL)
        pair = await keystore.generate_import_key(ACCOUNT, wanted.key_id, WrappingSpec.SM2)
        with pytest.raises(InvalidCiphertext):
            await keystore.import_key(wanted, pair, IMPORT, keystore.sm2.encrypt(pair.public_key, Plaintext(wrong)))
        for unopened in (b"", wrong, bytes(200)):
            with pytest.raises(InvalidCiphertext):
                await keystore.import_key(wanted, pair, IMPORT, unopened)

    async def test_sm_keys_come_in_by_sm2_and_by_sm2_nothing_else(self, keystore: KeyStore) -> None:
        sm4 = dataclasses.replace(metadata(KeySpec.SM4, KeyUsage.ENCRYPT_DECRYPT), origin=KeyOrigin.EXTERNAL)
        aes = dataclasses.replace(sm4, spec=KeySpec.AES_128, protection_level=ProtectionLevel.HSM)
        pair = await keystore.generate_import_key(ACCOUNT, sm4.key_id, WrappingSpec.SM2)
        rsa = await keystore.generate_import_key(ACCOUNT, sm4.key_id, WrappingSpec.RSA_2048)
        material = keystore.sm2.encrypt(pair.public_key, Plaintext(bytes(range(16))))
        for wanted, under, algorithm in (
            (aes, pair, IMPORT),
            (aes, pair, WrappingAlgorithm.RSAES_OAEP_SHA_1),
            (sm4, rsa, IMPORT),
            (sm4, rsa, WrappingAlgorithm.RSAES_OAEP_SHA_1),
        ):
            with pytest.raises(InvalidKeyUsage):
                await keystore.import_key(wanted, under, algorithm, material)
        assert (await keystore.import_key(sm4, pair, IMPORT, material)).metadata == sm4
