"""Importing material (BYOK): how it is wrapped on its way in, and what may be imported under which spec."""

from enum import Enum

from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec

TOKEN_SECONDS = 24 * 3600
"""How long the parameters of an import are valid."""


class WrappingSpec(Enum):
    """What the import's public key is."""

    RSA_2048 = "RSA_2048"
    RSA_3072 = "RSA_3072"
    RSA_4096 = "RSA_4096"
    SM2 = "SM2"


class WrappingAlgorithm(Enum):
    """How the material is wrapped under the import's public key. Names are AWS's and Alibaba's (ImportKeyMaterial).

    RSA_AES_KEY_WRAP_*: an AES-256 key under RSAES-OAEP, then the material under that key as in RFC 5649, the two one
    behind the other (PKCS#11 v3.1, 6.14.3).
    """

    RSAES_OAEP_SHA_1 = "RSAES_OAEP_SHA_1"
    RSAES_OAEP_SHA_256 = "RSAES_OAEP_SHA_256"
    RSA_AES_KEY_WRAP_SHA_1 = "RSA_AES_KEY_WRAP_SHA_1"
    RSA_AES_KEY_WRAP_SHA_256 = "RSA_AES_KEY_WRAP_SHA_256"
    SM2PKE = "SM2PKE"

    @property
    def two_steps(self) -> bool:
        """True where an AES key comes first; only so do RSA and EC keys get in, which are too long for OAEP."""
        return self.value.startswith("RSA_AES_KEY_WRAP")


def importable(spec: KeySpec, algorithm: WrappingAlgorithm) -> bool:
    """Whether material of that spec may come in by that algorithm.

    Symmetric keys as their bytes; RSA and EC private keys as PKCS#8 in DER, in two steps; SM keys by SM2 alone, and by
    SM2 nothing else. Ed25519 keys are not imported.
    """
    family = SPECS[spec].family
    if family in (KeyFamily.SM4, KeyFamily.SM2):
        return algorithm is WrappingAlgorithm.SM2PKE
    if algorithm is WrappingAlgorithm.SM2PKE or family is KeyFamily.EDWARDS:
        return False
    return algorithm.two_steps or family in (KeyFamily.AES, KeyFamily.HMAC)
