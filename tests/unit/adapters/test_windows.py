"""Windows of a schedule: whatever falls outside waits for the next opening, over midnight and through summer time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.adapters.calendar import TriggerCalendar
from secretsd.domain.schedule import DAYS, Schedule, Window

calendar = TriggerCalendar(3600)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
HOUR = 3_600_000
moments = st.integers(
    int(datetime(2009, 1, 1, tzinfo=UTC).timestamp()) * 1000, int(datetime(2036, 1, 1, tzinfo=UTC).timestamp()) * 1000
)
"""Apia skipped a whole day in 2011."""
windows = st.builds(
    Window,
    st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: tuple(sorted(days))),
    st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59)),
    st.integers(15, 1440),
)
some_windows = st.lists(windows, min_size=1, max_size=4).map(tuple)
rhythms = st.one_of(
    st.builds(lambda seconds: {"every_seconds": seconds}, st.integers(3600, 40 * 86_400)),
    st.sampled_from([{"cron": "30 2 * * *"}, {"cron": "0 12 1 * *"}, {"cron": "0 * * * *"}]),
)
schedules = st.builds(
    lambda rhythm, zone, jitter, found: Schedule(time_zone=zone, jitter_seconds=jitter, windows=found, **rhythm),
    rhythms, st.sampled_from(ZONES), st.integers(0, 86_400), some_windows,
)  # fmt: skip


def ms(zone: str, *parts: int, fold: int = 0) -> int:
    year, month, day, hour, minute = parts
    return int(datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold).timestamp() * 1000)


def is_open(schedule: Schedule, at_ms: int) -> bool:
    """Told the other way round: walk back minute by minute on the clock of UTC, and see whether one opened there.

    A start that the local clock skips is looked for where the clock would be, had it not been put forward.
    """
    zone = ZoneInfo(schedule.time_zone)
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    longest = max(window.minutes for window in schedule.windows)
    minute = at.replace(second=0, microsecond=0)
    for passed in range(longest + 1):
        then = minute - timedelta(minutes=passed)
        local = then.astimezone(zone)
        before = (then - timedelta(hours=25)).astimezone(zone).utcoffset()
        skipped = then.astimezone(UTC) + before if before is not None else then
        for window in schedule.windows:
            if at - then >= timedelta(minutes=window.minutes):
                continue
            shown = f"{local:%H:%M}" == window.start and DAYS[local.weekday()] in window.days and not local.fold
            naive = skipped.replace(tzinfo=None)
            gap = naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive
            if shown or (gap and f"{naive:%H:%M}" == window.start and DAYS[naive.weekday()] in window.days):
                return True
    return False


@given(schedules, moments)
def test_the_moment_is_inside_a_window_and_never_before_the_rhythm_asks_for_it(schedule: Schedule, after: int) -> None:
    due = calendar.next_due_ms(schedule, after)
    assert is_open(schedule, due)
    assert due > after
    if schedule.every_seconds is not None:
        rhythm = after + schedule.every_seconds * 1000
        # A week, a day that a zone may skip, and the jitter, which ends with the window.
        assert rhythm <= due < rhythm + 8 * 24 * HOUR + max(w.minutes for w in schedule.windows) * 60_000


@given(schedules, moments)
def test_the_opening_is_now_exactly_if_it_is_open_now(schedule: Schedule, at: int) -> None:
    opening = calendar.opening_ms(schedule, at)
    assert is_open(schedule, opening)
    assert (opening == at) == is_open(schedule, at)
    assert at <= opening < at + 9 * 24 * HOUR


def test_without_windows_it_is_always_open() -> None:
    assert calendar.opening_ms(Schedule(every_seconds=3600, jitter_seconds=9), 12345) == 12345


NIGHT = Schedule(every_seconds=3600, time_zone="Europe/Berlin", windows=(Window(("sat",), "23:00", 240),))


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opened() -> None:
    sunday = ms("Europe/Berlin", 2026, 11, 29, 2, 59)
    assert calendar.opening_ms(NIGHT, sunday) == sunday
    assert calendar.opening_ms(NIGHT, sunday + 60_000) == ms("Europe/Berlin", 2026, 12, 5, 23, 0)
    assert calendar.opening_ms(NIGHT, ms("Europe/Berlin", 2026, 11, 28, 2, 0)) == ms(
        "Europe/Berlin", 2026, 11, 28, 23, 0
    )


def test_its_end_is_outside() -> None:
    closes = ms("Europe/Berlin", 2026, 11, 29, 3, 0)
    assert calendar.opening_ms(NIGHT, closes - 1) == closes - 1
    assert calendar.opening_ms(NIGHT, closes) > closes


def test_a_start_that_the_clock_skips_comes_as_long_after_midnight_as_ever() -> None:
    schedule = Schedule(every_seconds=3600, time_zone="Europe/Berlin", windows=(Window(("sun",), "02:30", 60),))
    saturday = ms("Europe/Berlin", 2026, 3, 28, 12, 0)
    opening = calendar.opening_ms(schedule, saturday)
    assert opening == ms("Europe/Berlin", 2026, 3, 29, 3, 30)
    assert calendar.opening_ms(schedule, opening + HOUR) == ms("Europe/Berlin", 2026, 4, 5, 2, 30)


def test_a_start_that_the_clock_shows_twice_is_the_first_and_the_window_is_no_longer_for_it() -> None:
    schedule = Schedule(every_seconds=3600, time_zone="Europe/Berlin", windows=(Window(("sun",), "02:30", 60),))
    opening = calendar.opening_ms(schedule, ms("Europe/Berlin", 2026, 10, 24, 12, 0))
    assert opening == ms("Europe/Berlin", 2026, 10, 25, 2, 30)
    again = ms("Europe/Berlin", 2026, 10, 25, 2, 30, fold=1)
    assert again == opening + HOUR
    assert calendar.opening_ms(schedule, again) == ms("Europe/Berlin", 2026, 11, 1, 2, 30)


@pytest.mark.parametrize("jitter", [60, 86_400])
def test_the_jitter_is_drawn_within_the_window(jitter: int) -> None:
    schedule = Schedule(every_seconds=3600, jitter_seconds=jitter, windows=(Window(("wed",), "04:00", 15),))
    opens = ms("UTC", 2026, 11, 25, 4, 0)
    drawn = [calendar.next_due_ms(schedule, opens - 3 * HOUR) - opens for _ in range(300)]
    most = min(jitter * 1000, 15 * 60_000 - 1)
    assert min(drawn) >= 0
    assert max(drawn) <= most
    assert max(drawn) > most * 0.8
    assert len(set(drawn)) > 200


def test_of_two_that_are_open_the_longer_one_bounds_the_jitter() -> None:
    both = (Window(("wed",), "04:00", 15), Window(("wed",), "04:00", 300))
    schedule = Schedule(every_seconds=3600, jitter_seconds=18_000, windows=both)
    opens = ms("UTC", 2026, 11, 25, 4, 0)
    assert max(calendar.next_due_ms(schedule, opens - HOUR) - opens for _ in range(200)) > 15 * 60_000
