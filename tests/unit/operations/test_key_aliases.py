"""Aliases: a second name leads to one key, may move to another of the same kind, and goes without harm to it."""

import pytest

from secretsd.operations import aliases


async def keys(house, count=2, **fields):
    return [(await house.call("CreateKey", **fields)).id for _ in range(count)]


async def test_an_alias_leads_to_its_key_until_it_moves(house):
    first, second = await keys(house)
    made = await house.call("CreateAlias", alias="prod/db", key=first)
    assert (made.alias, made.key_id, made.resource) == ("prod/db", first, f"secretsd:{house.account}:alias/prod/db")
    assert (await house.call("DescribeKey", key="alias/prod/db")).id == first
    moved = await house.call("UpdateAlias", alias="prod/db", key=second)
    assert (moved.key_id, moved.created_ms) == (second, made.created_ms)
    assert moved.changed_ms > made.changed_ms
    assert (await house.call("DescribeKey", key="alias/prod/db")).id == second
    gone = await house.call("DeleteAlias", alias="prod/db")
    assert gone == moved
    assert (await house.call("ListAliases")).aliases == ()
    assert (await house.call("DescribeKey", key=second)).state == "enabled"


async def test_an_alias_is_given_by_another_alias_and_moves_to_where_it_is_only_once(house):
    (key,) = await keys(house, 1)
    await house.call("CreateAlias", alias="one", key=key)
    assert (await house.call("CreateAlias", alias="two", key="alias/one")).key_id == key
    before = await house.storage.keys.alias(house.account, "two")
    await house.call("UpdateAlias", alias="two", key="alias/one")
    assert await house.storage.keys.alias(house.account, "two") == before


async def test_names_that_are_taken_unknown_or_reserved(house, tools):
    first, second = await keys(house)
    await house.call("CreateAlias", alias="mine", key=first)
    with pytest.raises(tools.Failed, match=r"^already-exists$"):
        await house.call("CreateAlias", alias="mine", key=second)
    for name, fields in (("UpdateAlias", {"key": second}), ("DeleteAlias", {})):
        with pytest.raises(tools.Failed, match=r"^not-found$"):
            await house.call(name, alias="nobody", **fields)
    for reserved in ("aws/s3", "acs/kms", "secretsd/default"):
        with pytest.raises(tools.Failed, match=r"^invalid-request$"):
            await house.call("CreateAlias", alias=reserved, key=first)
    assert [one.key_id for one in (await house.call("ListAliases")).aliases] == [first]


async def test_an_alias_moves_between_keys_of_one_kind_only(house, tools):
    (aes,) = await keys(house, 1)
    (mac,) = await keys(house, 1, spec="HMAC_256")
    signs, opens = await keys(house, 1, spec="RSA_2048"), await keys(house, 1, spec="RSA_2048", usage="ENCRYPT_DECRYPT")
    await house.call("CreateAlias", alias="aes", key=aes)
    await house.call("CreateAlias", alias="rsa", key=signs[0])
    for alias, key in (("aes", mac), ("rsa", opens[0])):
        with pytest.raises(tools.Failed, match=r"^invalid-request$"):
            await house.call("UpdateAlias", alias=alias, key=key)


async def test_aliases_are_listed_by_name_or_by_key(house):
    first, second = await keys(house)
    for name, key in {"c": first, "a": first, "b": second}.items():
        await house.call("CreateAlias", alias=name, key=key)

    async def found(**wanted):
        listed = await house.call("ListAliases", **wanted)
        return [one.alias for one in listed.aliases], listed.next_token

    assert await found() == (["a", "b", "c"], None)
    assert await found(key=first) == await found(key=f"key/{first}") == await found(key="alias/c") == (["a", "c"], None)
    names, token = await found(limit=2)
    assert (names, await found(limit=2, next_token=token)) == (["a", "b"], (["c"], None))
    names, token = await found(limit=1, key=first)
    assert (names, await found(limit=1, key=first, next_token=token)) == (["a"], (["c"], None))
    assert await found(key="alias/nowhere") == ([], None)
    assert await found(key=f"secretsd:100000000009:key/{first}") == ([], None)


async def test_both_the_alias_and_every_key_concerned_have_to_allow_it(house, tools):
    first, second = await keys(house)
    await house.call("CreateAlias", alias="theirs", key=first)

    async def user(name, *resources):
        return await house.user(name, {"effect": "Allow", "action": ["*"], "resource": list(resources)})

    only_alias = await user("a", "alias/*")
    only_key = await user("b", f"key/{second}")
    one_of_two = await user("c", "alias/*", f"key/{second}")
    both = await user("d", "alias/*", f"key/{first}", f"key/{second}")
    for caller in (only_alias, only_key):
        with pytest.raises(tools.Failed, match=r"^access-denied$"):
            await house.call("CreateAlias", caller, alias="new", key=second)
    for caller in (only_alias, only_key, one_of_two):
        with pytest.raises(tools.Failed, match=r"^access-denied$"):
            await house.call("UpdateAlias", caller, alias="theirs", key=second)
        with pytest.raises(tools.Failed, match=r"^access-denied$"):
            await house.call("DeleteAlias", caller, alias="theirs")
    await house.call("CreateAlias", one_of_two, alias="new", key=second)
    await house.call("UpdateAlias", both, alias="theirs", key=second)
    await house.call("DeleteAlias", one_of_two, alias="theirs")


async def test_a_key_has_so_many_aliases_and_no_more(house, tools, monkeypatch):
    monkeypatch.setattr(aliases, "MAX_ALIASES_A_KEY", 3)
    first, second = await keys(house)
    for number in range(3):
        await house.call("CreateAlias", alias=f"a{number}", key=first)
    await house.call("CreateAlias", alias="b", key=second)
    for name, alias in (("CreateAlias", "one-more"), ("UpdateAlias", "b")):
        with pytest.raises(tools.Failed, match=r"^limit-exceeded$"):
            await house.call(name, alias=alias, key=first)
    await house.call("DeleteAlias", alias="a0")
    await house.call("UpdateAlias", alias="b", key=first)


async def test_events_say_which_keys_an_alias_led_to(house):
    first, second = await keys(house)
    made = await house.run("CreateAlias", alias="mine", key=first)
    moved = await house.run("UpdateAlias", alias="mine", key=second)
    gone = await house.run("DeleteAlias", alias="mine")
    told = [(await house.events(answer.request_id))[0] for answer in (made, moved, gone)]
    assert [event["fields"] for event in told] == [{"key": first}, {"key": second, "left": first}, {"key": second}]
    assert {event["resource"] for event in told} == {f"secretsd:{house.account}:alias/mine"}
    assert [len(event["changes"]) for event in told] == [1, 1, 1]
