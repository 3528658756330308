"""How a benchmark of many keys draws them: evenly, by popularity, and the same ones for the same seed."""

from collections import Counter

from benchmarks.keys_loader import Draws

KEYS = [f"key {number}" for number in range(100_000)]


def test_nine_of_ten_draws_by_popularity_are_of_the_thousand_that_fit_in_memory() -> None:
    drawn = Draws(KEYS, seed=1).popular(20_000)
    assert 0.88 < sum(key in set(KEYS[:1000]) for key in drawn) / len(drawn) < 0.95
    assert Counter(drawn).most_common(1)[0][0] == KEYS[0]


def test_even_draws_hardly_meet_a_key_twice() -> None:
    assert len(set(Draws(KEYS, seed=1).evenly(1_000))) > 980


def test_shuffled_keys_are_all_of_them_in_another_order() -> None:
    shuffled = Draws(KEYS, seed=1).shuffled()
    assert shuffled != KEYS
    assert sorted(shuffled) == sorted(KEYS)


def test_a_seed_draws_the_same_and_another_one_does_not() -> None:
    assert Draws(KEYS, seed=1).evenly(10) == Draws(KEYS, seed=1).evenly(10)
    assert Draws(KEYS, seed=1).popular(10) != Draws(KEYS, seed=2).popular(10)
