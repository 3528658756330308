"""A change that lost against another one is made again from what is stored now, a bounded number of times."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from secretsd.api.fields import Request, Response
from secretsd.operations.call import Call
from secretsd.operations.lines import Line, Lines
from secretsd.operations.streams import Stream
from secretsd.ports.storage import StaleRecord

STALE_ATTEMPTS = 20
SCHEDULED_ATTEMPTS = 5
"""Past this many it is a conflict. A scheduled step may ask a target each time, and is tried again later anyhow."""
QUICK_ATTEMPTS = 8
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.002, 0.05
"""So many are made while the one who was faster lets the others go first; only then are the pauses longer."""
Still = Callable[[], Awaitable[None]]
"""Raises where the caller is no longer who he was when the call began, or may no longer do what he asked for then."""


class Attempts:
    """Runs the handlers of operations; those that change the same thing take turns once one of them lost.

    Each of their callers gets a turn in his turn: who sends many calls does not keep out who comes to stop him. And
    whoever was stopped while his calls waited has no turn any more.
    """

    def __init__(self) -> None:
        self._lines = Lines()

    async def handle(self, call: Call, request: Request, still: Still) -> Response | Stream[Any]:
        """What the operation answers; its errors, and StaleRecord where others were faster every time."""
        # Scheduled steps may wait for a target, so they race: nobody should have to stand behind them.
        route = call.operation.route
        if route is None:
            return await _repeated(call, request, still, Line(), SCHEDULED_ATTEMPTS)
        if route.method == "GET" or not self._lines.forming(call.resource):
            with contextlib.suppress(StaleRecord):
                return await call.operation.handler(call, request)
        async with self._lines.turn(call.resource, call.principal[:2]) as line:
            await line.courtesy()
            await _see_what_is_newer(call, still)
            return await _repeated(call, request, still, line, STALE_ATTEMPTS - 1)


async def _repeated(call: Call, request: Request, still: Still, line: Line, most: int) -> Response | Stream[Any]:
    longest = FIRST_PAUSE_SECONDS
    for attempt in range(most - 1):
        with contextlib.suppress(StaleRecord):
            return await call.operation.handler(call, request)
        line.lost()
        # Another worker was faster; at random, so that the two do not keep step.
        await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # no secret hangs on it
        if attempt >= QUICK_ATTEMPTS:
            longest = min(2 * longest, LONGEST_PAUSE_SECONDS)
        await _see_what_is_newer(call, still)
    return await call.operation.handler(call, request)


async def _see_what_is_newer(call: Call, still: Still) -> None:
    await asyncio.sleep(0)  # a turn has to pass before the feed can tell
    call.parts.storage.refresh()
    call.begin_again()
    await still()
