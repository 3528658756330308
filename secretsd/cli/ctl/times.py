"""Durations, moments and windows as people write them: 12h, 30d; an ISO date, or a duration ago; sat 02:00-05:00."""

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import typer

if TYPE_CHECKING:
    from secretsd.api.secrets import Day

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}
DAYS: "tuple[Day, ...]" = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHORTEST_WINDOW_MINUTES = 15
_WINDOW = re.compile(
    r"(?P<days>[a-z,-]+) (?P<start>(?:[01][0-9]|2[0-3]):[0-5][0-9])-(?P<end>(?:[01][0-9]|2[0-3]):[0-5][0-9])",
    re.ASCII,
)


class Window(NamedTuple):
    """A time in which rotations may begin: days, the time of the day at which it opens, and for how long."""

    days: "tuple[Day, ...]"
    start: str
    minutes: int


def seconds(text: str) -> int:
    """The whole seconds of a duration; anything else is a usage error."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if found is None:
        raise typer.BadParameter("a duration is a whole number with s, m, h or d behind it, such as 12h")
    return int(found[1]) * UNITS[found[2]]


def point(text: str) -> int:
    """Milliseconds since 1970: of an ISO date and time (UTC when it names no zone), or of a duration ago."""
    if re.fullmatch(r"[0-9]+[smhd]", text):
        return int(time.time() * 1000) - seconds(text) * 1000
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            "a moment is an ISO date such as 2026-01-31T12:00, or a duration ago such as 2h"
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def window(text: str) -> Window:
    """A window such as `sat,sun 02:00-05:00`, `mon-fri 22:00-04:00` or `daily 03:00-03:30`; it may cross midnight."""
    found = _WINDOW.fullmatch(text.lower())
    days = _days(found["days"]) if found is not None else ()
    if found is None or not days:
        raise typer.BadParameter("a window is days and two times of the day, such as 'sat,sun 02:00-05:00'")
    start, end = (int(time[:2]) * 60 + int(time[3:]) for time in (found["start"], found["end"]))
    minutes = (end - start) % (24 * 60) or 24 * 60
    if minutes < SHORTEST_WINDOW_MINUTES:
        raise typer.BadParameter(f"a window is open for {SHORTEST_WINDOW_MINUTES} minutes at least")
    return Window(days, found["start"], minutes)


def _days(text: str) -> "tuple[Day, ...]":
    """The days in their order; none where one of the words is no day."""
    wanted: set[Day] = set()
    for word in text.split(","):
        first, dash, last = word.partition("-")
        if word == "daily":
            wanted.update(DAYS)
        elif first not in DAYS or (dash and last not in DAYS):
            return ()
        else:
            at = DAYS.index(first)
            length = (DAYS.index(last) - at) % 7 if dash else 0
            wanted.update((*DAYS, *DAYS)[at : at + length + 1])
    return tuple(day for day in DAYS if day in wanted)
