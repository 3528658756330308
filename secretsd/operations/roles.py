"""Operations on roles, which others become for a while."""

from dataclasses import replace

from secretsd.api.fields import DoneResponse
from secretsd.api.roles import (
    CreateRoleRequest,
    DeleteRoleRequest,
    DescribeRoleRequest,
    ListRolesRequest,
    ListRolesResponse,
    RevokeRoleSessionsRequest,
    RoleDescription,
    UpdateAssumeRolePolicyRequest,
    UpdateRoleRequest,
)
from secretsd.domain import policy_document
from secretsd.domain.decisions import ASSUME_ROLE
from secretsd.domain.errors import InvalidRequest, InvalidState
from secretsd.domain.names import Resource
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.policy_document import DocumentKind
from secretsd.domain.principals import RESERVED_ROLES, Role
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.holders import inline_names, policy_to_hold
from secretsd.operations.ids import new_id
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

COMMITTED_WITHIN_MS = 5_000
"""How long after its clock was read a revocation is committed, at most."""


def describe_role(role: Role) -> RoleDescription:
    """A role as callers see it."""
    return RoleDescription(
        role=role.name,
        resource=str(Resource(role.account, role.path)),
        created_ms=role.created_ms,
        trust=policy_document.text(role.trust),
        policies=role.policies,
        max_session_seconds=role.max_session_seconds,
        inline_policies=inline_names(role),
        boundary=role.boundary or None,
        description=role.description,
        sessions_revoked_ms=role.revoked_ms or None,
        tags=role.tags,
    )


@operation("CreateRole", "POST /v1/roles", audited=("boundary", "max_session_seconds", "tags"))
async def create_role(call: Call, request: CreateRoleRequest) -> RoleDescription:
    """Make a role that those may assume whom its trust policy names; it may do nothing yet."""
    if f"role/{request.role}" in RESERVED_ROLES:
        raise InvalidRequest(f"cannot make role {request.role}: scheduled work runs under that name")
    trust = read_trust(request.trust)
    boundary = (await policy_to_hold(call, request.boundary)).name if request.boundary is not None else ""
    role = Role(
        call.account,
        request.role,
        new_id(),
        call.time_ms,
        trust,
        request.description,
        boundary=boundary,
        max_session_seconds=request.max_session_seconds,
        tags=request.tags,
    )
    call.fields["trusted"] = _trusted(trust)
    # Others may trust that name still, for the role that had it before.
    await require_operator_for_holder(call, role)
    await call.commit(call.add(role))
    return describe_role(role)


@operation("DescribeRole", "GET /v1/roles/{role}")
async def describe_role_operation(call: Call, request: DescribeRoleRequest) -> RoleDescription:
    """Tell who may assume a role, which policies it has, and what bounds them."""
    return describe_role(await call.parts.rows.role(call.account, request.role))


@operation("ListRoles", "GET /v1/roles")
async def list_roles(call: Call, request: ListRolesRequest) -> ListRolesResponse:
    """List the roles of the account."""
    found = await call.parts.storage.accounts.roles(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda role: role.name)
    return ListRolesResponse(roles=tuple(map(describe_role, shown)), next_token=token)


@operation("UpdateRole", "PATCH /v1/roles/{role}", audited=("max_session_seconds",))
async def update_role(call: Call, request: UpdateRoleRequest) -> RoleDescription:
    """Change a role's description, or how long its sessions may be."""
    role = await call.parts.rows.role(call.account, request.role)
    changed = replace(
        role,
        description=role.description if request.description is None else request.description,
        max_session_seconds=request.max_session_seconds or role.max_session_seconds,
    )
    if changed != role:
        await call.commit(call.replace(role, changed))
    return describe_role(changed)


@operation("UpdateAssumeRolePolicy", "PUT /v1/roles/{role}:trust")
async def update_assume_role_policy(call: Call, request: UpdateAssumeRolePolicyRequest) -> RoleDescription:
    """Say anew who may assume a role."""
    trust = read_trust(request.trust)
    call.fields["trusted"] = _trusted(trust)
    role = await call.parts.rows.role(call.account, request.role)
    await require_operator_for_holder(call, role)
    changed = replace(role, trust=trust)
    if changed != role:
        await call.commit(call.replace(role, changed))
    return describe_role(changed)


@operation("RevokeRoleSessions", "POST /v1/roles/{role}:revoke-sessions")
async def revoke_role_sessions(call: Call, request: RevokeRoleSessionsRequest) -> RoleDescription:
    """End all sessions of a role that were opened until now, at once on every node."""
    role = await call.parts.rows.role(call.account, request.role)
    # By the clock of now, for a call may have waited, and a bit ahead, for what is opened until this is committed; who
    # opens one later opens it after that. Never back: where the clock was set back, what was opened or revoked before
    # that counts as well.
    newest_ms = await call.parts.storage.proofs.newest_session(role)
    until_ms = call.parts.clock.now_ms() + COMMITTED_WITHIN_MS
    changed = replace(role, revoked_ms=max(role.revoked_ms, until_ms, newest_ms))
    await call.commit(call.replace(role, changed))
    return describe_role(changed)


@operation("DeleteRole", "DELETE /v1/roles/{role}")
async def delete_role(call: Call, request: DeleteRoleRequest) -> DoneResponse:
    """End a role, and its sessions with it."""
    role = await call.parts.rows.role(call.account, request.role)
    if await call.parts.storage.proofs.bindings_of_role(call.account, role.name, 1):
        raise InvalidState(f"cannot delete role {role.name}: bindings lead to it; take them away first")
    await call.commit(Delete(role))
    return DoneResponse()


def _trusted(trust: tuple[Statement, ...]) -> tuple[str, ...]:
    """Whom a trust policy lets in, under whatever conditions, for auditors."""
    allowing = (statement for statement in trust if statement.effect is Effect.ALLOW)
    return tuple(sorted({principal for statement in allowing for principal in statement.principals}))


def read_trust(document: str) -> tuple[Statement, ...]:
    """The statements of a trust policy, which speak of AssumeRole alone; InvalidPolicy."""
    return policy_document.read(document, (ASSUME_ROLE,), DocumentKind.TRUST)
