"""Requests and responses about users."""

from collections.abc import Mapping

import msgspec

from secretsd.api.fields import Description, Limit, PageToken, Request, Response, Tags, Word


class OfUser(Request, frozen=True, kw_only=True):
    """A request about one user."""

    user: Word

    @property
    def resource_path(self) -> str:
        """The user."""
        return f"user/{self.user}"


class CreateUserRequest(OfUser, frozen=True, kw_only=True):
    """A new user, who may do nothing until a policy is attached.

    `boundary` is a policy that bounds all that others allow. A `service` has no standing credentials.
    """

    description: Description = ""
    service: bool = False
    boundary: Word | None = None
    tags: Tags = msgspec.field(default_factory=dict)


class UpdateUserRequest(OfUser, frozen=True, kw_only=True):
    """What is not given stays. A user becomes a `service` once he has no access keys and no tokens that last."""

    description: Description | None = None
    service: bool | None = None


class DeleteUserRequest(OfUser, frozen=True, kw_only=True):
    """Ends a user. His tokens, access keys and bindings have to go first, so that nobody is locked out unnoticed."""


class DescribeUserRequest(OfUser, frozen=True, kw_only=True):
    """All about a user."""


class UserDescription(Response, frozen=True, kw_only=True):
    """A user: the policies attached, those of his own by name, the groups he is in, and what bounds all of them."""

    user: str
    resource: str
    created_ms: int
    policies: tuple[str, ...]
    inline_policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    boundary: str | None = None
    service: bool = False
    description: str = ""
    tags: Mapping[str, str] = msgspec.field(default_factory=dict)


class ListUsersRequest(Request, frozen=True, kw_only=True):
    """Users of the account, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All users."""
        return "user/*"


class ListUsersResponse(Response, frozen=True, kw_only=True):
    """A page of users."""

    users: tuple[UserDescription, ...]
    next_token: str | None = None
