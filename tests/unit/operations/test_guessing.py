"""Who may write and not read learns nothing by guessing under a token that is taken; who wrote it may repeat."""

import pytest

from secretsd.testing.policies import document
from tests.unit.operations.conftest import ROOT
from tests.unit.operations.two_accounts import APP, Vendor, outcome, speaks

GUESSES = ("0000", "1234", "9999")


async def guessed(house, operation, caller, **fields):
    return [await outcome(house, operation, caller, text=guess, **fields) for guess in GUESSES]


@pytest.mark.parametrize("operation", ["PutSecretValue", "CreateSecret", "UpdateSecret"])
async def test_who_may_only_write_learns_nothing(house, operation):
    await house.call("CreateSecret", name="x", text="1234", token="first")
    bob = await house.user("bob", {"effect": "Allow", "action": [operation], "resource": ["secret/*"]})
    assert await guessed(house, operation, bob, name="x", token="first") == ["conflict"] * 3


async def test_nor_does_another_account(house):
    vendor = await Vendor(house).settle()
    await house.call("CreateSecret", name="x", text="1234", token="first")
    await house.call("PutResourcePolicy", resource="secret/x", document=speaks(["PutSecretValue"], APP))
    full = f"secretsd:{house.account}:secret/x"
    assert await guessed(house, "PutSecretValue", vendor.app, name=full, token="first") == ["conflict"] * 3


async def test_who_put_it_may_repeat_it_and_so_may_who_reads(house):
    await house.call("CreateSecret", name="x", text="one")
    bob = await house.user("bob", {"effect": "Allow", "action": ["PutSecretValue"], "resource": ["secret/*"]})
    for _ in range(2):
        assert (await house.call("PutSecretValue", bob, name="x", text="1234", token="mine")).version_id == "mine"
    assert await guessed(house, "PutSecretValue", bob, name="x", token="mine") == ["conflict", "ok", "conflict"]
    assert await outcome(house, "PutSecretValue", ROOT, name="x", text="1234", token="mine") == "ok"
    no = document({"effect": "Deny", "action": ["GetSecretValue"], "resource": ["*"]})
    await house.call("PutUserPolicy", user="admin", policy="no", document=no)
    assert await outcome(house, "PutSecretValue", ROOT, name="x", text="1234", token="mine") == "conflict"
