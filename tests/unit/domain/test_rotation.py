"""Rotations and schedules: only the moves of the table, and one rhythm at most."""

import itertools
from dataclasses import replace

import pytest

from secretsd.domain.errors import InvalidRequest, InvalidState
from secretsd.domain.rotation import MACHINES, MachineKind, RotationState
from secretsd.domain.schedule import MAX_INTERVAL_SECONDS, MIN_INTERVAL_SECONDS, Schedule
from secretsd.testing import samples


@pytest.mark.parametrize("kind", MachineKind, ids=lambda kind: kind.value)
@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(RotationState, RotationState)), ids=lambda state: state.value
)
def test_a_move_is_legal_exactly_when_the_machine_says_so(kind, before, after):
    rotation = replace(samples.rotation(state=before), machine=kind, since_ms=1)
    if after is before or after in MACHINES[kind].moves.get(before, frozenset()):
        moved = rotation.become(after, 7, attempts=3)
        assert (moved.state, moved.attempts) == (after, 3)
        assert moved.since_ms == (1 if after is before else 7)
    else:
        with pytest.raises(InvalidState, match="prod/db/app"):
            rotation.become(after, 7)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=[kind.value for kind in MACHINES])
class TestEveryMachine:
    def test_an_effect_comes_only_after_a_durable_candidate_and_its_own_record(self, machine):
        enters = {state for state, moves in machine.moves.items() if RotationState.APPLYING in moves}
        assert enters == {RotationState.CANDIDATE_STORED, RotationState.RESOLVING}

    def test_nothing_is_verified_that_may_not_have_been_applied(self, machine):
        enters = {state for state, moves in machine.moves.items() if RotationState.VERIFYING in moves}
        assert enters == {RotationState.APPLYING, RotationState.RESOLVING}

    def test_revoking_comes_only_after_promotion(self, machine):
        enters = {state for state, moves in machine.moves.items() if RotationState.DRAINING in moves}
        assert enters == {RotationState.VERIFYING}

    def test_a_person_can_be_called_from_everywhere(self, machine):
        assert all(
            RotationState.QUARANTINED in moves
            for state, moves in machine.moves.items()
            if state is not RotationState.QUARANTINED
        )

    def test_every_state_can_end(self, machine):
        """From everywhere there is a way back to idle, so no rotation is stuck by the table itself."""
        for start in machine.moves:
            seen, waiting = {start}, [start]
            while waiting:
                found = machine.moves[waiting.pop()] - seen
                seen |= found
                waiting += found
            assert RotationState.IDLE in seen

    def test_reads_are_held_only_while_the_target_may_be_on_the_candidate(self, machine):
        assert machine.held <= machine.pinned
        assert not machine.held & {RotationState.IDLE, RotationState.CANDIDATE_STORED, RotationState.QUARANTINED}


def test_only_one_value_at_a_time_needs_a_barrier():
    assert [kind for kind, machine in MACHINES.items() if machine.held] == [MachineKind.SINGLE_USER]


def test_two_logins_take_turns_only_after_a_look_at_who_is_in():
    moves = MACHINES[MachineKind.ALTERNATING].moves
    assert RotationState.CANDIDATE_STORED not in moves[RotationState.IDLE]
    assert RotationState.CANDIDATE_STORED in moves[RotationState.CHECK_IDLE]


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
