"""What a customer does on a machine of his own to import a key, by `cryptography`: wrap it, and use it himself."""

import os

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from secretsd.domain.key_import import WrappingAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def wrap(public_key: bytes, algorithm: WrappingAlgorithm, material: bytes, wrapping_key_bytes: int = 32) -> bytes:
    """The material under an import's public key: in one step, or as `wrapping_key_bytes` of AES key and behind it."""
    if not algorithm.two_steps:
        return _oaep(public_key, algorithm, material)
    wrapping_key = os.urandom(wrapping_key_bytes)
    return _oaep(public_key, algorithm, wrapping_key) + aes_key_wrap_with_padding(wrapping_key, material)


def pkcs8(key: PrivateKey) -> bytes:
    """The private key as it is imported."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def public_key_info(key: PrivateKey) -> bytes:
    """The public key as the daemon tells it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.DER, form)


def _oaep(public_key: bytes, algorithm: WrappingAlgorithm, text: bytes) -> bytes:
    key = serialization.load_der_public_key(public_key)
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("cannot wrap: that is no RSA key")
    chosen = hashes.SHA1() if algorithm.value.endswith("SHA_1") else hashes.SHA256()  # noqa: S303  # what SoftHSM has
    return key.encrypt(text, padding.OAEP(padding.MGF1(chosen), chosen, None))
