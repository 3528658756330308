"""Turns records into rows and back, by one table of column types, and believes no row whose authenticator is wrong."""

import logging
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, TypeVar

import msgspec

from secretsd.domain.policy import InlinePolicy, Statement
from secretsd.domain.records import RECORDS, Record, RecordAuthenticator, TamperedRecord, key_of
from secretsd.domain.schedule import Schedule

_logger = logging.getLogger(__name__)
R = TypeVar("R", bound=Record)
Value = None | int | float | bytes | str
_encode_json = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class ColumnType:
    """How a field is kept in a column; `write` and `read` are None where the value is kept as it is."""

    write: Callable[[Any], Value] | None = None
    read: Callable[[Any], Any] | None = None


def _json(kind: Any) -> ColumnType:
    return ColumnType(lambda value: _encode_json(value).decode(), msgspec.json.Decoder(kind).decode)


_AS_IT_IS = ColumnType()
_COLUMN_TYPES: dict[Any, ColumnType] = {
    str: _AS_IT_IS,
    int: _AS_IT_IS,
    bytes: _AS_IT_IS,
    bool: ColumnType(int, bool),
    Mapping[str, str]: _json(dict[str, str]),
    tuple[str, ...]: _json(tuple[str, ...]),
    tuple[Statement, ...]: _json(tuple[Statement, ...]),
    tuple[InlinePolicy, ...]: _json(tuple[InlinePolicy, ...]),
    Schedule: _json(Schedule),
}


def _column_type(hint: Any) -> ColumnType:
    if isinstance(hint, types.UnionType) and len(hint.__args__) == 2 and types.NoneType in hint.__args__:
        inner = _column_type(next(part for part in hint.__args__ if part is not types.NoneType))
        if inner != _AS_IT_IS:
            raise TypeError(f"cannot keep {hint} in a column: only plain values may be missing")
        return inner
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ColumnType(lambda value: str(value.value), hint)
    return _COLUMN_TYPES[hint]


class Table:
    """One type of record as a table: its columns, and the statements that change it."""

    def __init__(self, kind: type[Record]) -> None:
        self.kind = kind
        self.name = RECORDS[kind].table
        self.key = RECORDS[kind].key
        hints = typing.get_type_hints(kind)
        names = [part.name for part in fields(kind)]
        converters = [_column_type(hints[name]) for name in names]
        self._writers = [(name, column.write) for name, column in zip(names, converters, strict=True)]
        self._readers = [(at, column.read) for at, column in enumerate(converters) if column.read is not None]
        key_at = dict(self._writers)
        if any(key_at[name] is not None for name in self.key):
            raise TypeError(f"cannot find records of {self.name} by key: a key column is not kept as it is")
        columns = [*names, "row_mac"]
        self.columns = ", ".join(columns)
        numbered = ", ".join(f"?{at}" for at in range(1, len(columns) + 1))
        self.insert = f"INSERT INTO {self.name} ({self.columns}) VALUES ({numbered})"  # noqa: S608 - names of ours
        past = len(columns)
        same = self._same(past)
        settings = ", ".join(f"{name} = ?{at}" for at, name in enumerate(columns, 1))
        self.update = f"UPDATE {self.name} SET {settings} WHERE {same}"  # noqa: S608 - names of ours
        same = self._same(0)
        self.delete = f"DELETE FROM {self.name} WHERE {same}"  # noqa: S608 - names of ours
        self.find = f"SELECT 1 FROM {self.name} WHERE {same}"  # noqa: S608 - names of ours

    def row(self, record: Record, mac: bytes) -> list[Value]:
        """The record's columns and its authenticator, in the order of `columns`."""
        values: list[Value] = [
            getattr(record, name) if write is None else write(getattr(record, name)) for name, write in self._writers
        ]
        values.append(mac)
        return values

    def _same(self, past: int) -> str:
        """The condition that finds what `identity` gives, its parameters numbered behind `past` others."""
        named = [f"{name} = ?{past + at}" for at, name in enumerate((*self.key, "revision"), 1)]
        return " AND ".join((*named, f"row_mac = coalesce(?{past + len(named) + 1}, row_mac)"))

    def identity(self, record: Record, was: bytes | None) -> list[Value]:
        """What a compare-and-set looks for: the key columns, the revision, and the authenticator where it is known."""
        return [*self.named(record), record.revision, was]

    def named(self, record: Record) -> list[Value]:
        """The key columns."""
        return [getattr(record, name) for name in self.key]

    def record(self, row: Sequence[Any]) -> Record:
        """The record of a row; ValueError where a column holds what no record of ours has."""
        values = list(row[:-1])
        for at, read in self._readers:
            values[at] = read(values[at])
        return self.kind(*values)


TABLES: dict[type, Table] = {kind: Table(kind) for kind in RECORDS}
COLUMNS: dict[str, str] = {table.name: table.columns for table in TABLES.values()}


class Codec:
    """Reads rows for callers that trust what they get."""

    __slots__ = ("_authenticator",)

    def __init__(self, authenticator: RecordAuthenticator) -> None:
        self._authenticator = authenticator

    def decode(self, kind: type[R], row: Sequence[Any]) -> R:
        """The record of a row whose authenticator is its own; else TamperedRecord, and a loud line in the log."""
        table = TABLES[kind]
        try:
            record = table.record(row)
            self._authenticator.verify(record, row[-1])
        except (TamperedRecord, msgspec.MsgspecError, ValueError, TypeError, OverflowError):
            # Names only: the columns of an edited row may hold anything. Digests are names to nobody.
            key = "" if table.name in ("tokens", "sessions") else " ".join(str(part) for part in row[: len(table.key)])
            _logger.critical("a record of %s was changed behind our back and is refused: %r", table.name, key)
            raise TamperedRecord(f"cannot trust a record of {table.name}: its authenticator does not match") from None
        return typing.cast(R, record)


def name_of(record: Record) -> str:
    """The key of a record as the change feed keeps it: a JSON list of text."""
    return _encode_json(key_of(record)).decode()
