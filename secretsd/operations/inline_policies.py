"""Operations on inline policies, which belong to one user, group or role and end with it."""

from dataclasses import replace

import msgspec

from secretsd.api.fields import DoneResponse
from secretsd.api.inline_policies import (
    DeleteGroupPolicyRequest,
    DeleteRolePolicyRequest,
    DeleteUserPolicyRequest,
    GetGroupPolicyRequest,
    GetRolePolicyRequest,
    GetUserPolicyRequest,
    InlinePolicyDescription,
    ListGroupPoliciesRequest,
    ListInlinePoliciesResponse,
    ListRolePoliciesRequest,
    ListUserPoliciesRequest,
    PutGroupPolicyRequest,
    PutRolePolicyRequest,
    PutUserPolicyRequest,
)
from secretsd.domain import policy_document
from secretsd.domain.errors import LimitExceeded, NotFound
from secretsd.domain.policy import InlinePolicy
from secretsd.domain.principals import MAX_INLINE, MAX_INLINE_BYTES, Holder
from secretsd.operations.call import Call
from secretsd.operations.holders import H, called, inline_names
from secretsd.operations.operators import require_operator_for, require_operator_to_loosen
from secretsd.operations.registry import operation, permissions


@operation("PutUserPolicy", "PUT /v1/users/{user}:inline-policy", audited=("policy",))
async def put_user_policy(call: Call, request: PutUserPolicyRequest) -> InlinePolicyDescription:
    """Give a user a policy of his own, in place of the one of that name."""
    user = await call.parts.rows.user(call.account, request.user)
    return await _put(call, user, request.policy, request.document)


@operation("GetUserPolicy", "GET /v1/users/{user}:inline-policy", audited=("policy",))
async def get_user_policy(call: Call, request: GetUserPolicyRequest) -> InlinePolicyDescription:
    """Show a policy of a user's own."""
    return _described(_found(await call.parts.rows.user(call.account, request.user), request.policy))


@operation("DeleteUserPolicy", "DELETE /v1/users/{user}:inline-policy", audited=("policy",))
async def delete_user_policy(call: Call, request: DeleteUserPolicyRequest) -> DoneResponse:
    """Take a policy of a user's own away."""
    return await _delete(call, await call.parts.rows.user(call.account, request.user), request.policy)


@operation("ListUserPolicies", "GET /v1/users/{user}:inline-policies")
async def list_user_policies(call: Call, request: ListUserPoliciesRequest) -> ListInlinePoliciesResponse:
    """List the policies of a user's own."""
    return _listed(await call.parts.rows.user(call.account, request.user))


@operation("PutGroupPolicy", "PUT /v1/groups/{group}:inline-policy", audited=("policy",))
async def put_group_policy(call: Call, request: PutGroupPolicyRequest) -> InlinePolicyDescription:
    """Give a group a policy of its own, in place of the one of that name."""
    group = await call.parts.rows.group(call.account, request.group)
    return await _put(call, group, request.policy, request.document)


@operation("GetGroupPolicy", "GET /v1/groups/{group}:inline-policy", audited=("policy",))
async def get_group_policy(call: Call, request: GetGroupPolicyRequest) -> InlinePolicyDescription:
    """Show a policy of a group's own."""
    return _described(_found(await call.parts.rows.group(call.account, request.group), request.policy))


@operation("DeleteGroupPolicy", "DELETE /v1/groups/{group}:inline-policy", audited=("policy",))
async def delete_group_policy(call: Call, request: DeleteGroupPolicyRequest) -> DoneResponse:
    """Take a policy of a group's own away."""
    return await _delete(call, await call.parts.rows.group(call.account, request.group), request.policy)


@operation("ListGroupPolicies", "GET /v1/groups/{group}:inline-policies")
async def list_group_policies(call: Call, request: ListGroupPoliciesRequest) -> ListInlinePoliciesResponse:
    """List the policies of a group's own."""
    return _listed(await call.parts.rows.group(call.account, request.group))


@operation("PutRolePolicy", "PUT /v1/roles/{role}:inline-policy", audited=("policy",))
async def put_role_policy(call: Call, request: PutRolePolicyRequest) -> InlinePolicyDescription:
    """Give a role a policy of its own, in place of the one of that name."""
    role = await call.parts.rows.role(call.account, request.role)
    return await _put(call, role, request.policy, request.document)


@operation("GetRolePolicy", "GET /v1/roles/{role}:inline-policy", audited=("policy",))
async def get_role_policy(call: Call, request: GetRolePolicyRequest) -> InlinePolicyDescription:
    """Show a policy of a role's own."""
    return _described(_found(await call.parts.rows.role(call.account, request.role), request.policy))


@operation("DeleteRolePolicy", "DELETE /v1/roles/{role}:inline-policy", audited=("policy",))
async def delete_role_policy(call: Call, request: DeleteRolePolicyRequest) -> DoneResponse:
    """Take a policy of a role's own away."""
    return await _delete(call, await call.parts.rows.role(call.account, request.role), request.policy)


@operation("ListRolePolicies", "GET /v1/roles/{role}:inline-policies")
async def list_role_policies(call: Call, request: ListRolePoliciesRequest) -> ListInlinePoliciesResponse:
    """List the policies of a role's own."""
    return _listed(await call.parts.rows.role(call.account, request.role))


async def _put(call: Call, holder: H, name: str, document: str) -> InlinePolicyDescription:
    put = InlinePolicy(name, policy_document.read(document, permissions()))
    await require_operator_for(call, [put])
    before = next((one for one in holder.inline if one.name == name), None)
    if before is None:
        if len(holder.inline) >= MAX_INLINE:
            raise LimitExceeded(f"cannot put the policy: {called(holder)} has {MAX_INLINE} of its own")
        inline = (*holder.inline, put)
    else:
        await require_operator_to_loosen(call, holder, before.statements)
        inline = tuple(put if one is before else one for one in holder.inline)
    if sum(map(_length, inline)) > MAX_INLINE_BYTES:
        raise LimitExceeded(
            f"cannot put the policy: those of {called(holder)} together would be longer than {MAX_INLINE_BYTES} bytes; "
            "make it a policy of the account and attach that"
        )
    if put != before:
        await call.commit(call.replace(holder, replace(holder, inline=inline)))
    return _described(put)


async def _delete(call: Call, holder: H, name: str) -> DoneResponse:
    gone = _found(holder, name)
    await require_operator_to_loosen(call, holder, gone.statements)
    left = tuple(one for one in holder.inline if one is not gone)
    await call.commit(call.replace(holder, replace(holder, inline=left)))
    return DoneResponse()


def _found(holder: Holder, name: str) -> InlinePolicy:
    for policy in holder.inline:
        if policy.name == name:
            return policy
    raise NotFound(f"cannot find policy {name} of {called(holder)}'s own")


def _described(policy: InlinePolicy) -> InlinePolicyDescription:
    return InlinePolicyDescription(policy=policy.name, document=policy_document.text(policy.statements))


def _listed(holder: Holder) -> ListInlinePoliciesResponse:
    return ListInlinePoliciesResponse(policies=inline_names(holder))


def _length(policy: InlinePolicy) -> int:
    """The bytes of its document without white space."""
    return len(msgspec.json.encode(policy_document.shown(policy.statements)))
