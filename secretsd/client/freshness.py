"""Keeps cached values fresh: forgets and reads again what a watch tells of, and vouches for the rest."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from secretsd.api.watch import SecretChange
from secretsd.client.watch import Told, Watching, may_pass
from secretsd.domain.errors import SecretsdError

REFUSED_WAIT_SECONDS = 60.0
HOLD = "hold"


class Kept(Protocol):
    """What is kept fresh."""

    def forget(self, name: str) -> tuple[str | None, ...]:
        """Drop what is known of a secret; the stages at which it was known."""
        ...

    def renew(self, name: str, stages: Sequence[str | None]) -> None:
        """Begin to read a secret again at these stages."""
        ...

    def vouch(self, names: Sequence[str]) -> None:
        """What is known of these is as good as read now."""
        ...


class Freshness:
    """While this is open, cached values of the names are as fresh as the watch is quick.

    `connected` is true while changes are heard of; at other times a value is as old as it was last vouched for.
    `refusal` is why the daemon would not have us watch; that is asked again once a minute.
    """

    def __init__(self, cache: Kept, watch: Callable[[], Watching], names: Sequence[str]) -> None:
        self.refusal: SecretsdError | None = None
        self._cache = cache
        self._watch = watch
        self._watching = watch()
        self._names = names
        self._held: dict[str, tuple[str | None, ...]] = {}
        self._complete = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether changes are heard of now."""
        return self._watching.connected

    async def begin(self) -> None:
        """Return once the watch stands. A refusal is raised; that the daemon is away is not, it is waited for."""
        told = self._watching.told()
        try:
            first = await anext(told)
        except SecretsdError as error:
            if not may_pass(error):
                raise
            self._task = asyncio.create_task(self._for_ever(None))
            return
        except BaseException:
            await told.aclose()
            raise
        self._take(first)
        self._task = asyncio.create_task(self._for_ever(told))
        if first.complete:
            return
        waiting = asyncio.create_task(self._complete.wait())
        try:
            await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def end(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _for_ever(self, told: AsyncGenerator[Told, None] | None) -> None:
        while True:
            try:
                async with aclosing(told or self._watching.told()) as following:
                    async for one in following:
                        self.refusal = None
                        self._take(one)
            except SecretsdError as error:
                self.refusal = error
            lasting = self.refusal is not None and not may_pass(self.refusal)
            await asyncio.sleep(REFUSED_WAIT_SECONDS if lasting else 1.0)
            told, self._watching = None, self._watch()

    def _take(self, told: Told) -> None:
        if told.change is not None:
            self._changed(told.change)
        if told.complete:
            self._cache.vouch(self._names)
            self._complete.set()

    def _changed(self, change: SecretChange) -> None:
        """A value that waits for its rotation is not read again before that is over: the read would only wait too."""
        name = change.name
        stages = tuple({*self._cache.forget(name), *self._held.pop(name, ())})
        if change.deleted:
            return
        if change.barrier == HOLD:
            self._held[name] = stages
        elif stages:
            self._cache.renew(name, stages)
