"""Durations and moments as people write them: 90s, 15m, 12h, 30d; an ISO date, or a duration ago."""

import re
import time
from datetime import UTC, datetime

import typer

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


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
