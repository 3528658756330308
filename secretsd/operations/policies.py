"""Operations on the policies of an account, which are attached to users, groups and roles."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Literal

from secretsd.api.fields import DoneResponse
from secretsd.api.policies import (
    CreatePolicyRequest,
    DeletePolicyRequest,
    GetPolicyRequest,
    ListEntitiesForPolicyRequest,
    ListEntitiesForPolicyResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    PolicyDescription,
    PolicyEntity,
    UpdatePolicyRequest,
    ValidatePolicyRequest,
    ValidatePolicyResponse,
)
from secretsd.domain import policy_document
from secretsd.domain.decisions import ASSUME_ROLE
from secretsd.domain.errors import InvalidState
from secretsd.domain.names import Resource
from secretsd.domain.policy import Policy, denies_in_system, reaches_system
from secretsd.domain.policy_document import DocumentKind, InvalidPolicy
from secretsd.domain.principals import Group, Holder
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.holders import called
from secretsd.operations.operators import holders, require_operator_for, require_operator_to_loosen
from secretsd.operations.registry import operation, permissions
from secretsd.ports.storage import Delete, Unattached

Kind = Literal["group", "role", "user"]
KINDS: tuple[Kind, ...] = ("group", "role", "user")


def describe_policy(policy: Policy) -> PolicyDescription:
    """A policy as callers see it."""
    return PolicyDescription(
        policy=policy.name,
        resource=str(Resource(policy.account, f"policy/{policy.name}")),
        description=policy.description,
        created_ms=policy.created_ms,
        document=policy_document.text(policy.statements),
    )


@operation("CreatePolicy", "POST /v1/policies")
async def create_policy(call: Call, request: CreatePolicyRequest) -> PolicyDescription:
    """Make a policy."""
    statements = policy_document.read(request.document, permissions())
    policy = Policy(call.account, request.policy, statements, request.description, call.time_ms)
    await require_operator_for(call, [policy])
    await call.commit(call.add(policy))
    return describe_policy(policy)


@operation("GetPolicy", "GET /v1/policies/{policy}")
async def get_policy(call: Call, request: GetPolicyRequest) -> PolicyDescription:
    """Show a policy."""
    return describe_policy(await call.parts.rows.policy(call.account, request.policy))


@operation("ListPolicies", "GET /v1/policies")
async def list_policies(call: Call, request: ListPoliciesRequest) -> ListPoliciesResponse:
    """List the policies of the account."""
    found = await call.parts.storage.accounts.policies(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda policy: policy.name)
    return ListPoliciesResponse(policies=tuple(map(describe_policy, shown)), next_token=token)


@operation("UpdatePolicy", "PATCH /v1/policies/{policy}")
async def update_policy(call: Call, request: UpdatePolicyRequest) -> PolicyDescription:
    """Put another document in place of a policy's, in force at once wherever it is attached."""
    read = None if request.document is None else policy_document.read(request.document, permissions())
    policy = await call.parts.rows.policy(call.account, request.policy)
    changed = replace(
        policy,
        statements=policy.statements if read is None else read,
        description=policy.description if request.description is None else request.description,
    )
    if changed == policy:
        return describe_policy(policy)
    if changed.statements != policy.statements:
        await require_operator_for(call, [changed])
        if denies_in_system(policy.statements, call.account):
            async for holder in holders(call, policy.name):
                await require_operator_to_loosen(call, holder, policy.statements)
    await call.commit(call.replace(policy, changed))
    return describe_policy(changed)


@operation("DeletePolicy", "DELETE /v1/policies/{policy}")
async def delete_policy(call: Call, request: DeletePolicyRequest) -> DoneResponse:
    """End a policy that is attached to nobody and bounds nobody."""
    policy = await call.parts.rows.policy(call.account, request.policy)
    # One that is missing denies those who have it everything, so nobody may lose it unnoticed.
    if found := await _holders(call, policy.name, "", "", 1):
        raise InvalidState(
            f"cannot delete policy {policy.name}: {called(found[0])} has it, and perhaps others; "
            "see who by ListEntitiesForPolicy and take it from them first"
        )
    await call.commit(Unattached(policy), Delete(policy))
    return DoneResponse()


@operation("ListEntitiesForPolicy", "GET /v1/policies/{policy}:entities")
async def list_entities_for_policy(call: Call, request: ListEntitiesForPolicyRequest) -> ListEntitiesForPolicyResponse:
    """List who has a policy: groups, roles and users that it is attached to, or that it bounds."""
    policy = await call.parts.rows.policy(call.account, request.policy)
    kind, _, name = pages.after(request.next_token).partition("/")
    found = await _holders(call, policy.name, kind, name, request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda holder: holder.path)
    return ListEntitiesForPolicyResponse(
        entities=tuple(
            PolicyEntity(
                kind=_kind(holder),
                name=holder.name,
                attached=policy.name in holder.policies,
                boundary=not isinstance(holder, Group) and holder.boundary == policy.name,
            )
            for holder in shown
        ),
        next_token=token,
    )


@operation("ValidatePolicy", "POST /v1/policies:validate", audited=("kind",))
async def validate_policy(call: Call, request: ValidatePolicyRequest) -> ValidatePolicyResponse:
    """Tell whether a policy document would be accepted, and if not, why; nothing is stored."""
    kind = DocumentKind(request.kind)
    speaking_of = (ASSUME_ROLE,) if kind is DocumentKind.TRUST else permissions()
    try:
        statements = policy_document.read(request.document, speaking_of, kind)
    except InvalidPolicy as wrong:
        return ValidatePolicyResponse(valid=False, line=wrong.line, problem=wrong.problem)
    return ValidatePolicyResponse(
        valid=True, reaches_system=kind is DocumentKind.IDENTITY and reaches_system(statements, call.account)
    )


async def _holders(call: Call, policy: str, kind: str, after: str, limit: int) -> Sequence[Holder]:
    """Up to `limit` who have the policy, in order of kind and name, those after this kind and name."""
    accounts = call.parts.storage.accounts
    readers: dict[Kind, Callable[[str, str, str, int], Awaitable[Sequence[Holder]]]] = {
        "group": accounts.groups_with,
        "role": accounts.roles_with,
        "user": accounts.users_with,
    }
    found: list[Holder] = []
    for one in KINDS:
        if one >= kind and len(found) < limit:
            found += await readers[one](call.account, policy, after if one == kind else "", limit - len(found))
    return found


def _kind(holder: Holder) -> Kind:
    return next(kind for kind in KINDS if holder.path.startswith(f"{kind}/"))
