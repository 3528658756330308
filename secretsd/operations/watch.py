"""The operation that watches secrets: its answer goes on for as long as the connection does."""

from secretsd.api.watch import SecretChange, WatchSecretsRequest
from secretsd.domain.names import Resource
from secretsd.operations.call import Call
from secretsd.operations.registry import operation
from secretsd.operations.streams import Stream
from secretsd.operations.watching import PERMISSION


@operation(PERMISSION, "GET /v1/secrets:watch", audited=("names",))
async def watch_secrets(call: Call, request: WatchSecretsRequest) -> Stream[SecretChange]:
    """Tell how secrets are, and every change of that, without their values, for as long as the connection lasts."""
    names = tuple(dict.fromkeys(request.names))
    for name in names:  # all of them first, so that what is unknown and what is forbidden look alike
        await call.require(PERMISSION, Resource(call.account, f"secret/{name}"))
    call.parts.watchers.require_room()
    if request.last_event_id is None:
        for name in names:
            await call.parts.rows.secret(call.account, name)
    return call.parts.watchers.open(call.principal, call.facts, names, request.last_event_id)
