"""Operations on policies."""

from secretsd.api.access import (
    CreatePolicyRequest,
    GetPolicyRequest,
    ListPoliciesRequest,
    ListPoliciesResponse,
    PolicyDescription,
)
from secretsd.api.access import Statement as ShownStatement
from secretsd.domain.names import Resource
from secretsd.domain.policy import Effect, Policy, Statement, check_statements
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.operators import require_operator_for
from secretsd.operations.registry import operation, permissions


def describe_policy(policy: Policy) -> PolicyDescription:
    """A policy as callers see it."""
    return PolicyDescription(
        policy=policy.name,
        resource=str(Resource(policy.account, f"policy/{policy.name}")),
        description=policy.description,
        created_ms=policy.created_ms,
        statements=tuple(
            ShownStatement(
                effect="Allow" if statement.effect is Effect.ALLOW else "Deny",
                action=statement.actions,
                resource=statement.resources,
            )
            for statement in policy.statements
        ),
    )


@operation("CreatePolicy", "POST /v1/policies")
async def create_policy(call: Call, request: CreatePolicyRequest) -> PolicyDescription:
    """Make a policy."""
    statements = tuple(
        Statement(Effect(statement.effect), statement.action, statement.resource) for statement in request.statements
    )
    check_statements(statements, permissions())
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
