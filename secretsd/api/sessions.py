"""Requests and responses about sessions: a role for a while."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Request, Response, TextValue, Word
from secretsd.api.policies import Document
from secretsd.api.roles import SessionSeconds
from secretsd.domain.names import SEGMENT, split_reference

RoleReference = Annotated[
    str,
    Meta(
        pattern=rf"^(?:secretsd:[0-9]{{12}}:role/)?{SEGMENT}$(?![\s\S])",
        max_length=160,
        description="A role: its name, or in full one of another account, `secretsd:<account>:role/<name>`.",
    ),
]
ExternalId = Annotated[
    str,
    Meta(min_length=2, max_length=1224, description="What the role's owner and the caller agreed on; no secret."),
]


class AssumeRoleRequest(Request, frozen=True, kw_only=True):
    """A session of a role under a name that audit trails show; of an hour, or the role's longest, where not said.

    `document` is a policy that narrows what the role may do; the session may do what both allow.
    """

    role: RoleReference
    session_name: Word
    duration_seconds: SessionSeconds | None = None
    external_id: ExternalId | None = None
    document: Document | None = None

    @property
    def resource_path(self) -> str:
        """The role."""
        return f"role/{split_reference(self.role)[1].removeprefix('role/')}"

    @property
    def resource_account(self) -> str | None:
        """The role's account, where it is named."""
        return split_reference(self.role)[0]


class AssumeRoleResponse(Response, frozen=True, kw_only=True):
    """The session's credentials, shown this once: a bearer token, and a key pair for clients that sign requests."""

    access_key_id: str
    access_key_secret: TextValue
    session_token: TextValue
    role: str
    session_name: str
    expires_ms: int
