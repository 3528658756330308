"""When a rotation is due, as data; an adapter with calendars and time zones computes the moment."""

import re
from dataclasses import dataclass, field

from secretsd.domain.errors import InvalidRequest

MIN_INTERVAL_SECONDS = 3600
MAX_INTERVAL_SECONDS = 3650 * 24 * 3600
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIN_WINDOW_MINUTES = 15
MAX_WINDOW_MINUTES = 24 * 60
MAX_WINDOWS = 14
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which rotations may begin: it opens at `start` ("HH:MM") on each of the days, for so many minutes.

    It may cross midnight, and then belongs to the day on which it opened. The minutes are those that pass, also in a
    night in which the clock is changed.
    """

    days: tuple[str, ...]
    start: str
    minutes: int

    def check(self) -> None:
        """Raise InvalidRequest unless it opens at least once a week, at a time of the day."""
        if not self.days or len(set(self.days)) != len(self.days) or not set(self.days) <= set(DAYS):
            raise InvalidRequest("cannot accept the window: days are some of mon, tue, wed, thu, fri, sat, sun")
        if not _TIME.fullmatch(self.start):
            raise InvalidRequest("cannot accept the window: start is a time of the day such as 02:30")
        if not MIN_WINDOW_MINUTES <= self.minutes <= MAX_WINDOW_MINUTES:
            raise InvalidRequest(
                f"cannot accept the window: minutes is from {MIN_WINDOW_MINUTES} to {MAX_WINDOW_MINUTES}"
            )


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either an interval in seconds, counted from the last success, or a cron line (five fields) in a time zone.

    Where there are windows, a moment outside all of them moves to the next opening.
    """

    every_seconds: int | None = None
    cron: str | None = None
    time_zone: str = "UTC"
    jitter_seconds: int = 0
    windows: tuple[Window, ...] = field(default=(), metadata={"later": True})

    @property
    def manual(self) -> bool:
        """True when there is no rhythm: the rotation runs only when somebody asks for it."""
        return self.every_seconds is None and self.cron is None

    def check(self, min_interval_seconds: int = MIN_INTERVAL_SECONDS) -> None:
        """Raise InvalidRequest unless it names one rhythm at most, no faster than the minimum."""
        if self.every_seconds is not None and self.cron is not None:
            raise InvalidRequest("cannot accept the schedule: give either every_seconds or cron")
        if self.every_seconds is not None and not min_interval_seconds <= self.every_seconds <= MAX_INTERVAL_SECONDS:
            raise InvalidRequest(
                f"cannot accept the schedule: every_seconds is from {min_interval_seconds} to {MAX_INTERVAL_SECONDS}"
            )
        if not 0 <= self.jitter_seconds <= 24 * 3600:
            raise InvalidRequest("cannot accept the schedule: jitter_seconds is from 0 to 86400")
        if len(self.windows) > MAX_WINDOWS:
            raise InvalidRequest(f"cannot accept the schedule: it has at most {MAX_WINDOWS} windows")
        for window in self.windows:
            window.check()
