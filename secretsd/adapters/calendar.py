"""Due moments by APScheduler's triggers: intervals, cron lines, time zones, jitter, and the windows of a week."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.schedule import DAYS, Schedule

_HORIZON = timedelta(days=5 * 366)
_WEEK = range(-2, 10)
"""The days around a moment on which a window may have opened that is still open, or opens next."""


class TriggerCalendar:
    """Implements ports.time.Calendar. The zone tables are the pinned tzdata's wherever the host has none."""

    def __init__(self, min_interval_seconds: int) -> None:
        self._min_interval_seconds = min_interval_seconds
        self._random = random.SystemRandom()

    def check(self, schedule: Schedule) -> None:
        """Raise InvalidRequest unless zone and cron line can be read and come no more often than the minimum."""
        if schedule.cron is None:
            _zone(schedule)
            return
        trigger = _trigger(schedule)
        first = trigger.get_next_fire_time(None, datetime.now(UTC))
        if first is None or first - datetime.now(UTC) > _HORIZON:
            raise InvalidRequest("cannot accept the schedule: the cron line is never due")
        # The closest two of the next hundred moments: enough to see a rhythm of minutes or hours.
        moment = first
        for _ in range(100):
            following = trigger.get_next_fire_time(moment, moment + timedelta(seconds=1))
            if following is None:
                return
            if (following - moment).total_seconds() < self._min_interval_seconds:
                raise InvalidRequest(
                    f"cannot accept the schedule: it comes more often than every {self._min_interval_seconds} seconds"
                )
            moment = following

    def next_due_ms(self, schedule: Schedule, after_ms: int) -> int:
        """The next moment after `after_ms`, jitter drawn; inside a window where there are any."""
        moment_ms = _rhythm_ms(schedule, after_ms)
        return self._within(schedule, moment_ms) if schedule.windows else moment_ms + self._jitter_ms(schedule)

    def opening_ms(self, schedule: Schedule, at_ms: int) -> int:
        """`at_ms` where that is inside a window or there are none; else the next opening, jitter drawn."""
        if not schedule.windows or _next_window(schedule, at_ms)[0] <= at_ms:
            return at_ms
        return self._within(schedule, at_ms)

    def _within(self, schedule: Schedule, at_ms: int) -> int:
        opens_ms, closes_ms = _next_window(schedule, at_ms)
        first_ms = max(opens_ms, at_ms)
        return first_ms + self._jitter_ms(schedule, closes_ms - 1 - first_ms)

    def _jitter_ms(self, schedule: Schedule, most_ms: int | None = None) -> int:
        jitter_ms = schedule.jitter_seconds * 1000
        return self._random.randrange((jitter_ms if most_ms is None else min(jitter_ms, most_ms)) + 1)


def _rhythm_ms(schedule: Schedule, after_ms: int) -> int:
    if schedule.every_seconds is not None:
        return after_ms + schedule.every_seconds * 1000
    after = datetime.fromtimestamp(after_ms / 1000, UTC)
    trigger = _trigger(schedule)
    moment = trigger.get_next_fire_time(None, after + timedelta(seconds=1))
    if moment is not None and moment.fold and not _every_hour(schedule):
        # The clock was put back and shows this time again: a line that names its hours has been due already.
        moment = trigger.get_next_fire_time(None, moment.astimezone(UTC) + timedelta(seconds=3601))
    if moment is None:
        raise InvalidRequest("cannot compute when the schedule is due: the cron line is never due again")
    return int(moment.timestamp() * 1000)


def _next_window(schedule: Schedule, at_ms: int) -> tuple[int, int]:
    """From when to when the window is open that is open at the moment, or opens next. The end is not part of it.

    Of several that are open the one that stays so for longest.
    """
    still = [(max(opens, at_ms), -closes, opens) for opens, closes in _windows(schedule, at_ms) if closes > at_ms]
    _, closes, opens = min(still)
    return opens, -closes


def _windows(schedule: Schedule, at_ms: int) -> Iterator[tuple[int, int]]:
    """The windows that open within a week of the moment.

    A start that the clock skips is as long after midnight as ever; one that it shows twice is the first of the two.
    """
    zone = _zone(schedule)
    today = datetime.fromtimestamp(at_ms / 1000, zone).date()
    for day in (today + timedelta(days=days) for days in _WEEK):
        for window in schedule.windows:
            if DAYS[day.weekday()] in window.days:
                opens = datetime.combine(day, time.fromisoformat(window.start), zone)
                opens_ms = int(opens.timestamp()) * 1000
                yield opens_ms, opens_ms + window.minutes * 60_000


def _zone(schedule: Schedule) -> ZoneInfo:
    try:
        return ZoneInfo(schedule.time_zone)
    except (OSError, ValueError, KeyError):
        raise InvalidRequest("cannot accept the schedule: no such time zone") from None


def _every_hour(schedule: Schedule) -> bool:
    return schedule.cron is not None and schedule.cron.split()[1].startswith("*")


def _trigger(schedule: Schedule) -> CronTrigger:
    zone = _zone(schedule)
    try:
        return CronTrigger.from_crontab(schedule.cron, timezone=zone)
    except ValueError:
        raise InvalidRequest("cannot accept the schedule: the cron line has five fields, such as 30 4 * * 1") from None
