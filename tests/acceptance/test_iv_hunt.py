"""The IV hunt in short: whatever ends, and whatever becomes of the counts, no IV and no reserved count comes twice."""

import random
from collections import Counter
from pathlib import Path

import pytest

from secretsd.testing.iv_hunt.hunt import hunt
from secretsd.testing.iv_hunt.plan import CELLS, Blow, Moment, Strike, draw

# A blow each, and each moment: the whole plan is walked through by `./dev bench iv-hunt`.
SHORT = {
    1: (
        Strike(Blow.KILL_KEYSTORE, Moment.RESERVING),
        Strike(Blow.OLDER_COUNTS, Moment.LOAD),
        Strike(Blow.KILL_KEYSTORE, Moment.STARTING),
        Strike(Blow.END_DAEMON, Moment.LOAD),
        Strike(Blow.LOST_COUNTS, Moment.RESERVING),
    ),
    2: (
        Strike(Blow.STOP_KEYSTORE, Moment.RESERVING),
        Strike(Blow.KILL_WORKER, Moment.LOAD),
        Strike(Blow.KILL_DAEMON, Moment.STARTING),
        Strike(Blow.STOP_WORKER, Moment.RESERVING),
    ),
}
MOST_HUNTS = 3


@pytest.mark.acceptance
@pytest.mark.long
@pytest.mark.parametrize("workers", SHORT)
def test_no_iv_and_no_reserved_count_comes_twice(passable_path: Path, workers: int) -> None:
    seed = random.randrange(10**9)
    plan = SHORT[workers]
    for attempt in range(MOST_HUNTS):
        place = passable_path / f"state-{attempt}"
        report = hunt(place, plan=plan, seed=seed, workers=workers, pause_seconds=0.1, tell=print)
        print(report)  # shown when the test fails, with the seed
        assert not report.findings
        assert set(report.hits) >= set(plan)
        if report.unused_blocks:
            break
    # Where exactly a blow falls is the scheduler's to say: on a busy machine now and then none falls there.
    assert report.unused_blocks, "no blow fell between reserving and use"
    assert report.ivs > 100
    assert {1, 2, 16, 17} <= set(report.made), "a purpose was never met"


def test_a_full_plan_has_every_blow_at_every_moment_equally_often() -> None:
    plan = draw(10 * len(CELLS), 7)
    assert set(Counter(plan).values()) == {10}
    assert {(one.blow, one.moment) for one in plan} == set(CELLS)
    assert draw(10 * len(CELLS), 7) == plan
    assert draw(10 * len(CELLS), 8) != plan
