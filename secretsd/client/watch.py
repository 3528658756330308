"""Following secrets: one watch after the other, each taken up where the one before it broke off."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

from secretsd.api.watch import SecretChange
from secretsd.client.connections import OpenAnswer
from secretsd.client.errors import DaemonUnavailable, UnreadableAnswer
from secretsd.client.event_stream import read_events
from secretsd.client.messages import read_document
from secretsd.client.retries import PASSING, Retries
from secretsd.domain.errors import ErrorKind, SecretsdError

SILENCE_SECONDS = 45.0
"""The daemon gives a sign of life every 15 seconds; a connection on which none comes is given up."""


class Told(NamedTuple):
    """Something about a watched secret, or with `change` None a sign of life.

    `complete` says that all has been told that was known when this was sent.
    """

    change: SecretChange | None
    complete: bool


class Watching:
    """Follows secrets for as long as anybody reads. `connected` is true while the daemon would tell of a change."""

    def __init__(
        self,
        connect: Callable[[str | None], Awaitable[OpenAnswer]],
        retries: Retries,
        last_event_id: str | None = None,
        *,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self.connected = False
        self.last_event_id = last_event_id
        self._connect = connect
        self._retries = retries
        self._silence_seconds = silence_seconds

    async def told(self) -> AsyncGenerator[Told, None]:
        """What is told, over as many connections as it takes.

        A refusal that lasts is raised whenever it comes; that the daemon is away, only if it never was there.
        """
        was_there, failures = False, 0
        while True:
            retry_after = 0
            try:
                answer = await self._connect(self.last_event_id)
                was_there = True
                async with aclosing(self._read(answer)) as reading:
                    async for told in reading:
                        if told.complete:
                            failures = 0
                        yield told
            except SecretsdError as error:
                if not may_pass(error) or (not was_there and failures + 1 >= self._retries.attempts):
                    raise
                retry_after = error.retry_after_seconds or 0
            failures += 1
            await asyncio.sleep(max(self._retries.backoff_seconds(failures), retry_after))

    async def _read(self, answer: OpenAnswer) -> AsyncGenerator[Told, None]:
        try:
            self.connected = True
            async with aclosing(read_events(_Lively(answer, self._silence_seconds))) as events:
                async for event in events:
                    change = None
                    if event.data:
                        found = read_document("WatchSecrets", SecretChange, event.data)
                        change = found if isinstance(found, SecretChange) else None
                    if event.id is not None:
                        self.last_event_id = event.id
                    yield Told(change, event.id is not None)
        finally:
            self.connected = False
            answer.close()


class _Lively:
    """An answer that ends when it has been silent for too long."""

    def __init__(self, answer: OpenAnswer, seconds: float) -> None:
        self._answer = answer
        self._seconds = seconds

    async def read(self) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer.read()
        except TimeoutError:
            return b""


def may_pass(error: SecretsdError) -> bool:
    """Whether the daemon may take a watch that it could not take now. What it refuses for good, it refuses again."""
    if isinstance(error, UnreadableAnswer):
        return False
    return isinstance(error, DaemonUnavailable) or error.kind in PASSING or error.kind is ErrorKind.INTERNAL
