"""The statistics of the benchmarks and their table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import Figure, at_least, at_most, median, percentile, table


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0], 3.0), ([1.0, 9.0], 5.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 3.0, 2.0], 2.5)]
)
def test_the_median_is_the_middle_of_the_ordered_values(values: list[float], middle: float) -> None:
    assert median(values) == middle


def test_nothing_has_no_median_and_no_percentile() -> None:
    with pytest.raises(ValueError, match="cannot take the median"):
        median([])
    with pytest.raises(ValueError, match="cannot take a percentile"):
        percentile([], 0.5)


@given(st.lists(st.floats(0, 1e6), min_size=1).map(sorted), st.floats(0, 1))
def test_a_percentile_is_the_smallest_value_that_its_share_does_not_pass(ordered: list[float], share: float) -> None:
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered)
    smaller = [value for value in ordered if value < found]
    assert len(smaller) < max(1.0, share * len(ordered))


def test_bars_are_judged_at_their_limits() -> None:
    assert at_most("a", 0.2, 0.2).met
    assert not at_most("a", 0.21, 0.2).met
    assert at_least("a", 3.0, 3.0).met
    assert not at_least("a", 2.99, 3.0).met


def test_the_table_says_what_is_met_and_leaves_figures_without_a_bar_unjudged() -> None:
    lines = table([at_most("slow", 2.0, 1.0), at_least("fast", 2.0, 1.0), Figure("seen", "7")]).splitlines()
    assert lines[2].split() == ["slow", "2.00", "≤", "1.00", "NOT", "MET"]
    assert lines[3].split() == ["fast", "2.00", "≥", "1.00", "met"]
    assert lines[4].split() == ["seen", "7"]
