"""The asynchronous client: every operation as a typed method, with a deadline and bounded retries."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from secretsd.api.fields import Request, Response
from secretsd.client._generated_calls import ROUTES, GeneratedCalls
from secretsd.client.cache import SecretCache
from secretsd.client.connections import Connections
from secretsd.client.endpoint import Endpoint
from secretsd.client.errors import ClientError, DaemonUnavailable, UnreadableAnswer, refusal
from secretsd.client.messages import Incoming, Outgoing, prepare, read_answer, with_token
from secretsd.client.retries import Retries
from secretsd.domain.errors import SecretsdError
from secretsd.domain.sensitive import Plaintext

Answer = TypeVar("Answer", bound=Response)


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon says it is: `serving` is False when it answers 503; `document` is its own description."""

    serving: bool
    document: Mapping[str, Any]


class Client(GeneratedCalls):
    """Talks to one daemon over kept-alive connections; belongs to one event loop, and any number of tasks may share it.

        async with Client() as client:
            found = await client.get_secret_value("prod/db/app")

    Refusals raise the SecretsdError of their kind, broken connections DaemonUnavailable. Values are Plaintext.
    `deadline_seconds` bounds a call with all of its tries and waits; at most `connections` are open at a time. The
    environment is read only where it is given (`Endpoint.choose` says what goes first).
    """

    def __init__(
        self,
        *,
        socket: str | os.PathLike[str] | None = None,
        address: str | None = None,
        token: Plaintext | None = None,
        deadline_seconds: float = 10.0,
        retries: Retries | None = None,
        connections: int = 16,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = Endpoint.choose(socket=socket, address=address, token=token, environment=environment)
        self.secrets = SecretCache(self)
        self._deadline_seconds = deadline_seconds
        self._retries = retries or Retries()
        self._connections = Connections(self.endpoint, connections)

    @classmethod
    def from_environment(cls, *, deadline_seconds: float = 10.0, retries: Retries | None = None) -> Self:
        """The client that SECRETSD_SOCKET, SECRETSD_ADDR and SECRETSD_TOKEN describe; without them the usual socket."""
        return cls(environment=os.environ, deadline_seconds=deadline_seconds, retries=retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections and forget the cached values."""
        self.secrets.clear()
        await self._connections.close()

    def __repr__(self) -> str:
        return f"Client({str(self.endpoint)!r})"

    async def call(self, operation: str, request: Request) -> Response:
        """Call any operation by its name. A write of a value without a token gets one, so that it may be repeated."""
        route = ROUTES.get(operation)
        if route is None:
            raise ClientError("cannot call the operation: this client does not know its name")
        outgoing = prepare(operation, route, with_token(request))
        return read_answer(operation, route.response, await self._exchange(outgoing))

    async def exchange(self, operation: str, request: Request, answer: type[Answer]) -> Answer:
        """What the generated methods call: as `call`, with the type of the answer known."""
        response = await self.call(operation, request)
        if not isinstance(response, answer):
            raise ClientError(f"cannot call {operation} for a {answer.__name__}")
        return response

    async def pages(self, operation: str, request: Request, answer: type[Answer]) -> AsyncIterator[Answer]:
        """All pages of a listing operation, each asked for when the one before it has been used."""
        token: str | None = None
        while True:
            page = await self.exchange(
                operation, msgspec.structs.replace(request, next_token=token) if token else request, answer
            )
            yield page
            following: str | None = getattr(page, "next_token", None)
            if following is None or following == token:
                return
            token = following

    async def health(self) -> Health:
        """The daemon's own word on how it is; no operation, so nobody need be allowed to ask and no event is left."""
        outgoing = Outgoing("health", "GET", "/v1/health", repeatable=False)
        incoming = await self._exchange(outgoing)
        try:
            document = msgspec.json.decode(incoming.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise UnreadableAnswer("cannot read the daemon's health: it is not a JSON object") from None
        if "kind" in document or incoming.status not in (200, 503):
            raise refusal("health", incoming.status, incoming.headers, incoming.body)
        return Health(incoming.status == 200, document)

    async def _exchange(self, outgoing: Outgoing) -> Incoming:
        """One answer, however many tries it takes within the deadline."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadline_seconds
        sent = False
        try:
            async with asyncio.timeout_at(end):
                attempt = 1
                while True:
                    try:
                        sent = True
                        incoming = await self._connections.exchange(outgoing)
                    except DaemonUnavailable as error:
                        sent = error.sent
                        wait = self._retries.wait_seconds(outgoing, error, attempt, end - loop.time())
                        if wait is None:
                            raise
                    else:
                        again = self._passing(outgoing, incoming, attempt, end - loop.time())
                        if again is None:
                            return incoming
                        wait = again
                    await asyncio.sleep(wait)
                    attempt += 1
        except TimeoutError:
            pass  # raised below, with nothing of the HTTP library behind it
        raise DaemonUnavailable(
            f"cannot get an answer to {outgoing.operation} from {self.endpoint} within {self._deadline_seconds:g} s",
            sent=sent,
        )

    def _passing(self, outgoing: Outgoing, incoming: Incoming, attempt: int, left: float) -> float | None:
        if incoming.status not in (429, 502, 503, 504):
            return None
        error: SecretsdError = refusal(outgoing.operation, incoming.status, incoming.headers, incoming.body)
        return self._retries.wait_seconds(outgoing, error, attempt, left)
