"""What a CMK can be: its spec, what it may be used for, and what follows from that for its material."""

from dataclasses import dataclass
from enum import Enum


class KeySpec(Enum):
    """What kind of material a CMK is. Names are AWS's where it has one (API reference, CreateKey)."""

    AES_256 = "AES_256"
    AES_192 = "AES_192"
    AES_128 = "AES_128"
    SM4 = "SM4"
    RSA_2048 = "RSA_2048"
    RSA_3072 = "RSA_3072"
    RSA_4096 = "RSA_4096"
    ECC_NIST_P256 = "ECC_NIST_P256"
    ECC_NIST_P384 = "ECC_NIST_P384"
    ECC_NIST_P521 = "ECC_NIST_P521"
    ECC_SECG_P256K1 = "ECC_SECG_P256K1"
    ECC_NIST_EDWARDS25519 = "ECC_NIST_EDWARDS25519"
    SM2 = "SM2"
    HMAC_256 = "HMAC_256"
    HMAC_384 = "HMAC_384"
    HMAC_512 = "HMAC_512"


class KeyUsage(Enum):
    """What a CMK may be used for."""

    ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
    SIGN_VERIFY = "SIGN_VERIFY"
    GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"


class KeyFamily(Enum):
    """Which mathematics a spec belongs to; what can be done with a key follows from it."""

    AES = "AES"
    SM4 = "SM4"
    RSA = "RSA"
    ECC = "ECC"
    EDWARDS = "EDWARDS"
    SM2 = "SM2"
    HMAC = "HMAC"


@dataclass(frozen=True, slots=True)
class SpecRules:
    """What follows from a spec. `bits` is the size of the key; the first of `usages` is the default one."""

    family: KeyFamily
    bits: int
    usages: tuple[KeyUsage, ...]

    @property
    def asymmetric(self) -> bool:
        """True where there is a public key beside the material."""
        return self.family in _ASYMMETRIC

    @property
    def software(self) -> bool:
        """True where no HSM offers the algorithm: the material is wrapped by one, and used in memory."""
        return self.family in _SOFTWARE


_ASYMMETRIC = frozenset({KeyFamily.RSA, KeyFamily.ECC, KeyFamily.EDWARDS, KeyFamily.SM2})
_SOFTWARE = frozenset({KeyFamily.SM2, KeyFamily.SM4})
_ENCRYPT = (KeyUsage.ENCRYPT_DECRYPT,)
_SIGN = (KeyUsage.SIGN_VERIFY,)
_EITHER = (KeyUsage.SIGN_VERIFY, KeyUsage.ENCRYPT_DECRYPT)
_MAC = (KeyUsage.GENERATE_VERIFY_MAC,)

SPECS: dict[KeySpec, SpecRules] = {
    KeySpec.AES_256: SpecRules(KeyFamily.AES, 256, _ENCRYPT),
    KeySpec.AES_192: SpecRules(KeyFamily.AES, 192, _ENCRYPT),
    KeySpec.AES_128: SpecRules(KeyFamily.AES, 128, _ENCRYPT),
    KeySpec.SM4: SpecRules(KeyFamily.SM4, 128, _ENCRYPT),
    KeySpec.RSA_2048: SpecRules(KeyFamily.RSA, 2048, _EITHER),
    KeySpec.RSA_3072: SpecRules(KeyFamily.RSA, 3072, _EITHER),
    KeySpec.RSA_4096: SpecRules(KeyFamily.RSA, 4096, _EITHER),
    KeySpec.ECC_NIST_P256: SpecRules(KeyFamily.ECC, 256, _SIGN),
    KeySpec.ECC_NIST_P384: SpecRules(KeyFamily.ECC, 384, _SIGN),
    KeySpec.ECC_NIST_P521: SpecRules(KeyFamily.ECC, 521, _SIGN),
    KeySpec.ECC_SECG_P256K1: SpecRules(KeyFamily.ECC, 256, _SIGN),
    KeySpec.ECC_NIST_EDWARDS25519: SpecRules(KeyFamily.EDWARDS, 256, _SIGN),
    KeySpec.SM2: SpecRules(KeyFamily.SM2, 256, _EITHER),
    KeySpec.HMAC_256: SpecRules(KeyFamily.HMAC, 256, _MAC),
    KeySpec.HMAC_384: SpecRules(KeyFamily.HMAC, 384, _MAC),
    KeySpec.HMAC_512: SpecRules(KeyFamily.HMAC, 512, _MAC),
}
