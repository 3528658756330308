"""Time: the wall clock for what people read, and calendars for when something is due."""

from typing import Protocol

from secretsd.domain.schedule import Schedule


class Clock(Protocol):
    """Wall time. Leases and time-outs do not use it."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class Calendar(Protocol):
    """Computes due moments from schedules."""

    def check(self, schedule: Schedule) -> None:
        """Raise InvalidRequest unless rhythm and time zone can be understood."""
        ...

    def next_due_ms(self, schedule: Schedule, after_ms: int) -> int:
        """The next moment after `after_ms`, jitter drawn: the caller stores it and never draws twice."""
        ...

    def opening_ms(self, schedule: Schedule, at_ms: int) -> int:
        """The first moment from `at_ms` on that is inside a window, jitter drawn; `at_ms` itself where it is in one.

        A schedule without windows is always open.
        """
        ...
