"""From path, query and JSON body to an operation's typed request; errors name the field, never its text."""

import re
from collections.abc import Mapping
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from secretsd.api.fields import Request, read_value
from secretsd.domain.errors import InvalidRequest
from secretsd.operations.registry import Operation

MAX_BODY_BYTES = 1024 * 1024
MAX_QUERY_FIELDS = 128
RESUME_HEADER, RESUME_FIELD = "Last-Event-ID", "last_event_id"
"""Where a reader of server-sent events says by itself how far it got, and the field of the request that means it."""
NO_HEADERS: Mapping[str, str] = {}
_AT = re.compile(r" - at `\$\.?([A-Za-z0-9_.\[\]…]*)`$")
_UNKNOWN = re.compile(r"contains unknown field")


class Reader:
    """Makes the requests of one operation. Prepared once, because each call needs it."""

    def __init__(self, operation: Operation) -> None:
        self._type = operation.request
        self._in_query = operation.route is not None and operation.route.method in ("GET", "DELETE")
        self._field = operation.route.field if operation.route else None
        fields = msgspec.structs.fields(operation.request)
        self._names = {field.name for field in fields}
        self._tuples = {field.name for field in fields if _is_tuple(field.type)}
        self._texts = {field.name for field in fields if _is_text(field.type)}
        self._streams = operation.streams

    def read(
        self, name: str | None, query: str, body: bytes, content_type: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> Request:
        """The request; InvalidRequest when anything in it is not as its type says."""
        found = self._from_query(query)
        if body and self._in_query:
            raise InvalidRequest("cannot read the request: this method takes no body")
        if body:
            found = self._from_body(body, content_type, found)
        if self._field is not None:
            if self._field in found:
                raise InvalidRequest(f"cannot read the request: {self._field} stands in the path")
            found[self._field] = name
        request = self._converted(found)
        if self._streams and (resumed := headers.get(RESUME_HEADER)) is not None:
            # It wins: a query that is repeated unchanged only says how far the reader had got at first.
            request = self._converted({**found, RESUME_FIELD: resumed})
        return request

    def _converted(self, found: dict[str, Any]) -> Request:
        try:
            return msgspec.convert(found, self._type, strict=not self._in_query, dec_hook=read_value)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"cannot read the request: {_where(error)}") from None

    def _from_query(self, query: str) -> dict[str, Any]:
        if not query:
            return {}
        if not self._in_query:
            raise InvalidRequest("cannot read the request: this method takes no query")
        try:
            pairs = parse_qsl(
                query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS
            )
        except ValueError:
            raise InvalidRequest("cannot read the query: it is not made of name=value pairs in UTF-8") from None
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key not in self._names:
                raise InvalidRequest("cannot read the query: it has a field that this operation does not know")
            if value.lower() == "null" and key not in self._texts:
                # msgspec would take the word for an absent value; in a query, absent is absent.
                raise InvalidRequest(f"cannot read the request: {key} is not of the form that the operation asks for")
            if key in self._tuples:
                found.setdefault(key, []).append(value)
            elif key in found:
                raise InvalidRequest(f"cannot read the query: {key} is given twice")
            else:
                found[key] = value
        return found

    def _from_body(self, body: bytes, content_type: str, found: dict[str, Any]) -> dict[str, Any]:
        if content_type.partition(";")[0].strip().lower() not in ("application/json", ""):
            raise InvalidRequest("cannot read the body: its content type is not application/json")
        try:
            read = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidRequest("cannot read the body: it is not a JSON object") from None
        return {**found, **read}


def _number(text: str) -> int | float:
    """What JSON Schema calls an integer is one, whether or not it is written with a fraction of nothing."""
    number = float(text)
    return int(number) if number.is_integer() else number


_decode = msgspec.json.Decoder(dict[str, Any], float_hook=_number).decode


def _is_tuple(kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return True
    return any(_is_tuple(part) for part in get_args(kind) if not isinstance(part, (str, int, msgspec.Meta)))


def _is_text(kind: Any) -> bool:
    if kind is str:
        return True
    return any(_is_text(part) for part in get_args(kind) if not isinstance(part, (str, int, msgspec.Meta)))


def _where(error: msgspec.ValidationError) -> str:
    text = str(error)
    place = _AT.search(text)
    field = place[1] if place else ""
    if _UNKNOWN.search(text):
        return "it has a field that this operation does not know"
    if "missing required field" in text:
        return f"{_required(text)} is missing"
    return f"{field or 'it'} is not of the form that the operation asks for"


def _required(text: str) -> str:
    found = re.search(r"missing required field `([A-Za-z0-9_]+)`", text)
    return found[1] if found else "a field"
