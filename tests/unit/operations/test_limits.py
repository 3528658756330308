"""Limits as callers meet them: rates, quotas, and what follows when proofs fail."""

import contextlib
from dataclasses import replace

import pytest

from secretsd.domain.credentials import KeyPair
from secretsd.domain.errors import InvalidRequest, Throttled
from secretsd.domain.limits import Quotas
from secretsd.domain.principals import Principal
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.limits import CallerLimits
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.request_facts import Way
from secretsd.testing.policies import document
from tests.unit.operations.conftest import ROOT

ANN, BOB = Principal("1" * 12, "user/ann", "token/1"), Principal("1" * 12, "user/bob", "token/2")
OTHER = Principal("2" * 12, "user/ann", "token/3")
NOBODYS = [Plaintext(b"secretsd_" + bytes([65 + number]) * 43) for number in range(26)]


NOBODY = document({"effect": "Deny", "action": ["AssumeRole"], "principal": ["*"]})
NOTHING = document({"effect": "Deny", "action": ["GetSecretValue"], "resource": ["none"]})


class Monotonic:
    """A monotonic clock that tests turn."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limited(house, now=None, **limits) -> Monotonic:
    """Give the house's pipeline limits."""
    now = now or Monotonic()
    house.pipeline = Pipeline(house.parts, limits=CallerLimits(**limits, now=now))
    return now


def at(address, token) -> Caller:
    return Caller(f"tcp:{address}:1", token=token, way=Way(address, secure=False))


async def kind(house, caller, operation="GetCallerIdentity", **fields) -> str:
    error = (await house.run(operation, caller, **fields)).error
    return "ok" if error is None else error.kind.value


def admitted(limits, principal, times) -> int:
    count = 0
    for _ in range(times):
        try:
            limits.admit(principal)
        except Throttled:
            continue
        count += 1
    return count


def test_each_principal_has_a_rate_of_his_own_and_all_of_an_account_share_one():
    limits = CallerLimits(requests_per_principal=5, requests_per_account=8, now=Monotonic())
    assert [admitted(limits, one, 20) for one in (ANN, BOB, OTHER)] == [5, 3, 5]


def test_what_one_is_refused_his_account_is_not_charged_for():
    limits = CallerLimits(requests_per_principal=5, requests_per_account=10, now=Monotonic())
    assert [admitted(limits, one, times) for one, times in ((ANN, 1000), (BOB, 1000))] == [5, 5]


def test_sessions_of_a_role_share_its_rate():
    limits = CallerLimits(requests_per_principal=5, now=Monotonic())
    sessions = [Principal("1" * 12, "role/a", f"session/{number}", f"{number}") for number in range(20)]
    assert sum(admitted(limits, one, 1) for one in sessions) == 5


def test_without_limits_nobody_is_counted():
    limits = CallerLimits()
    assert admitted(limits, ANN, 10_000) == 10_000


async def test_too_many_requests_are_told_when_to_come_again(house):
    now = limited(house, requests_per_principal=2)
    assert [await kind(house, ROOT) for _ in range(3)] == ["ok", "ok", "throttled"]
    answer = await house.run("GetCallerIdentity", ROOT)
    assert answer.error.retry_after_seconds == 1
    assert answer.error.message == "cannot take more requests of this user or role now"
    (event,) = await house.events(answer.request_id)
    assert (event["outcome"], event["principal"]) == ("throttled", f"secretsd:{house.account}:user/admin")
    now.now += 0.5
    assert [await kind(house, ROOT) for _ in range(2)] == ["ok", "throttled"]


async def test_root_is_let_in_to_recover_whatever_was_taken(house):
    limited(house, requests_per_principal=0.001, requests_per_account=0.001, free_failed_proofs=1)
    for token in NOBODYS[:3]:
        await kind(house, Caller("unix", uid=0, token=token))
    assert [await kind(house, ROOT) for _ in range(2)] == ["ok", "throttled"]
    assert await kind(house, ROOT, "RecoverAdministrator") == "ok"


async def test_failed_proofs_hold_up_further_ones_for_longer_each_time(house):
    now = limited(house, free_failed_proofs=3)
    outcomes, waits = [], []
    for token in NOBODYS[:8]:
        outcomes.append(await kind(house, at("192.0.2.1", token)))
        answer = await house.run("GetCallerIdentity", at("192.0.2.1", token))
        waits.append(answer.error.retry_after_seconds)
        now.now += (waits[-1] or 0) + 0.001
    assert outcomes == ["unauthenticated"] * 8
    assert waits == [None, 1, 2, 4, 8, 16, 30, 30]


async def test_what_is_held_up_is_refused_at_once_and_recorded(house):
    limited(house, free_failed_proofs=1)
    assert await kind(house, at("192.0.2.1", NOBODYS[0])) == "unauthenticated"
    answer = await house.run("GetCallerIdentity", at("192.0.2.1", NOBODYS[1]))
    assert (answer.error.kind.value, answer.error.retry_after_seconds) == ("throttled", 1)
    (event,) = await house.events(answer.request_id, "system")
    assert (event["outcome"], event["accounts"]) == ("throttled", ["system"])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Way("192.0.2.1"), Way("192.0.2.2"), False),
        (Way("192.0.2.1"), Way("::ffff:192.0.2.1"), True),
        (Way("::ffff:192.0.2.1"), Way("::ffff:192.0.2.2"), False),
        (Way("2001:db8:1:2::1"), Way("2001:db8:1:2:ffff::9"), True),
        (Way("2001:db8:1:2::1"), Way("2001:db8:1:3::1"), False),
        (Way("fe80::1%eth0"), Way("fe80::2%eth1"), True),
        (Way(uid=1000), Way(uid=1000), True),
        (Way(uid=1000), Way(uid=1001), False),
        (Way(uid=0), Way(""), False),
        (Way("", uid=1000), Way("1000"), False),
    ],
)
def test_failures_count_for_the_uid_else_for_the_network_that_they_came_from(one, other, same):
    limits = CallerLimits(free_failed_proofs=1, now=Monotonic())
    limits.failed(one)
    with pytest.raises(Throttled) as told:
        limits.failed(one)
    assert told.value.retry_after_seconds == 1
    with pytest.raises(Throttled) if same else contextlib.nullcontext():
        limits.failed(other)


def test_of_what_costs_signatures_so_many_a_second_are_looked_at_after_failures():
    now = Monotonic()
    limits = CallerLimits(free_failed_proofs=1, now=now)

    def looks(way, times):
        count = 0
        for _ in range(times):
            with contextlib.suppress(Throttled):
                limits.look(way)
                count += 1
        return count

    guessing, other = Way("192.0.2.1"), Way("192.0.2.2")
    assert looks(guessing, 100) == 100
    limits.failed(guessing)
    assert (looks(guessing, 100), looks(other, 100)) == (10, 100)
    now.now += 0.5
    assert looks(guessing, 100) == 5
    now.now += 1
    assert looks(guessing, 100) == 100


async def test_nobody_who_proves_himself_is_locked_out_by_a_neighbour_who_guesses(house):
    """Whether or not this worker has seen him before."""
    known, fresh = await house.user("known"), await house.user("fresh")
    pair = await house.call("CreateAccessKey", user="fresh")
    limited(house, free_failed_proofs=1)
    assert await kind(house, at("192.0.2.1", known.token)) == "ok"
    for token in NOBODYS[:5]:
        await kind(house, at("192.0.2.1", token))
    assert await kind(house, at("192.0.2.1", known.token)) == "ok"
    assert await kind(house, at("192.0.2.1", fresh.token)) == "ok"
    shown = KeyPair(pair.access_key, Plaintext(pair.secret.reveal()))
    assert await kind(house, at("192.0.2.1", None).showing(shown)) == "ok"
    wrong = KeyPair(pair.access_key, Plaintext(b"A" * 43))
    assert await kind(house, at("192.0.2.1", None).showing(wrong)) == "throttled"
    assert await kind(house, at("192.0.2.2", None).showing(wrong)) == "unauthenticated"


async def test_senseless_requests_count_as_others_do(house):
    now = limited(house, requests_per_principal=2)
    kinds = []
    for _ in range(4):
        answer = await house.pipeline.refuse(ROOT, InvalidRequest("cannot read the request"), {})
        kinds.append(answer.error.kind.value)
        (event,) = await house.events(answer.request_id)
        assert event["outcome"] == kinds[-1]
    assert kinds == ["invalid-request"] * 2 + ["throttled"] * 2
    assert await kind(house, ROOT) == "throttled"
    now.now += 1
    assert await kind(house, ROOT) == "ok"


async def test_who_shows_no_token_has_not_failed(house):
    """A service that waits for its binding may ask as often as it likes."""
    limited(house, free_failed_proofs=1)
    stranger = Caller("unix", uid=4711)
    assert [await kind(house, stranger) for _ in range(5)] == ["unauthenticated"] * 5
    await house.call("CreateUser", user="ann")
    await house.call("CreateBinding", proof="unix:uid/4711", user="ann")
    assert await kind(house, stranger) == "ok"


def quotas(house, **quotas) -> None:
    house.parts = replace(house.parts, quotas=Quotas(**quotas))
    house.pipeline = Pipeline(house.parts)


@pytest.mark.parametrize(
    ("quota", "make", "undo"),
    [
        ("secrets", ("CreateSecret", {"name": "x{}", "text": "1"}), ("DeleteSecret", {"name": "x{}", "force": True})),
        ("users", ("CreateUser", {"user": "x{}"}), ("DeleteUser", {"user": "x{}"})),
        ("tokens", ("CreateToken", {"user": "admin"}), None),
        ("keys", ("CreateKey", {"alias": "x{}"}), None),
        ("groups", ("CreateGroup", {"group": "x{}"}), ("DeleteGroup", {"group": "x{}"})),
        ("roles", ("CreateRole", {"role": "x{}", "trust": NOBODY}), ("DeleteRole", {"role": "x{}"})),
        ("policies", ("CreatePolicy", {"policy": "x{}", "document": NOTHING}), ("DeletePolicy", {"policy": "x{}"})),
        (
            "bindings",
            ("CreateBinding", {"proof": "unix:uid/6400{}", "user": "admin"}),
            ("DeleteBinding", {"proof": "unix:uid/6400{}"}),
        ),
    ],
)
async def test_an_account_has_so_many_and_no_more(house, quota, make, undo):
    there = await house.storage.accounts.held(house.account, quota)
    quotas(house, **{quota: there + 2})

    async def run(what, number):
        name, fields = what
        fields = {
            field: value.replace("{}", str(number)) for field, value in fields.items() if isinstance(value, str)
        } | {field: value for field, value in fields.items() if not isinstance(value, str)}
        answer = await house.run(name, **fields)
        return answer.error

    assert [await run(make, number) for number in range(2)] == [None, None]
    error = await run(make, 2)
    assert error.kind.value == "limit-exceeded"
    assert error.message == f"cannot go past the limit: an account has {there + 2} {quota} at most (quotas.{quota})"
    assert await house.storage.accounts.held(house.account, quota) == there + 2
    if undo is not None:
        assert await run(undo, 1) is None
        assert await run(make, 2) is None
    others = {"CreateUser": {"user": "y"}, "CreateSecret": {"name": "y", "text": "1"}}
    for name, fields in others.items():
        if name != make[0]:
            assert (await house.run(name, **fields)).error is None


async def test_no_key_is_made_for_an_account_that_has_all_it_may_have(house):
    quotas(house, keys=await house.storage.accounts.held(house.account, "keys"))
    made = []
    generate = house.keystore.generate_key

    async def counted(metadata):
        made.append(metadata)
        return await generate(metadata)

    house.keystore.generate_key = counted
    assert await kind(house, ROOT, "CreateKey") == "limit-exceeded"
    assert made == []


async def test_a_quota_is_of_one_account_and_root_recovers_past_it(house):
    quotas(house, users=1, tokens=1)
    assert await kind(house, ROOT, "CreateUser", user="x") == "limit-exceeded"
    assert await kind(house, ROOT, "CreateAccount", account_name="acme") == "ok"
    assert await kind(house, ROOT, "RecoverAdministrator", account=house.account) == "ok"
