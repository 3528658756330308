"""What a JWT says, and whether it is the token and the time for it (RFC 7515, 7519, 8725); no keys here."""

import re
from base64 import urlsafe_b64decode
from typing import Any

import msgspec

MAX_LIFETIME_SECONDS = 24 * 3600
LEEWAY_SECONDS = 60
"""How far our clock may be behind the issuer's; no token is good for longer than it says."""
TYPES = frozenset(("", "jwt", "at+jwt"))
"""What a `typ` may say: a logout token or a DPoP proof of the same issuer is signed as well (RFC 8725, 3.11)."""
_FORM = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Refused(Exception):
    """Why a token proves nothing. `issuer` is the record that it was held against, "" for none; nothing is quoted."""

    def __init__(self, reason: str, issuer: str = "") -> None:
        super().__init__(reason)
        self.reason, self.issuer = reason, issuer


class Header(msgspec.Struct):
    """The header as far as it is read: keys and addresses of keys in it are never used (`jwk`, `jku`, `x5c`, `x5u`)."""

    alg: str
    kid: str | None = None
    typ: str = ""
    cty: str = ""
    crit: Any = msgspec.UNSET
    b64: Any = msgspec.UNSET


class Claims(msgspec.Struct):
    """Who says it, to whom, and when, in seconds since 1970."""

    iss: str
    aud: str | list[str]
    exp: float
    iat: float
    nbf: float | None = None


def unverified(token: bytes) -> tuple[Header, Claims]:
    """Header and claims as they stand there: good for looking up the key, and for nothing else."""
    if not _FORM.fullmatch(token):
        raise Refused("it is not three parts in base64url")
    first, second, _ = token.split(b".")
    header = decoded(_bytes(first), Header)
    if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
        raise Refused("its header asks for what is not understood here")
    if header.typ.lower().removeprefix("application/") not in TYPES or header.cty:
        raise Refused("it is a token of another type")
    return header, decoded(_bytes(second), Claims)


def _bytes(part: bytes) -> bytes:
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        raise Refused("it is not three parts in base64url") from None


def decoded(data: bytes, kind: Any) -> Any:
    """The JSON as that type; Refused for anything else."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused("its header or claims are not what a JWT says") from None


def require_time(issuer: str, claims: Claims, now_ms: int) -> None:
    """Raise Refused unless the token is good now, and not for too long. `issuer` is the name of the record."""
    now = now_ms / 1000
    if claims.exp <= now:
        raise Refused("it has expired", issuer)
    if claims.iat > now + LEEWAY_SECONDS or (claims.nbf or 0.0) > now + LEEWAY_SECONDS:
        raise Refused("it is not valid yet", issuer)
    if claims.exp - claims.iat > MAX_LIFETIME_SECONDS:
        raise Refused(f"it is good for over {MAX_LIFETIME_SECONDS // 3600} hours", issuer)
