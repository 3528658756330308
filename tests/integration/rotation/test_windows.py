"""Rotations that keep to windows: what waits for the next one, and what does not."""

import pytest

from secretsd.api.rotation import ScheduleFields, WindowFields
from secretsd.api.secrets import Day

pytestmark = pytest.mark.integration
NAME = "prod/db/app"


def window(start: str, minutes: int) -> ScheduleFields:
    """Once an hour, but only in that time of any day (UTC)."""
    everyday: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    opens = WindowFields(days=everyday, start=start, minutes=minutes)
    return ScheduleFields(every_seconds=3600, windows=(opens,))


async def test_a_rotation_that_missed_its_window_waits_for_the_next_one(node, target) -> None:
    node.clock.ms = 1_800_000_000_000  # 2027-01-15 08:00:00
    await node.work()
    served = await node.text()
    await node.call("RotateSecret", name=NAME, schedule=window("09:00", 30), rotate_immediately=False)
    assert (await node.rotation()).windows[0].start == "09:00"
    node.clock.pass_seconds(2 * 3600)  # the daemon was down until 10:00
    await node.work()
    assert await node.text() == served
    due_ms = (await node.rotation()).next_due_ms
    assert due_ms == 1_800_000_000_000 + 25 * 3600 * 1000, "tomorrow at nine"
    node.clock.ms = due_ms
    await node.work()
    assert await node.text() != served


async def test_a_person_may_rotate_outside_of_every_window(node, target) -> None:
    node.clock.ms = 1_800_000_000_000
    await node.work()
    served = await node.text()
    await node.call("RotateSecret", name=NAME, schedule=window("03:00", 30))
    await node.work()
    assert await node.text() == target.accepts != served


async def test_a_candidate_that_was_not_taken_waits_for_the_window_and_one_in_doubt_does_not(node, target) -> None:
    node.clock.ms = 1_800_000_000_000
    await node.call("RotateSecret", name=NAME, schedule=window("03:00", 30))
    target.script("refuse")
    await node.work()
    assert (await node.rotation()).next_due_ms == 1_800_000_000_000 + 19 * 3600 * 1000
    node.clock.ms = 1_800_000_000_000 + 19 * 3600 * 1000
    (target.directory / "unfit").touch()
    await node.work()
    rotation = await node.rotation()
    assert rotation.state == "verifying"
    assert rotation.next_due_ms < node.clock.ms + 10_000
