"""Operations on grants: what the owner of a key lets others do with it, passed on, taken back and given up."""

from dataclasses import replace
from typing import NamedTuple

from secretsd.api.fields import DoneResponse
from secretsd.api.grants import (
    CreateGrantRequest,
    EndedGrantsResponse,
    GrantDescription,
    ListGrantsRequest,
    ListGrantsResponse,
    ListRetirableGrantsRequest,
    OfGrant,
    RetireGrantRequest,
    RevokeGrantRequest,
)
from secretsd.domain.decisions import Sides
from secretsd.domain.errors import InvalidKeyUsage, InvalidState, LimitExceeded, NotFound
from secretsd.domain.grant_rules import is_same, parent_of, require_possible, with_descendants
from secretsd.domain.grants import MAX_GRANTS, Grant
from secretsd.domain.keys import CMK, KeyOwner
from secretsd.domain.names import Resource, split_reference
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.ids import take_random
from secretsd.operations.keys import find_key
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

ID_BYTES = 32


def describe_grant(grant: Grant) -> GrantDescription:
    """A grant as callers see it."""
    return GrantDescription(
        id=grant.id,
        key=str(_key(grant)),
        grantee=grant.grantee,
        operations=grant.operations,
        by=grant.by,
        created_ms=grant.created_ms,
        context_equals=grant.equals,
        context_subset=grant.subset,
        name=grant.name,
        retiring_principal=grant.retiring or None,
        expires_ms=grant.expires_ms,
        parent=grant.parent or None,
    )


@operation(
    "CreateGrant",
    "POST /v1/keys/{key}:create-grant",
    audited=("grantee", "operations", "retiring_principal", "expires_ms", "name"),
)
async def create_grant(call: Call, request: CreateGrantRequest) -> GrantDescription:
    """Let a user, role or account use a key for named operations, at once on every node."""
    key = await find_key(call, request.key)
    key.require_present()
    if key.owner is KeyOwner.SERVICE:
        raise InvalidKeyUsage(f"cannot grant the use of key {key.id}: it is the service's own, and seals secrets alone")
    grant = _wanted(call, key, request)
    # What the values are is the caller's choice, and none of the trail's business.
    for name, context in (("context_equals", grant.equals), ("context_subset", grant.subset)):
        if context:
            call.fields[name] = tuple(sorted(context))
    require_possible(grant, call.time_ms)
    grant = replace(
        grant, grantee_ms=await _made_ms(call, grant.grantee), retiring_ms=await _made_ms(call, grant.retiring)
    )
    there = await _grants(call, key)
    grant = await _passed_on(call, grant, there)
    if grant.name:
        for one in there:
            if is_same(one, grant) and not _is_over(one, call.time_ms):
                call.fields["grant"] = one.id
                return describe_grant(one)
    if len(there) >= MAX_GRANTS:
        raise LimitExceeded(f"cannot make the grant: key {key.id} has {MAX_GRANTS} of them")
    call.fields["grant"] = grant.id
    # The key's revision goes up with every grant, so that two at once cannot go past the limit or be the same.
    await call.commit(call.replace(key, key), call.add(grant))
    return describe_grant(grant)


def _wanted(call: Call, key: CMK, request: CreateGrantRequest) -> Grant:
    return Grant(
        key.account,
        key.id,
        take_random(ID_BYTES).hex(),
        request.grantee,
        tuple(sorted(set(request.operations))),
        dict(request.context_equals),
        dict(request.context_subset),
        request.name,
        request.retiring_principal or "",
        str(call.principal.resource),
        "",
        call.time_ms,
        request.expires_ms,
    )


async def _made_ms(call: Call, principal: str) -> int:
    """When the user or role of that name was made, of whatever account; 0 for an account, and for nobody."""
    account, path = split_reference(principal)
    kind, _, name = path.partition("/")
    rows = call.parts.rows
    try:
        match kind:
            case "user":
                return (await rows.user(account or "", name)).created_ms
            case "role":
                return (await rows.role(account or "", name)).created_ms
    except NotFound:
        pass
    return 0


async def _passed_on(call: Call, grant: Grant, there: list[Grant]) -> Grant:
    """The grant as it is where a policy lets the caller make any, else with the grant that he passes on of."""

    def without_grants(sides: Sides) -> Sides:
        return replace(sides, grants=())

    authorizer, resource = call.parts.authorizer, _key(grant)
    decision = await authorizer.decide_as_if(call.principal, "CreateGrant", resource, call.facts, without_grants)
    if decision.allowed:
        return grant
    own = [one for one in there if await _lets(call, one, "CreateGrant") and not _is_over(one, call.time_ms)]
    parent = parent_of(grant, own)
    call.rest_on(parent)  # one that is revoked meanwhile has nothing to pass on
    return replace(grant, parent=parent.id)


@operation("ListGrants", "GET /v1/keys/{key}:grants")
async def list_grants(call: Call, request: ListGrantsRequest) -> ListGrantsResponse:
    """List the grants on a key."""
    key = await find_key(call, request.key)
    after = pages.after(request.next_token)
    found = await call.parts.storage.grants.grants(key.account, key.id, after, request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda grant: grant.id)
    return ListGrantsResponse(grants=tuple(map(describe_grant, shown)), next_token=token)


@operation("ListRetirableGrants", "GET /v1/grants", audited=("retiring_principal",))
async def list_retirable_grants(call: Call, request: ListRetirableGrantsRequest) -> ListGrantsResponse:
    """List the grants, on keys of whatever account, that a principal of the account may retire."""
    principal = request.retiring_principal or str(call.principal.resource)
    after = pages.after(request.next_token)
    found = await call.parts.storage.grants.retirable(principal, after, request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda grant: grant.id)
    return ListGrantsResponse(grants=tuple(map(describe_grant, shown)), next_token=token)


@operation("RevokeGrant", "POST /v1/keys/{key}:revoke-grant", audited=("grant",))
async def revoke_grant(call: Call, request: RevokeGrantRequest) -> EndedGrantsResponse:
    """Take a grant back, and all that was passed on of it, at once on every node."""
    return await _end(call, await _grant(call, request))


@operation("RetireGrant", "POST /v1/keys/{key}:retire-grant", audited=("grant",))
async def retire_grant(call: Call, request: RetireGrantRequest) -> EndedGrantsResponse:
    """Give a grant up, as its retiring principal, as its grantee where it says so, or as who may revoke it."""
    found = await _grant(call, request)
    if not await _lets(call, found.grant, "RetireGrant"):
        await call.require("RevokeGrant", _key(found.grant))
    return await _end(call, found)


@operation("ExpireGrant", None, audited=("grant",))
async def expire_grant(call: Call, request: OfGrant) -> DoneResponse:
    """Take away a grant whose time is over; nothing decides by it any more."""
    grant = await call.parts.storage.grants.grant(request.grant)
    if not _is_over(grant, call.time_ms):
        raise InvalidState(f"cannot expire grant {grant.id}: its time is not over")
    await call.commit(Delete(grant))
    return DoneResponse()


class _Found(NamedTuple):
    """A grant, and all those on its key, which was read before them."""

    grant: Grant
    key: CMK
    there: list[Grant]


async def _grant(call: Call, request: OfGrant) -> _Found:
    key = await find_key(call, request.key)
    there = await _grants(call, key)
    for grant in there:
        if grant.id == request.grant:
            return _Found(grant, key, there)
    raise NotFound("cannot find the grant")


async def _grants(call: Call, key: CMK) -> list[Grant]:
    return list(await call.parts.storage.grants.grants(key.account, key.id, "", MAX_GRANTS))


async def _end(call: Call, found: _Found) -> EndedGrantsResponse:
    ended = with_descendants(found.grant, found.there)
    call.fields["grantee"] = found.grant.grantee
    # What is passed on of it meanwhile moves the key's revision: then it is looked for again, and ends as well.
    call.rest_on(found.key)
    await call.commit(*map(Delete, ended))
    return EndedGrantsResponse(grants=tuple(one.id for one in ended))


def _key(grant: Grant) -> Resource:
    return Resource(grant.account, f"key/{grant.key_id}")


async def _lets(call: Call, grant: Grant, operation: str) -> bool:
    """Whether the grant lets the caller do that, as he is meant and not one of his name before; context aside."""
    return grant.ready().applying(operation, await call.parts.authorizer.rules.who(call.principal)) is not None


def _is_over(grant: Grant, now_ms: int) -> bool:
    return grant.expires_ms is not None and grant.expires_ms <= now_ms
