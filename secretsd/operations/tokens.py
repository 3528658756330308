"""Operations on bearer tokens: 256 random bits for their holder, their digest for storage."""

import base64
import os

from secretsd.api.fields import DoneResponse, TextValue
from secretsd.api.tokens import (
    CreateTokenRequest,
    CreateTokenResponse,
    DeleteTokenRequest,
    ListTokensRequest,
    ListTokensResponse,
    TokenDescription,
)
from secretsd.domain.credentials import MAX_SESSION_SECONDS, MAX_TOKENS, Token
from secretsd.domain.errors import InvalidState, LimitExceeded
from secretsd.domain.principals import User
from secretsd.operations import pages
from secretsd.operations.authenticator import TOKEN_PREFIX, token_digest
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.ports.storage import Change, Delete, ProofUse, Unchanged


def new_token(
    call: Call, user: User, expires_ms: int | None, *, access_key: str = "", network: str = ""
) -> tuple[TextValue, Token]:
    """The token as its holder gets it, this once, and as storage keeps it; `access_key` is the one that it is got for.

    It is never older than its user, also where the clock was set back in between: such a token would prove nobody.
    It is good from where the caller's own proof is, or from a `network` within: or whoever took that proof away would
    be free of its network by one call.
    """
    shown = TextValue.from_text(TOKEN_PREFIX + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("="))
    made_ms = max(call.time_ms, user.created_ms)
    made = token_digest(shown), new_id(), user.account, user.name, made_ms, expires_ms
    token = Token(*made, access_key=access_key, network=network or call.principal.network)
    call.fields["token_id"] = token.id
    if token.network:
        call.fields["network"] = token.network
    return shown, token


def lasts(token: Token, now_ms: int) -> bool:
    """Whether it, or what a host gets for it, is good for longer than a session can be."""
    longest_ms = MAX_SESSION_SECONDS * 1000
    if token.expires_ms is None:
        return True
    if token.enrols_seconds:
        return token.expires_ms > now_ms and token.enrols_seconds * 1000 > longest_ms
    return token.expires_ms > now_ms + longest_ms


def user_seen(call: Call, user: User, *, lasting: bool) -> Change:
    """What is committed with a token of the user, so that it holds what was read of him.

    With one that lasts his revision moves on: whoever makes him a service at once has to see it.
    """
    return call.replace(user, user) if lasting else Unchanged(user)


async def require_room_for_token(call: Call, user: User) -> None:
    """Raise LimitExceeded where the user has too many tokens that are good. Calls at once may go past it together."""
    if await call.parts.storage.proofs.count_tokens(user.account, user.name, call.time_ms) >= MAX_TOKENS:
        raise LimitExceeded(
            f"cannot make the token: user {user.name} has {MAX_TOKENS} that are good, delete some first"
        )


@operation("CreateToken", "POST /v1/users/{user}:create-token", audited=("ttl_seconds",))
async def create_token(call: Call, request: CreateTokenRequest) -> CreateTokenResponse:
    """Make a bearer token for a user; it is shown this once."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_holder(call, user)
    if user.service and (request.ttl_seconds is None or request.ttl_seconds > MAX_SESSION_SECONDS):
        raise InvalidState(
            f"cannot make the token: user {user.name} is a service, whose tokens are good for {MAX_SESSION_SECONDS} "
            "seconds at most"
        )
    await require_room_for_token(call, user)
    expires_ms = None if request.ttl_seconds is None else call.time_ms + request.ttl_seconds * 1000
    shown, token = new_token(call, user, expires_ms)
    await call.commit(user_seen(call, user, lasting=lasts(token, call.time_ms)), call.add(token))
    return CreateTokenResponse(id=token.id, token=shown, expires_ms=expires_ms, network=token.network or None)


@operation("DeleteToken", "POST /v1/users/{user}:delete-token", audited=("id",))
async def delete_token(call: Call, request: DeleteTokenRequest) -> DoneResponse:
    """End a token, at once on every node."""
    await call.commit(Delete(await call.parts.storage.proofs.token_of_user(call.account, request.user, request.id)))
    return DoneResponse()


@operation("ListTokens", "GET /v1/users/{user}:tokens")
async def list_tokens(call: Call, request: ListTokensRequest) -> ListTokensResponse:
    """List a user's tokens without what proves them."""
    await call.parts.rows.user(call.account, request.user)
    found = await call.parts.storage.proofs.tokens(
        call.account, request.user, pages.after(request.next_token), request.limit + 1
    )
    shown, next_token = pages.page(found, request.limit, lambda token: token.id)
    uses = await call.parts.proof_uses.last(f"token/{token.id}" for token in shown)
    return ListTokensResponse(
        tokens=tuple(_described(token, uses.get(f"token/{token.id}")) for token in shown), next_token=next_token
    )


def _described(token: Token, use: ProofUse | None) -> TokenDescription:
    """A token, whose uses are those of its access key where it was got for one."""
    return TokenDescription(
        id=token.id,
        created_ms=token.created_ms,
        expires_ms=token.expires_ms,
        access_key=token.access_key or None,
        last_used_ms=use.time_ms if use else None,
        last_used_from=use.source if use else None,
        last_operation=use.operation if use else None,
        enrolment=token.enrols_seconds > 0,
        network=token.network or None,
    )
