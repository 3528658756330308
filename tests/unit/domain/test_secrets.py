"""Version stages: the rules that every dialect shares, as a state machine against a model, and one by one."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from secretsd.domain.errors import InvalidRequest, InvalidState, LimitExceeded, NotFound
from secretsd.domain.secrets import CURRENT, MAX_STAGES_A_VERSION, MAX_VERSIONS, PENDING, PREVIOUS, Secret

NOW = 1_700_000_000_000
STAGES = [CURRENT, PENDING, PREVIOUS, "blue", "green"]


def secret(**changes):
    return replace(Secret("100000000001", "app", "id-1", "", "key-1", NOW, NOW), **changes)


class StagesOfASecret(RuleBasedStateMachine):
    """Random puts and moves; the model says where each stage must be after every one of them."""

    versions = Bundle("versions")

    def __init__(self):
        super().__init__()
        self.secret = secret()
        self.model = {}
        self.made = 0

    def _place(self, stage, version):
        left = self.model.get(stage)
        self.model[stage] = version
        if stage == CURRENT and left not in (None, version):
            self.model[PREVIOUS] = left

    @rule(target=versions, stages=st.lists(st.sampled_from(STAGES), min_size=1, max_size=3, unique=True))
    def put(self, stages):
        self.made += 1
        version = f"v{self.made}"
        if not self.model:
            self._place(CURRENT, version)
        for stage in sorted(stages):
            self._place(stage, version)
        self.secret = self.secret.with_version(version, tuple(stages), NOW + self.made)
        assert self.secret.changed_ms == NOW + self.made
        return version

    @rule(stage=st.sampled_from(STAGES), source=st.none() | versions, goal=st.none() | versions)
    def move(self, stage, source, goal):
        holder = self.model.get(stage)
        legal = (
            (source is not None or goal is not None)
            and (source is None or source == holder)
            and not (source is None and holder not in (None, goal))
            and not (goal is None and stage == CURRENT)
        )
        if not legal:
            before = self.secret
            with pytest.raises(InvalidRequest):
                self.secret.with_stage_moved(stage, source, goal, NOW)
            assert self.secret == before
            return
        self.secret = self.secret.with_stage_moved(stage, source, goal, NOW)
        if goal is None:
            del self.model[stage]
        else:
            self._place(stage, goal)

    @invariant()
    def stages_are_where_the_model_says(self):
        assert dict(self.secret.stages) == self.model
        for stage, version in self.model.items():
            assert self.secret.version_at(stage) == version
            assert stage in self.secret.stages_of(version)

    @invariant()
    def numbers_are_never_reused(self):
        assert self.secret.next_number == self.made + 1
        assert self.secret.version_count == self.made

    @invariant()
    def a_secret_with_a_version_has_a_current_one(self):
        assert (CURRENT in self.secret.stages) == (self.made > 0)


TestStages = StagesOfASecret.TestCase
TestStages.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_the_first_version_becomes_current_beside_its_named_stage():
    assert secret().with_version("v1", ("blue",), NOW).stages == {CURRENT: "v1", "blue": "v1"}


def test_previous_follows_to_the_version_that_current_left():
    second = secret().with_version("v1", (CURRENT,), NOW).with_version("v2", (CURRENT,), NOW)
    assert second.stages == {CURRENT: "v2", PREVIOUS: "v1"}
    back = second.with_stage_moved(CURRENT, "v2", "v1", NOW)
    assert back.stages == {CURRENT: "v1", PREVIOUS: "v2"}


def test_current_can_move_but_not_vanish():
    one = secret().with_version("v1", (CURRENT,), NOW)
    with pytest.raises(InvalidRequest, match="current"):
        one.with_stage_moved(CURRENT, "v1", None, NOW)


def test_a_stage_elsewhere_moves_only_when_its_holder_is_named():
    two = secret().with_version("v1", ("blue",), NOW).with_version("v2", (CURRENT,), NOW)
    with pytest.raises(InvalidRequest, match="another version holds it"):
        two.with_stage_moved("blue", None, "v2", NOW)
    with pytest.raises(InvalidRequest, match="does not hold it"):
        two.with_stage_moved("blue", "v2", "v1", NOW)
    assert two.with_stage_moved("blue", "v1", "v2", NOW).version_at("blue") == "v2"


def test_a_stage_that_nobody_holds_is_not_found():
    with pytest.raises(NotFound, match="secret app"):
        secret().version_at(CURRENT)


def test_a_version_holds_twenty_stages_at_most():
    full = secret().with_version("v1", tuple(f"s{number}" for number in range(MAX_STAGES_A_VERSION - 1)), NOW)
    assert len(full.stages_of("v1")) == MAX_STAGES_A_VERSION
    with pytest.raises(LimitExceeded):
        full.with_stage_moved("one-more", None, "v1", NOW)


def test_a_secret_holds_ten_thousand_versions_at_most():
    with pytest.raises(LimitExceeded, match=str(MAX_VERSIONS)):
        secret(version_count=MAX_VERSIONS, stages={CURRENT: "v1"}).with_version("v2", (CURRENT,), NOW)


def test_a_secret_that_waits_for_its_deletion_is_not_used():
    with pytest.raises(InvalidState, match="restore it first"):
        secret(deletion_ms=NOW).require_active()
    secret().require_active()
