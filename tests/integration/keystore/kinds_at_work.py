"""Every kind of key at work on the real module: each answer is checked by another library, or by what it was before."""

import dataclasses
import hashlib
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm
from secretsd.domain.envelope import Purpose
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStore
from secretsd.testing.keystore_suite import ACCOUNT, CONTEXT, TEXT, USE

_DIGEST = hashlib.sha256(b"message").digest()
_SHA256 = utils.Prehashed(hashes.SHA256())
_OAEP_SHA1 = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
KINDS: dict[str, tuple[KeySpec, KeyUsage]] = {
    "aes": (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT),
    "hmac": (KeySpec.HMAC_256, KeyUsage.GENERATE_VERIFY_MAC),
    "rsa that signs": (KeySpec.RSA_2048, KeyUsage.SIGN_VERIFY),
    "rsa that decrypts": (KeySpec.RSA_2048, KeyUsage.ENCRYPT_DECRYPT),
    "ec": (KeySpec.ECC_NIST_P256, KeyUsage.SIGN_VERIFY),
    "ed25519": (KeySpec.ECC_NIST_EDWARDS25519, KeyUsage.SIGN_VERIFY),
}
INIT = {"aes": "C_DecryptInit", "rsa that decrypts": "C_DecryptInit"}
"""By which function a kind's use begins, where it is not C_SignInit."""
USING = {"aes": "C_Decrypt", "rsa that decrypts": "C_Decrypt"}
"""Which function then does it, where it is not C_Sign."""


def metadata_of(kind: str) -> KeyMetadata:
    """What a new key of the kind is to be."""
    spec, usage = KINDS[kind]
    return KeyMetadata(ACCOUNT, str(uuid.uuid4()), 1, spec, usage)


class AtWork:
    """One key of a kind, which is used as often as one likes; every answer must be right."""

    def __init__(self, kind: str, key: WrappedKey, known: bytes) -> None:
        self.kind, self.key, self._known = kind, key, known

    @classmethod
    async def make(cls, keystore: KeyStore, kind: str) -> "AtWork":
        """A new key."""
        key = await keystore.generate_key(metadata_of(kind))
        known = b""
        if kind == "aes":
            known = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        elif kind == "hmac":
            known = await cls._mac(keystore, key)
        elif kind == "rsa that decrypts":
            public = serialization.load_der_public_key(key.public_key)
            assert isinstance(public, rsa.RSAPublicKey)
            known = public.encrypt(TEXT.reveal(), _OAEP_SHA1)
        return cls(kind, key, known)

    async def use(self, keystore: KeyStore) -> None:
        """Use it, and check the answer; AssertionError or InvalidSignature."""
        if self.kind == "aes":
            assert await keystore.decrypt(self.key, USE, self._known, CONTEXT) == TEXT
        elif self.kind == "hmac":
            assert await self._mac(keystore, self.key) == self._known
        elif self.kind == "rsa that decrypts":
            use = dataclasses.replace(USE, purpose=Purpose.API_CIPHERTEXT)
            algorithm = EncryptionAlgorithm.RSAES_OAEP_SHA_1
            assert await keystore.decrypt_asymmetric(self.key, use, algorithm, self._known) == Plaintext(TEXT.reveal())
        else:
            await self._sign(keystore)

    async def _sign(self, keystore: KeyStore) -> None:
        use = dataclasses.replace(USE, purpose=Purpose.API_SIGNATURE)
        public = serialization.load_der_public_key(self.key.public_key)
        match public:
            case rsa.RSAPublicKey():
                algorithm = SigningAlgorithm.RSASSA_PKCS1_V1_5_SHA_256
                signature = await keystore.sign(self.key, use, algorithm, _DIGEST)
                public.verify(signature, _DIGEST, padding.PKCS1v15(), _SHA256)
            case ec.EllipticCurvePublicKey():
                signature = await keystore.sign(self.key, use, SigningAlgorithm.ECDSA_SHA_256, _DIGEST)
                public.verify(signature, _DIGEST, ec.ECDSA(_SHA256))
            case ed25519.Ed25519PublicKey():
                signature = await keystore.sign(self.key, use, SigningAlgorithm.ED25519_SHA_512, b"message")
                public.verify(signature, b"message")
            case _:
                raise AssertionError(f"{self.kind} has another public key")

    @staticmethod
    async def _mac(keystore: KeyStore, key: WrappedKey) -> bytes:
        use = dataclasses.replace(USE, purpose=Purpose.API_MAC)
        return await keystore.generate_mac(key, use, MacAlgorithm.HMAC_SHA_256, b"message")
