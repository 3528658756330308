"""Who calls: accounts, users, the tokens and bindings that prove them, and the principal that a proof leads to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from secretsd.domain.names import Resource


@dataclass(frozen=True, slots=True)
class Account:
    """A hard wall around everything in it. `default_key_id` is the CMK of secrets that name none."""

    id: str
    name: str
    default_key_id: str
    created_ms: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """A person or an application. `policies` names the policies attached: one that is missing denies everything."""

    account: str
    name: str
    created_ms: int
    policies: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is stored: `digest` is SHA-256 of its 256 random bits, so nothing can be guessed from it."""

    digest: str
    id: str
    account: str
    user: str
    created_ms: int
    expires_ms: int | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Binding:
    """Maps one proof (`unix:uid/1000`) to exactly one user."""

    proof: str
    account: str
    user: str
    created_ms: int
    revision: int = 0


class Principal(NamedTuple):
    """Who is behind a call: `path` is `user/<name>` or `role/<name>`, `proof` is how that was proved."""

    account: str
    path: str
    proof: str

    @property
    def resource(self) -> Resource:
        """The principal's own name as a resource."""
        return Resource(self.account, self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.partition("/")[2]


MAX_POLICIES = 20
"""Most policies attached to one user."""

ROTATION_ROLE = "role/rotation"
"""The role as which an account's scheduled work runs."""

KEY_ROTATION_ROLE = "role/key-rotation"
"""The role as which an account's keys are rotated by the clock, and what is under them is re-encrypted."""
