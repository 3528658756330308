"""When a schedule is due: intervals, cron lines, time zones with their summer time, jitter drawn within its bounds."""

from datetime import UTC, datetime

import pytest

from secretsd.adapters.calendar import TriggerCalendar
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.schedule import Schedule

calendar = TriggerCalendar(3600)


def ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


def test_an_interval_counts_from_the_moment_given() -> None:
    assert calendar.next_due_ms(Schedule(every_seconds=7200), ms(2026, 11, 25)) == ms(2026, 11, 25, 2)


def test_a_cron_line_is_read_in_its_time_zone_through_summer_time() -> None:
    schedule = Schedule(cron="30 4 * * *", time_zone="Europe/Berlin")
    assert calendar.next_due_ms(schedule, ms(2026, 1, 10)) == ms(2026, 1, 10, 3, 30)
    assert calendar.next_due_ms(schedule, ms(2026, 7, 10)) == ms(2026, 7, 10, 2, 30)


def test_a_moment_that_the_clock_skips_comes_once_and_one_that_it_repeats_too() -> None:
    """02:30 does not exist on 29 March 2026 in Berlin, and exists twice on 25 October."""
    schedule = Schedule(cron="30 2 * * *", time_zone="Europe/Berlin")
    found, moment = [], ms(2026, 3, 28, 12)
    while moment < ms(2026, 3, 31):
        moment = calendar.next_due_ms(schedule, moment)
        found.append(moment)
    assert len(found) == 3
    first = calendar.next_due_ms(schedule, ms(2026, 10, 24, 12))
    assert calendar.next_due_ms(schedule, first) - first >= 23 * 3600 * 1000


def test_the_next_moment_is_after_the_one_given() -> None:
    moment = ms(2026, 5, 1, 4, 30)
    assert calendar.next_due_ms(Schedule(cron="30 4 * * *"), moment) == ms(2026, 5, 2, 4, 30)


def test_jitter_only_ever_adds_and_stays_within_its_bound() -> None:
    schedule = Schedule(every_seconds=3600, jitter_seconds=60)
    drawn = {calendar.next_due_ms(schedule, 0) - 3_600_000 for _ in range(200)}
    assert min(drawn) >= 0
    assert max(drawn) <= 60_000
    assert len(drawn) > 100


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (Schedule(cron="every day"), "five fields"),
        (Schedule(cron="61 * * * *"), "five fields"),
        (Schedule(cron="0 4 * * *", time_zone="Mars/Olympus"), "no such time zone"),
        (Schedule(cron="0 4 * * *", time_zone="../../etc/passwd"), "no such time zone"),
        (Schedule(every_seconds=3600, time_zone="nowhere"), "no such time zone"),
        (Schedule(cron="*/5 * * * *"), "more often than every 3600 seconds"),
        (Schedule(cron="0,30 4 * * *"), "more often than every 3600 seconds"),
        (Schedule(cron="0 4 30 2 *"), "never due"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_with_the_reason(schedule: Schedule, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        calendar.check(schedule)


@pytest.mark.parametrize(
    "schedule",
    [Schedule(cron="0 * * * *"), Schedule(cron="0 3 * * sun", time_zone="America/Santiago"), Schedule()],
)
def test_a_schedule_that_can_be_kept_is_accepted(schedule: Schedule) -> None:
    calendar.check(schedule)
