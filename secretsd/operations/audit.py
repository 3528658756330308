"""Operations on the audit trail."""

import binascii

import msgspec

from secretsd.api.audit import LookupEventsRequest, LookupEventsResponse
from secretsd.domain.errors import InvalidRequest
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.ports.storage import EventFilter


@operation("LookupEvents", "GET /v1/events", audited=("account", "from_ms", "to_ms", "operation", "request_id"))
async def lookup_events(call: Call, request: LookupEventsRequest) -> LookupEventsResponse:
    """Look up events by time, principal, resource, operation or request."""
    wanted = EventFilter(
        request.account or call.account,
        request.from_ms,
        request.to_ms,
        request.principal,
        request.resource,
        request.operation,
        None if request.request_id is None else bytes.fromhex(request.request_id),
    )
    try:
        after = None if request.next_token is None else binascii.unhexlify(request.next_token)
    except ValueError:
        after = b""
    if after is not None and len(after) != 16:
        raise InvalidRequest("cannot go on with the list: next_token is not one of ours")
    found, following = await call.parts.storage.audit.lookup(wanted, after, request.limit)
    return LookupEventsResponse(
        events=tuple(map(msgspec.Raw, found)), next_token=None if following is None else following.hex()
    )
