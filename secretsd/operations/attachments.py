"""Operations that attach policies to users, groups and roles, and detach them."""

from dataclasses import replace

from secretsd.api.attachments import (
    AttachGroupPolicyRequest,
    AttachPolicyRequest,
    AttachRolePolicyRequest,
    DetachGroupPolicyRequest,
    DetachPolicyRequest,
    DetachRolePolicyRequest,
)
from secretsd.api.groups import GroupDescription
from secretsd.api.roles import RoleDescription
from secretsd.api.users import UserDescription
from secretsd.domain.errors import LimitExceeded
from secretsd.domain.principals import MAX_POLICIES
from secretsd.operations.call import Call
from secretsd.operations.groups import describe_group
from secretsd.operations.holders import H, called, policy_to_hold
from secretsd.operations.operators import policy_statements, require_operator_for, require_operator_to_loosen
from secretsd.operations.registry import operation
from secretsd.operations.roles import describe_role
from secretsd.operations.users import describe_user


@operation("AttachPolicy", "POST /v1/users/{user}:attach-policy", audited=("policy",))
async def attach_policy(call: Call, request: AttachPolicyRequest) -> UserDescription:
    """Give a user what a policy says."""
    user = await call.parts.rows.user(call.account, request.user)
    return describe_user(await _attached(call, user, request.policy))


@operation("DetachPolicy", "POST /v1/users/{user}:detach-policy", audited=("policy",))
async def detach_policy(call: Call, request: DetachPolicyRequest) -> UserDescription:
    """Take from a user what a policy says."""
    user = await call.parts.rows.user(call.account, request.user)
    return describe_user(await _detached(call, user, request.policy))


@operation("AttachGroupPolicy", "POST /v1/groups/{group}:attach-policy", audited=("policy",))
async def attach_group_policy(call: Call, request: AttachGroupPolicyRequest) -> GroupDescription:
    """Give all members of a group what a policy says."""
    group = await call.parts.rows.group(call.account, request.group)
    return describe_group(await _attached(call, group, request.policy))


@operation("DetachGroupPolicy", "POST /v1/groups/{group}:detach-policy", audited=("policy",))
async def detach_group_policy(call: Call, request: DetachGroupPolicyRequest) -> GroupDescription:
    """Take from the members of a group what a policy says."""
    group = await call.parts.rows.group(call.account, request.group)
    return describe_group(await _detached(call, group, request.policy))


@operation("AttachRolePolicy", "POST /v1/roles/{role}:attach-policy", audited=("policy",))
async def attach_role_policy(call: Call, request: AttachRolePolicyRequest) -> RoleDescription:
    """Give a role what a policy says."""
    role = await call.parts.rows.role(call.account, request.role)
    return describe_role(await _attached(call, role, request.policy))


@operation("DetachRolePolicy", "POST /v1/roles/{role}:detach-policy", audited=("policy",))
async def detach_role_policy(call: Call, request: DetachRolePolicyRequest) -> RoleDescription:
    """Take from a role what a policy says."""
    role = await call.parts.rows.role(call.account, request.role)
    return describe_role(await _detached(call, role, request.policy))


async def _attached(call: Call, holder: H, name: str) -> H:
    policy = await policy_to_hold(call, name)
    await require_operator_for(call, [policy])
    if name in holder.policies:
        return holder
    if len(holder.policies) >= MAX_POLICIES:
        raise LimitExceeded(f"cannot attach the policy: {called(holder)} has {MAX_POLICIES} of them")
    changed = replace(holder, policies=(*holder.policies, name))
    await call.commit(call.replace(holder, changed))
    return changed


async def _detached(call: Call, holder: H, name: str) -> H:
    if name not in holder.policies:
        return holder
    await require_operator_to_loosen(call, holder, await policy_statements(call, name))
    changed = replace(holder, policies=tuple(one for one in holder.policies if one != name))
    await call.commit(call.replace(holder, changed))
    return changed
