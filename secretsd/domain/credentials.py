"""What proves a principal and is made here: bearer tokens, access keys, sessions of roles."""

from dataclasses import dataclass

from secretsd.domain.policy import Statement

MAX_ACCESS_KEYS = 2
"""Most access keys of a user: one to use, one to change over to."""
ACCESS_KEY_PREFIX, SESSION_KEY_PREFIX = "AKSD", "STSD"
ACCESS_KEY_ID_LENGTH, ACCESS_KEY_SECRET_LENGTH = 20, 40
"""Characters of an id (prefix included) and of a secret; the secret's carry 240 random bits."""
DEFAULT_TOKEN_SECONDS, MAX_TOKEN_SECONDS = 3_600, 43_200
"""How long a token that an access key was turned into may be good."""
MIN_SESSION_SECONDS, MAX_SESSION_SECONDS, MAX_CHAINED_SECONDS = 900, 43_200, 3_600
"""How long a session may be good; one that was opened from another session is shorter, and opens no third."""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is stored: `digest` is SHA-256 of its 256 random bits, so nothing can be guessed from it.

    `access_key` is the access key that it was given for (OAuth 2.0 client credentials), and ends with; else "".
    """

    digest: str
    id: str
    account: str
    user: str
    created_ms: int
    expires_ms: int | None
    revision: int = 0
    access_key: str = ""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access-key pair of a user. `secret` is sealed under the account's system key, in base64 (SECURITY 3)."""

    id: str
    account: str
    user: str
    secret: str
    active: bool
    created_ms: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A role for a while, as its session token is stored (`digest`, SHA-256 in hex).

    `access_key` and `secret` (sealed as above) sign requests together with the session token. `policy` narrows what
    the role may do, and is empty for none. `by` is who opened it, in full; `chained` when that was a session itself.
    """

    digest: str
    access_key: str
    account: str
    role: str
    role_id: str
    name: str
    secret: str
    policy: tuple[Statement, ...]
    by: str
    chained: bool
    created_ms: int
    expires_ms: int
    revision: int = 0


def access_key_context(key: AccessKey) -> dict[str, str]:
    """What an access key's secret is bound to: moved to another key or user, it opens no more."""
    return {"account": key.account, "user": key.user, "access_key": key.id}


def session_context(session: Session) -> dict[str, str]:
    """What a session's secret is bound to."""
    return {"account": session.account, "role": session.role_id, "access_key": session.access_key}
