"""Requests and responses about sessions: a role for a while."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, PageToken, Request, Response, TextValue
from secretsd.api.roles import OfRole, SessionSeconds
from secretsd.domain.credentials import MAX_SESSION_POLICY_LENGTH, SESSION_NAME_PATTERN
from secretsd.domain.names import split_reference

RoleReference = Annotated[
    str,
    Meta(
        pattern=r"^(?:secretsd:[0-9]{12}:role/)?[A-Za-z0-9_+=.@-]{1,128}$(?![\s\S])",
        max_length=160,
        description="A role: its name, or in full, `secretsd:<account>:role/<name>`.",
    ),
]
SessionName = Annotated[
    str,
    Meta(
        pattern=rf"^{SESSION_NAME_PATTERN}$(?![\s\S])",
        description="What auditors find the session by: who, or what for.",
    ),
]


class AssumeRoleRequest(Request, frozen=True, kw_only=True):
    """Becomes a role for a while. Its trust policy has to allow it, and across accounts the caller's own as well.

    Without `duration_seconds` it is an hour, or as long as the role allows; whoever is a role already becomes another
    one for an hour at most, and no third. `session_policy` is a document that bounds what the session may do;
    `external_id` is what the role's owner agreed on with the caller, for conditions of the trust policy.
    """

    role: RoleReference
    session_name: SessionName
    duration_seconds: SessionSeconds | None = None
    external_id: Annotated[str, Meta(min_length=2, max_length=1224)] | None = None
    session_policy: Annotated[str, Meta(min_length=2, max_length=MAX_SESSION_POLICY_LENGTH)] | None = None

    @property
    def resource_path(self) -> str:
        """The role."""
        return f"role/{split_reference(self.role)[1].removeprefix('role/')}"

    @property
    def resource_account(self) -> str | None:
        """The role's account, where it is named."""
        return split_reference(self.role)[0]


class AssumeRoleResponse(Response, frozen=True, kw_only=True):
    """The session, shown this once: its token is a bearer token; access key and secret sign requests along with it.

    `network` is where it is good from: what the caller showed is good from there alone.
    """

    role: str
    session_name: str
    access_key: str
    secret: TextValue
    session_token: TextValue
    expires_ms: int
    network: str | None = None


class ListRoleSessionsRequest(OfRole, frozen=True, kw_only=True):
    """Sessions of a role that are good, in order of access key."""

    limit: Limit = 100
    next_token: PageToken | None = None


class SessionDescription(Response, frozen=True, kw_only=True):
    """A session without what proves it; `opened_by` is who opened it. From outside of `network` it is not good.

    The last use may be 30 seconds behind.
    """

    access_key: str
    session_name: str
    opened_by: str
    created_ms: int
    expires_ms: int
    chained: bool = False
    bounded: bool = False
    last_used_ms: int | None = None
    last_used_from: str | None = None
    last_operation: str | None = None
    network: str | None = None


class ListRoleSessionsResponse(Response, frozen=True, kw_only=True):
    """A page of sessions."""

    sessions: tuple[SessionDescription, ...]
    next_token: str | None = None
