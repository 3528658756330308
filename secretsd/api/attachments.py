"""Requests about policies attached to users, groups and roles. Attaching one twice is once; none to detach is fine."""

from secretsd.api.fields import Word
from secretsd.api.groups import OfGroup
from secretsd.api.roles import OfRole
from secretsd.api.users import OfUser


class AttachPolicyRequest(OfUser, frozen=True, kw_only=True):
    """Gives a user what a policy says."""

    policy: Word


class DetachPolicyRequest(OfUser, frozen=True, kw_only=True):
    """Takes from a user what a policy says."""

    policy: Word


class AttachGroupPolicyRequest(OfGroup, frozen=True, kw_only=True):
    """Gives all members of a group what a policy says."""

    policy: Word


class DetachGroupPolicyRequest(OfGroup, frozen=True, kw_only=True):
    """Takes from the members of a group what a policy says."""

    policy: Word


class AttachRolePolicyRequest(OfRole, frozen=True, kw_only=True):
    """Gives a role what a policy says."""

    policy: Word


class DetachRolePolicyRequest(OfRole, frozen=True, kw_only=True):
    """Takes from a role what a policy says."""

    policy: Word
