"""The change feed: tells caches which records any node changed, at one cheap look a loop turn."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence

import apsw
import msgspec

from secretsd.adapters.sqlite.connections import fetch, unavailable
from secretsd.adapters.sqlite.reads import Reads
from secretsd.adapters.sqlite.statements import load
from secretsd.adapters.sqlite.statistics import Statistics
from secretsd.ports.storage import RecordName

_SQL = {name: statement.sql for name, statement in load("main.sql").items()}
_key = msgspec.json.Decoder(tuple[str, ...]).decode
KEPT_CHANGES = 20_000
"""How much of the feed is kept; whoever is further behind forgets everything instead of what changed."""
LOOK_EVERY = 50
"""The units between two looks at how long the feed is: each of them would pay for its own."""
PRUNE_EVERY = 5_000
MAX_CHANGES_A_LOOK = 2_000
"""Past this many the loop would stall; forgetting everything is cheaper."""
_BEGIN_SECONDS = 10.0
_IDENTITY_CHARACTERS = 16
_NUMBER = re.compile(r"[0-9]{1,18}")

OnChange = Callable[[Sequence[RecordName]], None]


class ChangeFeed:
    """Follows the feed from where it stood when this storage was opened."""

    def __init__(self, reads: Reads, statistics: Statistics) -> None:
        self._reads = reads
        self._statistics = statistics
        self._loop = asyncio.get_running_loop()
        self._subscribers: list[OnChange] = []
        self._looked = False
        self._seen = (0, -1)
        self._position = 0
        self._identity = ""

    async def begin(self) -> None:
        """Find out where the feed stands; waits, within bounds, while another process opens, closes or repairs it."""
        deadline = time.monotonic() + _BEGIN_SECONDS
        while True:
            try:
                self._identity = self._who()
                self._position = self._last()
                return
            except apsw.BusyError as error:
                if time.monotonic() > deadline:
                    raise unavailable(error) from None
            await asyncio.sleep(0.005)

    def subscribe(self, on_change: OnChange) -> None:
        """Call `on_change` from now on, on the loop, inside `refresh`."""
        self._subscribers.append(on_change)

    @property
    def position(self) -> str:
        """Where the feed stands for our subscribers: which feed it is, and the last number that they were told of."""
        return f"{self._identity}.{self._position}"

    def changed_since(self, position: str) -> Sequence[RecordName] | None:
        """The records that changed after a position; None for one that is not of this feed, or too far back."""
        identity, _, number = position.rpartition(".")
        if identity != self._identity or not _NUMBER.fullmatch(number):
            return None
        after = int(number)
        try:
            rows = self._reads.rows_now(_SQL["changes_after"], (after, MAX_CHANGES_A_LOOK + 1))
            if not rows:
                return () if self._last() == after else None
        except apsw.BusyError as error:
            raise unavailable(error) from None
        if rows[0][0] != after + 1 or len(rows) > MAX_CHANGES_A_LOOK:
            return None
        return [(table, _key(key)) for _, table, key in rows]

    def refresh(self) -> None:
        """Look once in this loop turn; StorageUnavailable when that is impossible, so that nobody trusts a cache."""
        if self._looked:
            return
        try:
            # The version is read before the feed: a commit between the two is then seen twice rather than never.
            version = self._reads.rows_now(_SQL["data_version"], ())[0][0]
            # Each connection counts from the same number on, so a new one may say what the one before it said last.
            seen = (self._reads.connections, version)
            if seen != self._seen:
                self._catch_up()
                self._seen = seen
        except apsw.BusyError as error:
            raise unavailable(error) from None
        self._looked = True
        self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._looked = False

    def _catch_up(self) -> None:
        rows = self._reads.rows_now(_SQL["changes_after"], (self._position, MAX_CHANGES_A_LOOK + 1))
        # Numbers have no gaps, so a gap means that what stood there was pruned; fewer than we know, that another
        # storage was put in place of this one.
        if not rows:
            if self._last() >= self._position:
                return
            self._identity = self._who()
            names: list[RecordName] = []
        elif rows[0][0] != self._position + 1 or len(rows) > MAX_CHANGES_A_LOOK:
            names = []
        else:
            names = [(table, _key(key)) for _, table, key in rows]
        self._position = rows[-1][0] if names else self._last()
        self._statistics.changes_seen += len(names)
        for on_change in self._subscribers:
            on_change(names)

    def _who(self) -> str:
        storage_id, generation = (row[0] for row in self._reads.rows_now(_SQL["identity"], ()))
        return f"{storage_id[:_IDENTITY_CHARACTERS]}.{generation}"

    def _last(self) -> int:
        rows = self._reads.rows_now(_SQL["last_change"], ())
        return int(rows[0][0]) if rows else 0


class FeedPruner:
    """Runs in the writer's transactions and keeps the feed short."""

    def __init__(self) -> None:
        self._pruned_at = -PRUNE_EVERY
        self._units = -1  # so that the first one looks

    def __call__(self, connection: apsw.Connection) -> None:
        """Drop what is older than the newest KEPT_CHANGES, now and then."""
        self._units += 1
        if self._units % LOOK_EVERY:
            return
        rows = fetch(connection, _SQL["last_change"])
        last = rows[0][0] if rows else 0
        if last - self._pruned_at >= PRUNE_EVERY:
            connection.execute(_SQL["prune_changes"], (last - KEPT_CHANGES,))
            self._pruned_at = last
