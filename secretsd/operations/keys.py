"""Operations on CMKs as a whole: create, describe, list, and what every other operation on keys needs of them."""

from collections.abc import Mapping
from dataclasses import replace

from secretsd.api.keys import (
    CreateKeyRequest,
    DescribeKeyRequest,
    KeyDescription,
    ListKeysRequest,
    ListKeysResponse,
    UpdateKeyDescriptionRequest,
)
from secretsd.domain.algorithms import algorithm_names
from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.domain.key_import import WrappingAlgorithm, importable
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import (
    CMK,
    KeyMetadata,
    KeyOrigin,
    KeyOwner,
    KeyState,
    ProtectionLevel,
    WrappedKey,
    protection_level,
)
from secretsd.domain.names import Resource
from secretsd.operations import pages
from secretsd.operations.aliases import new_alias, require_free
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.key_references import owner_and_id
from secretsd.operations.registry import operation
from secretsd.operations.tags import wanted_tags
from secretsd.ports.readers import KeyFilter
from secretsd.ports.storage import Change

GUARDS_COUNTED = 100
"""How many of the secret versions that a key guards are counted; past that it is told that there are more."""


def describe_key(key: CMK, guards: int | None = None) -> KeyDescription:
    """A CMK as callers see it; `guards` counts the secret versions under it, up to one more than GUARDS_COUNTED."""
    return KeyDescription(
        id=key.id,
        resource=str(Resource(key.account, f"key/{key.id}")),
        state=key.state.value,
        spec=key.spec.value,
        usage=key.usage.value,
        origin=key.origin.value,
        protection_level=key.protection_level.value,
        owner=key.owner.value,
        description=key.description,
        current_version=key.current_version,
        created_ms=key.created_ms,
        tags=key.tags,
        deletion_ms=key.deletion_ms,
        algorithms=algorithm_names(key.spec, key.usage),
        oldest_version=key.oldest_version,
        deletion_protection=key.deletion_protection,
        protection_reason=key.protection_reason,
        rotation_seconds=key.rotation_seconds,
        next_rotation_ms=key.next_rotation_ms,
        last_rotation_ms=key.last_rotation_ms,
        material_expires_ms=key.material_expires_ms,
        guarded_secret_versions=None if guards is None else min(guards, GUARDS_COUNTED),
        guarded_secret_versions_more=guards is not None and guards > GUARDS_COUNTED,
    )


def new_key(
    account: str,
    spec: KeySpec,
    owner: KeyOwner,
    description: str,
    now_ms: int,
    tags: Mapping[str, str] | None = None,
    *,
    usage: KeyUsage | None = None,
    origin: KeyOrigin = KeyOrigin.HSM,
) -> CMK:
    """A CMK at its first version: enabled, or waiting for its material where that comes from outside.

    Without `usage` it is the first one that the spec allows.
    """
    return CMK(
        account,
        new_id(),
        KeyState.ENABLED if origin is KeyOrigin.HSM else KeyState.PENDING_IMPORT,
        spec,
        usage or SPECS[spec].usages[0],
        origin,
        protection_level(spec),
        owner,
        description,
        1,
        now_ms,
        tags=dict(tags or {}),
    )


def key_metadata(key: CMK, version: int) -> KeyMetadata:
    """What a version of the key is bound to when it is made."""
    return KeyMetadata(key.account, key.id, version, key.spec, key.usage, key.origin, key.protection_level)


async def make_key_version(call: Call, key: CMK, version: int) -> WrappedKey:
    """A new version of the key, made in the key store and not stored yet; Unsupported where that cannot."""
    made = await call.parts.keystore.generate_key(key_metadata(key, version))
    return replace(made, created_ms=call.time_ms)


async def find_key(call: Call, reference: str) -> CMK:
    """The CMK: by its UUID one of the caller's account, of another account in full. Both have been authorised.

    NotFound, whose sentence repeats nothing that the caller wrote.
    """
    account, key_id = owner_and_id(call.account, reference)
    # Whatever a request makes of a reference: nothing was authorised there.
    if account not in (call.account, call.resource.account, *call.concerned):
        raise NotFound("cannot find the key")
    try:
        return await call.parts.rows.key(account, key_id)
    except NotFound:
        raise NotFound("cannot find the key") from None


@operation("CreateKey", "POST /v1/keys", audited=("spec", "usage", "origin", "alias", "deletion_protection", "tags"))
async def create_key(call: Call, request: CreateKeyRequest) -> KeyDescription:
    """Make a CMK in the HSM, or one that waits for its material to be imported."""
    key = _wanted_key(call, request)
    if request.alias is not None:
        await call.require("CreateAlias", Resource(call.account, f"alias/{request.alias}"))
        await require_free(call, request.alias)
    await call.require_room(CMK)
    # First of all what this key store cannot do: nothing of such a key is ever made.
    await call.parts.keystore.require_able(key.spec)
    changes: list[Change] = [call.add(key)]
    if key.state is KeyState.ENABLED:
        changes.append(call.add(await make_key_version(call, key, 1)))
    if request.alias is not None:
        changes.append(call.add(new_alias(call, request.alias, key.id)))
    call.fields["key"] = key.id
    await call.commit(*changes)
    return describe_key(key)


def _wanted_key(call: Call, request: CreateKeyRequest) -> CMK:
    """The key as the request asks for it; InvalidRequest where its parts do not go together."""
    spec, origin = KeySpec(request.spec), KeyOrigin(request.origin)
    usage = None if request.usage is None else KeyUsage(request.usage)
    if usage is not None and usage not in SPECS[spec].usages:
        raise InvalidRequest(f"cannot make a key of spec {spec.value} for {usage.value}")
    if origin is KeyOrigin.EXTERNAL and not any(importable(spec, algorithm) for algorithm in WrappingAlgorithm):
        raise InvalidRequest(f"cannot make a key of spec {spec.value} whose material is imported")
    if request.protection_reason and not request.deletion_protection:
        raise InvalidRequest("cannot keep a reason for a deletion protection that is not wanted")
    description, tags = request.description, request.tags
    made = new_key(call.account, spec, KeyOwner.CUSTOMER, description, call.time_ms, tags, usage=usage, origin=origin)
    protected, reason = request.deletion_protection, request.protection_reason
    return replace(made, deletion_protection=protected, protection_reason=reason)


@operation("DescribeKey", "GET /v1/keys/{key}")
async def describe_key_operation(call: Call, request: DescribeKeyRequest) -> KeyDescription:
    """Tell all about a CMK but its material."""
    key = await find_key(call, request.key)
    guards = None
    if key.state is KeyState.PENDING_DELETION:
        guards = await call.parts.storage.keys.guards(key.id, GUARDS_COUNTED + 1)
    return describe_key(key, guards)


@operation("ListKeys", "GET /v1/keys", audited=("tags",))
async def list_keys(call: Call, request: ListKeysRequest) -> ListKeysResponse:
    """List the CMKs of the account, those that are destroyed only by that state."""
    wanted = KeyFilter(
        state=None if request.state is None else KeyState(request.state),
        spec=None if request.spec is None else KeySpec(request.spec),
        usage=None if request.usage is None else KeyUsage(request.usage),
        origin=None if request.origin is None else KeyOrigin(request.origin),
        protection_level=None if request.protection_level is None else ProtectionLevel(request.protection_level),
        owner=None if request.owner is None else KeyOwner(request.owner),
        tags=wanted_tags(request.tags),
        destroyed=request.state == KeyState.DESTROYED.value,
    )
    after = pages.after(request.next_token)
    found = await call.parts.storage.keys.page(call.account, after, request.limit + 1, wanted)
    shown, token = pages.page(found, request.limit, lambda key: key.id)
    return ListKeysResponse(keys=tuple(map(describe_key, shown)), next_token=token)


@operation("UpdateKeyDescription", "PATCH /v1/keys/{key}")
async def update_key_description(call: Call, request: UpdateKeyDescriptionRequest) -> KeyDescription:
    """Change what a CMK is described as."""
    key = await find_key(call, request.key)
    key.require_present()
    changed = replace(key, description=request.description)
    await call.commit(call.replace(key, changed))
    return describe_key(changed)
