"""How answers are shown: as a table, as JSON, or raw for pipes. Text of others reaches the terminal harmless."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer


class Form(StrEnum):
    """The three ways in which an answer can be shown."""

    TABLE = "table"
    JSON = "json"
    RAW = "raw"


Output = Annotated[Form, typer.Option("--output", "-o", help="How to show the answer.")]


def printable(text: str) -> str:
    """The text with every control character spelled out: descriptions come from others and must not act."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def moment(milliseconds: int | None) -> str:
    """A point in time as `2026-01-31T12:00:00Z`; nothing for None."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show_bytes(data: bytes) -> None:
    """The bytes alone when they go to a pipe or file; a terminal gets a line break after them."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n" if sys.stdout.isatty() else data)
    sys.stdout.buffer.flush()


def show_lines(lines: Iterable[str]) -> None:
    """A line for each text."""
    sys.stdout.writelines(f"{printable(line)}\n" for line in lines)


def show_json(answer: Any) -> None:
    """A response, or a list of them, as indented JSON; values as the wire has them."""
    import msgspec

    from secretsd.api.fields import show_value

    encoded = msgspec.json.format(msgspec.json.encode(answer, enc_hook=show_value), indent=2)
    sys.stdout.write(encoded.decode() + "\n")


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; nothing is cut off when it goes to a pipe or file."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    if sys.stdout.isatty():
        Console(file=sys.stdout).print(table)
        return
    wide = Console(file=sys.stdout, width=100_000, color_system=None, force_terminal=False)
    with wide.capture() as capture:
        wide.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def show_fields(fields: Mapping[str, Any]) -> None:
    """One thing, a line for each of its fields; fields that say nothing are left out."""
    width = max(map(len, fields), default=0)
    show_lines(f"{name:<{width}}  {_cell(value)}" for name, value in fields.items() if value not in (None, "", (), {}))


def described(response: Any) -> dict[str, Any]:
    """A response as fields for people: times as dates, nested parts as `part.field`."""
    import msgspec

    found: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(response).items():
        if isinstance(value, msgspec.Struct):
            found |= {f"{name}.{inner}": one for inner, one in described(value).items()}
        elif name.endswith("_ms"):
            found[name.removesuffix("_ms")] = moment(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            found[name] = "; ".join(_cell(described(one)) for one in value)
        else:
            found[name] = value
    return found


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_cell(one)}" for key, one in value.items())
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value))
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
