"""CMKs: only the moves of the table are legal, and a key that is not enabled is not used."""

import itertools

import pytest

from secretsd.domain.errors import InvalidState, KeyDisabled
from secretsd.domain.keys import TRANSITIONS, KeyState, KeyUsage
from secretsd.testing import samples


def key_in(state):
    return samples.cmk() if state is KeyState.ENABLED else samples.cmk().become(state)


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(KeyState, KeyState)), ids=lambda state: state.value
)
def test_a_move_is_legal_exactly_when_the_table_says_so(before, after):
    key = key_in(before)
    if after in TRANSITIONS[before]:
        assert key.become(after).state is after
        assert key.state is before
    else:
        with pytest.raises(InvalidState, match=f"from {before.value} to {after.value}"):
            key.become(after)


def test_the_table_knows_every_state_and_no_move_to_itself():
    assert set(TRANSITIONS) == set(KeyState)
    assert all(state not in moves for state, moves in TRANSITIONS.items())


def test_a_key_that_waits_for_its_deletion_comes_back_disabled_first():
    assert TRANSITIONS[KeyState.PENDING_DELETION] == {KeyState.DISABLED}


@pytest.mark.parametrize(
    ("state", "error"), [(KeyState.DISABLED, KeyDisabled), (KeyState.PENDING_DELETION, InvalidState)]
)
def test_only_an_enabled_key_is_used(state, error):
    samples.cmk().require_usable(KeyUsage.ENCRYPT_DECRYPT)
    with pytest.raises(error, match=samples.KEY_ID):
        key_in(state).require_usable(KeyUsage.ENCRYPT_DECRYPT)


def test_a_wrapped_key_tells_what_it_is_bound_to():
    metadata = samples.wrapped_key(3).metadata
    assert (metadata.account, metadata.key_id, metadata.version) == (samples.ACCOUNT, samples.KEY_ID, 3)
