"""Operations on access keys: two a user, changed over one after the other, and turned into short tokens."""

from dataclasses import replace

from secretsd.api.access_keys import (
    AccessKeyDescription,
    CreateAccessKeyRequest,
    CreateAccessKeyResponse,
    CreateAccessTokenRequest,
    CreateAccessTokenResponse,
    DeleteAccessKeyRequest,
    ListAccessKeysRequest,
    ListAccessKeysResponse,
    UpdateAccessKeyRequest,
)
from secretsd.api.fields import DoneResponse, TextValue
from secretsd.domain.credentials import (
    ACCESS_KEY_PREFIX,
    MAX_ACCESS_KEYS,
    AccessKey,
    access_key_context,
)
from secretsd.domain.errors import AccessDenied, InvalidState, LimitExceeded, NotFound
from secretsd.operations import credential_secrets
from secretsd.operations.authenticator import CLIENT_PROOF
from secretsd.operations.call import Call
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.operations.tokens import new_token
from secretsd.ports.storage import Delete

AT_ONCE = 1_000
"""How many tokens one unit of work takes away. More of one access key are over by themselves, or end without it."""


@operation("CreateAccessKey", "POST /v1/users/{user}:create-access-key")
async def create_access_key(call: Call, request: CreateAccessKeyRequest) -> CreateAccessKeyResponse:
    """Make an access key for a user; its secret is shown this once."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_holder(call, user)
    if user.service:
        raise InvalidState(f"cannot make an access key: user {user.name} is a service, which has none that last")
    if len(await call.parts.storage.proofs.access_keys(call.account, user.name)) >= MAX_ACCESS_KEYS:
        raise LimitExceeded(f"cannot make an access key: user {user.name} has {MAX_ACCESS_KEYS} of them")
    secret = credential_secrets.new_secret()
    identifier = credential_secrets.new_id(ACCESS_KEY_PREFIX)
    key = AccessKey(identifier, call.account, user.name, "", active=True, created_ms=call.time_ms)
    key = replace(key, secret=await credential_secrets.seal(call, call.account, access_key_context(key), secret))
    call.fields["access_key"] = key.id
    # The user's revision goes up with each, so that two at once do not make three.
    await call.commit(call.replace(user, user), call.add(key))
    return CreateAccessKeyResponse(
        id=key.id, secret=TextValue(secret.reveal()), user=user.name, created_ms=key.created_ms
    )


@operation("ListAccessKeys", "GET /v1/users/{user}:access-keys")
async def list_access_keys(call: Call, request: ListAccessKeysRequest) -> ListAccessKeysResponse:
    """List a user's access keys without their secrets."""
    await call.parts.rows.user(call.account, request.user)
    found = await call.parts.storage.proofs.access_keys(call.account, request.user)
    return ListAccessKeysResponse(access_keys=tuple(map(_described, found)))


@operation("UpdateAccessKey", "POST /v1/users/{user}:update-access-key", audited=("access_key", "active"))
async def update_access_key(call: Call, request: UpdateAccessKeyRequest) -> AccessKeyDescription:
    """Switch an access key off, at once on every node, or on again."""
    key = await _of_user(call, request.user, request.access_key)
    if request.active and not key.active:
        await require_operator_for_holder(call, await call.parts.rows.user(call.account, request.user))
    changed = replace(key, active=request.active)
    if changed != key:
        await call.commit(call.replace(key, changed))
    return _described(changed)


@operation("DeleteAccessKey", "POST /v1/users/{user}:delete-access-key", audited=("access_key",))
async def delete_access_key(call: Call, request: DeleteAccessKeyRequest) -> DoneResponse:
    """End an access key and the tokens that were got by it, at once on every node."""
    key = await _of_user(call, request.user, request.access_key)
    tokens = await call.parts.storage.proofs.tokens_of_access_key(key.id, AT_ONCE)
    await call.commit(Delete(key), *map(Delete, tokens))
    return DoneResponse()


@operation("CreateAccessToken", "POST /v1/access-tokens", audited=("expires_in",))
async def create_access_token(call: Call, request: CreateAccessTokenRequest) -> CreateAccessTokenResponse:
    """Turn an access key, by which the caller proves himself, into a bearer token for a short while."""
    kind, _, identifier = call.principal.proof.partition("/")
    if kind != CLIENT_PROOF:
        raise AccessDenied
    user = await call.parts.rows.user(call.account, call.principal.name)
    key = await call.parts.rows.access_key(identifier)
    expires_ms = call.time_ms + request.expires_in * 1000
    shown, token = new_token(user, call.time_ms, expires_ms)
    token = replace(token, access_key=key.id)
    call.fields["token_id"] = token.id
    call.rest_on(user)
    call.rest_on(key)
    await call.commit(call.add(token))
    return CreateAccessTokenResponse(access_token=shown, token_type="Bearer", expires_in=request.expires_in)


async def _of_user(call: Call, user: str, identifier: str) -> AccessKey:
    for key in await call.parts.storage.proofs.access_keys(call.account, user):
        if key.id == identifier:
            return key
    raise NotFound(f"cannot find the access key of user {user}")


def _described(key: AccessKey) -> AccessKeyDescription:
    return AccessKeyDescription(id=key.id, user=key.user, active=key.active, created_ms=key.created_ms)
