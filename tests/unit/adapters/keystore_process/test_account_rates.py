"""Token buckets: an account gets its rate and no more, whatever the others do."""

import time

import pytest

from secretsd.adapters.keystore_process import account_rates
from secretsd.adapters.keystore_process.account_rates import AccountRates


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_an_account_gets_its_rate(clock: list[float]) -> None:
    rates = AccountRates(10)
    assert [rates.take("a") for _ in range(12)] == [True] * 10 + [False] * 2
    clock[0] += 0.5
    assert [rates.take("a") for _ in range(6)] == [True] * 5 + [False]
    clock[0] += 1000
    assert sum(rates.take("a") for _ in range(50)) == 10, "a pause saves up one second's worth"


def test_accounts_do_not_touch_each_other(clock: list[float]) -> None:
    rates = AccountRates(5)
    assert not all(rates.take("a") for _ in range(6))
    assert all(rates.take("b") for _ in range(5))


def test_dear_calls_cost_more_but_stay_possible(clock: list[float]) -> None:
    rates = AccountRates(10)
    assert rates.take("a", 20), "a full bucket pays for what is dearer than itself"
    assert not rates.take("a")
    clock[0] += 0.9
    assert not rates.take("a"), "the rest of the price is owed"
    clock[0] += 0.3
    assert rates.take("a")


def test_no_rate_is_no_limit(clock: list[float]) -> None:
    rates = AccountRates(0)
    assert all(rates.take("a", 100) for _ in range(1000))


def test_memory_is_bounded_and_forgets_only_full_buckets(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_rates, "_MOST_BUCKETS", 10)
    rates = AccountRates(2)
    for number in range(8):
        rates.take(str(number))
    clock[0] += 10
    rates.take("busy")
    rates.take("busy")
    for number in range(100, 110):
        clock[0] += 0.001
        rates.take(str(number))
    assert not rates.take("busy")
    assert len(rates._buckets) <= 12


def test_who_only_asks_pays_nothing(clock: list[float]) -> None:
    rates = AccountRates(10)
    assert all(rates.allows("a", 9) for _ in range(50))
    assert not rates.allows("a", 10)
    assert rates.take("a", 9)
    assert rates.allows("a")
    assert not rates.allows("a", 1)
    clock[0] += 0.15
    assert rates.allows("a", 1)
    assert AccountRates(0).allows("a", 100)
