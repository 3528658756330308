"""The read barrier: reads of a value that is being changed at its target wait until it is known which one works."""

import asyncio
import time
from collections.abc import Callable, Sequence

from secretsd.domain.errors import RotationInProgress
from secretsd.domain.secrets import Barrier, Secret
from secretsd.operations.cache import RowCache
from secretsd.operations.rows import Rows
from secretsd.ports.storage import RecordName

HOLD_SECONDS = 1.5
LOOK_SECONDS = 0.005
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5)


class HeldReads:
    """How long reads were held, in seconds, as a histogram; `refused` counts those that were told to come again."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total_seconds = 0.0
        self.longest_seconds = 0.0
        self.refused = 0

    def add(self, seconds: float) -> None:
        """One read that was held that long."""
        self.counts[sum(seconds > bound for bound in BUCKETS)] += 1
        self.total_seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)


class ReadBarrier:
    """One a worker. Nobody waits for a secret that is not held, and everybody who waits shares one look at the feed."""

    def __init__(self, rows: Rows, cache: RowCache, clock: Callable[[], float] = time.monotonic) -> None:
        self.held = HeldReads()
        self._rows = rows
        self._refresh = cache.refresh
        self._clock = clock
        self._changed = asyncio.Event()
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None
        cache.on_change(self._on_change)

    async def passed(self, secret: Secret) -> Secret:
        """The secret once its current value may be read; RotationInProgress when that takes over 1.5 seconds."""
        began = self._clock()
        self._waiting += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            while secret.barrier is Barrier.HOLD:
                changed = self._changed
                left = HOLD_SECONDS - (self._clock() - began)
                if left <= 0:
                    self.held.refused += 1
                    raise RotationInProgress(
                        f"cannot serve the value of secret {secret.name} now: it is being rotated",
                        retry_after_seconds=1,
                    )
                try:
                    async with asyncio.timeout(left):
                        await changed.wait()
                except TimeoutError:
                    continue
                secret = await self._rows.secret(secret.account, secret.name)
        finally:
            self._waiting -= 1
            self.held.add(self._clock() - began)
        return secret

    async def _look(self) -> None:
        """Notice what other workers commit, for as long as anybody waits."""
        while self._waiting:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._refresh()
            except Exception:  # noqa: BLE001  # the storage is away: whoever waits finds out by its own reads
                self._wake()
        self._looking = None

    def _on_change(self, names: Sequence[RecordName]) -> None:
        if self._waiting and (not names or any(table == "secrets" for table, _ in names)):
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
