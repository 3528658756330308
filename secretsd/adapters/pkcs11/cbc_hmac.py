"""Suite 2 with keys of the module: AES-256 in CBC, then HMAC-SHA-256 over all of it, for modules without GCM.

One key version is two objects, a cipher key and a MAC key, which come and go together (SECURITY 6). The MAC is made
anew and compared here, in constant time, and nothing is decrypted before it fits: no padding is ever judged that a
caller chose (RFC 7366 tells why).
"""

import hmac

from pkcs11 import DeviceError, EncryptedDataInvalid, Mechanism
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11.key_kinds import Pair
from secretsd.domain.envelope import MAC_TAG_BYTES


def seal(key: Pair, iv: bytes, bound: bytes, text: bytes) -> bytes:
    """Ciphertext ‖ tag; PKCS11Error."""
    encrypted = bytes(key.cipher.encrypt(text, mechanism=Mechanism.AES_CBC_PAD, mechanism_param=iv))
    return encrypted + _tag(key, bound, encrypted)


def unseal(key: Pair, iv: bytes, bound: bytes, encrypted: bytes) -> bytes:
    """The text; PKCS11Error, which is EncryptedDataInvalid where the tag does not fit, and only then."""
    body, tag = encrypted[:-MAC_TAG_BYTES], encrypted[-MAC_TAG_BYTES:]
    if not hmac.compare_digest(_tag(key, bound, body), tag):
        raise EncryptedDataInvalid
    try:
        return bytes(key.cipher.decrypt(body, mechanism=Mechanism.AES_CBC_PAD, mechanism_param=iv))
    except PKCS11Error as error:
        # The ciphertext is the one that was made, so whatever the module says of it is said of the module.
        raise DeviceError("the token does not open what it sealed") from error


def _tag(key: Pair, bound: bytes, encrypted: bytes) -> bytes:
    # Additional data tells its own length, field by field, so no two pairs of it and a ciphertext run into each other.
    return bytes(key.mac.sign(bound + encrypted, mechanism=Mechanism.SHA256_HMAC))
