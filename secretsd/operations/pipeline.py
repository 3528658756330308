"""The one road of every call: authenticate, read the request, authorise, run, audit. No answer leaves unrecorded."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from secretsd.api.cryptography import OfCiphertext
from secretsd.api.fields import Request, Response
from secretsd.domain.audit import AuditEvent
from secretsd.domain.errors import (
    AccessDenied,
    ErrorKind,
    Internal,
    SecretsdError,
    Throttled,
    Unauthenticated,
)
from secretsd.domain.names import Resource
from secretsd.domain.principals import HOST_ROOT, ROOT_ONLY, Principal
from secretsd.operations import events, key_references
from secretsd.operations.attempts import Attempts
from secretsd.operations.authenticator import Authenticator, Caller
from secretsd.operations.call import Call
from secretsd.operations.denials import denial
from secretsd.operations.ids import new_request_id
from secretsd.operations.limits import CallerLimits
from secretsd.operations.parts import Parts
from secretsd.operations.refusals import known, refused_early
from secretsd.operations.registry import OPERATIONS, Operation
from secretsd.operations.request_facts import SCHEDULED, RequestFacts
from secretsd.operations.streams import Stream
from secretsd.ports.storage import Fence

UNRECOGNISED = "Unrecognised"
"""The operation of an event about a request in which no operation could be recognised."""


class Answer(NamedTuple):
    """What became of a call. Exactly one of `response`, `error` and `stream` is set; its event is written.

    A stream is the receiver's to close.
    """

    request_id: str
    response: Response | None = None
    error: SecretsdError | None = None
    stream: Stream[Any] | None = None


class Pipeline:
    """Runs operations. `counts` has the answers by operation and outcome since the start.

    `storage_failures` is how many of them the storage failed.
    """

    def __init__(self, parts: Parts, max_in_flight: int = 2048, limits: CallerLimits | None = None) -> None:
        self.parts = parts
        self.counts: dict[tuple[str, str], int] = {}
        self.storage_failures = 0
        self._limits = limits or CallerLimits()
        self._authenticator = Authenticator(
            parts.rows, parts.jwt_proofs, parts.access_key_proofs, parts.tls_proofs, self._limits
        )
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._attempts = Attempts()

    async def run(self, operation: Operation, read: Callable[[], Request], caller: Caller) -> Answer:
        """Answer one request from outside. `read` makes the typed request, or raises InvalidRequest."""
        parts = self.parts
        now_ms = parts.clock.now_ms()
        request_id = new_request_id(now_ms)
        principal: Principal | None = None
        call: Call | None = None
        answered: Response | Stream[Any] | None = None
        self._in_flight += 1
        try:
            parts.storage.refresh()
            if self._in_flight > self._max_in_flight:
                raise Throttled(retry_after_seconds=1)
            principal = await self._proved(operation, caller, now_ms)
            if principal != HOST_ROOT:
                parts.proof_uses.note(principal, now_ms, caller.source, operation.name)
                self._limits.admit(principal)
            written = read()
            request = await key_references.resolved(parts.rows, principal.account, written)
            facts = RequestFacts(principal, caller.way, request, now_ms)
            call = self._call(operation, request, principal, request_id, facts, caller.source)
            if call.resource.account != principal.account:
                call.is_nobodys = not await parts.rows.has_account(call.resource.account)
            unnamed = isinstance(request, OfCiphertext) and request.key is None
            if unnamed:
                call.resource = await key_references.owned(parts.rows, call.resource)
            try:
                await parts.authorizer.require(principal, operation.name, call.resource, facts)
            except AccessDenied:
                if call.resource.account == principal.account:
                    raise await self._denial(call, written) from None
                if unnamed:
                    await self._require_as_unknown(call, written)
                else:
                    # His own trail tells him no more: not what an alias of another account stands for.
                    is_nobodys = call.is_nobodys
                    call = self._call(operation, written, principal, request_id, facts, caller.source)
                    call.is_nobodys = is_nobodys
                    raise await self._denial(call, written) from None
            admitted = call

            async def still() -> None:
                await self._require_still(admitted, caller, written)

            answered = await self._attempts.handle(call, request, still)
            if not call.committed:
                await parts.storage.audit.record(events.record(call.event("ok")))
        except Exception as error:  # noqa: BLE001  # whatever went wrong is told, counted and recorded, never lost
            if isinstance(answered, Stream):
                answered.close()
            return await self._refuse(operation, principal, call, request_id, now_ms, caller, known(error))
        finally:
            self._in_flight -= 1
        self._count(operation.name, "ok")
        if isinstance(answered, Stream):
            answered.proved_by(lambda: self._authenticator.principal(caller, parts.clock.now_ms()))
            return Answer(request_id.hex(), stream=answered)
        return Answer(request_id.hex(), answered)

    async def _proved(self, operation: Operation, caller: Caller, now_ms: int) -> Principal:
        if operation.name in ROOT_ONLY and caller.is_root:
            return HOST_ROOT
        principal = await self._authenticator.principal(caller, now_ms)
        self._authenticator.require_its_operation(principal, operation.name)
        return principal

    async def _require_still(self, call: Call, caller: Caller, written: Request) -> None:
        """Raise where a call that had to wait is no longer its caller's to make: it would outlive what was revoked."""
        now_ms = self.parts.clock.now_ms()
        if await self._proved(call.operation, caller, now_ms) != call.principal:
            raise Unauthenticated
        try:
            await self.parts.authorizer.require(
                call.principal, call.operation.name, call.resource, call.facts.at(now_ms)
            )
        except AccessDenied:
            raise await self._denial(call, written) from None

    async def _denial(self, call: Call, written: Request) -> AccessDenied:
        by_alias, asked = "alias/" in written.resource_path, (call.operation.name, call.resource, call.facts)
        return await denial(self.parts.authorizer, call.principal, *asked, by_alias=by_alias)

    async def _require_as_unknown(self, call: Call, written: Request) -> None:
        """Go on as if nobody had the key that a ciphertext names: the caller hears of it what he hears of none.

        Its owner's auditors see that it was tried, and on which key, in an event of their own: one that both accounts
        have would tell the caller's whose key it is.
        """
        tried = call.event(ErrorKind.ACCESS_DENIED.value)
        tried = tried._replace(id=new_request_id(call.time_ms), accounts=(call.resource.account,))
        await self.parts.storage.audit.record(events.record(tried))
        call.resource = Resource(call.account, call.resource.path)
        try:
            await self.parts.authorizer.require(call.principal, call.operation.name, call.resource, call.facts)
        except AccessDenied:
            raise await self._denial(call, written) from None

    async def run_scheduled(
        self, operation: Operation, request: Request, principal: Principal, fence: Fence | None
    ) -> Response:
        """A step of scheduled work, by the same road: authorised as its principal, one event, errors raise."""
        parts = self.parts
        now_ms = parts.clock.now_ms()
        request_id = new_request_id(now_ms)
        parts.storage.refresh()
        facts = RequestFacts(principal, SCHEDULED, request, now_ms)
        call = self._call(operation, request, principal, request_id, facts, "schedule", fence)
        try:
            await parts.authorizer.require(principal, operation.name, call.resource, facts)

            async def still() -> None:
                again = facts.at(parts.clock.now_ms())
                await parts.authorizer.require(principal, operation.name, call.resource, again)

            response = _whole(await self._attempts.handle(call, request, still))
            if not call.committed:
                await parts.storage.audit.record(events.record(call.event("ok")))
        except Exception as error:
            refused = known(error)
            caller = Caller("schedule")
            await self._refuse(operation, principal, call, request_id, now_ms, caller, refused)
            raise refused from error
        self._count(operation.name, "ok")
        return response

    async def refuse(self, caller: Caller, error: SecretsdError, fields: Mapping[str, str]) -> Answer:
        """Record a request in which no operation could be recognised; the answer carries the error."""
        now_ms = self.parts.clock.now_ms()
        request_id = new_request_id(now_ms)
        principal: Principal | None = None
        try:
            self.parts.storage.refresh()
            principal = await self._authenticator.principal(caller, now_ms)
            self._limits.admit(principal)
        except Exception as unproved:  # noqa: BLE001  # then it belongs to nobody, as the event will say
            if isinstance(found := known(unproved), Throttled):
                error = found
        event = refused_early(UNRECOGNISED, principal, request_id, now_ms, caller, error, fields)
        return await self._recorded(event, error)

    def _call(
        self,
        operation: Operation,
        request: Request,
        principal: Principal,
        request_id: bytes,
        facts: RequestFacts,
        source: str,
        fence: Fence | None = None,
    ) -> Call:
        fields = {}
        for name in operation.audited:
            value = getattr(request, name)
            if isinstance(value, Mapping):
                value = tuple(f"{key}={one}" for key, one in sorted(value.items()))
            if value is not None and value != ():
                fields[name] = value
        resource = Resource(request.resource_account or principal.account, request.resource_path)

        async def run_step(name: str, step: Request) -> Response:
            return await self.run_scheduled(OPERATIONS[name], step, principal, fence)

        return Call(self.parts, operation, principal, request_id, facts, source, resource, fields, [], run_step, fence)

    async def _refuse(
        self,
        operation: Operation,
        principal: Principal | None,
        call: Call | None,
        request_id: bytes,
        now_ms: int,
        caller: Caller,
        error: SecretsdError,
    ) -> Answer:
        if call is not None and call.committed:
            # The change is there and so is its event: what failed afterwards must not be recorded as a second one.
            self._count(operation.name, error.kind.value)
            return Answer(request_id.hex(), error=error)
        if call is not None:
            event = call.event(error.kind.value)
        else:
            event = refused_early(operation.name, principal, request_id, now_ms, caller, error, {})
        return await self._recorded(event, error)

    async def _recorded(self, event: AuditEvent, error: SecretsdError) -> Answer:
        try:
            await self.parts.storage.audit.record(events.record(event))
        except Exception as unrecorded:  # noqa: BLE001  # too many that wait, a fault of ours: no answer goes unrecorded
            error = known(unrecorded)
        self._count(event.operation, error.kind.value)
        return Answer(event.id.hex(), error=error)

    def _count(self, operation: str, outcome: str) -> None:
        counted = operation, outcome
        self.counts[counted] = self.counts.get(counted, 0) + 1
        if outcome == ErrorKind.STORAGE_UNAVAILABLE.value:
            self.storage_failures += 1


def _whole(answered: Response | Stream[Any]) -> Response:
    if isinstance(answered, Stream):
        answered.close()
        raise Internal
    return answered
