"""What a caller makes whose proof is good from a network alone is good from there alone as well."""

from typing import Any

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import Way
from secretsd.testing.policies import document
from tests.unit.operations.conftest import ROOT
from tests.unit.operations.two_accounts import outcome, told

House = Any  # the fixture `house`
NETWORK, INSIDE, OUTSIDE = "192.0.2.0/24", "192.0.2.7", "198.51.100.7"
ALL = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
ALL_OF_SYSTEM = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}
TRUST = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}


def showing(token: Any, address: str = INSIDE) -> Caller:
    return Caller(f"tcp:{address}:1", None, Plaintext(token.reveal()), Way(address))


def at_a_socket(token: Any) -> Caller:
    return Caller("unix:pid/1", 7, Plaintext(token.reveal()), Way(uid=7))


async def good_from(house: House, token: Any) -> list[str]:
    """From where the token proves somebody."""
    callers = {INSIDE: showing(token), OUTSIDE: showing(token, OUTSIDE), "socket": at_a_socket(token)}
    answers = {place: await outcome(house, "GetCallerIdentity", caller) for place, caller in callers.items()}
    assert set(answers.values()) <= {"ok", "unauthenticated"}
    return [place for place, kind in answers.items() if kind == "ok"]


async def fields_of(house: House, operation: str) -> dict[str, Any]:
    """What the last event of the operation tells."""
    return [one["fields"] for one in await house.events() if one["operation"] == operation][-1]


@pytest.fixture
async def host(house: House) -> Caller:
    """A host that was enrolled from NETWORK, of a user who may do everything; roles `reader` and `other` trust all."""
    await house.user("shop", ALL, ALL_OF_SYSTEM)
    for name in ("reader", "other"):
        await house.call("CreateRole", role=name, trust=document(TRUST))
        await house.call("PutRolePolicy", role=name, policy="own", document=document(ALL))
    made = await house.call("CreateEnrolmentToken", user="shop", network=NETWORK)
    got = await house.call("EnrolHost", showing(made.token))
    assert await good_from(house, got.token) == [INSIDE]
    return showing(got.token)


async def test_a_session_is_good_from_where_its_opener_is(house: House, host: Caller) -> None:
    made = await house.call("AssumeRole", host, role="reader", session_name="build-7")
    assert made.network == NETWORK
    assert await good_from(house, made.session_token) == [INSIDE]
    assert (await fields_of(house, "AssumeRole"))["network"] == NETWORK
    (listed,) = (await house.call("ListRoleSessions", role="reader")).sessions
    assert listed.network == NETWORK


async def test_and_so_is_a_session_that_was_opened_by_that_one(house: House, host: Caller) -> None:
    first = await house.call("AssumeRole", host, role="reader", session_name="build-7")
    second = await house.call("AssumeRole", showing(first.session_token), role="other", session_name="build-8")
    assert await good_from(house, second.session_token) == [INSIDE]


async def test_and_what_a_session_makes(house: House, host: Caller) -> None:
    session = showing((await house.call("AssumeRole", host, role="reader", session_name="build-7")).session_token)
    await house.user("ann")
    made = await house.call("CreateToken", session, user="ann")
    assert await good_from(house, made.token) == [INSIDE]


@pytest.mark.parametrize("user", ["shop", "ann"])
async def test_a_token_is_good_from_where_its_maker_is(house: House, host: Caller, user: str) -> None:
    """Also one for somebody else: it is the maker who has it."""
    await house.user("ann")
    made = await house.call("CreateToken", host, user=user)
    assert made.network == NETWORK
    assert await good_from(house, made.token) == [INSIDE]
    assert (await fields_of(house, "CreateToken"))["network"] == NETWORK
    listed = (await house.call("ListTokens", user=user)).tokens
    assert [one.network for one in listed if one.id == made.id] == [NETWORK]
    again = await house.call("CreateToken", showing(made.token), user="shop") if user == "shop" else made
    assert await good_from(house, again.token) == [INSIDE]


async def test_the_token_of_a_new_accounts_administrator_too(house: House, host: Caller) -> None:
    made = await house.call("CreateAccount", host, account_name="acme", administrator="boss")
    assert made.network == NETWORK
    assert await good_from(house, made.token) == [INSIDE]


@pytest.mark.parametrize(("asked", "given"), [(None, NETWORK), (NETWORK, NETWORK), ("192.0.2.0/28", "192.0.2.0/28")])
async def test_an_enrolment_token_is_good_from_there_or_from_a_part_of_it(
    house: House, host: Caller, asked: str | None, given: str
) -> None:
    made = await house.call("CreateEnrolmentToken", host, user="shop", network=asked)
    assert made.network == given
    assert (await fields_of(house, "CreateEnrolmentToken"))["network"] == given
    assert (await told(house, "EnrolHost", showing(made.token, OUTSIDE)))[0] == "unauthenticated"
    got = await house.call("EnrolHost", showing(made.token))
    assert got.network == given
    assert await good_from(house, got.token) == [INSIDE]


@pytest.mark.parametrize("network", ["192.0.2.0/23", "0.0.0.0/0", "198.51.100.0/24", "::/0"])
async def test_and_never_from_elsewhere(house: House, host: Caller, network: str) -> None:
    kind, sentence = await told(house, "CreateEnrolmentToken", host, user="shop", network=network)
    assert kind == "invalid-request"
    assert sentence.endswith(f"what proves the caller is good from {NETWORK} alone, and network reaches beyond it")


@pytest.mark.parametrize("by_session", [False, True])
async def test_an_access_key_which_has_no_network_is_not_made(house: House, host: Caller, by_session: bool) -> None:
    if by_session:
        made = await house.call("AssumeRole", host, role="reader", session_name="build-7")
        host = showing(made.session_token)
    kind, sentence = await told(house, "CreateAccessKey", host, user="shop")
    assert kind == "invalid-state"
    assert sentence.endswith(f"is good from {NETWORK} alone, and an access key is good from anywhere")
    assert not (await house.call("ListAccessKeys", user="shop")).access_keys


async def test_what_others_make_is_good_from_anywhere(house: House, host: Caller) -> None:
    everywhere = [INSIDE, OUTSIDE, "socket"]
    made = await house.call("CreateToken", user="shop")
    assert made.network is None
    assert await good_from(house, made.token) == everywhere
    assert "network" not in await fields_of(house, "CreateToken")
    session = await house.call("AssumeRole", showing(made.token), role="reader", session_name="build-7")
    assert session.network is None
    assert await good_from(house, session.session_token) == everywhere
    await house.call("CreateAccessKey", ROOT, user="shop")
