"""Values and their versions: stage rules, tokens, reads by stage or version, batches, passwords."""

import pytest

from secretsd.api.fields import BinaryValue


async def stages(house, name):
    return dict((await house.call("DescribeSecret", name=name)).stages)


async def test_a_value_put_becomes_current_and_the_one_before_previous(house):
    first = (await house.call("CreateSecret", name="app", text="one")).version_id
    second = await house.call("PutSecretValue", name="app", text="two")
    assert second.number == 2
    assert await stages(house, "app") == {"current": second.version_id, "previous": first}
    assert await house.text("app") == "two"
    assert await house.text("app", stage="previous") == "one"
    assert await house.text("app", version_id=first) == "one"


async def test_the_first_value_becomes_current_beside_its_named_stage(house):
    await house.call("CreateSecret", name="app")
    put = await house.call("PutSecretValue", name="app", text="one", stages=("blue",))
    assert put.stages == ("blue", "current")


async def test_a_stage_put_again_moves(house):
    await house.call("CreateSecret", name="app", text="one")
    await house.call("PutSecretValue", name="app", text="two", stages=("pending",))
    third = await house.call("PutSecretValue", name="app", text="three", stages=("pending",))
    assert (await stages(house, "app"))["pending"] == third.version_id
    assert await house.text("app") == "one"


async def test_the_same_token_and_value_is_no_second_version(house):
    made = await house.call("CreateSecret", name="app", text="one", token="t-1")
    again = await house.call("CreateSecret", name="app", text="one", token="t-1")
    assert again == made
    put = await house.call("PutSecretValue", name="app", text="two", token="t-2")
    events = len(await house.events())
    assert await house.call("PutSecretValue", name="app", text="two", token="t-2") == put
    assert (await house.call("DescribeSecret", name="app")).version_count == 2
    assert len(await house.events()) == events + 2


@pytest.mark.parametrize("value", [{"text": "other"}, {"text": "onE"}, {"binary": BinaryValue(b"one")}])
async def test_the_same_token_with_another_value_is_a_conflict(house, tools, value):
    await house.call("CreateSecret", name="app", text="one", token="t-1")
    with pytest.raises(tools.Failed, match=r"^conflict$") as refused:
        await house.call("PutSecretValue", name="app", token="t-1", **value)
    assert "one" not in refused.value.error.message.split()
    with pytest.raises(tools.Failed, match=r"^(already-exists|conflict)$"):
        await house.call("CreateSecret", name="app", token="t-1", **value)
    assert await house.text("app") == "one"


async def test_a_token_belongs_to_its_secret(house):
    await house.call("CreateSecret", name="one", text="1", token="same")
    await house.call("CreateSecret", name="two", text="2", token="same")
    assert [await house.text(name, version_id="same") for name in ("one", "two")] == ["1", "2"]


async def test_stage_and_version_must_agree_when_both_are_given(house, tools):
    first = (await house.call("CreateSecret", name="app", text="one")).version_id
    await house.call("PutSecretValue", name="app", text="two")
    assert await house.text("app", stage="previous", version_id=first) == "one"
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.text("app", stage="current", version_id=first)
    for asked in ({"stage": "blue"}, {"version_id": "none"}, {"stage": "blue", "version_id": first}):
        with pytest.raises(tools.Failed, match="not-found"):
            await house.text("app", **asked)


async def test_stages_move_by_the_rules(house, tools):
    first = (await house.call("CreateSecret", name="app", text="one")).version_id
    second = (await house.call("PutSecretValue", name="app", text="two", stages=("blue",))).version_id

    async def move(stage, **fields):
        return dict((await house.call("UpdateSecretVersionStage", name="app", stage=stage, **fields)).stages)

    for fields, kind in (
        ({}, "invalid-request"),
        ({"move_to": first}, "invalid-request"),
        ({"move_to": first, "remove_from": first}, "invalid-request"),
        ({"move_to": "unknown", "remove_from": second}, "not-found"),
    ):
        with pytest.raises(tools.Failed, match=kind):
            await move("blue", **fields)
    assert await move("blue", move_to=first, remove_from=second) == {"current": first, "blue": first}
    assert await move("current", move_to=second, remove_from=first) == {
        "current": second,
        "previous": first,
        "blue": first,
    }
    with pytest.raises(tools.Failed, match="invalid-request"):
        await move("current", remove_from=second)
    assert "blue" not in await move("blue", remove_from=first)
    assert await house.text("app") == "two"


async def test_a_version_without_a_stage_is_hidden_but_readable(house):
    first = (await house.call("CreateSecret", name="app", text="one")).version_id
    for text in ("two", "three"):
        await house.call("PutSecretValue", name="app", text=text)
    shown = await house.call("ListSecretVersionIds", name="app")
    assert [version.number for version in shown.versions] == [3, 2]
    everything = await house.call("ListSecretVersionIds", name="app", include_unlabelled=True)
    assert [version.number for version in everything.versions] == [3, 2, 1]
    assert await house.text("app", version_id=first) == "one"


async def test_versions_come_in_pages(house):
    await house.call("CreateSecret", name="app", text="0")
    for number in range(1, 7):
        await house.call("PutSecretValue", name="app", text=str(number))
    numbers, token = [], None
    while True:
        page = await house.call("ListSecretVersionIds", name="app", include_unlabelled=True, limit=3, next_token=token)
        numbers += [version.number for version in page.versions]
        assert len(page.versions) <= 3
        if (token := page.next_token) is None:
            break
    assert numbers == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("token", ["x", "Zm9v", "====", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "\u00e9"])
async def test_a_page_token_of_somebody_else_is_refused(house, tools, token):
    await house.call("CreateSecret", name="app", text="0")
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await house.call("ListSecretVersionIds", name="app", next_token=token)
    assert token not in refused.value.error.message.split()


async def test_binary_values_come_back_as_they_were(house):
    data = bytes(range(256)) * 256
    await house.call("CreateSecret", name="bin", binary=BinaryValue(data))
    found = await house.call("GetSecretValue", name="bin")
    assert found.text is None
    assert found.binary.reveal() == data


async def test_a_value_over_the_limit_is_refused_and_leaves_nothing(house, tools):
    await house.call("CreateSecret", name="app", text="x" * 65536)
    for name, operation in (("app", "PutSecretValue"), ("big", "CreateSecret")):
        with pytest.raises(tools.Failed, match="limit-exceeded"):
            await house.call(operation, name=name, text="é" * 32769)
    assert (await house.call("DescribeSecret", name="app")).version_count == 1
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("DescribeSecret", name="big")


async def test_a_value_is_text_or_binary_and_not_both(house, tools):
    await house.call("CreateSecret", name="app", text="one")
    for value in ({}, {"text": "a", "binary": BinaryValue(b"a")}):
        with pytest.raises(tools.Failed, match="invalid-request"):
            await house.call("PutSecretValue", name="app", **value)


async def test_a_batch_tells_values_and_errors_one_by_one(house):
    for name in ("a", "b", "empty"):
        await house.call("CreateSecret", name=name, **({} if name == "empty" else {"text": name.upper()}))
    found = await house.call("BatchGetSecretValue", names=("a", "missing", "b", "empty"))
    assert [(value.name, value.text.reveal()) for value in found.values] == [("a", b"A"), ("b", b"B")]
    assert [(error.name, error.kind) for error in found.errors] == [("missing", "not-found"), ("empty", "not-found")]
    (event,) = [event for event in await house.events() if event["operation"] == "BatchGetSecretValue"]
    assert event["fields"] == {"names": ["a", "missing", "b", "empty"], "read": ["a", "b"]}


async def test_a_batch_needs_the_permission_for_each_value(house):
    for name in ("open", "closed"):
        await house.call("CreateSecret", name=name, text=name)
    ann = await house.user(
        "ann",
        {"effect": "Allow", "action": ["BatchGetSecretValue"], "resource": ["secret/*"]},
        {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/open"]},
    )
    found = await house.call("BatchGetSecretValue", ann, names=("open", "closed", "missing"))
    assert [value.name for value in found.values] == ["open"]
    # What is forbidden and what does not exist look alike.
    assert {(error.kind, error.message) for error in found.errors} == {(found.errors[0].kind, found.errors[0].message)}
    assert found.errors[0].kind == "access-denied"


async def test_passwords_obey_and_are_stored_nowhere(house, tools):
    made = await house.call("GetRandomPassword", length=20, exclude_punctuation=True)
    text = made.text.reveal().decode()
    assert len(text) == 20
    assert text.isalnum()
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("GetRandomPassword", length=3)
    assert text not in str(await house.events())
