"""RSA, ECDSA and Ed25519 with keys of the module, and HMAC: mechanisms and parameters of each algorithm."""

from contextlib import suppress
from typing import Any

from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11.faults import inability
from secretsd.adapters.pkcs11.key_kinds import rsa_numbers
from secretsd.adapters.pkcs11.loaded_keys import KnownAnswer
from secretsd.adapters.sm import der
from secretsd.domain.algorithms import EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm, digest_bytes
from secretsd.domain.errors import InvalidRequest, Unsupported

# A digest with the name of its hash before it, as PKCS#1 v1.5 signs it (RFC 8017, 9.2, note 1).
DIGEST_INFO = {
    32: bytes.fromhex("3031300d060960864801650304020105000420"),
    48: bytes.fromhex("3041300d060960864801650304020205000430"),
    64: bytes.fromhex("3051300d060960864801650304020305000440"),
}
_PSS = {
    32: (Mechanism.SHA256, MGF.SHA256, 32),
    48: (Mechanism.SHA384, MGF.SHA384, 48),
    64: (Mechanism.SHA512, MGF.SHA512, 64),
}
OAEP = {
    EncryptionAlgorithm.RSAES_OAEP_SHA_1: (Mechanism.SHA_1, MGF.SHA1, None),
    EncryptionAlgorithm.RSAES_OAEP_SHA_256: (Mechanism.SHA256, MGF.SHA256, None),
}
_MACS = {
    MacAlgorithm.HMAC_SHA_256: Mechanism.SHA256_HMAC,
    MacAlgorithm.HMAC_SHA_384: Mechanism.SHA384_HMAC,
    MacAlgorithm.HMAC_SHA_512: Mechanism.SHA512_HMAC,
}
_TEXT = b"the known answer"


def sign(key: Any, algorithm: SigningAlgorithm, message: bytes) -> bytes:
    """The signature of a digest, or of a message for Ed25519; InvalidRequest for a digest of another length."""
    size = digest_bytes(algorithm)
    if size is not None and len(message) != size:
        raise InvalidRequest(f"cannot sign: a digest for {algorithm.value} has {size} bytes")
    if algorithm is SigningAlgorithm.ED25519_SHA_512:
        return bytes(key.sign(message, mechanism=Mechanism.EDDSA))
    name = algorithm.value
    if name.startswith("ECDSA"):
        # The module signs what it is given: the hashes of ECDSA mechanisms are not everywhere.
        return ecdsa_signature(key.sign(message, mechanism=Mechanism.ECDSA))
    if name.startswith("RSASSA_PSS"):
        return bytes(key.sign(message, mechanism=Mechanism.RSA_PKCS_PSS, mechanism_param=_PSS[len(message)]))
    return bytes(key.sign(DIGEST_INFO[len(message)] + message, mechanism=Mechanism.RSA_PKCS))


def ecdsa_signature(raw: bytes) -> bytes:
    """r ‖ s, which modules give, in the usual form: ECDSA-Sig-Value in DER (RFC 3279, 2.2.3)."""
    half = len(raw) // 2
    return der.sequence(der.integer(int.from_bytes(raw[:half])), der.integer(int.from_bytes(raw[half:])))


def mac(key: Any, algorithm: MacAlgorithm, message: bytes) -> bytes:
    """The HMAC of a message."""
    return bytes(key.sign(message, mechanism=_MACS[algorithm]))


def decrypt(key: Any, algorithm: EncryptionAlgorithm, ciphertext: bytes) -> bytes:
    """The text; Unsupported where the module has no such OAEP, PKCS11Error for all else."""
    try:
        return bytes(key.decrypt(ciphertext, mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=OAEP[algorithm]))
    except PKCS11Error as error:
        if inability(error):
            raise Unsupported(f"cannot decrypt by {algorithm.value}: this HSM does not offer it") from None
        raise


def public_object(session: Any, modulus: bytes, exponent: bytes) -> Any:
    """An RSA public key that encrypts, as a session object."""
    return session.create_object(
        {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.TOKEN: False,
            Attribute.PRIVATE: False,
            Attribute.ENCRYPT: True,
            Attribute.MODULUS: modulus,
            Attribute.PUBLIC_EXPONENT: exponent,
        }
    )


def encrypted(session: Any, public_key: bytes, text: bytes) -> tuple[EncryptionAlgorithm, bytes] | None:
    """The text under a public key by the first OAEP that the module has; None where it has none. PKCS11Error."""
    public = public_object(session, *rsa_numbers(public_key))
    try:
        for algorithm, parameters in OAEP.items():
            try:
                answer = public.encrypt(text, mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=parameters)
            except PKCS11Error as error:
                if not inability(error):
                    raise
            else:
                return algorithm, bytes(answer)
        return None
    finally:
        with suppress(PKCS11Error):
            public.destroy()


def known_answer(session: Any, key: Any, public_key: bytes) -> KnownAnswer | None:
    """A ciphertext of a known text under the key's public half; None where there is nothing that the key could open."""
    made = encrypted(session, public_key, _TEXT)
    return None if made is None else lambda: decrypt(key, made[0], made[1]) == _TEXT
