"""Requests about permission boundaries: the policy that bounds all that the others of a user or role allow."""

from secretsd.api.fields import Word
from secretsd.api.roles import OfRole
from secretsd.api.users import OfUser


class PutUserPermissionsBoundaryRequest(OfUser, frozen=True, kw_only=True):
    """Bounds a user by a policy, in place of the one before."""

    boundary: Word


class DeleteUserPermissionsBoundaryRequest(OfUser, frozen=True, kw_only=True):
    """Lets a user have all that his policies allow."""


class PutRolePermissionsBoundaryRequest(OfRole, frozen=True, kw_only=True):
    """Bounds a role by a policy, in place of the one before."""

    boundary: Word


class DeleteRolePermissionsBoundaryRequest(OfRole, frozen=True, kw_only=True):
    """Lets a role have all that its policies allow."""
