"""AssumeRole: a principal becomes a role for a while, as AWS STS and Alibaba Cloud STS name it."""

import base64
from dataclasses import replace

from secretsd.api.fields import TextValue
from secretsd.api.sessions import AssumeRoleRequest, AssumeRoleResponse
from secretsd.domain import policy_document
from secretsd.domain.credentials import MAX_CHAINED_SECONDS, SESSION_KEY_PREFIX, Session, session_context
from secretsd.domain.errors import InvalidRequest, InvalidState
from secretsd.domain.names import Resource
from secretsd.domain.policy import Statement
from secretsd.operations import credential_secrets
from secretsd.operations.authenticator import SESSION_PREFIX, token_digest
from secretsd.operations.call import Call
from secretsd.operations.ids import take_random
from secretsd.operations.registry import operation, permissions

DEFAULT_SECONDS = 3_600


@operation("AssumeRole", "POST /v1/roles/{role}:assume", audited=("session_name", "duration_seconds", "external_id"))
async def assume_role(call: Call, request: AssumeRoleRequest) -> AssumeRoleResponse:
    """Become a role for a while, also in another account, where its trust policy and the caller's own allow it."""
    role = await call.parts.rows.role(call.resource.account, call.resource.path.removeprefix("role/"))
    longest = role.max_session_seconds
    chained = bool(call.principal.session)
    if chained:
        if (await call.parts.rows.session(call.principal.session)).chained:
            raise InvalidState("cannot assume the role: a session that was opened from a session opens no third one")
        longest = min(longest, MAX_CHAINED_SECONDS)
    seconds = request.duration_seconds or min(DEFAULT_SECONDS, longest)
    if seconds > longest:
        raise InvalidRequest(f"cannot assume the role: duration_seconds is over {longest}")
    policy: tuple[Statement, ...] = ()
    if request.document is not None:
        policy = policy_document.read(request.document, permissions())
    token = TextValue.from_text(SESSION_PREFIX + base64.urlsafe_b64encode(take_random(32)).decode().rstrip("="))
    session = Session(
        token_digest(token),
        credential_secrets.new_id(SESSION_KEY_PREFIX),
        role.account,
        role.name,
        role.id,
        request.session_name,
        "",
        policy,
        str(call.principal.resource),
        chained,
        call.time_ms,
        call.time_ms + seconds * 1000,
    )
    secret = credential_secrets.new_secret()
    sealed = await credential_secrets.seal(call, role.account, session_context(session), secret)
    call.fields["session"] = session.access_key
    call.rest_on(role)
    await call.commit(call.add(replace(session, secret=sealed)))
    return AssumeRoleResponse(
        access_key_id=session.access_key,
        access_key_secret=TextValue(secret.reveal()),
        session_token=token,
        role=str(Resource(role.account, role.path)),
        session_name=session.name,
        expires_ms=session.expires_ms,
    )
