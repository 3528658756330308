"""Rates, back-off and quotas by their numbers; and that no caller makes them grow without end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain import limits
from secretsd.domain.limits import BackOff, Quotas, Rate


def taken(rate: Rate, who: str, moments: list[float]) -> int:
    """How many of the requests at these moments get through."""
    count = 0
    for now in moments:
        if rate.wait(who, now) <= 0:
            rate.take(who, now)
            count += 1
    return count


@pytest.mark.parametrize("per_second", [1, 10, 1000])
def test_a_burst_is_a_seconds_worth_and_then_it_goes_on_at_its_rate(per_second):
    rate = Rate(per_second)
    assert taken(rate, "a", [100.0] * (3 * per_second)) == per_second
    assert taken(rate, "a", [100.0 + 1e-9]) == 0
    later = [100.0 + second for second in (0.5, 1.0, 1.5, 2.0) for _ in range(per_second)]
    assert taken(rate, "a", later) == pytest.approx(2 * per_second, abs=1)
    assert taken(rate, "b", [100.0]) == 1


def test_a_rate_under_one_a_second_lets_one_through_at_once():
    rate = Rate(0.5)
    assert taken(rate, "a", [0.0, 0.0, 1.9]) == 1
    assert rate.wait("a", 1.5) == pytest.approx(0.5, abs=1e-5)
    assert taken(rate, "a", [2.0]) == 1


@given(st.integers(1, 50), st.lists(st.floats(0, 20, allow_nan=False), max_size=300))
def test_no_second_sees_more_than_burst_and_rate(per_second, moments):
    rate, through = Rate(per_second), []
    for now in sorted(moments):
        if rate.wait("a", now) <= 0:
            rate.take("a", now)
            through.append(now)
    for start in through:
        assert sum(start <= at < start + 1 for at in through) <= 2 * per_second


def test_rates_of_many_are_forgotten_in_time(monkeypatch):
    monkeypatch.setattr(limits, "MAX_TRACKED", 100)
    rate = Rate(10)
    for number in range(1000):
        rate.take(number, number * 0.05)
        assert len(rate) <= 101
    busy = Rate(0.001)
    for number in range(1000):
        busy.take(number, 0.0)
        assert len(busy) <= 101


def test_each_failure_beyond_the_free_ones_holds_up_for_longer():
    back_off, now, delays = BackOff(3), 0.0, []
    for _ in range(12):
        assert back_off.held("a", now) == 0
        back_off.failed("a", now)
        delays.append(back_off.held("a", now))
        now += delays[-1]
    assert delays == [0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    assert back_off.held("b", now) == 0


def test_a_source_that_was_quiet_starts_anew():
    back_off = BackOff(1)
    back_off.failed("a", 0.0)
    assert back_off.held("a", 0.0) == 1
    back_off.failed("a", limits.FORGET_SECONDS)
    assert back_off.held("a", limits.FORGET_SECONDS) == 2
    back_off.failed("a", 2 * limits.FORGET_SECONDS + 1)
    assert back_off.held("a", 2 * limits.FORGET_SECONDS + 1) == 1


def test_none_free_turns_it_off():
    back_off = BackOff(0)
    for _ in range(100):
        back_off.failed("a", 0.0)
    assert (back_off.held("a", 0.0), len(back_off)) == (0, 0)


def test_sources_are_bounded_and_the_oldest_make_room(monkeypatch):
    monkeypatch.setattr(limits, "MAX_SOURCES", 10)
    back_off = BackOff(1)
    for number in range(11):
        back_off.failed(number, 0.0)
        back_off.failed("stays", 0.0)
    assert len(back_off) == 10
    assert back_off.held(0, 0.0) == 0
    assert back_off.held(10, 0.0) == 1
    assert back_off.held("stays", 0.0) == 30


def test_quotas_are_of_tables():
    quotas = Quotas(secrets=1, keys=2, users=3, tokens=4)
    assert [quotas.of(table) for table in ("secrets", "keys", "users", "tokens", "bindings")] == [1, 2, 3, 4, 0]
