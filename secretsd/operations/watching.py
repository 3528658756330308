"""One watcher's stream: what it has been told, what may be new, and whether it may still listen."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from secretsd.api.watch import SecretChange
from secretsd.domain.errors import ErrorKind, SecretsdError
from secretsd.domain.names import Resource
from secretsd.domain.principals import Principal
from secretsd.operations.request_facts import RequestFacts
from secretsd.operations.streams import Batch, Prove, Stream

if TYPE_CHECKING:
    from secretsd.operations.watchers import Watchers

log = logging.getLogger("secretsd.watchers")
PERMISSION = "WatchSecrets"
HEARTBEAT_SECONDS = 15.0
RECHECK_SECONDS = 60.0
LOST = frozenset({ErrorKind.UNAUTHENTICATED, ErrorKind.ACCESS_DENIED})
DENIED, UNAVAILABLE = "denied", "unavailable"


class Watch(Stream[SecretChange]):
    """One watcher's stream. What it holds is bounded by its names, however long nobody reads."""

    kind = "secret"

    def __init__(self, watchers: "Watchers", principal: Principal, facts: RequestFacts, names: Sequence[str]) -> None:
        self._watchers = watchers
        self._principal = principal
        self._facts = facts
        self._names = names
        self._told: dict[str, SecretChange] = {}
        self._touched: dict[str, None] = {}
        self._clock = asyncio.get_running_loop().time
        self._proved = self._clock()
        self._doubted = False
        self._prove: Prove | None = None
        self._farewell = ""
        self._over = False
        self._begun = False
        self._woken = asyncio.Event()

    def proved_by(self, prove: Prove) -> None:
        """Tell how the caller's identity is proved again."""
        self._prove = prove

    def touch(self, names: Iterable[str]) -> None:
        """Something may be new about these."""
        self._touched.update(dict.fromkeys(names))
        self._woken.set()

    def touch_all(self) -> None:
        """Something may be new about any of them."""
        self.touch(self._names)

    def doubt(self) -> None:
        """The permission may be gone."""
        self._doubted = True
        self._woken.set()

    def end(self, farewell: str) -> None:
        """Say goodbye next."""
        self._farewell = self._farewell or farewell
        self._woken.set()

    def close(self) -> None:
        """Let go of everything."""
        if not self._over:
            self._over = True
            self._woken.set()
            self._watchers.leave(self, self._principal.account, self._names)

    async def next(self) -> Batch[SecretChange] | None:
        """The next batch; the first comes at once, even if nothing changed since the event that the caller named."""
        deadline = self._clock() + (HEARTBEAT_SECONDS if self._begun else 0)
        try:
            while not self._over:
                # An end that came before the first batch waits for it: whoever asked is told how things are.
                if self._farewell and self._begun:
                    return self._goodbye()
                self._woken.clear()
                if self._doubted or self._clock() - self._proved >= RECHECK_SECONDS:
                    await self._require_permission()
                batch = await self._news()
                late = self._clock() >= deadline
                if late and self._watchers.blind:
                    self.end(UNAVAILABLE)
                    return self._goodbye()
                if batch.items or late:
                    self._begun = True
                    return batch
                await self._wait(deadline)
        except SecretsdError as error:
            self.end(DENIED if error.kind in LOST else UNAVAILABLE)
            if error.kind not in LOST:
                log.warning("cannot go on with a watch: %s", error.kind.value)
            return self._goodbye()
        return None

    def _goodbye(self) -> Batch[SecretChange]:
        self.close()
        return Batch((), "", self._farewell)

    async def _wait(self, deadline: float) -> None:
        try:
            async with asyncio.timeout(min(deadline, self._proved + RECHECK_SECONDS) - self._clock()):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _require_permission(self) -> None:
        """Raise AccessDenied or Unauthenticated unless all is still as it was when the call was let in."""
        async with self._watchers.checking:
            self._doubted = False
            now = self._clock()
            principal = self._principal if self._prove is None else await self._prove()
            facts = self._facts.at(self._watchers.now_ms())
            for name in self._names:
                resource = Resource(self._principal.account, f"secret/{name}")
                await self._watchers.authorizer.require(principal, PERMISSION, resource, facts)
            self._proved = now

    async def _news(self) -> Batch[SecretChange]:
        touched, self._touched = self._touched, {}
        position = self._watchers.position  # before the states are read: they may be newer than it says, never older
        changed = []
        for name in touched:
            if self._over:
                break
            state = await self._watchers.state(self._principal.account, name)
            if state != self._told.get(name):
                self._told[name] = state
                changed.append(state)
        return Batch(tuple(changed), position)
