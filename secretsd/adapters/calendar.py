"""Due moments by APScheduler's triggers: intervals, cron lines, time zones, jitter."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.schedule import Schedule

_HORIZON = timedelta(days=5 * 366)


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
        """The next moment after `after_ms`, jitter drawn."""
        jitter_ms = self._random.randrange(schedule.jitter_seconds * 1000 + 1)
        if schedule.every_seconds is not None:
            return after_ms + schedule.every_seconds * 1000 + jitter_ms
        after = datetime.fromtimestamp(after_ms / 1000, UTC)
        trigger = _trigger(schedule)
        moment = trigger.get_next_fire_time(None, after + timedelta(seconds=1))
        if moment is not None and moment.fold and not _every_hour(schedule):
            # The clock was put back and shows this time again: a line that names its hours has been due already.
            moment = trigger.get_next_fire_time(None, moment.astimezone(UTC) + timedelta(seconds=3601))
        if moment is None:
            raise InvalidRequest("cannot compute when the schedule is due: the cron line is never due again")
        return int(moment.timestamp() * 1000) + jitter_ms


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
