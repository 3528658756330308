"""A bounded cache of secret values, for applications that read the same few secrets all the time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from secretsd.api.values import GetSecretValueResponse
from secretsd.client.errors import ClientError
from secretsd.client.freshness import Freshness
from secretsd.client.watch import Watching
from secretsd.domain.errors import Internal
from secretsd.domain.sensitive import Plaintext

DEFAULT_MAX_AGE_SECONDS = 60.0
DEFAULT_MAX_ENTRIES = 256
Key = tuple[str, str | None]


class Reads(Protocol):
    """What the cache needs of a client."""

    def get_secret_value(self, name: str, *, stage: str | None = None) -> Coroutine[Any, Any, GetSecretValueResponse]:
        """The version at the stage, with its value."""


@dataclass(frozen=True, slots=True)
class _Entry:
    asked: float
    found: GetSecretValueResponse


@dataclass(frozen=True, slots=True)
class _Flight:
    asked: float
    task: asyncio.Task[GetSecretValueResponse]


def _boot_clock() -> float:
    """Seconds that also pass while the machine sleeps: an age must not stop with the lid."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def value_of(found: GetSecretValueResponse) -> Plaintext:
    """The value of a response, be it text or binary."""
    value = found.text if found.text is not None else found.binary
    if value is None:
        raise Internal(f"cannot read secret {found.name}: the answer holds no value")
    return value


class SecretCache:
    """Values by name and stage, at most `max_entries` of them, none served when older than the caller accepts.

    The age counts from before the daemon was asked, so a value is never staler than it says. Tasks that miss at the
    same time share one call. Errors are not kept. Values live in memory as Plaintext and go with `clear`.
    """

    def __init__(
        self,
        client: Reads,
        max_entries: int = DEFAULT_MAX_ENTRIES,
        clock: Callable[[], float] = _boot_clock,
        watch: Callable[[Sequence[str]], Watching] | None = None,
    ) -> None:
        self._client = client
        self._max_entries = max_entries
        self._clock = clock
        self._watch = watch
        self._vouched: dict[str, float] = {}
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._flights: dict[Key, _Flight] = {}

    def __len__(self) -> int:
        return len(self._entries)

    async def get(
        self, name: str, stage: str | None = None, *, max_age_seconds: float = DEFAULT_MAX_AGE_SECONDS
    ) -> Plaintext:
        """The value, at most `max_age_seconds` old; 0 always asks the daemon."""
        return value_of(await self.get_version(name, stage, max_age_seconds=max_age_seconds))

    async def get_version(
        self, name: str, stage: str | None = None, *, max_age_seconds: float = DEFAULT_MAX_AGE_SECONDS
    ) -> GetSecretValueResponse:
        """As `get`, with the version's id and number beside the value."""
        key = name, stage
        now = self._clock()
        entry = self._entries.get(key)
        if entry is not None and now - max(entry.asked, self._vouched.get(name, 0.0)) < max_age_seconds:
            self._entries.move_to_end(key)
            return entry.found
        flight = self._flights.get(key)
        if flight is None or now - flight.asked >= max_age_seconds:
            flight = self._depart(key)
        # Shielded, because other tasks may wait for the same answer; the call ends by the client's own deadline.
        return await asyncio.shield(flight.task)

    async def read_again(self, name: str, stage: str | None = None) -> GetSecretValueResponse:
        """As `get_version`, but forget what is known and ask the daemon: for when a target refuses what is known."""
        self.forget(name)
        return await self.get_version(name, stage, max_age_seconds=0)

    @asynccontextmanager
    async def keep_fresh(self, names: Iterable[str]) -> AsyncIterator[Freshness]:
        """While this is open, watch these secrets: what changes is forgotten at once, and read again if it was known.

        What did not change counts as read whenever the daemon gives a sign of life, so values do not have to be read
        again for their age. Where the watch is down, ages count as ever. A refusal is raised at the beginning.
        """
        if self._watch is None:
            raise ClientError("cannot keep the cache fresh: it has nothing to watch by")
        watched = tuple(names)
        watch = self._watch
        fresh = Freshness(self, lambda: watch(watched), watched)
        await fresh.begin()
        try:
            yield fresh
        finally:
            await fresh.end()

    def forget(self, name: str) -> tuple[str | None, ...]:
        """Drop what is known of a secret, at any stage.

        An answer that is still on its way is not kept either, for it may have been read before the change. The stages
        that were known, or were about to be, are returned.
        """
        known = {key for key in (*self._entries, *self._flights) if key[0] == name}
        for key in known:
            self._entries.pop(key, None)
            self._flights.pop(key, None)
        return tuple(stage for _, stage in known)

    def renew(self, name: str, stages: Iterable[str | None]) -> None:
        """Begin to read a secret at these stages, so that whoever asks next need not wait as long."""
        for stage in stages:
            self._depart((name, stage))

    def vouch(self, names: Iterable[str]) -> None:
        """What is known of these secrets is as good as read now: nothing has changed since it was."""
        self._vouched.update(dict.fromkeys(names, self._clock()))

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self._flights.clear()
        self._vouched.clear()

    def _depart(self, key: Key) -> _Flight:
        name, stage = key
        flight = _Flight(self._clock(), asyncio.create_task(self._client.get_secret_value(name, stage=stage)))
        self._flights[key] = flight
        flight.task.add_done_callback(partial(self._land, key, flight))
        return flight

    def _land(self, key: Key, flight: _Flight, _: asyncio.Task[GetSecretValueResponse]) -> None:
        error = None if flight.task.cancelled() else flight.task.exception()  # seen, even if every caller has gone
        if self._flights.get(key) is not flight:
            return  # forgotten on its way, or overtaken by a call that began later
        del self._flights[key]
        if flight.task.cancelled() or error is not None:
            return
        self._entries[key] = _Entry(flight.asked, flight.task.result())
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
