"""Secrets: created once, listed in pages, deleted with a way back, moved to another key without loss."""

import pytest

from secretsd.domain.keys import KeyState


async def names(house, **fields):
    return [secret.name for secret in (await house.call("ListSecrets", **fields)).secrets]


async def test_a_name_is_taken_once(house, tools):
    await house.call("CreateSecret", name="app", text="one")
    for again in ({"text": "one"}, {}, {"text": "one", "token": "t"}):
        with pytest.raises(tools.Failed, match="already-exists"):
            await house.call("CreateSecret", name="app", **again)


async def test_a_secret_without_a_value_has_no_version(house, tools):
    made = await house.call("CreateSecret", name="app")
    assert made.version_id is None
    with pytest.raises(tools.Failed, match="not-found"):
        await house.text("app")


async def test_lists_are_by_name_prefix_and_tags_in_pages(house):
    for number in range(7):
        tags = {"even": "yes"} if number % 2 == 0 else {"even": "no"}
        await house.call("CreateSecret", name=f"prod/app{number}", text="x", tags=tags)
    await house.call("CreateSecret", name="test/app0", text="x", tags={"even": "yes"})
    assert await names(house, prefix="prod/") == [f"prod/app{number}" for number in range(7)]
    assert await names(house, tags=("even=yes",), prefix="prod/app") == [f"prod/app{n}" for n in (0, 2, 4, 6)]
    assert await names(house, tags=("even=yes", "even=no")) in ([], [f"prod/app{n}" for n in (1, 3, 5)])
    found, token = [], None
    while True:
        page = await house.call("ListSecrets", limit=3, next_token=token)
        found += [secret.name for secret in page.secrets]
        if (token := page.next_token) is None:
            break
    assert found == [f"prod/app{number}" for number in range(7)] + ["test/app0"]


@pytest.mark.parametrize("tag", ["even", "=yes", ""])
async def test_a_tag_filter_has_a_form(house, tools, tag):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("ListSecrets", tags=(tag,))


async def test_a_deleted_secret_waits_and_comes_back(house, tools):
    await house.call("CreateSecret", name="app", text="one")
    gone = await house.call("DeleteSecret", name="app", recovery_window_days=7)
    assert gone.deletion_ms - house.clock.ms == pytest.approx(7 * 24 * 3600 * 1000, abs=1000)
    assert (await house.call("DescribeSecret", name="app")).deletion_ms == gone.deletion_ms
    assert await names(house) == []
    assert await names(house, include_deleted=True) == ["app"]
    for operation, fields in (
        ("GetSecretValue", {}),
        ("PutSecretValue", {"text": "two"}),
        ("UpdateSecret", {"description": "x"}),
        ("UpdateSecretVersionStage", {"stage": "x"}),
        ("DeleteSecret", {"recovery_window_days": 8}),
        ("RotateSecret", {"rotator": "random"}),
    ):
        with pytest.raises(tools.Failed, match="invalid-state"):
            await house.call(operation, name="app", **fields)
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("TagResource", resource="secret/app", tags={"a": "b"})
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("CreateSecret", name="app", text="one")
    await house.call("RestoreSecret", name="app")
    assert await house.text("app") == "one"
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("RestoreSecret", name="app")


async def test_thirty_days_are_the_default_window(house):
    await house.call("CreateSecret", name="app", text="one")
    gone = await house.call("DeleteSecret", name="app")
    assert gone.deletion_ms - house.clock.ms == pytest.approx(30 * 24 * 3600 * 1000, abs=1000)


async def test_force_erases_at_once_and_the_name_is_a_new_secret(house, tools):
    first = await house.call("CreateSecret", name="app", text="one", token="t-1")
    await house.call("DeleteSecret", name="app", force=True)
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("DescribeSecret", name="app")
    second = await house.call("CreateSecret", name="app", text="two", token="t-1")
    assert second.id != first.id
    assert await house.text("app") == "two"
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("DeleteSecret", name="app", force=True, recovery_window_days=7)


async def test_another_key_re_encrypts_the_labelled_versions(house):
    await house.call("CreateSecret", name="app", text="one")
    for text in ("two", "three"):
        await house.call("PutSecretValue", name="app", text=text)
    await house.call("PutSecretValue", name="app", text="next", stages=("pending",))
    secret = await house.storage.secrets.get(house.account, "app")
    key = (await house.call("CreateKey")).id
    before = {v: await house.storage.secrets.value(house.account, secret.id, v) for v in secret.stages.values()}
    await house.call("UpdateSecret", name="app", key_id=key)
    listed = await house.call("ListSecretVersionIds", name="app", include_unlabelled=True)
    assert {version.number: version.key_id == key for version in listed.versions} == {
        4: True,
        3: True,
        2: True,
        1: False,
    }
    for stage, text in (("current", "three"), ("previous", "two"), ("pending", "next")):
        assert await house.text("app", stage=stage) == text
    for version, old in before.items():
        new = await house.storage.secrets.value(house.account, secret.id, version)
        assert (new.data_key, new.value) != (old.data_key, old.value)
    # The old key may go now, and nothing labelled is lost with it.
    await house.set_key_state(secret.key_id, KeyState.DISABLED)
    house.sealer.forget()
    assert await house.text("app") == "three"


async def test_update_changes_what_is_given_and_nothing_else(house, tools):
    made = await house.call("CreateSecret", name="app", text="one", description="old", tags={"a": "b"})
    assert (await house.call("UpdateSecret", name="app", description="new")).version_id is None
    described = await house.call("DescribeSecret", name="app")
    assert (described.description, described.tags, described.id) == ("new", {"a": "b"}, made.id)
    changed = await house.call("UpdateSecret", name="app", text="two")
    assert dict((await house.call("DescribeSecret", name="app")).stages) == {
        "current": changed.version_id,
        "previous": made.version_id,
    }
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("UpdateSecret", name="app")


async def test_an_unknown_key_is_not_found_to_those_who_may_use_keys(house, tools):
    unknown = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("CreateSecret", name="app", text="x", key_id=unknown)
    await house.call("CreateSecret", name="app", text="x")
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("UpdateSecret", name="app", key_id=unknown)


async def test_to_others_an_unknown_key_and_a_forbidden_one_look_alike(house, tools):
    ann = await house.user("ann", {"effect": "Allow", "action": ["*"], "resource": ["secret/*"]})
    real = (await house.call("CreateKey")).id
    await house.call("CreateSecret", ann, name="own", text="x")
    told = set()
    for key in (real, "00000000-0000-4000-8000-000000000000"):
        for operation, name in (("CreateSecret", "app"), ("UpdateSecret", "own")):
            with pytest.raises(tools.Failed) as refused:
                await house.call(operation, ann, name=name, key_id=key)
            told.add((refused.value.error.kind.value, refused.value.error.message))
    assert {kind for kind, _ in told} == {"access-denied"}
    assert len(told) == 1


async def test_tags_are_added_changed_and_taken_away(house, tools):
    await house.call("CreateSecret", name="app", text="x", tags={"a": "1"})
    assert (await house.call("TagResource", resource="secret/app", tags={"a": "2", "b": "3"})).tags == {
        "a": "2",
        "b": "3",
    }
    assert (await house.call("UntagResource", resource="secret/app", keys=("a", "none"))).tags == {"b": "3"}
    key = (await house.call("CreateKey", tags={"k": "1"})).id
    assert (await house.call("TagResource", resource=f"key/{key}", tags={"l": "2"})).tags == {"k": "1", "l": "2"}
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await house.call("TagResource", resource="secret/app", tags={f"t{number}": "" for number in range(50)})
    with pytest.raises(tools.Failed, match="not-found"):
        await house.call("TagResource", resource="secret/none", tags={"a": "b"})


async def test_a_disabled_key_stops_reads_and_writes_at_once(house, tools):
    await house.call("CreateSecret", name="app", text="one")
    assert await house.text("app") == "one"
    key = (await house.call("DescribeSecret", name="app")).key_id
    await house.set_key_state(key, KeyState.DISABLED)
    with pytest.raises(tools.Failed, match="key-disabled"):
        await house.text("app")
    with pytest.raises(tools.Failed, match="key-disabled"):
        await house.call("PutSecretValue", name="app", text="two")
    await house.set_key_state(key, KeyState.ENABLED)
    assert await house.text("app") == "one"
