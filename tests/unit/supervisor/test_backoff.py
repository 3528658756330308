"""The wait before a restart."""

from secretsd.supervisor.backoff import MAX_DELAY_SECONDS, YOUNG_SECONDS, Backoff


def test_the_first_restart_is_immediate_and_the_wait_doubles_up_to_its_cap():
    backoff = Backoff()
    delays = [backoff.died(None) for _ in range(9)]
    assert delays == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, MAX_DELAY_SECONDS, MAX_DELAY_SECONDS]


def test_a_child_that_served_comes_back_at_once_however_often():
    backoff = Backoff()
    assert [backoff.died(YOUNG_SECONDS) for _ in range(5)] == [0.0] * 5


def test_having_served_forgets_what_was_before():
    backoff = Backoff()
    for _ in range(6):
        backoff.died(0.5)
    assert backoff.died(YOUNG_SECONDS) == 0.0
    assert [backoff.died(0.5), backoff.died(0.5)] == [0.0, 0.1]


def test_it_dies_young_for_weeks_without_an_overflow():
    backoff = Backoff()
    for _ in range(100_000):
        delay = backoff.died(None)
    assert delay == MAX_DELAY_SECONDS
