"""Lines before what several calls change at once: whoever was too late waits for his turn instead of racing again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from secretsd.domain.names import Resource


class Lines:
    """One line a resource, in order of arrival, there only while somebody stands in it. For the loop of one worker.

    Racing costs each loser a data key from the HSM and a transaction; of twenty calls on one secret the last would have
    to lose nineteen times. Workers still race with each other, which is what the compare-and-set of storage is for.
    """

    def __init__(self) -> None:
        self._lines: dict[Resource, tuple[asyncio.Lock, int]] = {}

    def forming(self, resource: Resource) -> bool:
        """True while somebody waits or has his turn: a newcomer should stand behind him."""
        return resource in self._lines

    @asynccontextmanager
    async def turn(self, resource: Resource) -> AsyncIterator[None]:
        """Wait for everybody who came before, then have the resource to oneself among those who stand in line."""
        lock, waiting = self._lines.get(resource) or (asyncio.Lock(), 0)
        self._lines[resource] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._lines.pop(resource)
            if waiting > 1:
                self._lines[resource] = lock, waiting - 1
