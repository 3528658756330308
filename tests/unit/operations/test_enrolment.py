"""Enrolment: a token for one use becomes a host's own; nothing else comes of it, and only one host gets there."""

import asyncio
from dataclasses import replace

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.catalogue import catalogue
from secretsd.operations.request_facts import Way
from secretsd.testing.policies import document
from tests.unit.operations import two_accounts

ROOT = Caller("unix", uid=0)
INSIDE, OUTSIDE = "192.0.2.7", "198.51.100.7"


def showing(token, address=INSIDE):
    return Caller(f"tcp:{address}:1", None, Plaintext(token.reveal()), Way(address))


async def told(house, operation, caller=ROOT, /, **fields):
    return await two_accounts.told(house, operation, caller, **fields)


@pytest.fixture
async def shop(house):
    await house.call("CreateUser", user="shop")
    await house.allow("shop", "reads", {"effect": "Allow", "action": ["ListUsers"], "resource": ["*"]})
    return house


async def test_a_host_gets_a_token_that_nobody_else_has_seen(shop):
    made = await shop.call("CreateEnrolmentToken", user="shop", token_seconds=3600)
    answer = await shop.run("EnrolHost", showing(made.token))
    got = answer.response
    assert (got.account, got.user, got.network) == (shop.account, "shop", None)
    assert got.token.reveal() != made.token.reveal()
    assert got.expires_ms - shop.clock.ms == pytest.approx(3_600_000, abs=50)
    found = await shop.call("GetCallerIdentity", showing(got.token))
    assert (found.principal, found.proof) == (f"secretsd:{shop.account}:user/shop", f"token/{got.id}")
    await shop.call("ListUsers", showing(got.token))
    (event,) = await shop.events(answer.request_id)
    assert (event["proof"], event["fields"]) == (f"enrolment/{made.id}", {"token_id": got.id})
    shown = made.token.reveal().decode(), got.token.reveal().decode()
    assert not [text for text in shown if text in str(await shop.events())]


async def test_it_is_good_once(shop):
    made = await shop.call("CreateEnrolmentToken", user="shop")
    await shop.call("EnrolHost", showing(made.token))
    assert (await told(shop, "EnrolHost", showing(made.token)))[0] == "unauthenticated"
    listed = await shop.call("ListTokens", user="shop")
    assert [one.enrolment for one in listed.tokens] == [False]


async def test_a_host_of_a_user_who_became_a_service_gets_nothing_that_lasts(shop):
    """Nobody may become one while such a token is there; this one was there before that was looked at."""
    made = await shop.call("CreateEnrolmentToken", user="shop", token_seconds=86_400)
    user = await shop.parts.rows.user(shop.account, "shop")
    service = replace(user, service=True, revision=user.revision + 1)
    await shop.drop_record(user)
    await shop.add_record(service)
    answer = await told(shop, "EnrolHost", showing(made.token))
    assert answer == (
        "invalid-state",
        "cannot enrol: the user has become a service since, whose tokens are not good for so long",
    )


async def test_of_many_at_once_one_gets_there(shop):
    made = await shop.call("CreateEnrolmentToken", user="shop")
    answers = await asyncio.gather(*(shop.run("EnrolHost", showing(made.token)) for _ in range(8)))
    assert sorted("ok" if one.error is None else one.error.kind.value for one in answers) == [
        "ok", *["unauthenticated"] * 7
    ]  # fmt: skip
    assert len((await shop.call("ListTokens", user="shop")).tokens) == 1


async def test_it_is_good_for_nothing_else(shop):
    made = await shop.call("CreateEnrolmentToken", user="shop")
    caller = showing(made.token)
    assert [one.enrolment for one in (await shop.call("ListTokens", user="shop")).tokens] == [True]
    for name, operation in catalogue().items():
        if operation.route is not None and name != "EnrolHost":

            def unread():
                raise AssertionError("cannot read the request of somebody whom nothing proves")

            answer = await shop.pipeline.run(operation, unread, caller)
            assert answer.error.kind.value == "unauthenticated", name
    assert (await shop.call("EnrolHost", caller)).user == "shop"


async def test_nothing_else_is_good_for_it(shop):
    made = await shop.call("CreateToken", user="shop")
    for caller in (ROOT, showing(made.token)):
        answer = await told(shop, "EnrolHost", caller)
        assert answer == ("invalid-state", "cannot enrol: the caller has to show an enrolment token")


@pytest.mark.parametrize("after_ms", [599_000, 601_000])
async def test_it_waits_for_so_long(shop, after_ms):
    made = await shop.call("CreateEnrolmentToken", user="shop", ttl_seconds=600)
    shop.clock.ms += after_ms
    answer = await shop.run("EnrolHost", showing(made.token))
    assert (answer.error is None) is (after_ms < 600_000)


async def test_it_can_be_taken_back(shop):
    made = await shop.call("CreateEnrolmentToken", user="shop")
    await shop.call("DeleteToken", user="shop", id=made.id)
    assert (await told(shop, "EnrolHost", showing(made.token)))[0] == "unauthenticated"


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("192.0.2.0/24", [INSIDE, "::ffff:192.0.2.9", "192.0.2.255"], [OUTSIDE, "", "192.0.3.0", "::1", "nonsense"]),
        ("fe80::/64", ["fe80::1%eth0", "fe80::2"], ["fe80:0:0:1::1", INSIDE]),
        ("192.0.2.7", [INSIDE], ["192.0.2.8", "::7"]),
        ("2001:db8::/32", ["2001:db8::1", "2001:db8:ffff::1"], ["2001:db9::1", INSIDE, "fe80::1%eth0"]),
    ],
)
async def test_where_it_is_good_from_and_what_it_becomes_too(shop, network, inside, outside):
    made = await shop.call("CreateEnrolmentToken", user="shop", network=network)
    for address in outside:
        assert (await told(shop, "EnrolHost", showing(made.token, address)))[0] == "unauthenticated"
    got = await shop.call("EnrolHost", showing(made.token, inside[0]))
    for address in inside:
        await shop.call("ListUsers", showing(got.token, address))
    for address in outside:
        assert (await told(shop, "ListUsers", showing(got.token, address)))[0] == "unauthenticated"
    over_a_socket = Caller("unix:pid/1", 7, Plaintext(got.token.reveal()), Way(uid=7))
    assert (await told(shop, "ListUsers", over_a_socket))[0] == "unauthenticated"
    (listed,) = (await shop.call("ListTokens", user="shop")).tokens
    assert listed.network == got.network


@pytest.mark.parametrize("network", ["192.0.2.7/24", "1.2.3", "::ffff:192.0.2.0/120", "192.0.2.0/33", "::g"])
async def test_networks_that_are_none(shop, network):
    answer = await shop.run("CreateEnrolmentToken", user="shop", network=network)
    if answer.error is None:
        pytest.fail("made")
    assert answer.error.kind.value == "invalid-request"


async def test_a_user_who_was_made_again_is_another_one(shop):
    made = await shop.call("CreateEnrolmentToken", user="shop")
    user = await shop.storage.accounts.user(shop.account, "shop")
    later = replace(user, created_ms=shop.clock.ms + 1000, revision=user.revision + 1)
    from secretsd.ports.storage import Replace, UnitOfWork
    from secretsd.testing import samples
    from secretsd.testing.storage import authenticator

    change = Replace(user, later, authenticator().mac(later))
    await shop.storage.commit(UnitOfWork((change,), samples.event("x", accounts=(shop.account,))))
    shop.storage.refresh()
    assert (await told(shop, "EnrolHost", showing(made.token)))[0] == "unauthenticated"


async def test_services_get_no_token_that_lasts(shop):
    await shop.call("CreateUser", user="robot", service=True)
    kind, sentence = await told(shop, "CreateEnrolmentToken", user="robot")
    assert (kind, "43200 seconds at most" in sentence) == ("invalid-state", True)
    made = await shop.call("CreateEnrolmentToken", user="robot", token_seconds=43_200)
    assert (await shop.call("EnrolHost", showing(made.token))).user == "robot"


async def test_they_count_among_the_tokens_of_a_user(shop, monkeypatch):
    monkeypatch.setattr("secretsd.operations.tokens.MAX_TOKENS", 1)
    made = await shop.call("CreateEnrolmentToken", user="shop")
    assert (await told(shop, "CreateEnrolmentToken", user="shop"))[0] == "limit-exceeded"
    await shop.call("EnrolHost", showing(made.token))


async def test_who_may_make_one(shop):
    await shop.call("CreateUser", user="operator")
    reach = document({"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]})
    await shop.call("PutUserPolicy", user="operator", policy="p", document=reach)
    chief = await shop.user("chief", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    nobody = await shop.user("nobody")
    await shop.call("CreateEnrolmentToken", chief, user="shop")
    assert (await told(shop, "CreateEnrolmentToken", chief, user="operator"))[0] == "access-denied"
    assert (await told(shop, "CreateEnrolmentToken", nobody, user="shop"))[0] == "access-denied"
    assert (await told(shop, "CreateEnrolmentToken", user="none"))[0] == "not-found"
