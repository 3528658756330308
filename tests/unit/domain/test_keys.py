"""CMKs: only the moves of the table are legal, and a key that is not enabled is not used."""

import itertools
from dataclasses import replace

import pytest

from secretsd.domain.errors import InvalidKeyUsage, InvalidState, KeyDisabled
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import TRANSITIONS, KeyState, KeyVersionState, ProtectionLevel, protection_level
from secretsd.testing import samples

NOW_MS = 1_800_000_000_000


def key_in(state):
    """A key that came to the state by legal moves."""
    key = samples.cmk()
    ways = {KeyState.ENABLED: (), KeyState.DESTROYED: (KeyState.PENDING_DELETION, KeyState.DESTROYED)}
    for move in ways.get(state, (state,)):
        key = key.become(move)
    return key


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


def test_a_key_that_waits_for_its_deletion_never_comes_back_enabled():
    kept = TRANSITIONS[KeyState.PENDING_DELETION] - {KeyState.DESTROYED}
    assert kept == {KeyState.DISABLED, KeyState.PENDING_IMPORT}


def test_nothing_follows_destruction_and_only_waiting_comes_before_it():
    assert TRANSITIONS[KeyState.DESTROYED] == frozenset()
    assert [state for state in KeyState if KeyState.DESTROYED in TRANSITIONS[state]] == [KeyState.PENDING_DELETION]


@pytest.mark.parametrize("state", [state for state in KeyState if state is not KeyState.ENABLED])
def test_only_an_enabled_key_is_used(state):
    samples.cmk().require_usable(KeyUsage.ENCRYPT_DECRYPT, NOW_MS)
    with pytest.raises(KeyDisabled if state is KeyState.DISABLED else InvalidState, match=samples.KEY_ID):
        key_in(state).require_usable(KeyUsage.ENCRYPT_DECRYPT, NOW_MS)


@pytest.mark.parametrize(("expires_ms", "usable"), [(None, True), (NOW_MS + 1, True), (NOW_MS, False), (1, False)])
def test_material_whose_time_is_over_is_not_used(expires_ms, usable):
    key = replace(samples.cmk(), material_expires_ms=expires_ms)
    if usable:
        key.require_usable(KeyUsage.ENCRYPT_DECRYPT, NOW_MS)
        return
    with pytest.raises(InvalidState, match="its material has expired"):
        key.require_usable(KeyUsage.ENCRYPT_DECRYPT, NOW_MS)


def test_a_key_is_used_for_what_it_is_made_for_only():
    with pytest.raises(InvalidKeyUsage, match="SIGN_VERIFY"):
        samples.cmk().require_usable(KeyUsage.SIGN_VERIFY, NOW_MS)


@pytest.mark.parametrize("state", list(KeyState))
def test_a_key_that_goes_or_is_gone_is_not_changed(state):
    if state in (KeyState.PENDING_DELETION, KeyState.DESTROYED):
        with pytest.raises(InvalidState, match=samples.KEY_ID):
            key_in(state).require_present()
    else:
        key_in(state).require_present()


@pytest.mark.parametrize("state", list(KeyVersionState))
def test_only_a_version_whose_material_is_there_is_used(state):
    version = replace(samples.wrapped_key(3), state=state)
    if state is KeyVersionState.LIVE:
        version.require_live()
    else:
        with pytest.raises(InvalidState, match=rf"version 3 of key {samples.KEY_ID}: it is {state.value}"):
            version.require_live()


@pytest.mark.parametrize("spec", list(KeySpec))
def test_material_is_in_memory_only_where_no_hsm_knows_the_algorithm(spec):
    software = spec in (KeySpec.SM2, KeySpec.SM4)
    assert (protection_level(spec) is ProtectionLevel.SOFTWARE) == software


def test_a_wrapped_key_tells_what_it_is_bound_to():
    metadata = samples.wrapped_key(3).metadata
    assert (metadata.account, metadata.key_id, metadata.version) == (samples.ACCOUNT, samples.KEY_ID, 3)
