"""The registry of operations: each is declared once, and every surface derives from the declaration."""

import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from secretsd.api.fields import Request, Response
from secretsd.operations.streams import Stream

Handler = Callable[[Any, Any], Awaitable[Response | Stream[Any]]]
"""Takes a Call (`operations/call.py`) and the operation's request. Not typed further: calls know their operation, and
knowing each other would tie the two files into one."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where it is found: `GET /v1/secrets/{name}:value` has collection `secrets`, field `name`, verb `value`."""

    method: str
    collection: str
    field: str | None
    verb: str

    @classmethod
    def parse(cls, text: str) -> "Route":
        """The route behind its written form."""
        method, _, path = text.partition(" ")
        path, _, verb = path.removeprefix("/v1/").partition(":")
        collection, _, field = path.partition("/")
        return cls(method, collection, field.strip("{}") or None, verb)

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        name = f"/{{{self.field}}}" if self.field else ""
        return f"/v1/{self.collection}{name}" + (f":{self.verb}" if self.verb else "")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: its name is its permission; `audited` names the request's fields that events show, never a value.

    `route` is None for the steps of scheduled work, which no caller reaches. `streams` is true where the answer is a
    Stream, and `response` then the type of its items.
    """

    name: str
    route: Route | None
    audited: tuple[str, ...]
    handler: Handler
    request: type[Request]
    response: type[Response]
    summary: str
    streams: bool = False


OPERATIONS: dict[str, Operation] = {}


def operation(name: str, route: str | None, *, audited: tuple[str, ...] = ()) -> Callable[[Handler], Handler]:
    """Declare the function below as an operation; types and summary come from the function itself."""

    def declare(handler: Handler) -> Handler:
        hints: Mapping[str, Any] = typing.get_type_hints(handler, handler.__globals__)
        answer = hints["return"]
        streams = typing.get_origin(answer) is Stream
        OPERATIONS[name] = Operation(
            name,
            Route.parse(route) if route else None,
            audited,
            handler,
            hints["request"],
            typing.get_args(answer)[0] if streams else answer,
            (handler.__doc__ or "").strip(),
            streams,
        )
        return handler

    return declare


EXTRA_PERMISSIONS = frozenset({"ReEncryptFrom", "ReEncryptTo", "UseTarget"})
"""Permissions that operations check inside (`call.require`); no operation has their names."""


def permissions() -> frozenset[str]:
    """Everything that a policy may speak of."""
    return frozenset(OPERATIONS) | EXTRA_PERMISSIONS
