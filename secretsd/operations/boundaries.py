"""Operations on permission boundaries: the policy that bounds all that the others of a user or role allow."""

from dataclasses import replace

from secretsd.api.boundaries import (
    DeleteRolePermissionsBoundaryRequest,
    DeleteUserPermissionsBoundaryRequest,
    PutRolePermissionsBoundaryRequest,
    PutUserPermissionsBoundaryRequest,
)
from secretsd.api.roles import RoleDescription
from secretsd.api.users import UserDescription
from secretsd.domain.principals import Role, User
from secretsd.operations.call import Call
from secretsd.operations.holders import policy_to_hold
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.operations.roles import describe_role
from secretsd.operations.users import describe_user


@operation("PutUserPermissionsBoundary", "PUT /v1/users/{user}:boundary", audited=("boundary",))
async def put_user_permissions_boundary(call: Call, request: PutUserPermissionsBoundaryRequest) -> UserDescription:
    """Bound a user by a policy."""
    user = await call.parts.rows.user(call.account, request.user)
    await policy_to_hold(call, request.boundary)
    changed = replace(user, boundary=request.boundary)
    await _replace(call, user, changed)
    return describe_user(changed)


@operation("DeleteUserPermissionsBoundary", "DELETE /v1/users/{user}:boundary")
async def delete_user_permissions_boundary(
    call: Call, request: DeleteUserPermissionsBoundaryRequest
) -> UserDescription:
    """Let a user have all that his policies allow."""
    user = await call.parts.rows.user(call.account, request.user)
    changed = replace(user, boundary="")
    await _replace(call, user, changed)
    return describe_user(changed)


@operation("PutRolePermissionsBoundary", "PUT /v1/roles/{role}:boundary", audited=("boundary",))
async def put_role_permissions_boundary(call: Call, request: PutRolePermissionsBoundaryRequest) -> RoleDescription:
    """Bound a role by a policy."""
    role = await call.parts.rows.role(call.account, request.role)
    await policy_to_hold(call, request.boundary)
    changed = replace(role, boundary=request.boundary)
    await _replace(call, role, changed)
    return describe_role(changed)


@operation("DeleteRolePermissionsBoundary", "DELETE /v1/roles/{role}:boundary")
async def delete_role_permissions_boundary(
    call: Call, request: DeleteRolePermissionsBoundaryRequest
) -> RoleDescription:
    """Let a role have all that its policies allow."""
    role = await call.parts.rows.role(call.account, request.role)
    changed = replace(role, boundary="")
    await _replace(call, role, changed)
    return describe_role(changed)


async def _replace(call: Call, before: User | Role, changed: User | Role) -> None:
    """A first boundary only narrows; another one, or none, may let an operator reach further than he could."""
    if before.boundary == changed.boundary:
        return
    if before.boundary:
        await require_operator_for_holder(call, before)
    await call.commit(call.replace(before, changed))
