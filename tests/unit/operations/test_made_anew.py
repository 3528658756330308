"""What was made anew under a name while a call was under way is not what the call has read."""

import pytest

from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken

EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
SYSTEM = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}
LITTLE = {"effect": "Allow", "action": ["ListUsers"], "resource": ["*"]}


async def test_a_value_goes_into_the_secret_that_is_there_now(house, monkeypatch):
    """Not into the row of the one before, which would come back and take the new one's values away."""
    await house.call("CreateSecret", name="x", text="old")

    async def make_anew():
        await house.call("DeleteSecret", name="x", force=True)
        await house.call("CreateSecret", name="x", text="new")

    happened = overtaken(house, monkeypatch, make_anew)
    await house.call("PutSecretValue", name="x", text="put")
    assert happened == [True]
    versions = (await house.call("ListSecretVersionIds", name="x", include_unlabelled=True)).versions
    assert (len(versions), await house.text("x"), await house.text("x", stage="previous")) == (2, "put", "new")


async def test_a_user_has_nothing_of_the_one_before(house, monkeypatch):
    await house.call("CreatePolicy", policy="everything", document=document(EVERYTHING))
    await house.call("CreatePolicy", policy="little", document=document(LITTLE))
    await house.call("CreateUser", user="u")
    await house.call("AttachPolicy", user="u", policy="everything")

    async def make_anew():
        await house.call("DeleteUser", user="u")
        await house.call("CreateUser", user="u")
        await house.call("AttachPolicy", user="u", policy="little")

    happened = overtaken(house, monkeypatch, make_anew)
    found = await house.call("UpdateUser", user="u", description="of billing")
    assert (found.policies, found.description, happened) == (("little",), "of billing", [True])


async def test_a_policy_is_attached_as_it_is_now(house, tools, monkeypatch):
    """Else an administrator would become an operator by the one that an operator made of that name."""
    chief = await house.user("chief", EVERYTHING)
    await house.call("CreatePolicy", policy="p", document=document(LITTLE))

    async def make_anew():
        await house.call("DeletePolicy", policy="p")
        await house.call("CreatePolicy", policy="p", document=document(SYSTEM))

    happened = overtaken(house, monkeypatch, make_anew)
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("AttachPolicy", chief, user="chief", policy="p")
    assert happened == [True]
