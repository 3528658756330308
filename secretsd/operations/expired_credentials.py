"""The step that takes away what proves nobody any more: tokens and sessions whose time is over for an hour."""

from secretsd.api.fields import Request, Response
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.ports.storage import Delete

KEPT_MS = 3_600_000
"""How long they can still be listed. Tokens of clients that renew theirs each minute count in the quota meanwhile."""
AT_ONCE = 500


class ForgetExpiredCredentialsRequest(Request, frozen=True, kw_only=True):
    """Of the account as whose role it runs."""

    @property
    def resource_path(self) -> str:
        """All of the account's."""
        return "token/*"


class ForgottenResponse(Response, frozen=True, kw_only=True):
    """How many were taken away."""

    tokens: int
    sessions: int


@operation("ForgetExpiredCredentials", None)
async def forget_expired_credentials(call: Call, request: ForgetExpiredCredentialsRequest) -> ForgottenResponse:
    """Take away an account's tokens and sessions that are over since an hour."""
    before_ms = call.time_ms - KEPT_MS
    proofs = call.parts.storage.proofs
    tokens = [one for one in await proofs.expired_tokens(before_ms, AT_ONCE) if one.account == call.account]
    sessions = [one for one in await proofs.expired_sessions(before_ms, AT_ONCE) if one.account == call.account]
    call.fields |= {"tokens": len(tokens), "sessions": len(sessions)}
    if tokens or sessions:
        await call.commit(*map(Delete, tokens), *map(Delete, sessions))
    return ForgottenResponse(tokens=len(tokens), sessions=len(sessions))
