"""Durations and moments are read as people write them, and anything else is a usage error."""

import time

import pytest
import typer

from secretsd.cli.ctl.output import moment, printable
from secretsd.cli.ctl.times import point, seconds


@pytest.mark.parametrize(("text", "found"), [("90", 90), ("90s", 90), ("15m", 900), ("12h", 43200), ("30d", 2592000)])
def test_a_duration_is_a_number_with_a_unit(text: str, found: int) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "1w", "1 h", "1h2m", "٣h"])
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        seconds(text)


def test_a_moment_is_a_date_or_a_while_ago() -> None:
    assert point("2026-01-01T00:00:00+01:00") == 1767222000000
    assert point("2026-01-01") == 1767225600000
    assert abs(point("1h") - (time.time() - 3600) * 1000) < 60_000
    with pytest.raises(typer.BadParameter):
        point("yesterday")


def test_a_moment_is_shown_as_a_date_in_utc() -> None:
    assert moment(1767225600999) == "2026-01-01T00:00:00Z"
    assert moment(None) == ""


def test_what_does_not_print_is_spelled_out() -> None:
    assert printable("a\x1b\x9b\u202eb\nü €") == "a\\x1b\\x9b\\u202eb\\nü €"
