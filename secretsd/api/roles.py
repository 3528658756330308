"""Requests and responses about roles, which others become for a while."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from secretsd.api.fields import Description, Limit, PageToken, Request, Response, Tags, Word
from secretsd.api.policies import Document
from secretsd.domain.credentials import MAX_SESSION_SECONDS, MIN_SESSION_SECONDS

SessionSeconds = Annotated[
    int,
    Meta(ge=MIN_SESSION_SECONDS, le=MAX_SESSION_SECONDS, description="How long a session may be good, in seconds."),
]


class OfRole(Request, frozen=True, kw_only=True):
    """A request about one role."""

    role: Word

    @property
    def resource_path(self) -> str:
        """The role."""
        return f"role/{self.role}"


class CreateRoleRequest(OfRole, frozen=True, kw_only=True):
    """A new role. `trust` is a document that says in Principal and Condition who may assume it."""

    trust: Document
    description: Description = ""
    max_session_seconds: SessionSeconds = 3600
    boundary: Word | None = None
    tags: Tags = msgspec.field(default_factory=dict)


class UpdateRoleRequest(OfRole, frozen=True, kw_only=True):
    """What is not given stays. Sessions that are open keep their time."""

    description: Description | None = None
    max_session_seconds: SessionSeconds | None = None


class UpdateAssumeRolePolicyRequest(OfRole, frozen=True, kw_only=True):
    """Another trust policy in place of the one before. Sessions that are open stay so."""

    trust: Document


class DeleteRoleRequest(OfRole, frozen=True, kw_only=True):
    """Ends a role and its sessions. Bindings that lead to it have to go first."""


class RevokeRoleSessionsRequest(OfRole, frozen=True, kw_only=True):
    """Ends all sessions of a role that were opened until now; new ones can be opened."""


class DescribeRoleRequest(OfRole, frozen=True, kw_only=True):
    """All about a role."""


class RoleDescription(Response, frozen=True, kw_only=True):
    """A role: who may assume it, the policies that it has, and what bounds them. Times in milliseconds since 1970.

    `sessions_revoked_ms` is when its sessions were revoked the last time.
    """

    role: str
    resource: str
    created_ms: int
    trust: str
    policies: tuple[str, ...]
    max_session_seconds: int
    inline_policies: tuple[str, ...] = ()
    boundary: str | None = None
    description: str = ""
    sessions_revoked_ms: int | None = None
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)


class ListRolesRequest(Request, frozen=True, kw_only=True):
    """Roles of the account, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All roles."""
        return "role/*"


class ListRolesResponse(Response, frozen=True, kw_only=True):
    """A page of roles."""

    roles: tuple[RoleDescription, ...]
    next_token: str | None = None
