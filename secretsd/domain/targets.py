"""Targets: the systems in which credentials are rotated, as operators describe them (SECURITY 12)."""

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from secretsd.domain.errors import AccessDenied
from secretsd.domain.names import SYSTEM_ACCOUNT

MAX_LOGIN_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Target:
    """A system with an address and, where it has one, an administrator whose credential is sealed to that address.

    `rotator` is the one that knows how to reach it; `address` is that rotator's own JSON, checked by its schema.
    `admin_login` and `admin` (a CMK ciphertext in base64, bound to id, address and login) are "" where each login
    changes itself. `logins` says which accounts may rotate what: by account, globs of logins separated by a line break.
    """

    account: str
    name: str
    id: str
    rotator: str
    address: str
    created_ms: int
    changed_ms: int
    admin_login: str = ""
    admin: str = ""
    logins: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    revision: int = 0

    def require_login(self, account: str, login: str) -> None:
        """Raise AccessDenied unless that account may rotate that login here; nobody may rotate the administrator."""
        patterns = self.logins.get(account, "").split("\n")
        if login == self.admin_login or not any(login_matches(pattern, login) for pattern in patterns):
            raise AccessDenied("cannot use the target: that login there is not this account's to rotate")


@dataclass(frozen=True, slots=True)
class TargetLogin:
    """Says which secret holds a login at a target: one over all accounts, whoever comes first."""

    target: str
    login: str
    account: str
    secret_id: str
    created_ms: int
    revision: int = 0


def login_matches(pattern: str, login: str) -> bool:
    """True when the glob (`*` alone is special) matches the whole login, case and all."""
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return re.compile(fnmatch.translate(escaped)).match(login) is not None


def admin_context(target_id: str, address: str, admin_login: str) -> dict[str, str]:
    """What an administrator's credential is bound to: an address that changes makes it unreadable."""
    return {"account": SYSTEM_ACCOUNT, "target": target_id, "address": address, "admin": admin_login}
