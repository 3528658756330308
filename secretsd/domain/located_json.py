"""JSON read with the line of every value, and with no name twice in an object, which JSON itself leaves open."""

import json
from bisect import bisect_right
from collections.abc import Callable
from json import decoder, scanner
from typing import Any, NamedTuple


class Located(NamedTuple):
    """A value, and the line where it begins, from 1. The values in lists and objects are Located themselves."""

    value: Any
    line: int


class NamedTwice(ValueError):
    """cannot read the JSON: an object has a name twice"""

    def __init__(self, line: int) -> None:
        super().__init__("cannot read the JSON: an object has a name twice")
        self.line = line


Scan = Callable[[str, int], tuple[Any, int]]


class _Decoder(json.JSONDecoder):
    """The standard library's decoder in its Python form, which hands every nested value to a scanner of our own."""

    def __init__(self, text: str) -> None:
        super().__init__(parse_constant=_refused)
        self._ends = [at for at, character in enumerate(text) if character == "\n"]
        self.parse_object = self._object
        self.parse_array = self._array
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]  # typeshed knows the C one alone

    def line(self, at: int) -> int:
        """The line of a place in the text."""
        return bisect_right(self._ends, at - 1) + 1

    def _located(self, scan: Scan) -> Scan:
        def scan_once(text: str, at: int) -> tuple[Located, int]:
            value, end = scan(text, at)
            return Located(value, self.line(at)), end

        return scan_once

    def _object(self, text_and_end: tuple[str, int], strict: bool, scan: Scan, *_: Any) -> Any:
        return decoder.JSONObject(text_and_end, strict, self._located(scan), None, _once)  # type: ignore[attr-defined]

    def _array(self, text_and_end: tuple[str, int], scan: Scan) -> Any:
        return decoder.JSONArray(text_and_end, self._located(scan))  # type: ignore[attr-defined]


def _once(pairs: list[tuple[str, Located]]) -> dict[str, Located]:
    found: dict[str, Located] = {}
    for name, value in pairs:
        if name in found:
            raise NamedTwice(value.line)
        found[name] = value
    return found


def _refused(_: str) -> None:
    raise ValueError("cannot read the JSON: NaN and Infinity are no values of it")


def located(text: str) -> Located:
    """The value in a JSON text; JSONDecodeError, NamedTwice, ValueError, and RecursionError where it is nested deep."""
    reading = _Decoder(text)
    first = len(text) - len(text.lstrip(" \t\r\n"))
    return Located(reading.decode(text), reading.line(first))
