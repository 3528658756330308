"""Targets as rotations use them: nobody names a host, borrows a target or a login, or moves a credential elsewhere."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from secretsd.api.fields import TextValue
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.targets import Target
from secretsd.ports.storage import Change, Delete, Replace, UnitOfWork
from secretsd.services.rotation import Rotations
from secretsd.testing import samples
from secretsd.testing.storage import authenticator
from tests.unit.operations.door_host import NEIGHBOUR, house_with_doors

House = Any  # the fixture `place` below
PASSWORD = "canary-of-the-administrator"
EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
USE_MAIN = {"effect": "Allow", "action": ["UseTarget"], "resource": ["secretsd:system:target/main"]}


@pytest.fixture
async def place(tmp_path, tools):
    """A target `main` where this account may rotate `app_*` and its neighbour `their_*` and `app_shared`."""
    async with house_with_doors(tmp_path / "storage", tools.House) as made:
        await create(made, "main")
        yield made


async def create(place: House, target: str, **fields: Any) -> None:
    told: dict[str, Any] = {
        "rotator": "doors",
        "address": {"house": target},
        "admin_login": "porter",
        "admin_password": TextValue.from_text(PASSWORD),
        "logins": {place.account: ("app_*", "port*"), NEIGHBOUR: ("their_*", "app_shared")},
    }
    await place.call("CreateTarget", target=target, **{**told, **fields})


async def secret(place: House, name: str, *caller: Any) -> Any:
    made = await place.call("CreateSecret", *caller, name=name, text=f"code of {name}")
    return made.id


async def rotate(place: House, name: str, login: str, *caller: Any, **fields: Any) -> Any:
    told = {"rotator": "doors", "target": "main", "logins": (login,), **fields}
    return await place.call("RotateSecret", *caller, name=name, **told)


async def refused(tools: Any, kind: str, about: Any) -> str:
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await about
    return str(failed.value.error.message)


async def commit(place: House, *changes: Change) -> None:
    """Changes as a hand makes them that has the authenticator's key: a compromised worker's, at worst."""
    await place.storage.commit(UnitOfWork(changes, samples.event("Edit", accounts=(place.account,))))
    place.storage.refresh()


async def edit(place: House, before: Target, **fields: Any) -> None:
    after = replace(before, revision=before.revision + 1, **fields)
    await commit(place, Replace(before, after, authenticator().mac(after)))


async def work(place: House) -> Any:
    """What scheduled work does; the rotation of secret `app` after it."""
    rotations = Rotations(place.pipeline)
    await rotations.ensure()
    await rotations.settled()
    return (await place.call("DescribeSecret", name="app")).rotation


async def test_without_use_target_every_target_looks_as_if_it_were_not_there(place, tools):
    ann = await place.user("ann", EVERYTHING)
    await secret(place, "app", ann)
    told = {
        await refused(tools, "access-denied", rotate(place, "app", "app_a", ann, target=name))
        for name in ("main", "none")
    }
    assert len(told) == 1
    assert place.host.orders == []
    await place.allow("ann", "user-of-main", USE_MAIN)
    await rotate(place, "app", "app_a", ann)
    assert await refused(tools, "access-denied", rotate(place, "app", "app_a", ann, target="none")) in told


@pytest.mark.parametrize("login", ["their_app", "reporting", "APP_a", "*", "porter"])
async def test_a_login_that_is_not_the_accounts_is_refused_and_the_administrators_own_always(place, tools, login):
    await secret(place, "app")
    told = await refused(tools, "access-denied", rotate(place, "app", login))
    assert "their_" not in told
    assert NEIGHBOUR not in told
    assert (await place.call("DescribeSecret", name="app")).rotation is None
    assert await place.storage.targets.logins("main", "", 10) == []


async def test_both_of_two_logins_must_be_the_accounts(place, tools):
    await secret(place, "app")
    await refused(tools, "access-denied", rotate(place, "app", "app_a", logins=("app_a", "their_b")))
    await rotate(place, "app", "app_a", logins=("app_a", "app_b"))
    assert [one.login for one in await place.storage.targets.logins("main", "", 10)] == ["app_a", "app_b"]


async def test_a_target_is_one_rotators(place, tools):
    await secret(place, "app")
    assert "another rotator" in await refused(tools, "invalid-request", rotate(place, "app", "app_a", rotator="gates"))


async def test_settings_cannot_name_a_host(place, tools):
    await secret(place, "app")
    told = await refused(tools, "invalid-request", rotate(place, "app", "app_a", settings={"house": "canary-mine"}))
    assert "canary" not in told


async def test_a_login_belongs_to_one_secret_over_all_accounts(place, tools):
    theirs = await secret(place, "theirs", place.neighbour)
    await rotate(place, "theirs", "app_shared", place.neighbour)
    held = await place.storage.targets.login("main", "app_shared")
    assert (held.account, held.secret_id) == (NEIGHBOUR, theirs)
    await secret(place, "app")
    told = await refused(tools, "conflict", rotate(place, "app", "app_shared"))
    assert not any(word in told for word in (NEIGHBOUR, "theirs", theirs, "neighbour"))
    await rotate(place, "app", "app_a")
    await secret(place, "app2")
    told = await refused(tools, "conflict", rotate(place, "app2", "app_a"))
    assert "another secret holds it" in told


async def test_of_two_who_claim_a_login_at_once_one_gets_it(place, tools):
    names = [f"app{number}" for number in range(4)]
    ids = [await secret(place, name) for name in names]
    answers = await asyncio.gather(
        *(place.run("RotateSecret", name=name, rotator="doors", target="main", logins=("app_a",)) for name in names)
    )
    kinds = [answer.error.kind.value if answer.error else "ok" for answer in answers]
    assert kinds.count("ok") == 1
    assert set(kinds) <= {"ok", "conflict", "already-exists"}
    assert (await place.storage.targets.login("main", "app_a")).secret_id == ids[kinds.index("ok")]


async def test_a_login_is_free_again_when_its_rotation_moves_on_or_its_secret_is_gone(place):
    await secret(place, "app")
    await rotate(place, "app", "app_a")
    await rotate(place, "app", "app_a", logins=("app_b", "app_c"))
    assert [one.login for one in await place.storage.targets.logins("main", "", 10)] == ["app_b", "app_c"]
    await create(place, "second")
    await rotate(place, "app", "app_b", target="second")
    assert await place.storage.targets.logins("main", "", 10) == []
    await place.call("DeleteSecret", name="app", force=True)
    assert await place.storage.targets.logins("second", "", 10) == []


async def test_a_rotator_gets_address_and_credential_of_the_target_and_no_caller_gets_them(place):
    await secret(place, "app")
    await rotate(place, "app", "app_a")
    done = await work(place)
    assert (done.state, done.last_result) == ("idle", "done")
    for order in place.host.orders:
        assert order.target is not None
        assert (order.target.name, order.target.address) == ("main", '{"floor":0,"house":"main"}')
        assert (order.target.admin_login, order.target.admin) == ("porter", Plaintext(PASSWORD.encode()))
        assert order.logins == ("app_a",)
    assert PASSWORD not in str(await place.call("DescribeRotation", name="app"))


async def test_steps_of_scheduled_work_are_events_of_the_account_and_of_the_system(place):
    """They use what is the operator's, so he sees it; who reads them learns no value."""
    await secret(place, "app")
    await rotate(place, "app", "app_a")
    await work(place)
    steps = [one for one in await place.events(account=SYSTEM_ACCOUNT) if one["source"] == "schedule"]
    assert {one["operation"] for one in steps} >= {"StageRotationCandidate", "ApplyRotation"}
    assert all(one["accounts"] == [place.account, SYSTEM_ACCOUNT] for one in steps)
    assert PASSWORD not in str(steps) + str(await place.events())


@pytest.mark.parametrize(
    "withdraw",
    [
        lambda place, target: place.call("UpdateTarget", target="main", logins={}),
        lambda place, target: place.call("UpdateTarget", target="main", logins={place.account: ("app_b",)}),
        lambda place, target: place.call(
            "UpdateTarget", target="main", admin_login="app_a", admin_password=TextValue(b"x")
        ),
        lambda place, target: commit(place, Delete(target)),
        lambda place, target: edit(place, target, rotator="gates"),
    ],
    ids=["account", "login", "administrator", "target", "rotator"],
)
async def test_what_was_withdrawn_stops_the_next_step_with_a_word_for_it(place, withdraw):
    await secret(place, "app")
    await rotate(place, "app", "app_a")
    await withdraw(place, await place.storage.targets.get("main"))
    stopped = await work(place)
    assert (stopped.state, stopped.reason, stopped.away) == ("idle", "target-not-allowed", False)
    assert place.host.orders == []
    assert await place.text("app") == "code of app"


@pytest.mark.parametrize("what", ["admin", "address", "admin_login", "id"])
async def test_a_credential_that_was_moved_opens_for_nobody(place, what):
    """Not even for whoever can make a row's authenticator: the key store binds it to target, address and login."""
    await create(place, "second", admin_login="porter_2", address={"house": "of an adversary"})
    other = await place.storage.targets.get("second")
    await secret(place, "app")
    await rotate(place, "app", "app_a")
    await edit(place, await place.storage.targets.get("main"), **{what: getattr(other, what)})
    stopped = await work(place)
    assert stopped.reason == "target-credential-unreadable"
    assert place.host.orders == []


async def test_a_credential_of_another_key_or_of_no_form_is_a_typed_reason_too(place):
    await secret(place, "app")
    await rotate(place, "app", "app_a")
    before = await place.storage.targets.get("main")
    for number, sealed in enumerate(("c2VhbGVk", before.admin[:-8], before.admin[:8] + "AAAA" + before.admin[12:])):
        await edit(place, await place.storage.targets.get("main"), admin=sealed)
        place.clock.pass_days(1)
        stopped = await work(place)
        assert (stopped.reason, stopped.attempts) == ("target-credential-unreadable", number + 1)
    assert place.host.orders == []


async def test_a_target_without_administrator_gives_none_away(place):
    await create(place, "alone", admin_login=None, admin_password=None)
    await secret(place, "app")
    await rotate(place, "app", "app_a", target="alone")
    assert (await work(place)).last_result == "done"
    assert {(order.target.admin_login, order.target.admin) for order in place.host.orders} == {("", None)}


async def test_what_is_taken_over_is_asked_of_the_target_as_the_caller(place, tools):
    """Without UseTarget of the caller's own nobody learns whether a value is good there."""
    place.host.codes["app_a"] = Plaintext(b"code of app")
    ann = await place.user("ann", EVERYTHING)
    await secret(place, "app")
    await refused(tools, "access-denied", rotate(place, "app", "app_a", ann, rotate_immediately=False))
    await rotate(place, "app", "app_a", rotate_immediately=False)
    assert len(place.host.orders) == 1
    explained = await place.call("ExplainRotation", ann, name="app")
    assert explained.versions == ()
    assert "target-not-allowed" in explained.not_asked
