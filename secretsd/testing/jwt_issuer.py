"""An issuer of JWTs for tests: keys of every kind, and what they sign.

Tokens are put together from their parts by the RFCs (7515, 7518, 8037) with `cryptography`, so that what verifies them
is not what made them, and so that broken ones can be made as well.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_HASHES: Mapping[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_CURVES: Mapping[str, tuple[str, ec.EllipticCurve, int]] = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
    "ES512": ("P-521", ec.SECP521R1(), 66),
    "ES256K": ("secp256k1", ec.SECP256K1(), 32),
}


def encoded(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def part(said: Any) -> str:
    """A header or claims as a part of a token."""
    return encoded(json.dumps(said, separators=(",", ":")).encode())


@dataclass
class SigningKey:
    """A key of an issuer: `algorithm` as JOSE names it (RS256 …, PS256 …, ES256 …, EdDSA)."""

    kid: str
    algorithm: str
    private: Any

    @classmethod
    def make(cls, kid: str, algorithm: str = "RS256", bits: int = 2048) -> "SigningKey":
        """A new one; `bits` is for RSA."""
        if algorithm in _CURVES:
            return cls(kid, algorithm, ec.generate_private_key(_CURVES[algorithm][1]))
        if algorithm == "EdDSA":
            return cls(kid, algorithm, ed25519.Ed25519PrivateKey.generate())
        return cls(kid, algorithm, rsa.generate_private_key(65537, bits))

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public key as a JWK; `more` is added, or takes the place of a member."""
        public = self.private.public_key()
        found = {"kid": self.kid, "use": "sig", "alg": self.algorithm}
        if self.algorithm in _CURVES:
            curve, _, size = _CURVES[self.algorithm]
            numbers = public.public_numbers()
            point = {"x": encoded(numbers.x.to_bytes(size, "big")), "y": encoded(numbers.y.to_bytes(size, "big"))}
            return {**found, "kty": "EC", "crv": curve, **point, **more}
        if self.algorithm == "EdDSA":
            return {**found, "kty": "OKP", "crv": "Ed25519", "x": encoded(public.public_bytes_raw()), **more}
        numbers = public.public_numbers()
        n, e = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.n, numbers.e))
        return {**found, "kty": "RSA", "n": encoded(n), "e": encoded(e), **more}

    def signature(self, text: bytes, algorithm: str | None = None) -> bytes:
        """The signature of a JWS over the text."""
        algorithm = algorithm or self.algorithm
        if algorithm in _CURVES:
            _, _, size = _CURVES[algorithm]
            made = self.private.sign(text, ec.ECDSA(_HASHES[algorithm[2:5]]))
            return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(made))
        if algorithm == "EdDSA":
            return bytes(self.private.sign(text))
        digest = _HASHES[algorithm[2:]]
        if algorithm.startswith("PS"):
            return bytes(self.private.sign(text, padding.PSS(padding.MGF1(digest), digest.digest_size), digest))
        return bytes(self.private.sign(text, padding.PKCS1v15(), digest))

    def token(self, claims: Any, header: Mapping[str, Any] | None = None, algorithm: str | None = None) -> str:
        """A signed token; members of `header` that are None are left out."""
        told = {"alg": algorithm or self.algorithm, "kid": self.kid, "typ": "JWT", **(header or {})}
        text = f"{part({name: value for name, value in told.items() if value is not None})}.{part(claims)}"
        return f"{text}.{encoded(self.signature(text.encode(), algorithm))}"

    def confused(self, claims: Any) -> str:
        """A token of HS256 whose secret is the public key in PEM: what a verifier that trusts `alg` takes for good."""
        public = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        text = f"{part({'alg': 'HS256', 'kid': self.kid, 'typ': 'JWT'})}.{part(claims)}"
        return f"{text}.{encoded(hmac.new(public, text.encode(), hashlib.sha256).digest())}"


def jwks(*keys: SigningKey) -> str:
    """The keys as a JWKS."""
    return json.dumps({"keys": [key.jwk() for key in keys]})
