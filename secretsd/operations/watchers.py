"""Watchers of secrets: who waits for which, and what each has been told. A worker has one set of them.

Told are states, not steps: what changes twice before a watcher takes it is told once, as it is then. So nothing piles
up behind a slow one, and the last state always arrives.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from secretsd.api.watch import SecretChange
from secretsd.domain.errors import NotFound, Throttled
from secretsd.domain.principals import Principal
from secretsd.domain.secrets import CURRENT
from secretsd.operations.authorizer import Authorizer
from secretsd.operations.cache import RowCache
from secretsd.operations.request_facts import RequestFacts
from secretsd.operations.rows import Rows
from secretsd.operations.watching import Watch
from secretsd.ports.storage import RecordName, Storage
from secretsd.ports.time import Clock

LOOK_SECONDS = 0.01
"""How often other workers' changes are looked for while anybody watches: one or two hundredths of a core."""
ACCESS_TABLES = frozenset(
    {"users", "groups", "roles", "policies", "resource_policies", "tokens", "sessions", "access_keys", "bindings"}
)


class Topic:
    """A secret that somebody watches, and how it is, as long as nothing is heard of a change."""

    __slots__ = ("generation", "state", "watches")

    def __init__(self) -> None:
        self.watches: set[Watch] = set()
        self.state: SecretChange | None = None
        self.generation = 0

    def forget(self) -> None:
        """The state is no longer known; a read of it that is under way is no longer believed."""
        self.state = None
        self.generation += 1


class Watchers:
    """All watches of this worker, at most `limit` of them. Changes reach them through the row cache's feed."""

    def __init__(
        self, storage: Storage, rows: Rows, cache: RowCache, authorizer: Authorizer, clock: Clock, limit: int
    ) -> None:
        self.authorizer = authorizer
        self.now_ms = clock.now_ms
        self.checking = asyncio.Lock()  # so that a changed policy costs a turn one check, not a thousand of them
        self.blind = False
        self._storage = storage
        self._rows = rows
        self._limit = limit
        self._watches: set[Watch] = set()
        self._topics: dict[tuple[str, ...], Topic] = {}
        self._looking: asyncio.Task[None] | None = None
        cache.on_change(self._on_change)

    @property
    def count(self) -> int:
        """How many watch now."""
        return len(self._watches)

    @property
    def position(self) -> str:
        """Up to where every watch knows what it has to tell."""
        return self._storage.position

    def require_room(self) -> None:
        """Raise Throttled when there are as many watches as may be."""
        if len(self._watches) >= self._limit:
            raise Throttled(f"cannot take more watchers now: there are {self._limit}", retry_after_seconds=5)

    def open(self, principal: Principal, facts: RequestFacts, names: Sequence[str], last_event_id: str | None) -> Watch:
        """A watch of secrets of the principal's account, which begins with those that changed since the event."""
        self.require_room()
        watch = Watch(self, principal, facts, names)
        self._watches.add(watch)
        for name in names:
            self._topics.setdefault((principal.account, name), Topic()).watches.add(watch)
        if self._looking is None:
            self.blind = False
            self._looking = asyncio.create_task(self._look())
        try:  # only now, so that no change falls between what the feed is asked for and what the watch hears of
            changed = None if last_event_id is None else self._storage.changed_since(last_event_id)
        except BaseException:
            watch.close()
            raise
        if changed is None:
            watch.touch(names)
        else:
            keys = {key for table, key in changed if table == "secrets"}
            watch.touch(name for name in names if (principal.account, name) in keys)
        return watch

    def leave(self, watch: Watch, account: str, names: Sequence[str]) -> None:
        """The watch is over."""
        self._watches.discard(watch)
        for name in names:
            topic = self._topics.get((account, name))
            if topic is not None:
                topic.watches.discard(watch)
                if not topic.watches:
                    del self._topics[account, name]

    async def state(self, account: str, name: str) -> SecretChange:
        """How a watched secret is; read once for all who watch it."""
        topic = self._topics[account, name]
        if topic.state is not None:
            return topic.state
        generation = topic.generation
        state = await self._read(account, name)
        if generation == topic.generation:
            topic.state = state
        return state

    async def _read(self, account: str, name: str) -> SecretChange:
        try:
            secret = await self._rows.secret(account, name)
        except NotFound:
            return SecretChange(name=name, deleted=True)
        current = secret.stages.get(CURRENT)
        number = None
        if current is not None:
            with contextlib.suppress(NotFound):  # erased meanwhile, of which the feed is about to tell
                number = (await self._rows.version(secret, current)).number
        return SecretChange(
            name=name,
            secret_id=secret.id,
            version_id=current,
            number=number,
            stages=secret.stages,
            barrier=secret.barrier.value,
            deleted=secret.deletion_ms is not None,
        )

    async def _look(self) -> None:
        """Notice what other workers commit, for as long as anybody watches."""
        while self._watches:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._storage.refresh()
                self.blind = False
            except Exception:  # noqa: BLE001  # the storage is away: watches end when they can no longer say all is well
                self.blind = True
        self._looking = None

    def _on_change(self, names: Sequence[RecordName]) -> None:
        if not self._watches:
            return
        if not names:
            for topic in self._topics.values():
                topic.forget()
            for watch in self._watches:
                watch.touch_all()
        for table, key in names:
            if table == "secrets" and (changed := self._topics.get(key)) is not None:
                changed.forget()
                for watch in changed.watches:
                    watch.touch((key[1],))
                    watch.doubt()  # its tags may be what lets him
        if not names or any(table in ACCESS_TABLES for table, _ in names):
            for watch in self._watches:
                watch.doubt()
