"""From a typed request to what goes over the wire, and from the answer back; knows nothing of connections."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec

from secretsd.api.fields import Request, Response, read_value, show_value
from secretsd.client.errors import ClientError, UnreadableAnswer, refusal


@dataclass(frozen=True, slots=True)
class Route:
    """An operation as the client knows it: `GET /v1/secrets/{name}:value` has collection, field and verb.

    `streams` is true where the answer goes on; `response` is then what its items are.
    """

    method: str
    collection: str
    field: str | None
    verb: str
    request: type[Request]
    response: type[Response]
    streams: bool = False

    @property
    def path(self) -> str:
        """The path as the reference writes it."""
        name = f"/{{{self.field}}}" if self.field else ""
        return f"/v1/{self.collection}{name}" + (f":{self.verb}" if self.verb else "")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request ready to be sent. `target` is path and query, escaped; `body` is empty or JSON, and not shown."""

    operation: str
    method: str
    target: str
    body: bytes = field(default=b"", repr=False)
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer as it came: `body` is not shown."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


_encode = msgspec.json.Encoder(enc_hook=show_value).encode


def with_token(request: Request) -> Request:
    """The request with a token of its own if it stores a value and has none: so it may be sent twice without harm."""
    if _stores_a_value(request) and getattr(request, "token", None) is None:
        return msgspec.structs.replace(request, token=str(uuid4()))
    return request


def prepare(operation: str, route: Route, request: Request) -> Outgoing:
    """What to send. Fields at their defaults stay away; a request of another operation raises ClientError."""
    if type(request) is not route.request:
        raise ClientError(f"cannot call {operation} with a {type(request).__name__}: it takes {route.request.__name__}")
    given = {
        name: value
        for name, default in _defaults(route.request)
        if name != route.field and (value := getattr(request, name)) != default
    }
    target = f"/v1/{route.collection}"
    if route.field is not None:
        target += "/" + _in_path(getattr(request, route.field), route.field)
    if route.verb:
        target += f":{route.verb}"
    if route.method in ("GET", "DELETE"):
        query = "&".join(f"{name}={_in_query(one, name)}" for name, value in given.items() for one in _each(value))
        target, body = target + (f"?{query}" if query else ""), b""
    else:
        body = _encode(given) if given else b""
    repeatable = route.method == "GET" or (_stores_a_value(request) and getattr(request, "token", None) is not None)
    return Outgoing(operation, route.method, target, body, repeatable)


def read_answer(operation: str, answer: type[Response], incoming: Incoming) -> Response:
    """The response, or the error that the daemon answered with; what is neither raises UnreadableAnswer."""
    if not 200 <= incoming.status < 300:
        raise refusal(operation, incoming.status, incoming.headers, incoming.body)
    return read_document(operation, answer, incoming.body)


def read_document(operation: str, answer: type[Response], document: bytes) -> Response:
    """A response, or an item of an answer that goes on; UnreadableAnswer when it is none."""
    try:
        return _decoder(answer).decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # raised below, where the parser's error is not its context: that one could hold a piece of the body
    raise UnreadableAnswer(f"cannot read the answer to {operation}: it is not a {answer.__name__}")


def _stores_a_value(request: Request) -> bool:
    return getattr(request, "text", None) is not None or getattr(request, "binary", None) is not None


@cache
def _decoder(answer: type[Response]) -> msgspec.json.Decoder[Response]:
    return msgspec.json.Decoder(answer, dec_hook=read_value)


@cache
def _defaults(request: type[Request]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (one.name, one.default if one.default_factory is msgspec.NODEFAULT else one.default_factory())
        for one in msgspec.structs.fields(request)
    )


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _in_query(value: Any, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _escaped(str(value), name, "")


def _in_path(value: str, name: str) -> str:
    if not value:
        raise ClientError(f"cannot send the request: its {name} is empty")
    return _escaped(value, name, "/_+=.@!-").replace("~", "%7E")


def _escaped(text: str, name: str, safe: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        pass  # its error would hold the text
    raise ClientError(f"cannot send the request: its {name} is not valid Unicode text")
