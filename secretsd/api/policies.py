"""Requests and responses about policies."""

from typing import Annotated, Literal

from msgspec import Meta

from secretsd.api.fields import Description, Limit, PageToken, Request, Response, Word
from secretsd.domain.policy_document import MAX_DOCUMENT_BYTES

Document = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=MAX_DOCUMENT_BYTES,
        description='A policy document: JSON text as RAM and IAM write it, {"Version": "1", "Statement": […]}.',
    ),
]


class OfPolicy(Request, frozen=True, kw_only=True):
    """A request about one policy."""

    policy: Word

    @property
    def resource_path(self) -> str:
        """The policy."""
        return f"policy/{self.policy}"


class CreatePolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """A new policy. A resource without the prefix secretsd: belongs to the policy's own account."""

    document: Document
    description: Description = ""


class UpdatePolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """What is not given stays. Another document is in force at once wherever the policy is attached; none is kept."""

    document: Document | None = None
    description: Description | None = None


class DeletePolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """Ends a policy that is attached to nobody and bounds nobody."""


class GetPolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """A policy with its document."""


class PolicyDescription(Response, frozen=True, kw_only=True):
    """A policy with its document."""

    policy: str
    resource: str
    description: str
    created_ms: int
    document: str


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


class ListEntitiesForPolicyRequest(OfPolicy, frozen=True, kw_only=True):
    """Who has a policy, groups first, then roles, then users, each in order of name."""

    limit: Limit = 100
    next_token: PageToken | None = None


class PolicyEntity(Response, frozen=True, kw_only=True):
    """Somebody to whom the policy is attached, or whose boundary it is, or both."""

    kind: Literal["group", "role", "user"]
    name: str
    attached: bool
    boundary: bool


class ListEntitiesForPolicyResponse(Response, frozen=True, kw_only=True):
    """A page of those who have a policy."""

    entities: tuple[PolicyEntity, ...]
    next_token: str | None = None


class ValidatePolicyRequest(Request, frozen=True, kw_only=True):
    """A document to look at; nothing is stored. `kind` is whose it would be.

    A policy of users, groups and roles is `identity`, that of a key or secret `resource`, that of a role `trust`.
    """

    document: Document
    kind: Literal["identity", "resource", "trust"] = "identity"

    @property
    def resource_path(self) -> str:
        """All policies."""
        return "policy/*"


class ValidatePolicyResponse(Response, frozen=True, kw_only=True):
    """Whether the document would be accepted; if not, in which line what is wrong, and what was perhaps meant.

    `reaches_system` says that it allows what makes an operator, so that only an operator can hand it on.
    """

    valid: bool
    line: int | None = None
    problem: str | None = None
    reaches_system: bool = False
