"""Rows kept in memory by a worker, dropped as the change feed names them; bounded by number and by bytes."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from secretsd.domain.errors import NotFound
from secretsd.domain.records import RECORDS, key_of
from secretsd.domain.secrets import SealedValue
from secretsd.ports.storage import RecordName, Storage

T = TypeVar("T")
MAX_ABSENT = 10_000
"""Most rows of which it is remembered that they are not there."""


class RowCache:
    """Verified rows by table and key. What storage read before a change was told never enters after it."""

    def __init__(self, storage: Storage, max_rows: int = 50_000, max_value_bytes: int = 64 * 1024 * 1024) -> None:
        self._rows: OrderedDict[RecordName, Any] = OrderedDict()
        self._absent: OrderedDict[RecordName, None] = OrderedDict()
        self._value_bytes = 0
        self._generation = 0
        self._max_rows = max_rows
        self._max_value_bytes = max_value_bytes
        self._listeners: list[Callable[[Sequence[RecordName]], None]] = []
        self.refresh = storage.refresh
        storage.subscribe(self._changed)

    def peek(self, name: RecordName) -> Any:
        """The row if it is in memory, else None; it does not count as used."""
        return self._rows.get(name)

    def hit(self, kind: type[T], name: RecordName) -> T | None:
        """The row if it is in memory, else None; it counts as used. `kind` is what rows of that table are."""
        row: T | None = self._rows.get(name)
        if row is not None:
            self._rows.move_to_end(name)
        return row

    async def read(self, name: RecordName, load: Callable[[], Awaitable[T]]) -> T:
        """The row of that name, from memory or by `load`, whose errors pass through and are not remembered."""
        row: T | None = self._rows.get(name)
        if row is not None:
            self._rows.move_to_end(name)
            return row
        generation = self._generation
        loaded = await load()
        if generation == self._generation:
            self._keep(name, loaded)
        return loaded

    async def read_if_any(self, name: RecordName, load: Callable[[], Awaitable[T]]) -> T | None:
        """As `read`, but None where `load` raises NotFound; that is remembered until the row is added."""
        if name in self._absent:
            self._absent.move_to_end(name)
            return None
        generation = self._generation
        try:
            return await self.read(name, load)
        except NotFound:
            if generation == self._generation:
                self._absent[name] = None
                if len(self._absent) > MAX_ABSENT:
                    self._absent.popitem(last=False)
            return None

    def on_change(self, listener: Callable[[Sequence[RecordName]], None]) -> None:
        """Also tell `listener` what changed; an empty sequence means everything."""
        self._listeners.append(listener)

    def _keep(self, name: RecordName, row: Any) -> None:
        self._rows[name] = row
        self._value_bytes += _size(row)
        while len(self._rows) > self._max_rows or self._value_bytes > self._max_value_bytes:
            _, dropped = self._rows.popitem(last=False)
            self._value_bytes -= _size(dropped)

    def _changed(self, names: Sequence[RecordName]) -> None:
        self._generation += 1
        if not names:
            self._rows.clear()
            self._absent.clear()
            self._value_bytes = 0
        for name in names:
            self._absent.pop(name, None)
            row = self._rows.pop(name, None)
            if row is not None:
                self._value_bytes -= _size(row)
        for listener in self._listeners:
            listener(names)


def name_of(record: Any) -> RecordName:
    """Table and key of a record."""
    return RECORDS[type(record)].table, key_of(record)


def _size(row: Any) -> int:
    return len(row.value) if isinstance(row, SealedValue) else 0
