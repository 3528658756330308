"""What proves a principal and is made here: bearer tokens, access keys, sessions of roles."""

from dataclasses import dataclass
from typing import NamedTuple

from secretsd.domain.policy import Statement
from secretsd.domain.sensitive import Plaintext

MAX_ACCESS_KEYS = 2
"""Most access keys of a user: one to use, one to change over to."""
MIN_SESSION_SECONDS, MAX_SESSION_SECONDS, MAX_CHAINED_SECONDS = 900, 43_200, 3_600
"""How long a session may be good; one that was opened from another session is shorter, and opens no third."""
USUAL_SESSION_SECONDS = 3_600
"""How long it is where nobody says."""
MAX_SESSIONS = 5_000
"""Most sessions of a role that one principal opened and that are good at a time: nobody uses up those of others."""
SESSION_NAME_PATTERN = r"[A-Za-z0-9_+=.@-]{2,64}"
MAX_SESSION_POLICY_LENGTH = 4_096
MAX_TOKENS = 1_000
"""Most tokens of a user that are good at a time."""
ACCESS_KEY_PREFIX, SESSION_KEY_PREFIX = "AKSD", "STSD"
"""How the ids of access keys begin: those of users, and those of sessions of roles."""
ACCESS_KEY_ID_PATTERN = r"AKSD[A-Z2-7]{16}"


class KeyPair(NamedTuple):
    """An access key as its holder shows it. Two are compared without telling by the time where their secrets differ."""

    id: str
    secret: Plaintext


def access_key_context(account: str, user: str, identifier: str) -> dict[str, str]:
    """What the secret of a user's access key is bound to, so that it cannot be moved to another row."""
    return {"account": account, "user": user, "access-key": identifier}


def session_context(account: str, role_id: str, identifier: str) -> dict[str, str]:
    """What the secret of a session is bound to, likewise."""
    return {"account": account, "role": role_id, "access-key": identifier}


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is stored: `digest` is SHA-256 of its 256 random bits, so nothing can be guessed from it.

    `access_key` is the access key that it was given for (OAuth 2.0 client credentials), and ends with; else "". One
    with `enrols_seconds` is good for one thing, once: to become a token that is good for so long. `network` is where
    it is good from, "" for anywhere.
    """

    digest: str
    id: str
    account: str
    user: str
    created_ms: int
    expires_ms: int | None
    revision: int = 0
    access_key: str = ""
    enrols_seconds: int = 0
    network: str = ""


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
    `network` is where it is good from, since what opened it is good from there alone; "" for anywhere.
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
    network: str = ""
