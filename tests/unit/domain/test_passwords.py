"""Passwords obey their policy, and none that obeys is favoured."""

import itertools
import random
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.errors import InvalidRequest
from secretsd.domain.passwords import MAX_LENGTH, PasswordPolicy, generate

CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " "


def seeded(seed):
    return random.Random(seed).randrange


@given(
    policy=st.builds(
        PasswordPolicy,
        length=st.integers(-1, 40),
        exclude_characters=st.text(st.sampled_from(CHARACTERS), max_size=60),
        exclude_numbers=st.booleans(),
        exclude_punctuation=st.booleans(),
        exclude_uppercase=st.booleans(),
        exclude_lowercase=st.booleans(),
        include_space=st.booleans(),
        require_each_included_type=st.booleans(),
    ),
    seed=st.integers(0, 2**32),
)
def test_it_obeys_or_is_refused(policy, seed):
    groups = {
        string.digits: policy.exclude_numbers,
        string.punctuation: policy.exclude_punctuation,
        string.ascii_uppercase: policy.exclude_uppercase,
        string.ascii_lowercase: policy.exclude_lowercase,
    }
    left = {group: set(group) - set(policy.exclude_characters) for group, excluded in groups.items() if not excluded}
    space = {" "} - set(policy.exclude_characters) if policy.include_space else set()
    allowed = set().union(*left.values(), space)
    required = list(left.values()) if policy.require_each_included_type else []
    possible = policy.length >= 1 and allowed and all(required) and len(required) <= policy.length
    if not possible:
        with pytest.raises(InvalidRequest, match=r"^cannot make a password: "):
            generate(policy, seeded(seed))
        return
    password = generate(policy, seeded(seed))
    assert len(password) == policy.length
    assert set(password) <= allowed
    assert all(not group.isdisjoint(password) for group in required)


def test_every_obeying_password_is_as_likely_as_any_other():
    """Three of a, b, 0, 1 and 2 with a letter and a digit among them: few enough to count each."""
    keep = "ab012"
    policy = PasswordPolicy(
        length=3,
        exclude_characters="".join(set(CHARACTERS) - set(keep)),
        exclude_uppercase=True,
        exclude_punctuation=True,
    )
    obeying = [
        "".join(one)
        for one in itertools.product(keep, repeat=3)
        if not set(one).isdisjoint("ab") and not set(one).isdisjoint("012")
    ]
    choose, draws = seeded(7), 300
    counts = Counter(generate(policy, choose) for _ in range(draws * len(obeying)))
    assert set(counts) == set(obeying)
    # Six standard deviations; putting one of each type in place first would be off by far more.
    assert all(abs(count - draws) < 6 * draws**0.5 for count in counts.values())


def test_the_longest_password():
    assert len(generate(PasswordPolicy(length=MAX_LENGTH), seeded(1))) == MAX_LENGTH


def test_a_dead_random_source_is_no_endless_loop():
    with pytest.raises(InvalidRequest, match="random source"):
        generate(PasswordPolicy(length=4), lambda _: 0)
