"""Lines before what several calls change at once: whoever was too late waits for his turn instead of racing again."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from secretsd.domain.names import Resource

COURTESIES, COURTESY_SECONDS = 8, 0.005
"""How many turns a line is courteous after it lost, and for how long: a change takes about that."""


class Lines:
    """One line a resource, there only while somebody stands in it. For the loop of one worker.

    Those who wait take turns, one call of each; those of one in order of arrival.

    Racing costs each loser a data key from the HSM and a transaction; of twenty calls on one secret the last would have
    to lose nineteen times. Workers still race with each other, which is what the compare-and-set of storage is for.
    """

    def __init__(self) -> None:
        self._lines: dict[Resource, Line] = {}

    def forming(self, resource: Resource) -> bool:
        """True while somebody waits or has his turn: a newcomer should stand behind him."""
        return resource in self._lines

    @asynccontextmanager
    async def turn(self, resource: Resource, who: Hashable) -> AsyncIterator["Line"]:
        """Wait for one's turn, then have the resource to oneself among those who stand in line."""
        line = self._lines.get(resource)
        if line is None:
            line = self._lines[resource] = Line()
        else:
            turn = line.joined(who)
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():  # it had come just now
                    self._pass_on(resource)
                raise
        try:
            yield line
        finally:
            self._pass_on(resource)

    def _pass_on(self, resource: Resource) -> None:
        if not self._lines[resource].pass_on():
            del self._lines[resource]


class Line:
    """Who waits behind the one whose turn it is; whose next call is due stands first."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        self._courtesies = 0

    def lost(self) -> None:
        """Tell that another worker was faster: for some turns now its line goes first."""
        self._courtesies = COURTESIES

    async def courtesy(self) -> None:
        """Let another worker's line go first where there is one.

        Whoever lost tries again at once, and would lose each time against a line that has always one ready to go.
        """
        if self._courtesies:
            self._courtesies -= 1
            await asyncio.sleep(COURTESY_SECONDS)

    def joined(self, who: Hashable) -> asyncio.Future[None]:
        """Done when it is his turn; cancelled where he left before."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(turn)
        return turn

    def pass_on(self) -> bool:
        """Give the turn to the next one; False where nobody waits."""
        while self._waiting:
            who = next(iter(self._waiting))
            calls = self._waiting.pop(who)
            turn = calls.popleft()
            if calls:
                self._waiting[who] = calls
            if not turn.done():
                turn.set_result(None)
                return True
        return False
