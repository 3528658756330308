"""The operation that drafts a policy from what a user or role has used, as the audit trail has it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from secretsd.api.policy_explanations import DraftPolicyFromUseRequest, DraftPolicyFromUseResponse
from secretsd.domain import policy_document
from secretsd.domain.errors import InvalidRequest, LimitExceeded
from secretsd.domain.names import Resource, split_reference
from secretsd.domain.policy_document import InvalidPolicy
from secretsd.domain.policy_drafts import Draft, Use, draft
from secretsd.domain.principals import RESERVED_ROLES
from secretsd.operations.call import Call
from secretsd.operations.implied_uses import implied_uses
from secretsd.operations.known_facts import BESIDE_POLICIES
from secretsd.operations.registry import OPERATIONS, operation, permissions
from secretsd.ports.storage import EventFilter

MAX_EVENTS, MAX_LOOKS, PAGE = 100_000, 400, 1_000
"""How much of the trail is looked at for one draft: one answer within seconds, whatever there is."""
_DAY_MS = 24 * 3600 * 1000
_TIME_BITS = 48
_ID_BITS = 128


class UsedEvent(msgspec.Struct, frozen=True):
    """What of an event tells which permissions were used."""

    operation: str
    resource: str
    outcome: str
    fields: Mapping[str, Any] = {}


_decode = msgspec.json.Decoder(UsedEvent).decode


@operation("DraftPolicyFromUse", "GET /v1/policies:from-use", audited=("days", "generalise"))
async def draft_policy_from_use(call: Call, request: DraftPolicyFromUseRequest) -> DraftPolicyFromUseResponse:
    """Draft a policy that allows what a user or role did, and no more; needs LookupEvents on the trail as well."""
    await call.require("LookupEvents", Resource(call.account, "audit"))
    if call.resource.path in RESERVED_ROLES:
        raise InvalidRequest("cannot draft a policy for a role of scheduled work: what it may do stands in the program")
    # Whoever had the name before is somebody else.
    from_ms = max(await _made_ms(call), call.time_ms - request.days * _DAY_MS)
    wanted = EventFilter(call.account, from_ms, call.time_ms, str(call.resource))
    used = Uses(call.account)
    after: bytes | None = None
    looks, events = 0, 0
    while looks < MAX_LOOKS and events < MAX_EVENTS:
        found, after = await call.parts.storage.audit.lookup(wanted, after, PAGE)
        looks, events = looks + 1, events + len(found)
        for data in found:
            used.note(_decode(data))
        if after is None:
            break
    made = await asyncio.to_thread(draft, used.all, call.account, request.generalise)
    return DraftPolicyFromUseResponse(
        principal=str(call.resource),
        events=events,
        complete=after is None,
        until_ms=call.time_ms if after is None else int.from_bytes(after, "big") >> (_ID_BITS - _TIME_BITS),
        document=_document(made) if made.statements else None,
        generalised=made.generalised,
        left_out=tuple(sorted({*made.left_out, *used.left_out})),
    )


async def _made_ms(call: Call) -> int:
    kind, _, name = call.resource.path.partition("/")
    rows = call.parts.rows
    holder = await (rows.user(call.account, name) if kind == "user" else rows.role(call.account, name))
    return holder.created_ms


class Uses:
    """The permissions that events tell of, `all` of them. `left_out` is what cannot be told any more."""

    def __init__(self, account: str) -> None:
        self.left_out: set[str] = set()
        self.all: set[Use] = set()
        self._account = account
        self._known = permissions()

    def note(self, event: UsedEvent) -> None:
        """Take in one event; a call that failed used nothing."""
        if event.outcome != "ok" or event.operation in BESIDE_POLICIES:
            return
        if event.operation not in self._known:
            self.left_out.add(f"{event.operation}: there is no operation of that name any more")
            return
        resource = Resource(*split_reference(event.resource))  # type: ignore[arg-type]  # events name them in full
        declared = OPERATIONS.get(event.operation)
        # A star that a caller wrote is a name; one that stands for the list of what begins so is the operation's own.
        listing = (
            declared is not None
            and resource.path.endswith("*")
            and "resource" not in declared.request.__struct_fields__
        )
        self.all.add(Use(event.operation, resource, listing))
        self.all.update(implied_uses(self._account, event.operation, resource, event.fields))


def _document(made: Draft) -> str:
    text = policy_document.text(made.statements)
    if len(text.encode()) > policy_document.MAX_DOCUMENT_BYTES:
        raise LimitExceeded(
            f"cannot draft the policy: it would be longer than {policy_document.MAX_DOCUMENT_BYTES} bytes; let "
            "patterns stand for names that were used alike (generalise), or look at fewer days"
        )
    try:
        policy_document.read(text, permissions())
    except InvalidPolicy as wrong:  # a draft that nobody could put to use must not look like one
        raise LimitExceeded(f"cannot draft the policy: {wrong.problem}") from None
    return text
