"""What people see of rotations that really ran: the history is what happened, the explanation what the target says."""

import pytest

from secretsd.domain.rotation import RotationState

pytestmark = pytest.mark.integration
NAME = "prod/db/app"


async def explain(node, **fields):
    return await node.call("ExplainRotation", name=NAME, **fields)


async def test_the_history_is_what_happened(node) -> None:
    await node.work()
    steps = (await node.call("ListRotationSteps", name=NAME)).steps
    assert [one.state for one in reversed(steps)] == ["candidate-stored", "applying", "verifying", "idle"]
    assert [one.number for one in reversed(steps)] == [0, 1, 2, 3]
    assert {one.run for one in steps} == {1}
    assert steps[0].result == "done"
    current = (await node.call("DescribeSecret", name=NAME)).stages["current"]
    assert {one.version_id for one in steps} == {current}


async def test_the_target_is_asked_once_for_each_version_and_nothing_else_is_done_there(node, target) -> None:
    await node.work()
    before = list(target.log)
    found = await explain(node)
    assert [(one.stage, one.number, one.acceptance) for one in found.versions] == [("current", 2, "accepted")]
    assert target.log[len(before) :] == ["probe"]
    assert (found.served.how, found.status.meaning, found.status.next_action) == ("as-usual", None, None)
    await explain(node, probe_target=False)
    assert target.log[len(before) :] == ["probe"]


async def test_a_value_changed_behind_our_back_is_seen_at_once(node, target) -> None:
    await node.work()
    (target.directory / "target").write_text("somebody else's")
    found = await explain(node)
    assert [(one.acceptance, one.reason) for one in found.versions] == [("refused", "")]
    assert found.cause.endswith("the target refuses the value that is served")
    assert (found.next_command, "rotate it now" in found.status.next_action) == (f"secretsctl rotate {NAME}", True)
    await node.call("RotateSecret", name=NAME)
    await node.work()
    assert [one.acceptance for one in (await explain(node)).versions] == ["accepted"]
    assert await node.text() == target.accepts


async def test_a_quarantine_is_explained_and_found_by_the_check(node, target) -> None:
    target.script(*["die-before"] * 20)
    await node.work()
    before = len(target.log)
    found = await explain(node)
    assert found.cause.startswith("it is stopped until a person has looked; not-applied: ")
    assert found.served.how == "unproved"
    assert [(one.stage, one.acceptance) for one in found.versions] == [
        ("current", "accepted"),
        ("candidate", "refused"),
    ]
    assert target.log[before:] == ["probe", "probe"]
    assert found.steps[0].result == "quarantined"
    assert found.next_command == f"secretsctl rotation resume {NAME}"
    (listed,) = (await node.call("ListRotations", quarantined=True)).rotations
    assert (listed.name, listed.rotation.reason) == (NAME, "not-applied")
    assert await node.storage.rotations.states() == {RotationState.QUARANTINED: 1}


async def test_a_rotation_that_waits_for_its_target_says_so(node, target) -> None:
    target.script("away", "away")
    await node.work()
    found = (await node.call("DescribeRotation", name=NAME)).rotation
    assert (found.state, found.away) == ("candidate-stored", True)
    explained = await explain(node)
    assert "target-unreachable: the target does not answer; the target is away" in explained.cause
    assert explained.not_asked == "a step is under way"
    assert (await node.call("ListRotations", quarantined=True)).rotations == ()
