"""Requests and responses about who may do what: users, tokens, bindings, policies."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.fields import Description, Limit, PageToken, Request, Response, TextValue, Word

Proof = Annotated[
    str,
    Meta(
        pattern=r"^unix:uid/(?:0|[1-9][0-9]{0,9})$(?![\s\S])",
        description="A proof of identity: unix:uid/<n>, the uid of the process at the other end of the Unix socket.",
    ),
]
Pattern = Annotated[str, Meta(min_length=1, max_length=600, description="A glob: * is any text, ? any character.")]
Patterns = Annotated[tuple[Pattern, ...], Meta(min_length=1, max_length=100)]


class OfUser(Request, frozen=True, kw_only=True):
    """A request about one user."""

    user: Word

    @property
    def resource_path(self) -> str:
        """The user."""
        return f"user/{self.user}"


class CreateUserRequest(OfUser, frozen=True, kw_only=True):
    """A new user, who may do nothing until a policy is attached."""


class DescribeUserRequest(OfUser, frozen=True, kw_only=True):
    """All about a user."""


class UserDescription(Response, frozen=True, kw_only=True):
    """A user and the policies attached."""

    user: str
    resource: str
    created_ms: int
    policies: tuple[str, ...]


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


class CreateTokenRequest(OfUser, frozen=True, kw_only=True):
    """A bearer token for a user. Without a time to live it is good until it is deleted."""

    ttl_seconds: Annotated[int, Meta(ge=1, le=10 * 366 * 24 * 3600)] | None = None


class CreateTokenResponse(Response, frozen=True, kw_only=True):
    """The token, shown this once; only its digest is stored."""

    id: str
    token: TextValue
    expires_ms: int | None = None


class DeleteTokenRequest(OfUser, frozen=True, kw_only=True):
    """Ends a token, at once on every node."""

    id: Word


class ListTokensRequest(OfUser, frozen=True, kw_only=True):
    """The tokens of a user, without what proves them."""


class TokenDescription(Response, frozen=True, kw_only=True):
    """A token without what proves it."""

    id: str
    created_ms: int
    expires_ms: int | None = None


class ListTokensResponse(Response, frozen=True, kw_only=True):
    """A user's tokens, the oldest first."""

    tokens: tuple[TokenDescription, ...]


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Allows or denies operations on resources. Deny wins; what nobody allows is denied."""

    effect: Literal["Allow", "Deny"]
    action: Patterns
    resource: Patterns


Statements = Annotated[tuple[Statement, ...], Meta(min_length=1, max_length=100)]


class OfPolicy(Request, frozen=True, kw_only=True):
    """A request about one policy."""

    policy: Word

    @property
    def resource_path(self) -> str:
        """The policy."""
        return f"policy/{self.policy}"


class CreatePolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """A new policy. A resource without the prefix secretsd: belongs to the policy's own account."""

    statements: Statements
    description: Description = ""


class GetPolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """A policy with its statements."""


class PolicyDescription(Response, frozen=True, kw_only=True):
    """A policy with its statements."""

    policy: str
    resource: str
    description: str
    created_ms: int
    statements: tuple[Statement, ...]


class ListPoliciesRequest(Request, frozen=True, kw_only=True):
    """Policies of the account, in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All policies."""
        return "policy/*"


class ListPoliciesResponse(Response, frozen=True, kw_only=True):
    """A page of policies."""

    policies: tuple[PolicyDescription, ...]
    next_token: str | None = None


class AttachPolicyRequest(OfUser, frozen=True, kw_only=True):
    """Gives a user what a policy says. Attaching it twice is once."""

    policy: Word


class DetachPolicyRequest(OfUser, frozen=True, kw_only=True):
    """Takes from a user what a policy says. What is not attached is no error."""

    policy: Word


class BindingRequest(Request, frozen=True, kw_only=True):
    """A request about a proof; proofs belong to the operator, so the resource is the system account's."""

    proof: Proof

    @property
    def resource_path(self) -> str:
        """The proof."""
        return f"proof/{self.proof}"

    @property
    def resource_account(self) -> str | None:
        """Proof spaces are the operator's (SECURITY 14)."""
        return "system"


class CreateBindingRequest(BindingRequest, frozen=True, kw_only=True):
    """Maps a proof to a user of the caller's account; a proof leads to one user only."""

    user: Word


class DeleteBindingRequest(BindingRequest, frozen=True, kw_only=True):
    """Ends what a proof leads to."""


class BindingDescription(Response, frozen=True, kw_only=True):
    """A proof and whom it leads to."""

    proof: str
    user: str
    created_ms: int


class ListBindingsRequest(Request, frozen=True, kw_only=True):
    """Bindings to users of the caller's account, in order of proof."""

    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All bindings of the account."""
        return "binding/*"


class ListBindingsResponse(Response, frozen=True, kw_only=True):
    """A page of bindings."""

    bindings: tuple[BindingDescription, ...]
    next_token: str | None = None


class GetCallerIdentityRequest(Request, frozen=True, kw_only=True):
    """Who am I, and how was that proved?"""

    @property
    def resource_path(self) -> str:
        """The caller itself."""
        return "caller"


class GetCallerIdentityResponse(Response, frozen=True, kw_only=True):
    """The principal behind this call."""

    account: str
    principal: str
    proof: str


class DoneResponse(Response, frozen=True, kw_only=True):
    """It is done; there is nothing more to say."""
