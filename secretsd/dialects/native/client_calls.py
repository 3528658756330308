"""Renders the client's typed calls from the registry, in the form that the formatter leaves alone."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from secretsd.operations.registry import Operation, Route

WIDTH = 120
HEADER = '"""Every operation as the client calls it. Made from the registry by `./dev generate`, not by hand."""'
OPENING = '''
Answer = TypeVar("Answer", bound=Response)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class GeneratedCalls(ABC):
    """The operations as methods; a field of the path comes first, the others by name."""

    @abstractmethod
    async def exchange(self, operation: str, request: Request, answer: type[Answer]) -> Answer:
        """Call the operation and read its answer."""

    @abstractmethod
    def stream(self, operation: str, request: Request, answer: type[Answer]) -> AsyncIterator[Answer]:
        """Call an operation whose answer goes on, and read items until its connection ends."""
'''


def render(operations: Mapping[str, Operation]) -> str:
    """The text of `secretsd/client/_generated_calls.py`, in order of name; operations without a route are left out."""
    routed = sorted(((one, one.route) for one in operations.values() if one.route), key=lambda pair: pair[0].name)
    annotations = [_annotation(field.type) for one, _ in routed for field in msgspec.structs.fields(one.request)]
    typing_names = ["Any", *(["Literal"] if any("Literal" in text for text in annotations) else []), "TypeVar"]
    used: dict[str, set[str]] = {"secretsd.api.fields": {"Request", "Response"}, "secretsd.client.messages": {"Route"}}
    for one, _ in routed:
        for kind in (one.request, one.response, *_structs(one.request)):
            used.setdefault(kind.__module__, set()).add(kind.__name__)
    lines = [
        HEADER,
        "",
        "from abc import ABC, abstractmethod",
        "from collections.abc import AsyncIterator, Mapping",
        "from types import MappingProxyType",
        f"from typing import {', '.join(typing_names)}",
        "",
        *(line for module in sorted(used) for line in _import(module, sorted(used[module], key=_import_order))),
        *OPENING.splitlines(),
    ]
    for one, route in routed:
        lines += ["", *_method(one, route)]
    lines += ["", "", "ROUTES: dict[str, Route] = {"]
    for one, route in routed:
        lines += _row(one, route)
    return "\n".join([*lines, "}", ""])


def method_name(operation: str) -> str:
    """`GetSecretValue` is called `get_secret_value`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()


def _import_order(name: str) -> tuple[bool, str]:
    return not name.isupper(), name.lower()


def _import(module: str, names: list[str]) -> Iterator[str]:
    line = f"from {module} import {', '.join(names)}"
    yield from [line] if len(line) <= WIDTH else [f"from {module} import (", *(f"    {one}," for one in names), ")"]


def _structs(kind: Any) -> set[type]:
    """The structs and value types that the fields of a request are made of."""
    found: set[type] = set()
    waiting = [field.type for field in msgspec.structs.fields(kind)]
    while waiting:
        one = waiting.pop()
        waiting += [part for part in get_args(one) if get_origin(one) is not Literal]
        if isinstance(one, type) and one.__module__.startswith("secretsd."):
            found.add(one)
    return found


def _annotation(kind: Any) -> str:
    """A field's type without its constraints, which the daemon checks: they are not the business of a signature."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotation(arguments[0])
    if origin is Literal:
        return f"Literal[{', '.join(json.dumps(one) for one in arguments)}]"
    if origin in (Union, UnionType):
        return " | ".join(_annotation(one) for one in arguments)
    if origin is tuple:
        return f"tuple[{', '.join('...' if one is ... else _annotation(one) for one in arguments)}]"
    if origin is not None:
        return f"Mapping[{', '.join(_annotation(one) for one in arguments)}]"
    if kind is Any:
        return "Any"
    return "None" if kind is NoneType else str(kind.__name__)


def _parameter(field: msgspec.structs.FieldInfo) -> str:
    text = f"{field.name}: {_annotation(field.type)}"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"{text} = _NOTHING"
    return text if field.default is msgspec.NODEFAULT else f"{text} = {_literal(field.default)}"


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _method(one: Operation, route: Route) -> Iterator[str]:
    fields = msgspec.structs.fields(one.request)
    first = [field for field in fields if field.name == route.field]
    others = sorted((field for field in fields if field.name != route.field), key=lambda field: not field.required)
    parameters = ["self", *map(_parameter, first), *(["*"] if others else []), *map(_parameter, others)]
    opening, answer, through = "async def", one.response.__name__, "await self.exchange"
    if one.streams:
        opening, answer, through = "def", f"AsyncIterator[{answer}]", "self.stream"
    yield from _wrapped(f"    {opening} {method_name(one.name)}(", parameters, f") -> {answer}:")
    yield from _docstring(" ".join(one.summary.split()))
    given = [f"{field.name}={field.name}" for field in (*first, *others)]
    request = f"{one.request.__name__}({', '.join(given)})"
    call = [f'"{one.name}"', request, one.response.__name__]
    line = f"        return {through}({', '.join(call)})"
    if len(line) <= WIDTH:
        yield line
    elif len(f"            {', '.join(call)}") <= WIDTH:
        yield from [f"        return {through}(", f"            {', '.join(call)}", "        )"]
    else:
        yield f"        return {through}("
        yield f"            {call[0]},"
        yield from _wrapped(f"            {one.request.__name__}(", given, "),")
        yield from [f"            {call[2]},", "        )"]


def _docstring(summary: str) -> Iterator[str]:
    line = f'        """{summary}"""'
    if len(line) <= WIDTH:
        yield line
    else:
        first, *rest = textwrap.wrap(f'"""{summary}', WIDTH - 11)  # two lines at least: one would be put together again
        yield from (f"        {one}" for one in (first, *rest, '"""'))


def _wrapped(opening: str, parts: list[str], closing: str) -> Iterator[str]:
    """`opening`, parts and `closing` on one line, else the parts on a line of their own, else a line for each."""
    joined, indent = ", ".join(parts), " " * (len(opening) - len(opening.lstrip()))
    if len(opening + joined + closing) <= WIDTH:
        yield opening + joined + closing
    elif len(f"{indent}    {joined}") <= WIDTH:
        yield from [opening, f"{indent}    {joined}", indent + closing]
    else:
        yield from [opening, *(f"{indent}    {one}," for one in parts), indent + closing]


def _row(one: Operation, route: Route) -> Iterator[str]:
    field = "None" if route.field is None else f'"{route.field}"'
    parts = [f'"{route.method}"', f'"{route.collection}"', field, f'"{route.verb}"']
    parts += [one.request.__name__, one.response.__name__, *(["True"] if one.streams else [])]
    yield from _wrapped(f'    "{one.name}": Route(', parts, "),")
