"""A bounded cache of secret values, for applications that read the same few secrets all the time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from secretsd.api.values import GetSecretValueResponse
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
        self, client: Reads, max_entries: int = DEFAULT_MAX_ENTRIES, clock: Callable[[], float] = _boot_clock
    ) -> None:
        self._client = client
        self._max_entries = max_entries
        self._clock = clock
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
        if entry is not None and now - entry.asked < max_age_seconds:
            self._entries.move_to_end(key)
            return entry.found
        flight = self._flights.get(key)
        if flight is None or now - flight.asked >= max_age_seconds:
            flight = _Flight(now, asyncio.create_task(self._client.get_secret_value(name, stage=stage)))
            self._flights[key] = flight
            flight.task.add_done_callback(partial(self._land, key, flight))
        # Shielded, because other tasks may wait for the same answer; the call ends by the client's own deadline.
        return await asyncio.shield(flight.task)

    def forget(self, name: str) -> None:
        """Drop what is known of a secret, at any stage: call it when a target refuses a cached credential.

        An answer that is still on its way is not kept either, for it may have been read before the change.
        """
        for key in [key for key in self._entries if key[0] == name]:
            del self._entries[key]
        for key in [key for key in self._flights if key[0] == name]:
            del self._flights[key]

    def clear(self) -> None:
        """Drop everything."""
        self._entries.clear()
        self._flights.clear()

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
