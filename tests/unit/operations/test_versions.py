"""What is kept of a secret's versions: labelled ones always, then the newest hundred, and none younger than a day."""

import pytest

from secretsd.domain import secrets
from secretsd.domain.errors import NotFound
from secretsd.operations import versions


async def count(house):
    described = await house.call("DescribeSecret", name="app")
    listed, token = [], None
    while True:
        page = await house.call("ListSecretVersionIds", name="app", include_unlabelled=True, next_token=token)
        listed += page.versions
        if (token := page.next_token) is None:
            break
    assert described.version_count == len(listed)
    return len(listed)


async def put(house, times):
    for number in range(times):
        last = await house.call("PutSecretValue", name="app", text=f"value {number}")
    return last


async def test_versions_younger_than_a_day_are_all_kept(house):
    await house.call("CreateSecret", name="app", text="first")
    await put(house, 130)
    assert await count(house) == 131


async def test_after_a_day_the_labelled_and_the_newest_hundred_are_kept(house, tools):
    first = (await house.call("CreateSecret", name="app", text="first")).version_id
    await house.call("UpdateSecretVersionStage", name="app", stage="golden", move_to=first)
    second = (await put(house, 1)).version_id
    await put(house, 130)
    house.clock.pass_days(1.1)
    await put(house, 3)
    kept = secrets.KEPT_UNLABELLED_VERSIONS
    # Current and previous, the labelled first one, and the unlabelled ones that are kept.
    assert kept + 3 <= await count(house) <= kept + 5
    assert await house.text("app", stage="golden") == "first"
    with pytest.raises(tools.Failed, match="not-found"):
        await house.text("app", version_id=second)


async def test_a_pruned_version_takes_its_value_with_it(house):
    await house.call("CreateSecret", name="app", text="first")
    secret = await house.storage.secrets.get(house.account, "app")
    await put(house, 105)
    house.clock.pass_days(2)
    await put(house, 1)
    kept = {found.id for found in await house.storage.secrets.versions(house.account, secret.id, 10**6, 1000)}
    assert len(kept) == await count(house) < 107
    first = secret.stages["current"]
    assert first not in kept
    with pytest.raises(NotFound):
        await house.storage.secrets.value(house.account, secret.id, first)


async def test_a_secret_at_its_cap_takes_new_values_once_old_ones_may_go(house, tools, monkeypatch):
    """The cap may not lock a secret for good: what a day has made superfluous is pruned before the new one counts."""
    monkeypatch.setattr(secrets, "MAX_VERSIONS", 110)
    await house.call("CreateSecret", name="app", text="first")
    await put(house, 109)
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await put(house, 1)
    house.clock.pass_days(1.1)
    await put(house, 1)
    assert await house.text("app") == "value 0"


async def test_an_update_with_a_value_prunes_as_a_put_does(house):
    await house.call("CreateSecret", name="app", text="first")
    await put(house, 120)
    house.clock.pass_days(1.1)
    await house.call("UpdateSecret", name="app", description="new words", text="new value")
    assert await count(house) < 110


def test_one_put_prunes_a_bounded_number():
    assert versions.PRUNED_AT_ONCE <= 100
