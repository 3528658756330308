"""Targets as operators see them: made, changed, deleted; the administrator's password goes in and never comes out."""

import asyncio
import base64
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from secretsd.api.fields import TextValue, read_value, show_value
from secretsd.api.targets import CreateTargetRequest, UpdateTargetRequest
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidCiphertext, NotFound
from secretsd.domain.keys import KeyOwner
from secretsd.domain.targets import admin_context
from secretsd.ports.keystore import KeyUse
from tests.unit.operations.door_host import house_with_doors

House = Any  # the fixture `place` below
PASSWORD = "canary-of-the-administrator"
OPERATOR = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}
EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}


@pytest.fixture
async def place(tmp_path, tools):
    async with house_with_doors(tmp_path / "storage", tools.House) as made:
        yield made


async def create(place: House, target: str = "main", **fields: Any) -> Any:
    told = {
        "rotator": "doors",
        "address": {"house": "a"},
        "admin_login": "porter",
        "logins": {place.account: ("app_*",)},
    }
    password = TextValue.from_text(fields.pop("password", PASSWORD))
    return await place.call("CreateTarget", target=target, **{**told, "admin_password": password, **fields})


async def update(place: House, password: str | None = None, **fields: Any) -> Any:
    if password is not None:
        fields["admin_password"] = TextValue.from_text(password)
    return await place.call("UpdateTarget", target="main", **fields)


async def opened(place: House, target: Any) -> bytes:
    """The administrator's password as only the key store can open it."""
    account = await place.storage.accounts.get("system")
    key = await place.storage.keys.version("system", account.default_key_id, 1)
    context = admin_context(target.id, target.address, target.admin_login)
    use = KeyUse("system", Purpose.TARGET, "test")
    sealed = base64.b64decode(target.admin)
    return bytes((await place.keystore.decrypt(key, use, sealed, context)).reveal())


async def refused(place: House, tools: Any, kind: str, about: Any) -> str:
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await about
    assert PASSWORD not in failed.value.error.message
    return str(failed.value.error.message)


async def test_a_target_is_told_as_it_was_described_but_for_the_password(place):
    made = await create(place, description="ours")
    assert (made.target, made.resource, made.rotator) == ("main", "secretsd:system:target/main", "doors")
    assert made.address == {"house": "a", "floor": 0}, "with what the rotator fills in"
    assert (made.admin_login, made.description, made.logins) == ("porter", "ours", {place.account: ("app_*",)})
    assert await place.call("DescribeTarget", target="main") == made
    assert (await place.call("ListTargets")).targets == (made,)
    shown = msgspec.json.encode(made, enc_hook=show_value)
    assert not any(word in shown for word in (b"password", PASSWORD.encode(), b'admin"', b"sealed"))


async def test_the_password_is_sealed_to_target_address_and_login(place):
    await create(place)
    await create(place, "other")
    stored, other = [await place.storage.targets.get(name) for name in ("main", "other")]
    assert await opened(place, stored) == PASSWORD.encode()
    for moved in ({"id": other.id}, {"address": '{"floor":0,"house":"b"}'}, {"admin_login": "another"}):
        with pytest.raises(InvalidCiphertext):
            await opened(place, replace(stored, **moved))


@pytest.mark.parametrize("given", [{"admin_login": None}, {"admin_password": None}])
async def test_an_administrator_has_both_login_and_password(place, tools, given):
    await refused(place, tools, "invalid-request", create(place, **given))
    with pytest.raises(NotFound):
        await place.storage.targets.get("main")


async def test_a_target_needs_no_administrator(place):
    made = await create(place, admin_login=None, admin_password=None)
    assert made.admin_login is None
    assert (await place.storage.targets.get("main")).admin == ""
    with pytest.raises(NotFound):
        await place.storage.accounts.get("system")


async def test_an_address_that_does_not_fit_is_refused_without_its_words(place, tools):
    told = await refused(place, tools, "invalid-request", create(place, address={"house": "a", "canary-field": "x"}))
    assert told == "cannot accept the address: it does not fit the schema of doors"
    told = await refused(place, tools, "invalid-request", create(place, rotator="cellars"))
    assert "secretsd.yaml does not name it" in told
    place.host.away = True
    assert "host-away" in await refused(place, tools, "conflict", create(place))


async def test_a_name_is_taken_once(place, tools):
    made = await create(place)
    assert "main" in await refused(place, tools, "already-exists", create(place, address={"house": "b"}))
    assert await place.call("DescribeTarget", target="main") == made


async def test_targets_are_listed_page_by_page(place):
    for name in ("c", "a", "b"):
        await create(place, name)
    first = await place.call("ListTargets", limit=2)
    rest = await place.call("ListTargets", limit=2, next_token=first.next_token)
    assert [one.target for one in (*first.targets, *rest.targets)] == ["a", "b", "c"]
    assert rest.next_token is None


async def test_logins_and_description_change_without_the_password(place):
    await create(place, description="ours")
    before = await place.storage.targets.get("main")
    after = await update(place, logins={place.account: ("x", "y_*"), "300000000003": ("z",)})
    assert after.logins == {place.account: ("x", "y_*"), "300000000003": ("z",)}
    assert (await update(place, description="theirs")).logins == after.logins
    stored = await place.storage.targets.get("main")
    assert (stored.admin, stored.address, stored.description) == (before.admin, before.address, "theirs")
    assert stored.changed_ms > before.changed_ms
    assert (await update(place, logins={})).logins == {}


@pytest.mark.parametrize("change", [{"address": {"house": "b"}}, {"admin_login": "another"}])
async def test_another_address_or_administrator_needs_the_password_again(place, tools, change):
    """Whoever moves the target without knowing the password would have it sent where he likes."""
    await create(place)
    before = await place.storage.targets.get("main")
    told = await refused(place, tools, "invalid-request", update(place, **change))
    assert "needs the password again" in told
    assert await place.storage.targets.get("main") == before
    await update(place, "canary-of-another-day", **change)
    after = await place.storage.targets.get("main")
    assert await opened(place, after) == b"canary-of-another-day"
    assert (after.address, after.admin_login) != (before.address, before.admin_login)


async def test_the_same_address_in_other_words_is_no_other_address(place):
    await create(place)
    await update(place, address={"house": "a", "floor": 0})
    assert await opened(place, await place.storage.targets.get("main")) == PASSWORD.encode()


async def test_an_administrator_is_taken_away_and_given(place, tools):
    await create(place)
    assert (await update(place, admin_login="")).admin_login is None
    assert (await place.storage.targets.get("main")).admin == ""
    await refused(place, tools, "invalid-request", update(place, PASSWORD))
    await refused(place, tools, "invalid-request", update(place, admin_login="porter"))
    await update(place, PASSWORD, admin_login="porter")
    assert await opened(place, await place.storage.targets.get("main")) == PASSWORD.encode()


async def test_a_target_stays_while_a_secret_holds_a_login_there(place, tools):
    await create(place)
    await place.call("CreateSecret", name="app", text="x")
    await place.call("RotateSecret", name="app", rotator="doors", target="main", logins=("app_a",))
    assert "a secret holds a login" in await refused(
        place, tools, "conflict", place.call("DeleteTarget", target="main")
    )
    await place.call("DeleteSecret", name="app", force=True)
    await place.call("DeleteTarget", target="main")
    for operation in ("DescribeTarget", "DeleteTarget", "UpdateTarget"):
        await refused(place, tools, "not-found", place.call(operation, target="main"))


async def test_what_is_sealed_for_the_operator_is_under_one_key_of_the_services_own(place, tools):
    """No user finds it, so none can disable or delete it; two who need it first at once make one."""
    await asyncio.gather(*(create(place, f"t{number}") for number in range(6)))
    account = await place.storage.accounts.get("system")
    (key,) = await place.storage.keys.page("system", "", 10)
    assert (key.id, key.owner) == (account.default_key_id, KeyOwner.SERVICE)
    for target in await place.storage.targets.page("", 10):
        assert await opened(place, target) == PASSWORD.encode()
    operator = await place.user("operator", EVERYTHING, OPERATOR)
    assert key.id not in [one.id for one in (await place.call("ListKeys", operator)).keys]
    await refused(place, tools, "not-found", place.call("DescribeKey", operator, key=key.id))
    await refused(place, tools, "not-found", place.call("CreateSecret", operator, name="x", text="x", key_id=key.id))


async def test_whoever_may_do_everything_in_an_account_learns_nothing_of_targets(place, tools):
    await create(place)
    reader = await place.user("reader", EVERYTHING)
    told = set()
    for target in ("main", "none"):
        for operation in ("DescribeTarget", "UpdateTarget", "DeleteTarget"):
            message = await refused(place, tools, "access-denied", place.call(operation, reader, target=target))
            told.add(message.replace(operation, "that"))
    message = await refused(place, tools, "access-denied", place.call("ListTargets", reader))
    told.add(message.replace("ListTargets", "that"))
    fields = {"target": "mine", "rotator": "doors", "address": {"house": "a"}}
    message = await refused(place, tools, "access-denied", place.call("CreateTarget", reader, **fields))
    told.add(message.replace("CreateTarget", "that"))
    assert len(told) == 1, "what is unknown and what is forbidden look alike"
    operator = await place.user("operator", OPERATOR)
    assert (await place.call("DescribeTarget", operator, target="main")).target == "main"


async def test_events_tell_who_changed_what_and_no_password(place):
    await create(place)
    await update(place, "canary-of-another-day", admin_login="another")
    await place.call("DeleteTarget", target="main")
    found = [event for event in await place.events(account="system") if event["operation"].endswith("Target")]
    assert [event["operation"] for event in found] == ["CreateTarget", "UpdateTarget", "DeleteTarget"]
    assert all(event["accounts"] == [place.account, "system"] for event in found)
    assert all(event["resource"] == "secretsd:system:target/main" for event in found)
    assert [event.get("fields") for event in found] == [
        {"rotator": "doors", "admin_login": "porter"},
        {"admin_login": "another", "changed": ["admin_login", "admin_password"]},
        None,
    ]
    assert "canary" not in str(await place.events()) + str(await place.events(account="system"))


TWELVE = "123456789012"
GOOD = {"target": "t", "rotator": "doors", "address": {}}


@pytest.mark.parametrize("login", ["app", "app_*", "*", "x" * 128, "Ünïcode [1]?"])
def test_a_login_may_be_any_line(login):
    found = msgspec.convert({**GOOD, "logins": {TWELVE: [login]}}, CreateTargetRequest, dec_hook=read_value)
    assert found.logins == {TWELVE: (login,)}


@pytest.mark.parametrize("kind", [CreateTargetRequest, UpdateTargetRequest])
@pytest.mark.parametrize(
    "logins",
    [
        {"12345678901": ["a"]},
        {TWELVE + "\n": ["a"]},
        {"system": ["a"]},
        {"*": ["a"]},
        {TWELVE: []},
        {TWELVE: [""]},
        {TWELVE: ["x" * 129]},
        {TWELVE: ["a"] * 101},
        *({TWELVE: [f"a{character}*"]} for character in "\n\r\x0b\x0c\x00\x1c\x1e\x7f\x85\u2028\u2029"),
    ],
)
def test_what_no_list_of_logins_may_hold(kind, logins):
    fields = GOOD if kind is CreateTargetRequest else {"target": "t"}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**fields, "logins": logins}, kind, dec_hook=read_value)
