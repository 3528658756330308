"""The asynchronous client: every operation as a typed method, with a deadline and bounded retries."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from secretsd.api.fields import Request, Response
from secretsd.api.values import GetSecretValueResponse
from secretsd.api.watch import SecretChange, WatchSecretsRequest
from secretsd.client._generated_calls import ROUTES, GeneratedCalls
from secretsd.client.cache import DEFAULT_MAX_AGE_SECONDS, SecretCache
from secretsd.client.connections import Connections, OpenAnswer
from secretsd.client.endpoint import Endpoint
from secretsd.client.errors import ClientError, DaemonUnavailable, UnreadableAnswer, refusal
from secretsd.client.event_stream import read_events
from secretsd.client.login import Login, Made, Refused, is_refusal, worth_another
from secretsd.client.messages import (
    Incoming,
    Outgoing,
    Route,
    prepare,
    read_answer,
    read_document,
    with_token,
)
from secretsd.client.retries import Retries
from secretsd.client.tls import TlsFiles
from secretsd.client.watch import Watching
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
        tls: TlsFiles | None = None,
        deadline_seconds: float = 10.0,
        retries: Retries | None = None,
        connections: int = 16,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = Endpoint.choose(socket=socket, address=address, token=token, tls=tls, environment=environment)
        self.secrets = SecretCache(self, watch=self._watching)
        self._deadline_seconds = deadline_seconds
        self._retries = retries or Retries()
        self._connections = Connections(self.endpoint, connections)
        self._streams = Connections(self.endpoint, 0)  # of their own: they would keep the others' places for good

    @classmethod
    def from_environment(cls, *, deadline_seconds: float = 10.0, retries: Retries | None = None) -> Self:
        """The client that SECRETSD_SOCKET, SECRETSD_ADDR and SECRETSD_TOKEN describe; without them the usual socket.

        Over https also SECRETSD_CA_FILE, SECRETSD_CLIENT_CERTIFICATE and SECRETSD_CLIENT_KEY (see TlsFiles).
        """
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
        await self._streams.close()

    def __repr__(self) -> str:
        return f"Client({str(self.endpoint)!r})"

    async def call(self, operation: str, request: Request) -> Response:
        """Call any operation by its name. A write of a value without a token gets one, so that it may be repeated."""
        route = _route(operation)
        if route.streams:
            raise ClientError(f"cannot call {operation} for one answer: it goes on, so it is streamed")
        outgoing = prepare(operation, route, with_token(request))
        return read_answer(operation, route.response, await self._exchange(outgoing))

    async def exchange(self, operation: str, request: Request, answer: type[Answer]) -> Answer:
        """What the generated methods call: as `call`, with the type of the answer known."""
        response = await self.call(operation, request)
        if not isinstance(response, answer):
            raise ClientError(f"cannot call {operation} for a {answer.__name__}")
        return response

    async def stream(self, operation: str, request: Request, answer: type[Answer]) -> AsyncIterator[Answer]:
        """The items of an answer that goes on, until its connection ends; `watch` goes on after that."""
        opened = await self._opened(operation, request)
        try:
            async with aclosing(read_events(opened)) as events:
                async for event in events:
                    if event.data:
                        item = read_document(operation, answer, event.data)
                        if isinstance(item, answer):
                            yield item
        finally:
            opened.close()

    async def watch(
        self, names: Iterable[str], *, last_event_id: str | None = None
    ) -> AsyncGenerator[SecretChange, None]:
        """How secrets are now, and from then on each change, for as long as it is read; values are not told.

        Connects again by itself and goes on where it broke off, so the last state always arrives; what is between may
        be left out. A refusal is raised, and DaemonUnavailable if the daemon was not there at the beginning.
        """
        async with aclosing(self._watching(names, last_event_id).told()) as following:
            async for told in following:
                if told.change is not None:
                    yield told.change

    async def login(
        self,
        name: str,
        connect: Callable[[GetSecretValueResponse], Awaitable[Made]],
        *,
        refused: Refused,
        stage: str | None = None,
        max_age_seconds: float = DEFAULT_MAX_AGE_SECONDS,
    ) -> Login[Made]:
        """What `connect` makes of the secret's value, which may come out of the cache.

        Where it raises one of `refused`, the value is read again, once, and tried again if it is another one; else, and
        the second time, the error is the caller's.
        """
        found = await self.secrets.get_version(name, stage, max_age_seconds=max_age_seconds)
        try:
            return Login(await connect(found), found.version_id, reread=False)
        except Exception as error:
            if not is_refusal(error, refused):
                raise
            again = await self.secrets.read_again(name, stage)
            if not worth_another(found, again):
                raise
        return Login(await connect(again), again.version_id, reread=True)

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

    def _watching(self, names: Iterable[str], last_event_id: str | None = None) -> Watching:
        if isinstance(names, str):
            raise ClientError("cannot watch: give a list of names")
        request = WatchSecretsRequest(names=tuple(names))

        async def connect(event_id: str | None) -> OpenAnswer:
            return await self._opened("WatchSecrets", msgspec.structs.replace(request, last_event_id=event_id))

        return Watching(connect, self._retries, last_event_id)

    async def _opened(self, operation: str, request: Request) -> OpenAnswer:
        """An answer that goes on, its head read within the deadline; no second try."""
        outgoing = prepare(operation, _route(operation), request)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                opened = await self._streams.open(outgoing)
        except TimeoutError:
            opened = None
        if opened is None:
            raise self._too_late(operation, sent=True)
        if isinstance(opened, Incoming):
            raise refusal(operation, opened.status, opened.headers, opened.body)
        return opened

    def _too_late(self, operation: str, *, sent: bool) -> DaemonUnavailable:
        return DaemonUnavailable(
            f"cannot get an answer to {operation} from {self.endpoint} within {self._deadline_seconds:g} s", sent=sent
        )

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
        raise self._too_late(outgoing.operation, sent=sent)

    def _passing(self, outgoing: Outgoing, incoming: Incoming, attempt: int, left: float) -> float | None:
        if incoming.status not in (429, 502, 503, 504):
            return None
        error: SecretsdError = refusal(outgoing.operation, incoming.status, incoming.headers, incoming.body)
        return self._retries.wait_seconds(outgoing, error, attempt, left)


def _route(operation: str) -> Route:
    route = ROUTES.get(operation)
    if route is None:
        raise ClientError("cannot call the operation: this client does not know its name")
    return route
