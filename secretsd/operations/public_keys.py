"""What needs no more than a public key, done here and not in the HSM: encryption by RSA, and verification."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from secretsd.domain.algorithms import EncryptionAlgorithm, SigningAlgorithm, hash_of
from secretsd.domain.errors import Internal, InvalidRequest, LimitExceeded, Unsupported
from secretsd.domain.sensitive import Plaintext

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
EXPORT_BITS = (2048, 3072, 4096)
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_OAEP: dict[EncryptionAlgorithm, hashes.HashAlgorithm] = {
    EncryptionAlgorithm.RSAES_OAEP_SHA_1: hashes.SHA1(),  # noqa: S303  # OAEP needs no collision resistance of its hash
    EncryptionAlgorithm.RSAES_OAEP_SHA_256: hashes.SHA256(),
}


@lru_cache(maxsize=1024)
def load(public_key: bytes) -> PublicKey:
    """The key in a SubjectPublicKeyInfo (RFC 5280) in DER; ValueError where there is none that is known here."""
    try:
        key = serialization.load_der_public_key(public_key)
    except UnsupportedAlgorithm:
        raise ValueError("cannot read the public key: its kind is not known here") from None
    if not isinstance(key, PublicKey):
        raise ValueError("cannot read the public key: its kind is not known here")
    return key


def caller_key(public_key: bytes) -> rsa.RSAPublicKey:
    """A caller's RSA key, to encrypt something for its holder; InvalidRequest."""
    try:
        key = load(public_key)
    except ValueError:
        key = None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in EXPORT_BITS:
        raise InvalidRequest("cannot use the public key: it is no RSA key of 2048, 3072 or 4096 bits, in DER")
    return key


def encrypt(public_key: bytes | rsa.RSAPublicKey, algorithm: EncryptionAlgorithm, plaintext: Plaintext) -> bytes:
    """RSAES-OAEP (RFC 8017, 7.1) without a label, MGF1 with the same hash; LimitExceeded past what the key holds."""
    key = load(public_key) if isinstance(public_key, bytes) else public_key
    chosen = _OAEP.get(algorithm)
    if chosen is None or not isinstance(key, rsa.RSAPublicKey):
        raise Unsupported(f"cannot encrypt by {algorithm.value} here")
    room = key.key_size // 8 - 2 * chosen.digest_size - 2
    if len(plaintext) > room:
        raise LimitExceeded(f"cannot encrypt more than {room} bytes by {algorithm.value} under a key of that size")
    return key.encrypt(plaintext.reveal(), padding.OAEP(padding.MGF1(chosen), chosen, None))


def verify(public_key: bytes, algorithm: SigningAlgorithm, message: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's. `message` is a digest by the algorithm's hash; for Ed25519 the message.

    RSA as in RFC 8017, salts exactly as long as the digest; ECDSA signatures in DER; Ed25519 as in RFC 8032.
    """
    key = load(public_key)
    name = algorithm.value
    try:
        if isinstance(key, ed25519.Ed25519PublicKey) and algorithm is SigningAlgorithm.ED25519_SHA_512:
            key.verify(signature, message)
            return True
        chosen = _HASHES.get(hash_of(algorithm))
        if chosen is None:
            raise Unsupported(f"cannot verify by {name} here")
        hashed = utils.Prehashed(chosen)
        if isinstance(key, ec.EllipticCurvePublicKey) and name.startswith("ECDSA"):
            key.verify(signature, message, ec.ECDSA(hashed))
        elif isinstance(key, rsa.RSAPublicKey) and name.startswith("RSASSA_PSS"):
            key.verify(signature, message, padding.PSS(padding.MGF1(chosen), chosen.digest_size), hashed)
        elif isinstance(key, rsa.RSAPublicKey) and name.startswith("RSASSA_PKCS1"):
            key.verify(signature, message, padding.PKCS1v15(), hashed)
        else:
            raise Internal
    except InvalidSignature:
        return False
    return True
