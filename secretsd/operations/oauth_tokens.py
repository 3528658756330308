"""The operation by which an access key becomes a short token: OAuth 2.0 client credentials (RFC 6749 section 4.4)."""

from collections.abc import Sequence

from secretsd.api.access_keys import CreateAccessTokenRequest, CreateAccessTokenResponse
from secretsd.domain.credentials import AccessKey, Token
from secretsd.domain.errors import InvalidState, LimitExceeded
from secretsd.domain.principals import User
from secretsd.operations.access_key_proofs import is_key_itself, key_of_proof
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.operations.tokens import new_token, require_room_for_token
from secretsd.ports.storage import Delete

BEARER = "Bearer"


@operation("CreateAccessToken", "POST /v1/access-tokens", audited=("expires_in",))
async def create_access_token(call: Call, request: CreateAccessTokenRequest) -> CreateAccessTokenResponse:
    """Make a token of the caller's own for a while; he proves himself by an access key, with which the token ends.

    A token cannot make another one, or whoever took it once would stay for good.
    """
    if not is_key_itself(call.principal.proof):
        raise InvalidState("cannot make an access token: the caller has to show an access key and its secret")
    key = await call.parts.rows.access_key(key_of_proof(call.principal.proof))
    user = await call.parts.rows.user(key.account, key.user)
    makes_room = await _that_makes_room(call, user, key)
    expires_ms = call.time_ms + request.expires_in * 1000
    shown, token = new_token(call, user, expires_ms, access_key=key.id)
    call.rest_on(user)
    call.rest_on(key)
    await call.commit(*map(Delete, makes_room), call.add(token))
    return CreateAccessTokenResponse(access_token=shown, token_type=BEARER, expires_in=request.expires_in)


async def _that_makes_room(call: Call, user: User, key: AccessKey) -> Sequence[Token]:
    """The token of the access key that ends first, where the user has as many as he may; LimitExceeded without one.

    A client that keeps asking must not lock out the others that share its key: its oldest token goes instead.
    """
    try:
        await require_room_for_token(call, user)
    except LimitExceeded:
        found = await call.parts.storage.proofs.tokens_of_access_key(key.id, call.time_ms, 1)
        if not found:
            raise
        call.fields["ended_token_id"] = found[0].id
        return found
    return ()
