"""What a benchmark reports: figures, each beside its bar where it has one, and the statistics behind them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. `bar` says in words what was asked for; `met` is None where nothing was."""

    name: str
    value: str
    bar: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """The last column of the table."""
        return "" if self.met is None else "met" if self.met else "NOT MET"


def at_most(name: str, value: float, limit: float, unit: str = "", digits: int = 2) -> Figure:
    """A figure that must not pass its limit."""
    return Figure(name, f"{value:.{digits}f}{unit}", f"≤ {limit:.{digits}f}{unit}", value <= limit)


def at_least(name: str, value: float, limit: float, unit: str = "", digits: int = 2) -> Figure:
    """A figure that must reach its limit."""
    return Figure(name, f"{value:.{digits}f}{unit}", f"≥ {limit:.{digits}f}{unit}", value >= limit)


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle; ValueError for none."""
    if not values:
        raise ValueError("cannot take the median of nothing")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the values, given in ascending order, that at least `share` of them (0 to 1) do not pass."""
    if not ordered or not 0 <= share <= 1:
        raise ValueError("cannot take a percentile: it needs values and a share from 0 to 1")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text, a line each."""
    rows = [("figure", "measured", "bar", ""), *((one.name, one.value, one.bar, one.verdict) for one in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
