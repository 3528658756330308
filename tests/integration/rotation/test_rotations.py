"""What holds for scheduled rotations, whatever the rotator does and wherever a crash falls."""

import asyncio

import pytest

from secretsd.api.fields import TextValue
from secretsd.api.rotation import ScheduleFields
from secretsd.domain.errors import Conflict, InvalidRequest, KeyStoreUnavailable
from secretsd.domain.rotation import MAX_ATTEMPTS

pytestmark = pytest.mark.integration
NAME = "prod/db/app"
WHOLE = [
    ("StageRotationCandidate", "ok"),
    ("BeginRotationApply", "ok"),
    ("RecordRotationNote", "ok"),
    ("ApplyRotation", "ok"),
    ("PromoteRotation", "ok"),
]


async def test_a_rotation_ends_with_what_the_target_accepts(node, target) -> None:
    await node.work()
    assert await node.text() == target.accepts
    assert await node.text("previous") == "at first"
    assert sorted(await node.steps()) == sorted(WHOLE)
    rotation = await node.rotation()
    assert (rotation.state, rotation.attempts, rotation.next_due_ms) == ("idle", 0, None)
    assert rotation.last_rotated_ms is not None


async def test_what_the_rotator_noted_comes_back_to_it_and_is_stored_sealed(node, target, tmp_path) -> None:
    target.script("die-before")
    await node.work()
    assert "settled ['prepared', 'about to write']" in target.log
    assert target.log.count("apply ['prepared']") == 2, "what was settled is not told again"
    stored = b"".join(path.read_bytes() for path in (tmp_path / "storage").glob("*.db*"))
    assert b"about to write" not in stored


@pytest.mark.parametrize("word", ["die-after", "unknown"])
async def test_an_effect_whose_answer_was_lost_is_found_and_kept(node, target, word) -> None:
    target.script(word)
    await node.work()
    assert await node.text() == target.accepts != "at first", "the same candidate, not a second one"
    assert target.log.count("prepare") == 1
    assert [line for line in target.log if " " not in line][-3:] == ["settle", "probe", "verify"], (
        "settled before it was probed, and not applied again"
    )


async def test_an_effect_that_never_came_is_made_again_with_the_same_candidate(node, target) -> None:
    target.script("die-before", "die-before")
    await node.work()
    assert await node.text() == target.accepts != "at first"
    assert target.log.count("prepare") == 1
    assert sum(line.startswith("apply") for line in target.log) == 3
    assert (await node.rotation()).attempts == 0


async def test_a_target_that_never_takes_it_stops_the_rotation(node, target) -> None:
    target.script(*["die-before"] * 20)
    await node.work()
    rotation = await node.rotation()
    assert (rotation.state, rotation.reason, rotation.last_result) == ("quarantined", "not-applied", "quarantined")
    found = await node.call("GetSecretValue", name=NAME)
    assert (found.text.reveal().decode(), found.unproved) == ("at first", True)
    target.script()
    await node.call("ResumeRotation", name=NAME)
    await node.work()
    assert await node.text() == target.accepts != "at first"


async def test_where_surely_nothing_changed_reads_go_on_and_the_candidate_waits(node, target) -> None:
    target.script("refuse")
    await node.work()
    rotation = await node.rotation()
    assert (rotation.state, rotation.reason, rotation.attempts) == ("candidate-stored", "not-now", 1)
    found = await node.call("GetSecretValue", name=NAME)
    assert (found.text.reveal().decode(), found.unproved) == ("at first", False)
    node.clock.pass_seconds(60)
    await node.work()
    assert await node.text() == target.accepts != "at first"
    assert target.log.count("prepare") == 1


async def test_a_target_that_is_away_costs_no_attempt_however_long(node, target) -> None:
    target.script(*["away"] * 12)
    for _ in range(12):
        await node.work()
        node.clock.pass_seconds(301)
    rotation = await node.rotation()
    assert (rotation.state, rotation.attempts, rotation.away) == ("candidate-stored", 0, True)
    await node.work()
    assert await node.text() == target.accepts != "at first"


async def test_notes_of_attempts_that_changed_nothing_do_not_pile_up(node, target) -> None:
    target.script(*["away"] * 40)
    for _ in range(41):
        await node.work()
        node.clock.pass_seconds(301)
    assert await node.text() == target.accepts != "at first"


async def test_a_candidate_that_is_accepted_but_unfit_is_rolled_back(node, target) -> None:
    (target.directory / "unfit").touch()
    for _ in range(4):
        await node.work()
        node.clock.pass_seconds(60)
    rotation = await node.rotation()
    assert (rotation.state, rotation.last_result, rotation.reason) == ("idle", "rolled-back", "unfit")
    assert await node.text() == "at first" == target.accepts
    assert "pending" not in (await node.call("DescribeSecret", name=NAME)).stages


@pytest.mark.parametrize("done", [1, 2, 4])
async def test_a_rotation_cancelled_between_two_steps_leads_back(node, target, done) -> None:
    for operation, _ in WHOLE[:done]:
        if operation != "RecordRotationNote":
            await node.step(operation)
    await node.call("CancelRotateSecret", name=NAME)
    await node.work()
    assert await node.text() == "at first" == target.accepts
    rotation = await node.rotation()
    assert (rotation.state, rotation.last_result, rotation.enabled) == ("idle", "rolled-back", False)
    assert rotation.next_due_ms is None


async def test_a_paused_rotation_between_two_steps_is_finished_and_then_rests(node, target) -> None:
    await node.step("StageRotationCandidate")
    await node.call("PauseRotation", name=NAME)
    await node.work()
    assert await node.text() == target.accepts != "at first"
    rotation = await node.rotation()
    assert (rotation.enabled, rotation.next_due_ms) == (False, None)


async def test_versions_that_the_target_may_be_on_stay_as_they_are(node) -> None:
    await node.step("StageRotationCandidate")
    await node.step("BeginRotationApply")
    candidate = (await node.call("DescribeSecret", name=NAME)).stages["pending"]
    changes = {
        "PutSecretValue": {"text": TextValue.from_text("another")},
        "UpdateSecret": {"text": TextValue.from_text("another")},
        "UpdateSecretVersionStage": {"stage": "current", "move_to": candidate},
        "DeleteSecret": {"force": True},
        "RotateSecret": {},
    }
    for operation, fields in changes.items():
        with pytest.raises((Conflict, InvalidRequest)) as refused:
            await node.call(operation, name=NAME, **fields)
        assert isinstance(refused.value, Conflict), operation


async def test_the_history_tells_each_state_with_its_reason(node, target) -> None:
    target.script("refuse")
    await node.work()
    node.clock.pass_seconds(60)
    await node.work()
    secret = await node.storage.secrets.get(node.account, NAME)
    steps = await node.storage.rotations.steps(node.account, secret.id, 2**31, 100)
    told = [(one.state.value, one.reason, one.result.value) for one in reversed(steps)]
    assert told == [
        ("candidate-stored", "", "none"),
        ("applying", "", "none"),
        ("candidate-stored", "not-now", "none"),
        ("applying", "not-now", "none"),
        ("verifying", "", "none"),
        ("idle", "", "done"),
    ]
    assert [one.number for one in reversed(steps)] == list(range(6))
    assert {one.run for one in steps} == {1}


async def test_a_candidate_that_the_target_rejects_makes_way_for_another(node, target) -> None:
    target.script("reject")
    await node.work()
    first = await node.call("ListSecretVersionIds", name=NAME, include_unlabelled=True)
    assert "pending" not in (await node.call("DescribeSecret", name=NAME)).stages
    node.clock.pass_seconds(60)
    await node.work()
    assert await node.text() == target.accepts
    assert target.log.count("prepare") == 2
    assert len(first.versions) == 2


async def test_after_five_attempts_a_person_has_to_look(node, target) -> None:
    target.script(*["reject"] * 20)
    for _ in range(MAX_ATTEMPTS + 2):
        await node.work()
        node.clock.pass_seconds(3600)
    rotation = await node.rotation()
    assert (rotation.state, rotation.reason, rotation.attempts) == ("quarantined", "rejected", MAX_ATTEMPTS)
    assert target.log.count("prepare") == MAX_ATTEMPTS, "a quarantined rotation is left alone"
    assert await node.text() == "at first" == target.accepts
    target.script()
    await node.call("RotateSecret", name=NAME)
    await node.work()
    assert await node.text() == target.accepts != "at first"


@pytest.mark.parametrize("done", [1, 2, 4])
async def test_a_crash_between_two_steps_is_a_state_to_go_on_from(node, target, done) -> None:
    for operation, _ in WHOLE[:done]:
        if operation != "RecordRotationNote":
            await node.step(operation)
    with pytest.raises(Conflict):
        await node.call("DeleteSecret", name=NAME)
    await node.work()
    assert await node.text() == target.accepts != "at first"
    assert target.log.count("prepare") == 1
    assert (await node.rotation()).state == "idle"


async def test_two_nodes_take_a_rotation_once(node, nodes, target) -> None:
    await asyncio.gather(*(one.work() for one in nodes))
    assert target.log.count("prepare") == 1
    assert sorted(await node.steps()) == sorted(WHOLE)


async def test_a_key_store_that_is_away_costs_no_attempt(node, target) -> None:
    node.keystore.away = True
    with pytest.raises(KeyStoreUnavailable):
        await node.keystore.random(1)
    await node.work()
    node.keystore.away = False
    rotation = await node.rotation()
    assert (rotation.attempts, rotation.reason) == (0, "")
    await node.work()
    assert await node.text() == target.accepts != "at first"


async def test_the_next_moment_is_drawn_once_and_counts_from_the_success(node) -> None:
    await node.work()
    await node.call("RotateSecret", name=NAME, schedule=ScheduleFields(every_seconds=3600), rotate_immediately=False)
    drawn = (await node.rotation()).next_due_ms
    await node.work()
    assert (await node.rotation()).next_due_ms == drawn, "not due, so nothing happened and nothing was drawn again"
    node.clock.pass_seconds(3601)
    await node.work()
    rotation = await node.rotation()
    assert rotation.next_due_ms == rotation.last_rotated_ms + 3_600_000


async def test_a_secret_without_a_value_gets_its_first_one(nodes, target) -> None:
    node = nodes[0]
    await node.call("CreateSecret", name=NAME)
    await node.call("RotateSecret", name=NAME, rotator="random", settings={"length": 20})
    await node.work()
    assert len(await node.text()) == 20


async def test_settings_are_checked_before_anything_is_stored(node) -> None:
    for fields in ({"rotator": "filed", "settings": {"dir": "x"}}, {"rotator": "nobody"}):
        with pytest.raises((InvalidRequest, Conflict)):
            await node.call("RotateSecret", name=NAME, **fields)
    assert (await node.rotation()).rotator == "filed"
