"""A storage put back from an older backup: what is served is what the target accepts, and no person was asked."""

import logging

import pytest

from secretsd.adapters.file_escrow import FILE
from secretsd.api.fields import TextValue
from secretsd.domain.errors import NotFound, RotationInProgress
from secretsd.services.secret_deletion import SecretDeletions
from tests.integration.rotation.escrow_host import NAME, Host, make_secret, replays, served


@pytest.mark.parametrize("rotations", [1, 2, 7])
async def test_after_a_restore_the_served_value_is_what_the_target_accepts(host: Host, rotations: int) -> None:
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        for _ in range(rotations):
            await host.rotate(node)
        last = await served(host, node)
        number = (await node.call("GetSecretValue", name=NAME)).number
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        assert await served(host, node) == last
        assert (await node.rotation()).last_result == "done"
        assert await replays(node) == ["ok"]
        await host.rotate(node)
        assert (await node.call("GetSecretValue", name=NAME)).number == number + 1
        await served(host, node)


async def test_no_value_is_served_before_the_target_was_asked(host: Host) -> None:
    """Not even in the moment between the start and the first probe."""
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        await host.rotate(node)
    host.put_back()
    async with host.running() as node:
        with pytest.raises(RotationInProgress):
            await node.text()
        await served(host, node)


async def test_without_the_escrow_the_same_restore_serves_a_dead_value(host: Host) -> None:
    """So that the test above proves the escrow, and not the target's patience."""
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        await host.rotate(node)
    host.put_back()
    (host.escrow_dir / FILE).unlink()
    async with host.running() as node:
        assert host.replayed == 0
        assert await node.text() != host.target.accepts


async def test_replaying_again_changes_nothing(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        await host.rotate(node)
    host.put_back()
    async with host.running(nodes=2) as node:
        assert host.replayed == 1  # and not once by each
        before = await node.call("DescribeSecret", name=NAME)
        assert await node.keeper.replay() == 0
        assert await node.call("DescribeSecret", name=NAME) == before
    async with host.running() as node:  # a crash right after it
        assert host.replayed == 0
        await served(host, node)
        assert await replays(node) == ["ok"]


async def test_a_storage_that_was_not_put_back_is_left_alone(host: Host) -> None:
    """Wherever a rotation was when it was stopped."""
    async with host.running() as node:
        await make_secret(host, node)
        await host.rotate(node)
    for script in ("refuse", "unknown", "away", "reject"):
        async with host.running() as node:
            assert host.replayed == 0
            await host.rotate(node, script)
            before = await node.rotation()
        async with host.running() as node:
            assert host.replayed == 0
            assert await node.rotation() == before
            host.pass_seconds(700)
            await served(host, node)
            assert await replays(node) == []


async def test_a_secret_that_the_backup_lacks_comes_back_with_its_rotation(host: Host) -> None:
    async with host.running():
        pass
    host.back_up()
    async with host.running() as node:
        await make_secret(host, node)
        await host.rotate(node)
        await node.call("TagResource", resource=f"secret/{NAME}", tags={"team": "shop"})
        await host.rotate(node)
        last, was = await served(host, node), await node.call("DescribeSecret", name=NAME)
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        assert await served(host, node) == last
        now = await node.call("DescribeSecret", name=NAME)
        assert (now.id, now.tags, now.key_id) == (was.id, was.tags, was.key_id)
        assert now.rotation.rotator == "filed"
        await host.rotate(node)
        assert await served(host, node) != last


async def test_a_candidate_that_never_reached_the_target_is_applied_after_all(host: Host) -> None:
    """The target is on the one before it, which the backup has not heard of either."""
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        await host.rotate(node)
        proved = await served(host, node)
        await host.rotate(node, "away")
        assert host.target.accepts == proved
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        assert (await node.call("DescribeSecret", name=NAME)).stages["current"] != ""
        assert await served(host, node) != proved


async def test_of_several_candidates_that_came_back_the_one_that_the_target_accepts_wins(host: Host) -> None:
    """The newest ones were refused for good reasons, so the target never saw them."""
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        await host.rotate(node)
        proved = await served(host, node)
        for _ in range(4):
            await host.rotate(node, "reject")
            host.pass_seconds(700)
        assert host.target.accepts == proved
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        listed = await node.call("ListSecretVersionIds", name=NAME, include_unlabelled=True)
        assert len(listed.versions) == 2 + 1 + 4
        await served(host, node)


async def test_a_backup_from_between_storing_and_applying_a_candidate(host: Host) -> None:
    """It knows the candidate, and does not know that the target is on it."""
    async with host.running() as node:
        await make_secret(host, node)
        await host.rotate(node, "refuse")
        assert (await node.rotation()).state == "candidate-stored"
    host.back_up()
    async with host.running() as node:
        host.pass_seconds(700)
        last = await served(host, node)
    host.put_back()
    host.target.directory.joinpath("log").unlink()
    async with host.running() as node:
        assert host.replayed == 1
        assert (await node.rotation()).state == "resolving"
        assert await served(host, node) == last
        assert not any(line.startswith("apply") for line in host.target.log)  # it was asked, and needed nothing


async def test_the_next_epoch_is_above_all_that_the_target_may_have_seen(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
    host.back_up()
    async with host.running() as node:
        for _ in range(3):
            await host.rotate(node)
        highest = max(entry.epoch for entry in await node.parts.escrow.entries())
    host.put_back()
    async with host.running() as node:
        await served(host, node)
        await host.rotate(node)
        assert (await node.parts.escrow.entries())[-1].epoch > highest + 1000


async def test_what_was_erased_stays_gone_and_leaves_the_escrow(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
        await host.rotate(node)
        await node.call("DeleteSecret", name=NAME, force=True)
    async with host.running() as node:
        assert host.replayed == 0
        with pytest.raises(NotFound):
            await node.call("DescribeSecret", name=NAME)
        assert await node.keeper.ensure() == 2
        assert list(await node.parts.escrow.entries()) == []
        assert await replays(node) == []


async def test_what_was_erased_after_its_window_stays_gone_too(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
        await node.call("DeleteSecret", name=NAME, recovery_window_days=7)
        host.pass_seconds(8 * 24 * 3600)
        assert await SecretDeletions(node.pipeline).ensure() == 1
        await node.call("CreateSecret", name=NAME, text=TextValue.from_text("another"))
    async with host.running() as node:
        assert host.replayed == 0
        assert await node.text() == "another"
        assert await node.keeper.ensure() == 1


async def test_a_secret_of_the_same_name_is_left_as_it_is(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Made in the backup's time, erased and made anew since: the new one cannot come back beside the old one."""
    async with host.running() as node:
        await node.call("CreateSecret", name=NAME, text=TextValue.from_text("the old one"))
    host.back_up()
    async with host.running() as node:
        await node.call("DeleteSecret", name=NAME, force=True)
        await make_secret(host, node)
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 0
        assert await node.text() == "the old one"
        assert await replays(node) == ["conflict"]
        assert f"cannot bring back secret {NAME}" in caplog.text


async def test_an_escrow_that_cannot_be_read_holds_up_nobody_and_is_told(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    async with host.running() as node:
        await make_secret(host, node)
        text = await node.text()
    (host.escrow_dir / FILE).rename(host.escrow_dir / "elsewhere")
    (host.escrow_dir / FILE).mkdir()
    async with host.running() as node:
        assert host.replayed == 0
        assert await node.text() == text
        assert [record.levelno for record in caplog.records if record.name == "secretsd.escrow"] == [logging.CRITICAL]
        await host.rotate(node)  # which may not touch the target now
        assert host.target.accepts == text


async def test_a_backup_of_a_secret_that_waited_to_be_erased_and_was_taken_back(host: Host) -> None:
    async with host.running() as node:
        await make_secret(host, node)
        await node.call("DeleteSecret", name=NAME)
    host.back_up()
    async with host.running() as node:
        await node.call("RestoreSecret", name=NAME)
        await host.rotate(node)
        last = await served(host, node)
    host.put_back()
    async with host.running() as node:
        assert host.replayed == 1
        assert await served(host, node) == last
