"""Operations on CMKs."""

from collections.abc import Mapping

from secretsd.api.keys import CreateKeyRequest, DescribeKeyRequest, KeyDescription, ListKeysRequest, ListKeysResponse
from secretsd.domain.keys import CMK, KeyMetadata, KeyOrigin, KeyOwner, KeySpec, KeyState, KeyUsage, ProtectionLevel
from secretsd.domain.names import Resource
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.registry import operation


def describe_key(key: CMK) -> KeyDescription:
    """A CMK as callers see it."""
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
    )


@operation("CreateKey", "POST /v1/keys", audited=("spec",))
async def create_key(call: Call, request: CreateKeyRequest) -> KeyDescription:
    """Make a CMK in the HSM."""
    spec = KeySpec(request.spec)
    key = new_key(call.account, spec, KeyOwner.CUSTOMER, request.description, call.time_ms, request.tags)
    wrapped = await call.parts.keystore.generate_key(KeyMetadata(key.account, key.id, 1, key.spec, key.usage))
    call.fields["key"] = key.id
    await call.commit(call.add(key), call.add(wrapped))
    return describe_key(key)


def new_key(
    account: str, spec: KeySpec, owner: KeyOwner, description: str, now_ms: int, tags: Mapping[str, str] | None = None
) -> CMK:
    """A CMK that is enabled and at its first version."""
    return CMK(
        account,
        new_id(),
        KeyState.ENABLED,
        spec,
        KeyUsage.ENCRYPT_DECRYPT,
        KeyOrigin.HSM,
        ProtectionLevel.HSM,
        owner,
        description,
        1,
        now_ms,
        tags=dict(tags or {}),
    )


@operation("DescribeKey", "GET /v1/keys/{key}")
async def describe_key_operation(call: Call, request: DescribeKeyRequest) -> KeyDescription:
    """Tell all about a CMK but its material."""
    return describe_key(await call.parts.rows.key(call.account, request.key))


@operation("ListKeys", "GET /v1/keys")
async def list_keys(call: Call, request: ListKeysRequest) -> ListKeysResponse:
    """List the CMKs of the account."""
    found = await call.parts.storage.keys.page(call.account, pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda key: key.id)
    return ListKeysResponse(keys=tuple(map(describe_key, shown)), next_token=token)
