"""Operations on access keys: an id and a secret by which a user's programs prove themselves or sign requests."""

from dataclasses import replace

from secretsd.api.access_keys import (
    AccessKeyDescription,
    CreateAccessKeyRequest,
    CreateAccessKeyResponse,
    DeleteAccessKeyRequest,
    ListAccessKeysRequest,
    ListAccessKeysResponse,
    UpdateAccessKeyRequest,
)
from secretsd.api.fields import DoneResponse, TextValue
from secretsd.domain.credentials import ACCESS_KEY_PREFIX, MAX_ACCESS_KEYS, MAX_TOKENS, AccessKey, access_key_context
from secretsd.domain.errors import InvalidState, LimitExceeded, NotFound
from secretsd.operations.access_key_proofs import KIND
from secretsd.operations.call import Call
from secretsd.operations.credential_sealing import new_access_key_id, new_secret, sealed_credential
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete, ProofUse


@operation("CreateAccessKey", "POST /v1/users/{user}:create-access-key")
async def create_access_key(call: Call, request: CreateAccessKeyRequest) -> CreateAccessKeyResponse:
    """Make an access key for a user; its secret is shown this once. It is good from anywhere.

    So nobody makes one whose own proof is good from a network alone.
    """
    if call.principal.network:
        raise InvalidState(
            f"cannot make an access key: what proves the caller is good from {call.principal.network} alone, and an "
            "access key is good from anywhere"
        )
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_holder(call, user)
    if user.service:
        raise InvalidState(
            f"cannot make an access key: user {user.name} is a service, which has no standing credentials"
        )
    if len(await call.parts.storage.proofs.access_keys(call.account, user.name)) >= MAX_ACCESS_KEYS:
        raise LimitExceeded(f"cannot make an access key: user {user.name} has {MAX_ACCESS_KEYS}, delete one first")
    identifier = new_access_key_id(ACCESS_KEY_PREFIX)
    shown = TextValue.from_text(new_secret())
    sealed = await sealed_credential(call, call.account, shown, access_key_context(call.account, user.name, identifier))
    # Not before its user, whose clock may have been ahead: a key that is older than its user proves nobody.
    created_ms = max(call.time_ms, user.created_ms)
    key = AccessKey(identifier, call.account, user.name, sealed, True, created_ms)
    call.fields["access_key"] = identifier
    # The user's revision moves on with each key, so that of two calls at once one counts the other's key too.
    await call.commit(call.replace(user, user), call.add(key))
    return CreateAccessKeyResponse(access_key=identifier, secret=shown, created_ms=created_ms)


@operation("ListAccessKeys", "GET /v1/users/{user}:access-keys")
async def list_access_keys(call: Call, request: ListAccessKeysRequest) -> ListAccessKeysResponse:
    """List a user's access keys without their secrets, and when each was used last."""
    await call.parts.rows.user(call.account, request.user)
    keys = await call.parts.storage.proofs.access_keys(call.account, request.user)
    uses = await call.parts.proof_uses.last(KIND + key.id for key in keys)
    return ListAccessKeysResponse(access_keys=tuple(_described(key, uses.get(KIND + key.id)) for key in keys))


@operation("UpdateAccessKey", "POST /v1/users/{user}:update-access-key", audited=("access_key", "active"))
async def update_access_key(call: Call, request: UpdateAccessKeyRequest) -> DoneResponse:
    """Take an access key out of use, with the tokens that were got for it, or back into use."""
    key = await _key(call, request.user, request.access_key)
    if request.active and not key.active:
        user = await call.parts.rows.user(call.account, key.user)
        await require_operator_for_holder(call, user)
        call.rest_on(user)
    if request.active != key.active:
        await call.commit(call.replace(key, replace(key, active=request.active)))
    return DoneResponse()


@operation("DeleteAccessKey", "POST /v1/users/{user}:delete-access-key", audited=("access_key",))
async def delete_access_key(call: Call, request: DeleteAccessKeyRequest) -> DoneResponse:
    """End an access key and the tokens that were got for it, at once on every node."""
    key = await _key(call, request.user, request.access_key)
    tokens = await call.parts.storage.proofs.tokens_of_access_key(key.id, call.time_ms, MAX_TOKENS)
    # One that is made meanwhile proves nobody: its access key is gone, as its own row would say.
    await call.commit(Delete(key), *map(Delete, tokens))
    return DoneResponse()


async def _key(call: Call, user: str, identifier: str) -> AccessKey:
    for key in await call.parts.storage.proofs.access_keys(call.account, user):
        if key.id == identifier:
            return key
    raise NotFound(f"cannot find the access key of user {user}")


def _described(key: AccessKey, use: ProofUse | None) -> AccessKeyDescription:
    return AccessKeyDescription(
        access_key=key.id,
        active=key.active,
        created_ms=key.created_ms,
        last_used_ms=use.time_ms if use else None,
        last_used_from=use.source if use else None,
        last_operation=use.operation if use else None,
    )
