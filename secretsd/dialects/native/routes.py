"""From method and raw path to operation and name: matched before any decoding, the last literal ":" starts the verb."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.operations.registry import Operation

MAX_PATH_LENGTH = 2048
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class MethodNotAllowed(InvalidRequest):
    """cannot use that method here"""

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = ", ".join(sorted(allowed))


class Match(NamedTuple):
    """An operation and, where its route has one, the decoded name out of the path."""

    operation: Operation
    name: str | None


class Routes:
    """The routes of all operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._table: dict[tuple[str, bool, str], dict[str, Operation]] = {}
        for operation in operations:
            route = operation.route
            if route is not None:
                place = route.collection, route.field is not None, route.verb
                self._table.setdefault(place, {})[route.method] = operation

    def match(self, method: str, path: str) -> Match:
        """The operation; NotFound for no such place, MethodNotAllowed, InvalidRequest for a path that is no text."""
        if len(path) > MAX_PATH_LENGTH or not path.startswith("/v1/"):
            raise NotFound("cannot find an operation at that path")
        collection, slash, rest = path[4:].partition("/")
        if slash:
            name, colon, verb = rest.rpartition(":")
            if not colon:
                name, verb = rest, ""
        else:
            collection, _, verb = collection.partition(":")
            name = ""
        methods = self._table.get((collection, bool(slash), verb))
        if methods is None:
            raise NotFound("cannot find an operation at that path")
        operation = methods.get(method)
        if operation is None:
            raise MethodNotAllowed(methods)
        return Match(operation, decoded(name) if slash else None)


def decoded(name: str) -> str:
    """The name with its percent-escapes resolved, once; `%2F` is a slash. InvalidRequest when that is no text."""
    if "%" not in name:
        return name
    if _BAD_ESCAPE.search(name):
        raise InvalidRequest("cannot read the path: a percent sign is not followed by two hexadecimal digits")
    try:
        return unquote_to_bytes(name).decode()
    except UnicodeDecodeError:
        raise InvalidRequest("cannot read the path: it is not UTF-8") from None
