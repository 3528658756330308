"""Operations on the policies of keys and secrets: what their owner lets others do with them, or denies."""

from dataclasses import replace

from secretsd.api.fields import DoneResponse
from secretsd.api.resource_policies import (
    DeleteResourcePolicyRequest,
    GetResourcePolicyRequest,
    PutResourcePolicyRequest,
    ResourcePolicyDescription,
)
from secretsd.domain import policy_document
from secretsd.domain.decisions import Sides
from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.domain.keys import CMK
from secretsd.domain.names import require_name
from secretsd.domain.policy import ResourcePolicy, Statement
from secretsd.domain.policy_document import DocumentKind
from secretsd.domain.policy_rules import Rules
from secretsd.domain.secrets import Secret
from secretsd.operations.call import Call
from secretsd.operations.registry import operation, permissions
from secretsd.ports.storage import Delete


@operation("PutResourcePolicy", "PUT /v1/resource-policies/{resource}", audited=("bypass_lockout_check",))
async def put_resource_policy(call: Call, request: PutResourcePolicyRequest) -> ResourcePolicyDescription:
    """Say what others may do with a key or secret; it takes the place of what was said before."""
    statements = policy_document.read(request.document, permissions(), DocumentKind.RESOURCE)
    resource = await policed(call, call.account, request.resource)
    if not request.bypass_lockout_check:
        await _require_changeable(call, statements)
    stored = stored_name(resource)
    before = await policy_of(call, call.account, stored)
    policy = ResourcePolicy(call.account, stored, statements, call.time_ms)
    change = call.add(policy) if before is None else call.replace(before, policy)
    if resource.has_policy:
        call.rest_on(resource)
        await call.commit(change)
    else:
        await call.commit(call.replace(resource, replace(resource, has_policy=True)), change)
    return _described(call, policy)


@operation("GetResourcePolicy", "GET /v1/resource-policies/{resource}")
async def get_resource_policy(call: Call, request: GetResourcePolicyRequest) -> ResourcePolicyDescription:
    """Show the policy of a key or secret."""
    return _described(call, await _policy(call, await policed(call, call.account, request.resource)))


@operation("DeleteResourcePolicy", "DELETE /v1/resource-policies/{resource}")
async def delete_resource_policy(call: Call, request: DeleteResourcePolicyRequest) -> DoneResponse:
    """Take the policy of a key or secret away; what it allowed others ends at once on every node."""
    resource = await policed(call, call.account, request.resource)
    gone = Delete(await _policy(call, resource))
    await call.commit(gone, call.replace(resource, replace(resource, has_policy=False)))
    return DoneResponse()


async def policy_of(call: Call, account: str, stored: str) -> ResourcePolicy | None:
    """The policy under the name that `stored_name` gives, if there is one; always read fresh."""
    try:
        return await call.parts.storage.grants.policy(account, stored)
    except NotFound:
        return None


def stored_name(resource: CMK | Secret) -> str:
    """How a policy names what it is about: a secret by its id, because one of the same name later is another one."""
    return f"key/{resource.id}" if isinstance(resource, CMK) else f"secret-id/{resource.id}"


async def _policy(call: Call, resource: CMK | Secret) -> ResourcePolicy:
    policy = await policy_of(call, call.account, stored_name(resource))
    if policy is None:
        raise NotFound("cannot find a policy of the resource")
    return policy


async def policed(call: Call, account: str, resource: str) -> CMK | Secret:
    """The secret or key of an account that a policy is of, an alias having been resolved; NotFound."""
    kind, _, name = resource.partition("/")
    if kind == "secret":
        return await call.parts.rows.secret(account, require_name(name, "name of the secret"))
    if kind == "alias":  # one that leads nowhere
        raise NotFound("cannot find the key")
    try:
        key = await call.parts.rows.key(account, name)
    except NotFound:
        raise NotFound("cannot find the key") from None
    key.require_present()
    return key


async def _require_changeable(call: Call, statements: tuple[Statement, ...]) -> None:
    """Raise InvalidRequest for statements under which the caller could not put others in their place."""
    rules = Rules("resource policy", call.account, statements)

    def put(sides: Sides) -> Sides:
        return replace(sides, resource=rules)

    authorizer = call.parts.authorizer
    decision = await authorizer.decide_as_if(call.principal, call.operation.name, call.resource, call.facts, put)
    if not decision.allowed:
        raise InvalidRequest(
            "cannot accept the policy: it would deny you to change it again; say bypass_lockout_check if you mean that"
        )


def _described(call: Call, policy: ResourcePolicy) -> ResourcePolicyDescription:
    return ResourcePolicyDescription(
        resource=str(call.resource),
        document=policy_document.text(policy.statements),
        changed_ms=policy.changed_ms,
    )
