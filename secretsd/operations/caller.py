"""The operation on who is calling."""

from secretsd.api.caller import GetCallerIdentityRequest, GetCallerIdentityResponse
from secretsd.operations.call import Call
from secretsd.operations.registry import operation


@operation("GetCallerIdentity", "GET /v1/caller-identity")
async def get_caller_identity(call: Call, request: GetCallerIdentityRequest) -> GetCallerIdentityResponse:
    """Tell who is calling and how that was proved."""
    principal = call.principal
    way = call.facts.way
    return GetCallerIdentityResponse(
        account=principal.account,
        principal=str(principal.resource),
        proof=principal.proof,
        session_name=principal.session_name or None,
        uid=way.uid,
        unit=way.unit or None,
    )
