"""The native dialect at work: one HTTP request in, one reply out, through the pipeline."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import msgspec

from secretsd.api.fields import show_value
from secretsd.dialects.native import oauth
from secretsd.dialects.native.errors import TITLES, problem
from secretsd.dialects.native.event_stream import EVENT_STREAM, EventStream
from secretsd.dialects.native.requests import Reader
from secretsd.dialects.native.routes import MethodNotAllowed, Routes
from secretsd.domain.errors import NotFound, SecretsdError
from secretsd.operations.authenticator import Caller
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.registry import Operation

JSON = "application/json"
PROBLEM = "application/problem+json"
PAGE_METHODS = ("GET", "HEAD")
NO_HEADERS: Mapping[str, str] = {}


class Incoming(NamedTuple):
    """A request as a transport hands it over: `path` raw and without the query, `body` complete.

    `headers` are found whatever the case of their names.
    """

    method: str
    path: str
    query: str
    content_type: str
    body: bytes
    caller: Caller
    headers: Mapping[str, str] = NO_HEADERS


class Streamed(Protocol):
    """A body that comes piece by piece. Whoever is handed one closes it, read or not."""

    async def next(self) -> bytes:
        """The next piece, waited for; empty when it is over."""
        ...

    def end(self) -> None:
        """The connection is about to end: what says so is the last piece, and comes now."""
        ...

    def close(self) -> None:
        """Nobody reads on."""
        ...


class Reply(NamedTuple):
    """What goes back. `request_id` is empty where nothing was asked of an operation; a `stream` follows the head in the
    place of the body, until the connection ends."""

    status: int
    content_type: str
    body: bytes
    request_id: str = ""
    headers: Mapping[str, str] = NO_HEADERS
    stream: Streamed | None = None

    @property
    def reason(self) -> str:
        """The status in words."""
        return "OK" if self.status == 200 else TITLES[self.status]


Page = Callable[[], tuple[int, str, bytes]]
"""A document that is no operation (health, metrics, OpenAPI): status, content type and body."""


class NativeDialect:
    """Translates between HTTP and operations. The response encoder here is the one place where values are shown."""

    def __init__(self, pipeline: Pipeline, operations: Mapping[str, Operation], pages: Mapping[str, Page]) -> None:
        self._pipeline = pipeline
        self._routes = Routes(operations.values())
        self._readers = {name: Reader(operation) for name, operation in operations.items() if operation.route}
        self._pages = pages
        self._encode = msgspec.json.Encoder(enc_hook=show_value).encode

    async def answer(self, incoming: Incoming) -> Reply:
        """Run what is asked. Every reply but that of a document has its event written."""
        try:
            match = self._routes.match(incoming.method, incoming.path)
        except NotFound as error:
            page = self._pages.get(incoming.path)
            if page is None:
                return await self.refuse(incoming.caller, error)
            if incoming.method in PAGE_METHODS:
                return Reply(*page())
            return await self.refuse(incoming.caller, MethodNotAllowed(PAGE_METHODS), 405)
        except SecretsdError as error:
            return await self.refuse(incoming.caller, error, 405 if isinstance(error, MethodNotAllowed) else None)
        operation = match.operation
        if operation.name == oauth.OPERATION and oauth.is_form(incoming.content_type):
            return await self._answer_form(operation, incoming)
        reader = self._readers[operation.name]
        answer = await self._pipeline.run(
            operation,
            lambda: reader.read(match.name, incoming.query, incoming.body, incoming.content_type, incoming.headers),
            incoming.caller,
        )
        if answer.error is not None:
            status, body, headers = problem(answer.error, answer.request_id)
            return Reply(status, PROBLEM, body, answer.request_id, headers)
        if answer.stream is not None:
            stream = EventStream(answer.stream, self._encode)
            return Reply(200, EVENT_STREAM, b"", answer.request_id, stream=stream)
        return Reply(200, JSON, self._encode(answer.response), answer.request_id)

    async def _answer_form(self, operation: Operation, incoming: Incoming) -> Reply:
        """The one operation that OAuth's clients ask for, in their own words."""
        form = oauth.Form.read(incoming.body)
        answer = await self._pipeline.run(
            operation, lambda: form.request(incoming.caller, incoming.query), form.caller(incoming.caller)
        )
        if answer.error is not None:
            status, body, headers = oauth.problem(answer.error)
            return Reply(status, JSON, body, answer.request_id, headers)
        return Reply(200, JSON, self._encode(answer.response), answer.request_id, oauth.NOT_KEPT)

    async def refuse(self, caller: Caller, error: SecretsdError, status: int | None = None) -> Reply:
        """The reply to a request in which no operation could be recognised; its event is written as well."""
        answer = await self._pipeline.refuse(caller, error, {})
        told = answer.error or error
        code, body, headers = problem(told, answer.request_id, status if told is error else None)
        if isinstance(error, MethodNotAllowed):
            headers["Allow"] = error.allowed
        return Reply(code, PROBLEM, body, answer.request_id, headers)
