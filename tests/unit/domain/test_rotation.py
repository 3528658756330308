"""Rotations and schedules: only the moves of the table, and one rhythm at most."""

import itertools

import pytest

from secretsd.domain.errors import InvalidRequest, InvalidState
from secretsd.domain.rotation import TRANSITIONS, RotationState
from secretsd.domain.schedule import MAX_INTERVAL_SECONDS, MIN_INTERVAL_SECONDS, Schedule
from secretsd.testing import samples


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(RotationState, RotationState)), ids=lambda state: state.value
)
def test_a_move_is_legal_exactly_when_the_table_says_so(before, after):
    rotation = samples.rotation(state=before)
    if after is before or after in TRANSITIONS[before]:
        moved = rotation.become(after, attempts=3)
        assert (moved.state, moved.attempts) == (after, 3)
    else:
        with pytest.raises(InvalidState, match="prod/db/app"):
            rotation.become(after)


def test_the_way_to_a_promotion_leads_through_every_step():
    """Idle is reached from verifying; no state skips the durable candidate or the record that apply begins."""
    assert RotationState.APPLYING not in TRANSITIONS[RotationState.IDLE]
    assert RotationState.VERIFYING not in TRANSITIONS[RotationState.CANDIDATE_STORED]
    assert all(
        RotationState.QUARANTINED in moves for state, moves in TRANSITIONS.items() if state.value != "quarantined"
    )
    assert set(TRANSITIONS) == set(RotationState)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(every_seconds=MIN_INTERVAL_SECONDS - 1),
        Schedule(every_seconds=MAX_INTERVAL_SECONDS + 1),
        Schedule(every_seconds=-1),
        Schedule(every_seconds=7200, cron="0 3 * * *"),
        Schedule(every_seconds=7200, jitter_seconds=-1),
        Schedule(every_seconds=7200, jitter_seconds=86401),
    ],
)
def test_a_schedule_outside_its_bounds_is_refused(schedule):
    with pytest.raises(InvalidRequest, match=r"^cannot accept the schedule: "):
        schedule.check()


def test_a_schedule_without_a_rhythm_is_manual():
    assert Schedule().manual
    assert not Schedule(cron="0 3 * * *").manual
    Schedule().check()
    Schedule(every_seconds=1).check(min_interval_seconds=1)
