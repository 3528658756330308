"""Keys in memory, by `cryptography` and GmSSL: the material of every spec, and what can be done with it."""

import hashlib
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from secretsd.adapters.pkcs11.key_rows import fingerprinted_bytes
from secretsd.adapters.sm import pkcs8, sm2, sm4
from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm, hash_of
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec
from secretsd.domain.keys import KeyMetadata

_CURVES: dict[KeySpec, ec.EllipticCurve] = {
    KeySpec.ECC_NIST_P256: ec.SECP256R1(),
    KeySpec.ECC_NIST_P384: ec.SECP384R1(),
    KeySpec.ECC_NIST_P521: ec.SECP521R1(),
    KeySpec.ECC_SECG_P256K1: ec.SECP256K1(),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303  # OAEP needs no collision resistance of its hash
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def make_material(spec: KeySpec) -> bytes:
    """New material: a symmetric key's bytes, or a private key as PKCS#8 in DER; of SM2 its number in 32 bytes."""
    rules = SPECS[spec]
    match rules.family:
        case KeyFamily.SM2:
            return sm2.generate()[0]
        case KeyFamily.RSA:
            return _pkcs8(rsa.generate_private_key(65537, rules.bits))
        case KeyFamily.ECC:
            return _pkcs8(ec.generate_private_key(_CURVES[spec]))
        case KeyFamily.EDWARDS:
            return _pkcs8(ed25519.Ed25519PrivateKey.generate())
        case _:
            return os.urandom(rules.bits // 8)


def public_key(spec: KeySpec, material: bytes) -> bytes:
    """The SubjectPublicKeyInfo in DER; b"" for symmetric keys."""
    if not SPECS[spec].asymmetric:
        return b""
    if spec is KeySpec.SM2:
        return sm2.public_key_of(material)
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key(material).public_key().public_bytes(serialization.Encoding.DER, kind)


@lru_cache(maxsize=64)
def private_key(material: bytes) -> PrivateKey:
    """The private key in the material."""
    key = serialization.load_der_private_key(material, None)
    if not isinstance(key, PrivateKey):
        raise InvalidCiphertext
    return key


def encrypt(spec: KeySpec, material: bytes, iv: bytes, text: bytes, bound: bytes) -> bytes:
    """AES or SM4 in GCM."""
    if spec is KeySpec.SM4:
        return sm4.seal(material, iv, bound, text)
    return AESGCM(material).encrypt(iv, text, bound)


def decrypt(spec: KeySpec, material: bytes, iv: bytes, encrypted: bytes, bound: bytes) -> bytes:
    """AES or SM4 in GCM; InvalidCiphertext."""
    if spec is KeySpec.SM4:
        return sm4.unseal(material, iv, bound, encrypted)
    try:
        return AESGCM(material).decrypt(iv, encrypted, bound)
    except InvalidTag:
        raise InvalidCiphertext from None


def decrypt_asymmetric(material: bytes, algorithm: EncryptionAlgorithm, ciphertext: bytes) -> bytes:
    """RSA-OAEP, or SM2PKE; InvalidCiphertext."""
    if algorithm is EncryptionAlgorithm.SM2PKE:
        return sm2.decrypt(material, ciphertext)
    key = private_key(material)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InvalidCiphertext
    return _oaep(key, "sha1" if algorithm is EncryptionAlgorithm.RSAES_OAEP_SHA_1 else "sha256", ciphertext)


def sign(material: bytes, algorithm: SigningAlgorithm, message: bytes) -> bytes:
    """The signature of a digest; of a message for Ed25519."""
    if algorithm is SigningAlgorithm.SM2DSA:
        return sm2.sign(material, message)
    key = private_key(material)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    chosen = _HASHES[hash_of(algorithm)]
    hashed = utils.Prehashed(chosen)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashed))
    if "PSS" in algorithm.value:
        return key.sign(message, padding.PSS(padding.MGF1(chosen), chosen.digest_size), hashed)
    return key.sign(message, padding.PKCS1v15(), hashed)


def mac(material: bytes, algorithm: MacAlgorithm, message: bytes) -> bytes:
    """The HMAC."""
    return hmac.digest(material, message, hash_of(algorithm))


def unwrap(wrapping: bytes, algorithm: WrappingAlgorithm, wrapped: bytes) -> bytes:
    """The material that was wrapped under the public half of an import's key pair; InvalidCiphertext."""
    if algorithm is WrappingAlgorithm.SM2PKE:
        return sm2.decrypt(wrapping, wrapped)
    key = private_key(wrapping)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InvalidCiphertext
    name = "sha1" if algorithm.value.endswith("SHA_1") else "sha256"
    if not algorithm.two_steps:
        return _oaep(key, name, wrapped)
    size = key.key_size // 8
    try:
        return aes_key_unwrap_with_padding(_oaep(key, name, wrapped[:size]), wrapped[size:])
    except (InvalidUnwrap, ValueError):
        raise InvalidCiphertext from None


def imported(spec: KeySpec, opened: bytes) -> bytes:
    """The material as it is kept; InvalidCiphertext unless it is material of that spec."""
    if spec is KeySpec.SM2:
        return pkcs8.read(opened)[0]
    _require_material(spec, opened)
    return opened


def _require_material(spec: KeySpec, material: bytes) -> None:
    rules = SPECS[spec]
    if not rules.asymmetric:
        if len(material) * 8 != rules.bits or not any(material):
            raise InvalidCiphertext
        return
    try:
        key = private_key(material)
    except (ValueError, TypeError):
        raise InvalidCiphertext from None
    is_rsa = isinstance(key, rsa.RSAPrivateKey) and key.key_size == rules.bits and rules.family is KeyFamily.RSA
    if isinstance(key, rsa.RSAPrivateKey) and not 2**16 < key.public_key().public_numbers().e < 2**256:
        raise InvalidCiphertext
    is_ec = isinstance(key, ec.EllipticCurvePrivateKey) and spec in _CURVES and key.curve.name == _CURVES[spec].name
    if not (is_rsa or is_ec):
        raise InvalidCiphertext


def fingerprint(mac_key: bytes, metadata: KeyMetadata, material: bytes) -> bytes:
    """A keyed digest of the material and whose it is; of private keys by the public one, as one has many encodings."""
    answer = public_key(metadata.spec, material) or material
    return hmac.new(mac_key, fingerprinted_bytes(metadata, answer), hashlib.sha256).digest()


def _oaep(key: rsa.RSAPrivateKey, name: str, ciphertext: bytes) -> bytes:
    try:
        return key.decrypt(ciphertext, padding.OAEP(padding.MGF1(_HASHES[name]), _HASHES[name], None))
    except ValueError:
        raise InvalidCiphertext from None


def _pkcs8(key: PrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
