"""Operations that say why a user or role may do something or not, and what conditions may ask about."""

from typing import cast

from secretsd.api.policy_explanations import (
    ConditionKeyDescription,
    ExplainDecisionRequest,
    ExplainDecisionResponse,
    ListConditionKeysRequest,
    ListConditionKeysResponse,
    ReasonTold,
)
from secretsd.domain.across_accounts import ACROSS_ACCOUNTS
from secretsd.domain.condition_keys import CONDITION_KEYS
from secretsd.domain.decisions import Reason
from secretsd.domain.errors import AccessDenied, NotFound
from secretsd.domain.explanations import explain
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.principals import RESERVED_ROLES, ROOT_ONLY, Principal, Role, User
from secretsd.operations.call import Call
from secretsd.operations.explanation_words import (
    MAX_STATEMENTS_TOLD,
    sentence,
    sides_of,
    statement_told,
    unknown_keys,
)
from secretsd.operations.key_references import OF_ALIASES, key_id_of
from secretsd.operations.known_facts import BESIDE_POLICIES, KnownOfResource, read_facts, require_permission
from secretsd.operations.registry import operation
from secretsd.operations.rule_sets import OwnersSide

EXPLAIN = "ExplainDecision"


@operation(EXPLAIN, "POST /v1/policies:explain", audited=("action", "resource"))
async def explain_decision(call: Call, request: ExplainDecisionRequest) -> ExplainDecisionResponse:
    """Say whether a user or role may use a permission on a resource, and which statement decides.

    What the owner of the resource says of it is shown to who has ExplainDecision on the resource too, and never across
    accounts.
    """
    require_permission(request.action)
    given = read_facts(request.facts)
    principal = Principal(call.account, call.resource.path, "")
    lost = await _lost(call, principal)
    if request.action in BESIDE_POLICIES:
        return _beside_policies(call, request)
    resource, shown = await _looked_at(call, request)
    authorizer = call.parts.authorizer
    # In `system` nobody else is asked: what the caller's own policies say is all there is.
    complete = shown or resource.account == SYSTEM_ACCOUNT
    owners = None if shown else OwnersSide()
    narrowed = await authorizer.rules.narrowed(principal, request.action, resource, owners=owners)
    of_resource = await KnownOfResource.of(authorizer, request.action, resource, call.time_ms, shown=complete)
    tags = await authorizer.tags(principal.resource)
    facts = of_resource.to(principal.resource, principal.account, tags, given)
    walled = narrowed.foreign and request.action not in ACROSS_ACCOUNTS
    found = explain(narrowed, facts, owner_hidden=not complete and not walled)
    told = sentence(found, foreign=narrowed.foreign, owner_shown=complete)
    if walled and found.reason is Reason.NOT_ALLOWED_BY_OWNER:
        told = "it stays within an account: no owner can let another account do it"
    if lost:
        told = f"{lost} is missing, so nothing is allowed: it may have been the one that denies"
    statements = [statement_told(side, one, facts) for side, one in sides_of(narrowed)]
    by = next((statement_told(side, one, facts) for side, one in sides_of(narrowed) if one is found.by), None)
    return ExplainDecisionResponse(
        decision=found.verdict.value,
        reason="policy-missing" if lost else cast("ReasonTold", found.reason.value),
        told=told,
        principal=str(principal.resource),
        action=request.action,
        resource=str(resource),
        owner_shown=complete,
        by=by,
        unknown=unknown_keys((one for _, one in sides_of(narrowed)), facts) if found.verdict.value == "depends" else (),
        statements=tuple(statements[:MAX_STATEMENTS_TOLD]),
        left_out=max(0, len(statements) - MAX_STATEMENTS_TOLD),
    )


async def _looked_at(call: Call, request: ExplainDecisionRequest) -> tuple[Resource, bool]:
    """The resource, and whether the caller may see what its owner says of it. An alias leads on only then.

    NotFound for an alias that leads nowhere, to who may ask about it; to nobody of another account.
    """
    resource = request.asked(call.account)
    if resource.account != call.account:
        return resource, False
    meant: Resource | None = resource
    if resource.path.startswith("alias/") and request.action not in OF_ALIASES:
        key_id = await key_id_of(call.parts.rows, call.account, resource.path)
        meant = None if key_id is None else Resource(call.account, f"key/{key_id}")
    try:
        await call.require(EXPLAIN, meant or resource)
    except AccessDenied:
        return resource, False
    if meant is None:
        raise NotFound("cannot find the key")
    return meant, True


async def _lost(call: Call, principal: Principal) -> str:
    """The name of a policy or group that the principal has and that is not there, "" for none; NotFound."""
    if principal.path in RESERVED_ROLES:
        return ""
    rows = call.parts.rows
    holder: User | Role
    if principal.path.startswith("role/"):
        holder = await rows.role(call.account, principal.name)
    else:
        holder = await rows.user(call.account, principal.name)
    policies = [*holder.policies, holder.boundary]
    for name in holder.groups if isinstance(holder, User) else ():
        try:
            policies += (await rows.group(call.account, name)).policies
        except NotFound:
            return f"group/{name}"
    for name in filter(None, policies):
        try:
            await rows.policy(call.account, name)
        except NotFound:
            return f"policy/{name}"
    return ""


def _beside_policies(call: Call, request: ExplainDecisionRequest) -> ExplainDecisionResponse:
    by_root = request.action in ROOT_ONLY
    return ExplainDecisionResponse(
        decision="denied" if by_root else "allowed",
        reason="root-only" if by_root else "open-to-all",
        told="root of the daemon's host does it, and nobody else" if by_root else "everybody may whose proof is good",
        principal=str(call.resource),
        action=request.action,
        resource=str(request.asked(call.account)),
        owner_shown=True,
    )


@operation("ListConditionKeys", "GET /v1/condition-keys")
async def list_condition_keys(call: Call, request: ListConditionKeysRequest) -> ListConditionKeysResponse:
    """List what conditions of policies may ask about."""
    return ListConditionKeysResponse(
        keys=tuple(
            ConditionKeyDescription(
                key=f"{name}/…" if key.family else name,
                type=key.type.value,
                meaning=key.meaning,
                many=key.many,
                family=key.family,
            )
            for name, key in CONDITION_KEYS.items()
        )
    )
