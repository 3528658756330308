"""Schedules as data: what cannot be kept is refused with the reason, and older rows keep their authenticators."""

from dataclasses import dataclass, replace

import pytest

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.records import RecordAuthenticator
from secretsd.domain.schedule import MAX_WINDOWS, Schedule, Window
from secretsd.testing import samples

WINDOW = Window(("sat", "sun"), "02:00", 180)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(),
        Schedule(every_seconds=3600, windows=(WINDOW,)),
        Schedule(cron="0 3 * * *", windows=(WINDOW, Window(("mon",), "23:59", 1440), Window(("tue",), "00:00", 15))),
    ],
)
def test_a_schedule_that_can_be_kept_is_accepted(schedule: Schedule) -> None:
    schedule.check()


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (Schedule(every_seconds=3600, cron="0 3 * * *"), "either every_seconds or cron"),
        (Schedule(every_seconds=3599), "every_seconds is from 3600"),
        (Schedule(jitter_seconds=86_401), "jitter_seconds is from 0 to 86400"),
        (Schedule(windows=(WINDOW,) * (MAX_WINDOWS + 1)), "at most 14 windows"),
        (Schedule(windows=(replace(WINDOW, days=()),)), "days are some of"),
        (Schedule(windows=(replace(WINDOW, days=("sat", "sat")),)), "days are some of"),
        (Schedule(windows=(replace(WINDOW, days=("Sat",)),)), "days are some of"),
        (Schedule(windows=(replace(WINDOW, start="24:00"),)), "start is a time of the day"),
        (Schedule(windows=(replace(WINDOW, start="2:00"),)), "start is a time of the day"),
        (Schedule(windows=(replace(WINDOW, start="02:00\n"),)), "start is a time of the day"),
        (Schedule(windows=(replace(WINDOW, minutes=14),)), "minutes is from 15 to 1440"),
        (Schedule(windows=(replace(WINDOW, minutes=1441),)), "minutes is from 15 to 1440"),
        (Schedule(windows=(WINDOW, replace(WINDOW, minutes=0))), "minutes is from 15 to 1440"),
    ],
)
def test_one_that_cannot_is_refused_with_the_reason(schedule: Schedule, told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        schedule.check()


@dataclass(frozen=True, slots=True)
class ScheduleOfBefore:
    """The schedule of the release before this one."""

    every_seconds: int | None
    cron: str | None
    time_zone: str
    jitter_seconds: int


def test_a_schedule_without_windows_keeps_the_authenticator_that_the_release_before_gave_it() -> None:
    authenticator, now = RecordAuthenticator(bytes(32)), samples.rotation()
    schedule = now.schedule
    before = ScheduleOfBefore(schedule.every_seconds, schedule.cron, schedule.time_zone, schedule.jitter_seconds)
    assert schedule.windows == ()
    as_before = replace(now, schedule=before)  # type: ignore[arg-type]  # what that release had there
    assert authenticator.mac(now) == authenticator.mac(as_before)


def test_a_window_and_everything_about_it_is_authenticated() -> None:
    authenticator, rotation = RecordAuthenticator(bytes(32)), samples.rotation()
    variants: list[tuple[Window, ...]] = [
        (),
        (WINDOW,),
        (WINDOW, WINDOW),
        (replace(WINDOW, days=("sat",)),),
        (replace(WINDOW, start="02:01"),),
        (replace(WINDOW, minutes=181),),
    ]
    macs = {authenticator.mac(replace(rotation, schedule=replace(rotation.schedule, windows=one))) for one in variants}
    assert len(macs) == len(variants)
