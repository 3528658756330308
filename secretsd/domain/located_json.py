"""JSON read with the line of every value, and with nothing in it that JSON itself leaves open."""

import json
from bisect import bisect_right
from collections.abc import Callable
from json import decoder, scanner
from typing import Any, NamedTuple


class Located(NamedTuple):
    """A value, and the line where it begins, from 1. The values in lists and objects are Located themselves."""

    value: Any
    line: int


class Number(NamedTuple):
    """A number as it is written: 1.10 is not 1.1 to who meant a text, and no digits are too many to look at."""

    text: str


class Refused(ValueError):
    """cannot take the JSON: it is not said the same way by all who read it

    `problem` says what stands in that line.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"cannot take the JSON, line {line}: {problem}")
        self.line = line
        self.problem = problem


MAX_DEPTH = 32
Scan = Callable[[str, int], tuple[Any, int]]


_NO_VALUE = object()


class _Decoder(json.JSONDecoder):
    """The standard library's decoder in its Python form, which hands every nested value to a scanner of our own."""

    def __init__(self, text: str) -> None:
        super().__init__(parse_int=Number, parse_float=Number, parse_constant=lambda _: _NO_VALUE)
        self._ends = [at for at, character in enumerate(text) if character == "\n"]
        self._depth = 0
        self.parse_object = self._object
        self.parse_array = self._array
        self.scan_once = self._located(scanner.py_make_scanner(self))  # type: ignore[attr-defined]  # typeshed: C alone

    def line(self, at: int) -> int:
        """The line of a place in the text."""
        return bisect_right(self._ends, at - 1) + 1

    def _located(self, scan: Scan) -> Scan:
        def scan_once(text: str, at: int) -> tuple[Located, int]:
            line = self.line(at)
            if self._depth == MAX_DEPTH:
                raise Refused(line, "it is nested too deep")
            self._depth += 1
            value, end = scan(text, at)
            self._depth -= 1
            if value is _NO_VALUE:
                raise Refused(line, "NaN and Infinity are no JSON")
            if isinstance(value, str):
                _require_text(value, line)
            return Located(value, line), end

        return scan_once

    def _object(self, text_and_end: tuple[str, int], strict: bool, scan: Scan, *_: Any) -> Any:
        return decoder.JSONObject(text_and_end, strict, self._located(scan), None, _once)  # type: ignore[attr-defined]

    def _array(self, text_and_end: tuple[str, int], scan: Scan) -> Any:
        return decoder.JSONArray(text_and_end, self._located(scan))  # type: ignore[attr-defined]


def _once(pairs: list[tuple[str, Located]]) -> dict[str, Located]:
    found: dict[str, Located] = {}
    for name, value in pairs:
        if name in found:
            raise Refused(value.line, "an object has a name twice")
        _require_text(name, value.line)
        found[name] = value
    return found


def _require_text(text: str, line: int) -> None:
    """JSON can spell half of a surrogate pair, which no text has and no storage keeps."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(line, "half of a surrogate pair is no text") from None


def located(text: str) -> Located:
    """The value in a JSON text, its numbers as they are written; JSONDecodeError, or Refused with line and problem."""
    return _Decoder(text).decode(text)  # type: ignore[no-any-return]
