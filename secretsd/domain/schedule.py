"""When a rotation is due, as data; an adapter with calendars and time zones computes the moment."""

from dataclasses import dataclass

from secretsd.domain.errors import InvalidRequest

MIN_INTERVAL_SECONDS = 3600
MAX_INTERVAL_SECONDS = 3650 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Schedule:
    """Either an interval in seconds, counted from the last success, or a cron line (five fields) in a time zone."""

    every_seconds: int | None = None
    cron: str | None = None
    time_zone: str = "UTC"
    jitter_seconds: int = 0

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
