"""Requests and responses about inline policies, which belong to one user, group or role and end with it."""

from secretsd.api.fields import Response, Word
from secretsd.api.groups import OfGroup
from secretsd.api.policies import Document
from secretsd.api.roles import OfRole
from secretsd.api.users import OfUser


class PutUserPolicyRequest(OfUser, frozen=True, kw_only=True):
    """A policy of the user's own, in place of the one of that name."""

    policy: Word
    document: Document


class GetUserPolicyRequest(OfUser, frozen=True, kw_only=True):
    """A policy of the user's own with its document."""

    policy: Word


class DeleteUserPolicyRequest(OfUser, frozen=True, kw_only=True):
    """Takes a policy of the user's own away."""

    policy: Word


class ListUserPoliciesRequest(OfUser, frozen=True, kw_only=True):
    """The user's own policies by name."""


class PutGroupPolicyRequest(OfGroup, frozen=True, kw_only=True):
    """A policy of the group's own, in place of the one of that name."""

    policy: Word
    document: Document


class GetGroupPolicyRequest(OfGroup, frozen=True, kw_only=True):
    """A policy of the group's own with its document."""

    policy: Word


class DeleteGroupPolicyRequest(OfGroup, frozen=True, kw_only=True):
    """Takes a policy of the group's own away."""

    policy: Word


class ListGroupPoliciesRequest(OfGroup, frozen=True, kw_only=True):
    """The group's own policies by name."""


class PutRolePolicyRequest(OfRole, frozen=True, kw_only=True):
    """A policy of the role's own, in place of the one of that name."""

    policy: Word
    document: Document


class GetRolePolicyRequest(OfRole, frozen=True, kw_only=True):
    """A policy of the role's own with its document."""

    policy: Word


class DeleteRolePolicyRequest(OfRole, frozen=True, kw_only=True):
    """Takes a policy of the role's own away."""

    policy: Word


class ListRolePoliciesRequest(OfRole, frozen=True, kw_only=True):
    """The role's own policies by name."""


class InlinePolicyDescription(Response, frozen=True, kw_only=True):
    """An inline policy with its document."""

    policy: str
    document: str


class ListInlinePoliciesResponse(Response, frozen=True, kw_only=True):
    """The names of inline policies, the oldest first."""

    policies: tuple[str, ...]
