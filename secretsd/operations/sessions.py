"""Operations on sessions: whoever a role trusts becomes that role for a while (AWS STS AssumeRole)."""

import base64

from secretsd.api.fields import TextValue
from secretsd.api.sessions import (
    AssumeRoleRequest,
    AssumeRoleResponse,
    ListRoleSessionsRequest,
    ListRoleSessionsResponse,
    SessionDescription,
)
from secretsd.domain import policy_document
from secretsd.domain.credentials import (
    MAX_CHAINED_SECONDS,
    MAX_SESSIONS,
    SESSION_KEY_PREFIX,
    USUAL_SESSION_SECONDS,
    Session,
    session_context,
)
from secretsd.domain.errors import InvalidRequest, InvalidState, LimitExceeded
from secretsd.domain.principals import Role
from secretsd.operations import pages
from secretsd.operations.authenticator import SESSION_PREFIX, token_digest
from secretsd.operations.call import Call
from secretsd.operations.credential_sealing import new_access_key_id, new_secret, sealed_credential
from secretsd.operations.ids import take_random
from secretsd.operations.registry import operation, permissions
from secretsd.ports.storage import ProofUse


@operation("AssumeRole", "POST /v1/roles/{role}:assume", audited=("session_name", "duration_seconds", "external_id"))
async def assume_role(call: Call, request: AssumeRoleRequest) -> AssumeRoleResponse:
    """Become a role for a while, of the caller's account or another one, as its trust policy allows."""
    account, name = call.resource.account, call.resource.path.removeprefix("role/")
    chained = await _is_chained(call)
    policy = policy_document.read(request.session_policy, permissions()) if request.session_policy is not None else ()
    role = await call.parts.rows.role(account, name)
    seconds = _seconds(role, request.duration_seconds, chained)
    opener = str(call.principal.resource)
    if await call.parts.storage.proofs.count_sessions(role, opener, call.time_ms) >= MAX_SESSIONS:
        raise LimitExceeded(f"cannot open a session: the caller has {MAX_SESSIONS} of role {name} that are good")
    identifier = new_access_key_id(SESSION_KEY_PREFIX)
    secret = TextValue.from_text(new_secret())
    token = TextValue.from_text(SESSION_PREFIX + base64.urlsafe_b64encode(take_random(32)).decode().rstrip("="))
    session = Session(
        token_digest(token),
        identifier,
        account,
        name,
        role.id,
        request.session_name,
        await sealed_credential(call, account, secret, session_context(account, role.id, identifier)),
        policy,
        opener,
        chained,
        # After the last revocation, whatever the clock says: what is revoked later is a change of the role.
        max(call.time_ms, role.revoked_ms + 1),
        call.time_ms + seconds * 1000,
        # Or whoever took away what proves the caller would be free of its network by this call.
        network=call.principal.network,
    )
    call.fields["session"] = identifier
    if policy:
        call.fields["bounded"] = True
    call.fields["duration_seconds"] = seconds
    if session.network:
        call.fields["network"] = session.network
    call.rest_on(role)
    await call.commit(call.add(session))
    return AssumeRoleResponse(
        role=str(call.resource),
        session_name=session.name,
        access_key=identifier,
        secret=secret,
        session_token=token,
        expires_ms=session.expires_ms,
        network=session.network or None,
    )


@operation("ListRoleSessions", "GET /v1/roles/{role}:sessions")
async def list_role_sessions(call: Call, request: ListRoleSessionsRequest) -> ListRoleSessionsResponse:
    """List the sessions of a role that are good, who opened them, and when each was used last."""
    role = await call.parts.rows.role(call.account, request.role)
    found = await call.parts.storage.proofs.sessions(
        call.account, role.name, call.time_ms, pages.after(request.next_token), request.limit + 1
    )
    shown, token = pages.page(found, request.limit, lambda session: session.access_key)
    uses = await call.parts.proof_uses.last(f"session/{session.access_key}" for session in shown)
    return ListRoleSessionsResponse(
        sessions=tuple(
            _described(session, uses.get(f"session/{session.access_key}"))
            for session in shown
            if session.role_id == role.id and session.created_ms > role.revoked_ms
        ),
        next_token=token,
    )


async def _is_chained(call: Call) -> bool:
    """Whether the caller is a role already; InvalidState where he became that from another role."""
    principal = call.principal
    if principal.session and (await call.parts.rows.session(principal.session)).chained:
        raise InvalidState("cannot become a third role: the session was opened by another role's session")
    return principal.path.startswith("role/")


def _seconds(role: Role, wanted: int | None, chained: bool) -> int:
    most = min(role.max_session_seconds, MAX_CHAINED_SECONDS) if chained else role.max_session_seconds
    if wanted is not None and wanted > most:
        why = " when a role opens it" if chained and most < role.max_session_seconds else ""
        raise InvalidRequest(f"cannot open a session for so long: role {role.name} allows {most} seconds{why}")
    return wanted or min(most, USUAL_SESSION_SECONDS)


def _described(session: Session, use: ProofUse | None) -> SessionDescription:
    return SessionDescription(
        access_key=session.access_key,
        session_name=session.name,
        opened_by=session.by,
        created_ms=session.created_ms,
        expires_ms=session.expires_ms,
        chained=session.chained,
        bounded=bool(session.policy),
        network=session.network or None,
        last_used_ms=use.time_ms if use else None,
        last_used_from=use.source if use else None,
        last_operation=use.operation if use else None,
    )
