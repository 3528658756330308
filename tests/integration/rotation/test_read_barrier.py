"""Who waits while a value is being changed, from when on, and what he then gets."""

import asyncio

import pytest

from secretsd.domain.errors import RotationInProgress

pytestmark = pytest.mark.integration
NAME = "prod/db/app"


async def until_logged(target, line: str) -> None:
    while line not in target.log:  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.01)


async def test_reads_wait_while_the_value_is_changed_and_then_get_the_proved_one(node, nodes, target) -> None:
    await node.step("StageRotationCandidate")
    await node.step("BeginRotationApply")
    reads = [asyncio.create_task(one.text()) for one in nodes for _ in range(3)]
    await asyncio.sleep(0.1)
    assert not any(read.done() for read in reads)
    assert await node.text("pending") != "at first", "only the current value is held"
    await node.work()
    assert await asyncio.gather(*reads) == [target.accepts] * 6
    assert nodes[1].parts.barrier.held.longest_seconds >= 0.09


async def test_reads_go_on_while_a_target_is_reached_by_a_rotator_that_notes_first(node, nodes, target) -> None:
    settings = {"directory": str(target.directory)}
    await node.call("RotateSecret", name=NAME, rotator="filed-noting", settings=settings)
    for name in ("far", "slow"):
        (target.directory / name).touch()
    working = asyncio.create_task(node.work())
    async with asyncio.timeout(20):
        await until_logged(target, "far")
        assert (await node.rotation()).state == "applying"
        assert [await one.text() for one in nodes] == ["at first"] * 2
        (target.directory / "far").unlink()
        await until_logged(target, "slow")
        reads = [asyncio.create_task(one.text()) for one in nodes]
        await asyncio.sleep(0.1)
        assert not any(read.done() for read in reads), "it is about to change the target"
        (target.directory / "slow").unlink()
        await working
        assert await asyncio.gather(*reads) == [target.accepts] * 2
    assert target.accepts != "at first"


async def test_only_a_target_that_stays_away_lets_a_value_out_that_may_be_dead(node, target) -> None:
    (target.directory / "away").touch()
    await node.work()
    assert (await node.rotation()).state == "verifying"
    with pytest.raises(RotationInProgress):
        await node.text()
    node.clock.pass_seconds(1)
    await node.work()
    found = await node.call("GetSecretValue", name=NAME)
    assert (found.text.reveal().decode(), found.unproved) == ("at first", True)
    (target.directory / "away").unlink()
    node.clock.pass_seconds(2)
    await node.work()
    found = await node.call("GetSecretValue", name=NAME)
    assert (found.text.reveal().decode(), found.unproved) == (target.accepts, False)


async def test_a_read_that_waited_too_long_is_told_to_come_again(node) -> None:
    await node.step("StageRotationCandidate")
    await node.step("BeginRotationApply")
    began = asyncio.get_running_loop().time()
    with pytest.raises(RotationInProgress) as refused:
        await node.text()
    assert refused.value.retry_after_seconds == 1
    assert 1.4 < asyncio.get_running_loop().time() - began < 3
