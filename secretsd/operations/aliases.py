"""Operations on aliases, the second names of CMKs."""

from dataclasses import replace

from secretsd.api.aliases import (
    AliasDescription,
    CreateAliasRequest,
    DeleteAliasRequest,
    ListAliasesRequest,
    ListAliasesResponse,
    UpdateAliasRequest,
)
from secretsd.domain.errors import AlreadyExists, InvalidRequest, LimitExceeded, NotFound
from secretsd.domain.keys import CMK, Alias
from secretsd.domain.names import Resource
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.key_references import key_id_of
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

MAX_ALIASES_A_KEY = 50
OF_THE_SERVICE = ("secretsd/", "aws/", "acs/")
"""How the names of services' own keys begin, here and in the dialects: nobody else's may."""


def describe_alias(alias: Alias) -> AliasDescription:
    """An alias as callers see it."""
    return AliasDescription(
        alias=alias.name,
        resource=str(_resource(alias.account, alias.name)),
        key_id=alias.key_id,
        created_ms=alias.created_ms,
        changed_ms=alias.changed_ms,
    )


def new_alias(call: Call, name: str, key_id: str) -> Alias:
    """An alias of a key, not stored yet."""
    return Alias(call.account, name, key_id, call.time_ms, call.time_ms)


async def require_free(call: Call, name: str) -> None:
    """Raise AlreadyExists for a name that is taken, InvalidRequest for one that is the service's to give."""
    if name.startswith(OF_THE_SERVICE):
        raise InvalidRequest(f"cannot give the alias: names that begin with {', '.join(OF_THE_SERVICE)} are reserved")
    try:
        await call.parts.rows.alias(call.account, name)
    except NotFound:
        return
    raise AlreadyExists(f"cannot create alias {name}: it exists already")


@operation("CreateAlias", "POST /v1/aliases", audited=("key",))
async def create_alias(call: Call, request: CreateAliasRequest) -> AliasDescription:
    """Give a CMK a second name; needs CreateAlias on the key as well."""
    key = await _key(call, "CreateAlias", request.key)
    await require_free(call, request.alias)
    await _require_room(call, key)
    alias = new_alias(call, request.alias, key.id)
    call.rest_on(key)
    try:
        await call.commit(call.add(alias))
    except AlreadyExists:
        raise AlreadyExists(f"cannot create alias {alias.name}: it exists already") from None
    return describe_alias(alias)


@operation("UpdateAlias", "PATCH /v1/aliases/{alias}", audited=("key",))
async def update_alias(call: Call, request: UpdateAliasRequest) -> AliasDescription:
    """Let an alias lead to another CMK of the same kind; needs UpdateAlias on both keys as well."""
    alias = await _alias(call, request.alias)
    call.fields["left"] = alias.key_id
    await call.require("UpdateAlias", Resource(call.account, f"key/{alias.key_id}"))
    key = await _key(call, "UpdateAlias", request.key)
    left = await call.parts.rows.key(call.account, alias.key_id)
    if (left.spec, left.usage) != (key.spec, key.usage):
        raise InvalidRequest(f"cannot move alias {alias.name}: spec and usage of the two keys differ")
    if key.id == alias.key_id:
        return describe_alias(alias)
    await _require_room(call, key)
    moved = replace(alias, key_id=key.id, changed_ms=call.time_ms)
    call.rest_on(key)
    await call.commit(call.replace(alias, moved))
    return describe_alias(moved)


@operation("DeleteAlias", "DELETE /v1/aliases/{alias}")
async def delete_alias(call: Call, request: DeleteAliasRequest) -> AliasDescription:
    """Take a CMK's second name away; needs DeleteAlias on the key as well."""
    alias = await _alias(call, request.alias)
    call.fields["key"] = alias.key_id
    await call.require("DeleteAlias", Resource(call.account, f"key/{alias.key_id}"))
    await call.commit(Delete(alias))
    return describe_alias(alias)


@operation("ListAliases", "GET /v1/aliases", audited=("key",))
async def list_aliases(call: Call, request: ListAliasesRequest) -> ListAliasesResponse:
    """List the aliases of the account, or of one CMK."""
    key_id = None
    if request.key is not None:
        key_id = await key_id_of(call.parts.rows, call.account, request.key) or request.key
    after = pages.after(request.next_token)
    found = await call.parts.storage.keys.aliases(call.account, after, request.limit + 1, key_id)
    shown, token = pages.page(found, request.limit, lambda alias: alias.name)
    return ListAliasesResponse(aliases=tuple(map(describe_alias, shown)), next_token=token)


async def _key(call: Call, permission: str, key_id: str) -> CMK:
    """The key that an alias is to lead to. The permission comes first: unknown and forbidden look alike."""
    await call.require(permission, Resource(call.account, key_id if "/" in key_id else f"key/{key_id}"))
    try:
        key = await call.parts.rows.key(call.account, key_id)
    except NotFound:
        raise NotFound("cannot find the key") from None
    key.require_present()
    return key


async def _alias(call: Call, name: str) -> Alias:
    return await call.parts.rows.alias(call.account, name)


async def _require_room(call: Call, key: CMK) -> None:
    """Raise LimitExceeded for a key that has all the aliases it may have; two calls at once may go one past that."""
    if len(await call.parts.storage.keys.aliases(call.account, "", MAX_ALIASES_A_KEY, key.id)) >= MAX_ALIASES_A_KEY:
        raise LimitExceeded(f"cannot give key {key.id} another alias: it has {MAX_ALIASES_A_KEY} of them")


def _resource(account: str, name: str) -> Resource:
    return Resource(account, f"alias/{name}")
