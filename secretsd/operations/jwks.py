"""The keys of an issuer of JWTs: a JWKS (RFC 7517) as what verifies signatures, and which key a token's header means.

What a key may be used for is taken from the key, never from the token: an RSA key verifies RSA signatures and can be no
secret of an HMAC, whatever a header says (RFC 8725, 3.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from secretsd.domain.errors import InvalidRequest

MAX_KEYS = 100
MAX_JWKS_BYTES = 256 * 1024
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
ALGORITHMS = (*_RSA, "ES256", "ES384", "ES512", "EdDSA")
PRIVATE_PARTS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
NOT_PUBLIC = "is no public key"
_PUBLIC_PARTS = ("kty", "crv", "n", "e", "x", "y")
_SIGNATURES = PyJWS(algorithms=list(ALGORITHMS))


class BadSignature(Exception):
    """The token is not signed by the key."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, its `kid` ("" for none), and the algorithms that it may verify."""

    kid: str
    algorithms: tuple[str, ...]
    key: Any

    def payload(self, token: bytes, algorithm: str) -> bytes:
        """What is signed in the compact JWS; BadSignature where it is not, or not by this key and algorithm."""
        try:
            payload: bytes = _SIGNATURES.decode(token, self.key, algorithms=[algorithm])
        except (PyJWTError, ValueError, TypeError, RecursionError):
            raise BadSignature from None
        return payload


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of an issuer. `left_out` says of those that are no use to us why, one sentence each."""

    keys: tuple[VerificationKey, ...]
    left_out: tuple[str, ...] = ()

    def key(self, kid: str | None, algorithm: str) -> VerificationKey | None:
        """The one key of that `kid` that may verify that algorithm; without a `kid`, the only one that may at all."""
        found = [one for one in self.keys if algorithm in one.algorithms and (kid is None or one.kid == kid)]
        return found[0] if len(found) == 1 else None


def read(document: bytes) -> KeySet:
    """The keys of a JWKS; InvalidRequest where it is none, or holds no key that can verify a token."""
    if len(document) > MAX_JWKS_BYTES:
        raise InvalidRequest(f"cannot use the JWKS: it is over {MAX_JWKS_BYTES} bytes")
    try:
        found = msgspec.json.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("cannot use the JWKS: it is not JSON") from None
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise InvalidRequest('cannot use the JWKS: its form is {"keys": [{"kty": …}, …]}')
    if len(members) > MAX_KEYS:
        raise InvalidRequest(f"cannot use the JWKS: it holds over {MAX_KEYS} keys")
    keys, left_out = [], []
    for number, member in enumerate(members, 1):
        try:
            keys.append(_key(member))
        except InvalidRequest as error:
            left_out.append(f"key {number} {error.message}")
    _one_of_each(keys)
    if not keys:
        raise InvalidRequest(
            f"cannot use the JWKS: no key in it verifies a token: {'; '.join(left_out) or 'it is empty'}"
        )
    return KeySet(tuple(keys), tuple(left_out))


def read_given(document: str) -> KeySet:
    """The keys of a JWKS that an operator hands over; InvalidRequest also where it holds a key that is not public."""
    keys = read(document.encode("utf-8", "surrogatepass"))
    if any(NOT_PUBLIC in sentence for sentence in keys.left_out):
        raise InvalidRequest(f"cannot use the JWKS: {'; '.join(keys.left_out)}")
    return keys


def _one_of_each(keys: Sequence[VerificationKey]) -> None:
    seen = set()
    for key in keys:
        for algorithm in key.algorithms:
            if key.kid and (key.kid, algorithm) in seen:
                raise InvalidRequest("cannot use the JWKS: two keys in it have the same kid and algorithm")
            seen.add((key.kid, algorithm))


def _key(member: Mapping[str, Any]) -> VerificationKey:
    """One key. What it raises has no name in it, because that could be what somebody pasted into the wrong place."""
    if not PRIVATE_PARTS.isdisjoint(member):
        raise InvalidRequest(NOT_PUBLIC)
    kid = member.get("kid", "")
    if not isinstance(kid, str) or len(kid) > 512:
        raise InvalidRequest("has a kid that is no text, or over 512 characters")
    if member.get("use", "sig") != "sig" or "verify" not in _list(member.get("key_ops", ["verify"])):
        raise InvalidRequest("is not for signatures")
    match member.get("kty"), member.get("crv"):
        case "RSA", _:
            algorithms: tuple[str, ...] = _RSA
        case "EC", str(curve) if curve in _CURVES:
            algorithms = _CURVES[curve]
        case "OKP", "Ed25519":
            algorithms = ("EdDSA",)
        case _:
            raise InvalidRequest("is neither RSA, EC on P-256, P-384 or P-521, nor Ed25519")
    if (stated := member.get("alg")) is not None:
        algorithms = tuple(one for one in algorithms if one == stated)
        if not algorithms:
            raise InvalidRequest("is for an algorithm that does not go with it")
    public = {part: member[part] for part in _PUBLIC_PARTS if part in member}
    try:
        key = PyJWK(public, algorithms[0]).key
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        raise InvalidRequest("is no key of its kind") from None
    if algorithms[0] in _RSA and not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise InvalidRequest(f"is not of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    return VerificationKey(kid, algorithms, key)


def _list(found: Any) -> Sequence[Any]:
    return found if isinstance(found, list) else ()
