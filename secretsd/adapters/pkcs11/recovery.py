"""The recovery wrap: root KEK and MAC key under an operator's RSA key, so that a lost token is no lost root."""

import base64
import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from asn1crypto import pem
from asn1crypto.keys import PublicKeyInfo
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11.faults import ModuleRefused, inability

SMALLEST_RSA_BITS = 3072
FORMAT = "secretsd recovery 1"
# The better hash first; SoftHSM 2.6.1 has OAEP with SHA-1 alone, which is sound there: OAEP needs no collision
# resistance of its hash.
OAEP = {
    "RSA-OAEP-SHA256-MGF1-SHA256": (Mechanism.SHA256, MGF.SHA256, None),
    "RSA-OAEP-SHA1-MGF1-SHA1": (Mechanism.SHA_1, MGF.SHA1, None),
}


@dataclass(frozen=True, slots=True)
class RecoveryWrap:
    """What the operator keeps; only the private half of the RSA key opens `kek` and `mac_key` (base64).

    `check` is the root's check value, empty in a wrap of the first release. `storage_key` (base64) is the key that
    authenticates storage rows, sealed under this generation: without it a recovered root would open no storage.
    """

    format: str
    kek_id: str
    mechanism: str
    public_key_sha256: str
    kek: str
    mac_key: str
    generation: int = 1
    check: str = ""
    storage_key: str = ""

    def document(self) -> dict[str, str | int]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RecoveryKey:
    """An operator's RSA public key, read and found long enough."""

    modulus: bytes
    exponent: bytes
    sha256: str

    @classmethod
    def from_pem(cls, text: str) -> "RecoveryKey":
        """ModuleRefused unless it is a PEM public key ("BEGIN PUBLIC KEY") for RSA with at least 3,072 bits."""
        try:
            _, _, der = pem.unarmor(text.encode())
            info = PublicKeyInfo.load(der, strict=True)
            algorithm = info.algorithm
            key = info["public_key"].parsed
            modulus, exponent = int(key["modulus"].native), int(key["public_exponent"].native)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ModuleRefused("cannot read the recovery key: it is no RSA public key in PEM form") from None
        if algorithm != "rsa" or modulus.bit_length() < SMALLEST_RSA_BITS or exponent < 65537 or not exponent % 2:
            raise ModuleRefused(f"cannot use the recovery key: it is no RSA key of at least {SMALLEST_RSA_BITS} bits")
        digest = hashlib.sha256(der).hexdigest()
        return cls(_big_endian(modulus), _big_endian(exponent), digest)

    def enter(self, session: Any, *, trusted: bool = True) -> Any:
        """The key as a trusted session object; the session is the security officer's, who alone can trust a key.

        Where the module knows no trusted keys it is an ordinary one, in any session.
        """
        mark = {Attribute.TRUSTED: True} if trusted else {}
        return session.create_object(
            {
                **mark,
                Attribute.CLASS: ObjectClass.PUBLIC_KEY,
                Attribute.KEY_TYPE: KeyType.RSA,
                Attribute.TOKEN: False,
                Attribute.PRIVATE: False,
                Attribute.WRAP: True,
                Attribute.ENCRYPT: False,
                Attribute.VERIFY: False,
                Attribute.MODULUS: self.modulus,
                Attribute.PUBLIC_EXPONENT: self.exponent,
            }
        )

    def wrap(self, trusted: Any, kek_id: str, kek: Any, mac_key: Any) -> RecoveryWrap:
        """Both root keys under `trusted`, which `enter` made, by the best OAEP that the module has."""
        for name, parameters in OAEP.items():
            try:
                wrapped = [
                    trusted.wrap_key(key, mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=parameters)
                    for key in (kek, mac_key)
                ]
            except PKCS11Error as error:
                if not inability(error):
                    raise
                continue
            first, second = (base64.b64encode(blob).decode() for blob in wrapped)
            return RecoveryWrap(FORMAT, kek_id, name, self.sha256, first, second)
        raise ModuleRefused("cannot wrap the root for recovery: the module has no RSA-OAEP for it")


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
