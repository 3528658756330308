"""Key pairs for callers, made in the worker: their private keys leave it anyhow, so no HSM could guard them."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from secretsd.domain.errors import Throttled
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec
from secretsd.domain.sensitive import Plaintext

MAX_WAITING, MAX_WAITING_OF_ACCOUNT = 64, 8
PUBLIC_EXPONENT = 65537
_CURVES: dict[KeySpec, ec.EllipticCurve] = {
    KeySpec.ECC_NIST_P256: ec.SECP256R1(),
    KeySpec.ECC_NIST_P384: ec.SECP384R1(),
    KeySpec.ECC_NIST_P521: ec.SECP521R1(),
    KeySpec.ECC_SECG_P256K1: ec.SECP256K1(),
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """`public_key` is a SubjectPublicKeyInfo, `private_key` PKCS#8 (RFC 5958), both in DER."""

    public_key: bytes
    private_key: Plaintext


class KeyPairs:
    """Makes key pairs: RSA ones in a thread, one at a time, because each takes up to seconds of a processor.

    How many may wait for that is bounded, and for each account as well, so that none keeps the others out: Throttled.
    """

    def __init__(self, max_waiting: int = MAX_WAITING, max_waiting_of_account: int = MAX_WAITING_OF_ACCOUNT) -> None:
        self._max_waiting, self._max_of_account = max_waiting, max_waiting_of_account
        self._waiting: Counter[str] = Counter()
        self._one_at_a_time = asyncio.Lock()

    async def make(self, account: str, spec: KeySpec) -> KeyPair:
        """A new key pair of an RSA, ECC or Edwards spec."""
        if SPECS[spec].family is not KeyFamily.RSA:
            return _made(spec)
        if self._waiting.total() >= self._max_waiting or self._waiting[account] >= self._max_of_account:
            raise Throttled("cannot make more key pairs at once", retry_after_seconds=1)
        self._waiting[account] += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(_made, spec)
        finally:
            self._waiting[account] -= 1
            self._waiting += Counter()  # forgets accounts that wait for nothing


def _made(spec: KeySpec) -> KeyPair:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    match SPECS[spec].family:
        case KeyFamily.RSA:
            key = rsa.generate_private_key(PUBLIC_EXPONENT, SPECS[spec].bits)
        case KeyFamily.EDWARDS:
            key = ed25519.Ed25519PrivateKey.generate()
        case _:
            key = ec.generate_private_key(_CURVES[spec])
    der = serialization.Encoding.DER
    public = key.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(public, Plaintext(private))
