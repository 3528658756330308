"""Who there is: accounts, users, groups, roles; and the principal that a proof of identity leads to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.policy import InlinePolicy, Statement


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
    """A person or an application. `policies` names the policies attached: one that is missing denies everything.

    `groups` likewise. `boundary` is the policy that bounds all that the others allow, "" for none. A `service` has no
    standing credentials: neither access keys nor tokens that last; what it is bound to proves it.
    """

    account: str
    name: str
    created_ms: int
    policies: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    groups: tuple[str, ...] = ()
    boundary: str = ""
    inline: tuple[InlinePolicy, ...] = ()
    service: bool = False
    description: str = ""

    @property
    def path(self) -> str:
        """Its name as a resource of its account."""
        return f"user/{self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """Users that share policies. Who is in it stands with each user; joining and leaving change the revision here."""

    account: str
    name: str
    created_ms: int
    description: str = ""
    policies: tuple[str, ...] = ()
    inline: tuple[InlinePolicy, ...] = ()
    revision: int = 0

    @property
    def path(self) -> str:
        """Its name as a resource of its account."""
        return f"group/{self.name}"


@dataclass(frozen=True, slots=True)
class Role:
    """What others may become for a while. `trust` says who and under which conditions (its Principal and Condition).

    A session is good for `max_session_seconds` at most; those made at or before `revoked_ms` are good no more. `id`
    tells it from another role of the same name later.
    """

    account: str
    name: str
    id: str
    created_ms: int
    trust: tuple[Statement, ...]
    description: str = ""
    policies: tuple[str, ...] = ()
    inline: tuple[InlinePolicy, ...] = ()
    boundary: str = ""
    max_session_seconds: int = 3600
    revoked_ms: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0

    @property
    def path(self) -> str:
        """Its name as a resource of its account."""
        return f"role/{self.name}"


Holder = User | Group | Role
"""What policies are attached to."""


class Principal(NamedTuple):
    """Who is behind a call: `path` is `user/<name>` or `role/<name>`, `proof` is how that was proved.

    `session` is the digest of a role's session, `session_name` what it is called, `issued_ms` when the token or
    session was made; "" and None where there is none. `network` is where the proof is good from, "" for anywhere.
    """

    account: str
    path: str
    proof: str
    session: str = ""
    session_name: str = ""
    issued_ms: int | None = None
    network: str = ""

    @property
    def resource(self) -> Resource:
        """The principal's own name as a resource."""
        return Resource(self.account, self.path)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.partition("/")[2]


MAX_POLICIES = 20
"""Most policies attached to one user, group or role."""
MAX_INLINE = 10
"""Most policies within one user, group or role."""
MAX_INLINE_BYTES = 65_536
"""How long they may be together: they are read with their holder each time."""
MAX_GROUPS = 10
"""Most groups that a user is in."""

HOST_ROOT = Principal(SYSTEM_ACCOUNT, "host/root", "unix:uid/0")
"""Root of the daemon's own host, whatever is stored: it makes administrators where all others are lost, no more."""
ROOT_ONLY = frozenset({"RecoverAdministrator"})
"""What no policy allows anybody: root of the host does it, and nobody else."""

ROTATION_ROLE = "role/rotation"
"""The role as which an account's scheduled work runs."""

KEY_ROTATION_ROLE = "role/key-rotation"
"""The role as which an account's keys are rotated by the clock, and what is under them is re-encrypted."""
RESERVED_ROLES = frozenset({ROTATION_ROLE, KEY_ROTATION_ROLE})
"""Roles that are there without a record; nobody makes or becomes them."""
