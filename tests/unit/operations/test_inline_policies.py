"""Inline policies: put, shown, replaced and taken away alike for users, groups, roles; bounded in number and length."""

import json

import pytest

from secretsd.testing.policies import document

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
TRUST = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}


class Noun:
    """The four operations on inline policies of one kind of holder."""

    def __init__(self, house, kind):
        self.house, self.kind = house, kind

    async def __call__(self, verb, **fields):
        ending = "Policies" if verb == "List" else "Policy"
        return await self.house.call(f"{verb}{self.kind}{ending}", **{self.kind.lower(): "h"}, **fields)


@pytest.fixture(params=["User", "Group", "Role"])
async def own(house, request):
    fields = {"trust": document(TRUST)} if request.param == "Role" else {}
    await house.call(f"Create{request.param}", **{request.param.lower(): "h"}, **fields)
    return Noun(house, request.param)


async def test_put_show_list_replace_delete(own, tools):
    made = await own("Put", policy="a", document=document(READ))
    assert (made.policy, json.loads(made.document)["Statement"][0]["Action"]) == ("a", ["GetSecretValue"])
    await own("Put", policy="b", document=document(READ))
    assert (await own("List")).policies == ("a", "b")
    assert await own("Get", policy="a") == made
    other = await own("Put", policy="a", document=document({**READ, "effect": "Deny"}))
    assert '"Deny"' in other.document
    assert (await own("List")).policies == ("a", "b")
    assert await own("Get", policy="a") == other
    await own("Delete", policy="a")
    assert (await own("List")).policies == ("b",)
    for verb in ("Get", "Delete"):
        with pytest.raises(tools.Failed, match="not-found"):
            await own(verb, policy="a")


async def test_a_bad_document_puts_nothing(own, tools):
    for statement in ({**READ, "action": ["Nothing"]}, TRUST):
        with pytest.raises(tools.Failed, match="invalid-request"):
            await own("Put", policy="a", document=document(statement))
    assert (await own("List")).policies == ()


async def test_a_holder_has_a_bounded_number_of_its_own(own, tools):
    for number in range(10):
        await own("Put", policy=f"p{number}", document=document(READ))
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await own("Put", policy="p10", document=document(READ))
    await own("Put", policy="p9", document=document({**READ, "effect": "Deny"}))


async def test_they_are_bounded_in_length_together(own, tools):
    long = document({**READ, "resource": [f"secret/{number:0500}" for number in range(60)]})
    assert 30_000 < len(long) < 32_768
    await own("Put", policy="a", document=long)
    await own("Put", policy="b", document=long)
    with pytest.raises(tools.Failed, match="limit-exceeded") as refused:
        await own("Put", policy="c", document=long)
    assert "h together would be longer" in refused.value.error.message
    await own("Put", policy="c", document=document(READ))


async def test_the_same_again_writes_nothing(own):
    await own("Put", policy="a", document=document(READ))
    operation = f"Put{own.kind}Policy"
    again = {own.kind.lower(): "h", "policy": "a", "document": document(READ)}
    answer = await own.house.run(operation, **again)
    (event,) = await own.house.events(answer.request_id)
    assert (event["outcome"], event["fields"], event.get("changes")) == ("ok", {"policy": "a"}, None)
