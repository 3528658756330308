"""Time that passes only when nobody has anything to do: an event loop that jumps to its next timer, and its clocks."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar
from unittest import mock

from secretsd.adapters.sqlite import leases
from secretsd.testing.simulator.gate import Crashed

T = TypeVar("T")
BEGIN_MS = 1_800_000_000_000
"""The wall clock's first moment: 2027-01-15T08:00:00Z."""


class _NoWaiting(selectors.DefaultSelector):
    """Looks at descriptors without waiting, and moves the loop's time on by what it would have waited."""

    passed_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("cannot go on: everything waits, and nothing will ever happen")
        if not ready and timeout is not None and timeout > 0:
            self.passed_seconds += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs on time of its own, and what is meant for a thread at once: the same run again takes the same turns."""

    def __init__(self, begin_seconds: float = 0.0) -> None:
        self._waits = _NoWaiting()
        self._waits.passed_seconds = begin_seconds
        super().__init__(self._waits)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._waits.passed_seconds

    def run_in_executor(  # type: ignore[override]  # the stub's variadic types say no more than this
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run it here and now: a thread would bring back the real clock."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # as an executor does: whoever awaits it gets the error
            future.set_exception(error)
        return future


class VirtualClock:
    """Wall time that follows the loop's; implements ports.time.Clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, some years from now."""
        return BEGIN_MS + round(asyncio.get_running_loop().time() * 1000)


def run(main: Callable[[], Coroutine[Any, Any, T]], begin_seconds: float = 0.0) -> T:
    """What `main` returns, run to its end on a loop of its own; leases run on the same virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(begin_seconds)) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(_tell)
        with mock.patch.object(leases, "boot_ms", side_effect=lambda: round(loop.time() * 1000)):
            return runner.run(main())


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Errors that nobody awaited are told as ever; that a node died is what a case is about."""
    if not isinstance(context.get("exception"), Crashed):
        loop.default_exception_handler(context)
