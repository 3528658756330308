"""Operations on enrolment: a token for one use becomes the bearer token of a new host.

What waits in a file or an image until the host comes up is good for an hour at most, and only once: a host that finds
its enrolment token used knows that somebody else was there before. Nobody but the host ever sees the token that lasts.
"""

from dataclasses import replace

from secretsd.api.enrolment import (
    CreateEnrolmentTokenRequest,
    CreateEnrolmentTokenResponse,
    EnrolHostRequest,
    EnrolHostResponse,
)
from secretsd.domain.credentials import MAX_SESSION_SECONDS, Token
from secretsd.domain.errors import InvalidRequest, InvalidState, NotFound, Unauthenticated
from secretsd.domain.networks import is_part, network_of
from secretsd.operations.authenticator import ENROLMENT
from secretsd.operations.call import Call
from secretsd.operations.operators import require_operator_for_holder
from secretsd.operations.registry import operation
from secretsd.operations.tokens import lasts, new_token, require_room_for_token, user_seen
from secretsd.ports.storage import Delete


@operation(
    "CreateEnrolmentToken",
    "POST /v1/users/{user}:create-enrolment-token",
    audited=("ttl_seconds", "token_seconds", "network"),
)
async def create_enrolment_token(call: Call, request: CreateEnrolmentTokenRequest) -> CreateEnrolmentTokenResponse:
    """Make a token by which one host becomes a user, once and soon; it is shown this once."""
    user = await call.parts.rows.user(call.account, request.user)
    await require_operator_for_holder(call, user)
    if user.service and request.token_seconds > MAX_SESSION_SECONDS:
        raise InvalidState(
            f"cannot make the enrolment token: user {user.name} is a service, whose tokens are good for "
            f"{MAX_SESSION_SECONDS} seconds at most"
        )
    network = "" if request.network is None else network_of(request.network)
    if network is None:
        raise InvalidRequest("cannot make the enrolment token: network is written 192.0.2.0/24, no bits set behind it")
    own = call.principal.network
    if network and not is_part(network, own):
        raise InvalidRequest(
            f"cannot make the enrolment token: what proves the caller is good from {own} alone, and network reaches "
            "beyond it"
        )
    await require_room_for_token(call, user)
    expires_ms = call.time_ms + request.ttl_seconds * 1000
    shown, token = new_token(call, user, expires_ms, network=network)
    token = replace(token, enrols_seconds=request.token_seconds)
    await call.commit(user_seen(call, user, lasting=lasts(token, call.time_ms)), call.add(token))
    return CreateEnrolmentTokenResponse(id=token.id, token=shown, expires_ms=expires_ms, network=token.network or None)


@operation("EnrolHost", "POST /v1/enrolment")
async def enrol_host(call: Call, request: EnrolHostRequest) -> EnrolHostResponse:
    """Turn the enrolment token that the caller shows into a bearer token of its own; it is shown this once."""
    if not call.principal.proof.startswith(ENROLMENT):
        raise InvalidState("cannot enrol: the caller has to show an enrolment token")
    used = await _used(call)
    user = await call.parts.rows.user(used.account, used.user)
    if user.service and used.enrols_seconds > MAX_SESSION_SECONDS:
        raise InvalidState("cannot enrol: the user has become a service since, whose tokens are not good for so long")
    expires_ms = call.time_ms + used.enrols_seconds * 1000
    shown, token = new_token(call, user, expires_ms)
    call.rest_on(user)
    # Both or neither: of two who use it at once, one loses here, and then finds it gone.
    await call.commit(Delete(used), call.add(token))
    return EnrolHostResponse(
        account=user.account,
        user=user.name,
        id=token.id,
        token=shown,
        expires_ms=expires_ms,
        network=token.network or None,
    )


async def _used(call: Call) -> Token:
    """The enrolment token as it is now; Unauthenticated where it was used meanwhile."""
    identifier = call.principal.proof.removeprefix(ENROLMENT)
    user = call.principal.path.removeprefix("user/")
    try:
        token = await call.parts.storage.proofs.token_of_user(call.account, user, identifier)
    except NotFound:
        raise Unauthenticated from None
    if not token.enrols_seconds:
        raise Unauthenticated
    return token
