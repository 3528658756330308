"""What proves a principal and is made here: bearer tokens, access keys, sessions of roles."""

from dataclasses import dataclass

from secretsd.domain.policy import Statement

MAX_ACCESS_KEYS = 2
"""Most access keys of a user: one to use, one to change over to."""
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
