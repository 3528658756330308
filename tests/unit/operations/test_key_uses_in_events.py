"""An event says which keys its call took the use of: as they were then, once each, and in no other account's words."""

from typing import Any

import pytest

from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import APP, Vendor, speaks


async def uses(house: Any, operation: str, account: str | None = None) -> list[list[str] | None]:
    """What each event of the operation says."""
    found = await house.events(account=account)
    return [one.get("fields", {}).get("key_uses") for one in found if one["operation"] == operation]


@pytest.fixture
async def keys(house: Any) -> list[str]:
    """Two keys of the house's, the first of which `own` is under."""
    made = [(await house.call("CreateKey")).id for _ in range(2)]
    await house.call("CreateSecret", name="own", text="v", key_id=made[0])
    await house.call("CreateSecret", name="plain", text="v")
    return made


async def test_the_default_key_is_not_named(house: Any, keys: list[str]) -> None:
    await house.text("plain")
    await house.call("PutSecretValue", name="plain", text="w")
    assert await uses(house, "GetSecretValue") == await uses(house, "PutSecretValue") == [None]


async def test_each_key_is_named_with_what_was_used_of_it_and_once(house: Any, keys: list[str]) -> None:
    one, two = (f"secretsd:{house.account}:key/{key}" for key in keys)
    assert await uses(house, "CreateSecret") == [[f"GenerateDataKey {one}"], None]
    await house.call("PutSecretValue", name="own", text="w", token="t")
    await house.call("PutSecretValue", name="own", text="w", token="t")
    assert await uses(house, "PutSecretValue") == [
        [f"GenerateDataKey {one}"],
        [f"GenerateDataKey {one}", f"Decrypt {one}"],
    ]
    await house.call("UpdateSecret", name="own", key_id=keys[1])
    assert await uses(house, "UpdateSecret") == [[f"GenerateDataKey {two}", f"Decrypt {one}"]]
    await house.call("CreateSecret", name="other", text="v", key_id=keys[1])
    await house.call("BatchGetSecretValue", names=("own", "other", "plain"))
    assert await uses(house, "BatchGetSecretValue") == [[f"Decrypt {two}"]]


async def test_who_may_not_use_the_key_did_not_use_it(house: Any, keys: list[str]) -> None:
    ann = await house.user("ann", {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]})
    await house.run("GetSecretValue", ann, name="own")
    assert await uses(house, "GetSecretValue") == [None]


async def test_only_the_key_of_the_attempt_that_was_stored_is_named(
    house: Any, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = overtaken(house, monkeypatch, lambda: house.call("UpdateSecret", name="own", key_id=keys[1]))
    await house.call("PutSecretValue", name="own", text="w")
    assert happened
    assert await uses(house, "PutSecretValue") == [[f"GenerateDataKey secretsd:{house.account}:key/{keys[1]}"]]


async def test_which_key_anothers_secret_is_under_is_not_told(house: Any, keys: list[str]) -> None:
    vendor = await Vendor(house).settle()
    await house.call("PutResourcePolicy", resource="secret/own", document=speaks("GetSecretValue", APP))
    await house.call("PutResourcePolicy", resource=f"key/{keys[0]}", document=speaks("Decrypt", APP))
    named = f"secretsd:{house.account}:secret/own"
    await house.call("GetSecretValue", vendor.app, name=named)
    assert await uses(house, "GetSecretValue", vendor.account) == [None]
    assert await uses(house, "GetSecretValue") == [None]
