"""Grants: usable at once, within their bounds, passed on only in part, taken back, given up, and over by themselves."""

import asyncio
import typing

import msgspec
import pytest

from secretsd.api.grants import CreateGrantRequest, GrantedOperation
from secretsd.domain.grants import GRANT_OPERATIONS
from secretsd.domain.names import LAST_MS
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import grants as grant_operations
from secretsd.operations.authenticator import Caller
from secretsd.services.expired_grants import ExpiredGrants
from secretsd.testing.policies import document
from tests.unit.operations.granting import encrypts, full, grant, key, listed, vendor
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import APP, BOSS, CONTEXT, TEXT, VENDOR, outcome

__all__ = ["grant", "key", "vendor"]

OTHER = {"tenant": "8"}
MINUTE_MS = 60_000


def test_the_operations_of_requests_are_those_that_can_be_granted():
    assert set(typing.get_args(GrantedOperation)) == GRANT_OPERATIONS


@pytest.mark.parametrize("grantee", [APP, VENDOR])
async def test_a_grant_is_usable_at_once_and_gone_at_once(house, vendor, key, grant, grantee):
    assert not await encrypts(house, vendor.app, key)
    made = await grant(grantee=grantee)
    assert await encrypts(house, vendor.app, key)
    assert await outcome(house, "GenerateDataKey", vendor.app, key=full(house, key)) == "access-denied"
    assert (await house.call("RevokeGrant", key=key, grant=made.id)).grants == (made.id,)
    assert not await encrypts(house, vendor.app, key)


async def test_in_ones_own_account_a_grant_allows_by_itself(house, key, grant):
    ann = await house.user("ann")
    await grant(grantee=f"secretsd:{house.account}:user/ann")
    assert await encrypts(house, ann, key)


async def test_who_takes_a_name_later_has_none_of_its_grants(house, vendor, key, grant):
    everything = {"effect": "Allow", "action": ["*"], "resource": [f"secretsd:{house.account}:*"]}
    old = await vendor.user("temp", everything)
    name = f"secretsd:{VENDOR}:user/temp"
    made = await grant(grantee=name, retiring_principal=name)
    assert await encrypts(house, old, key)
    token = (await house.call("ListTokens", vendor.boss, user="temp")).tokens[0].id
    await house.call("DeleteToken", vendor.boss, user="temp", id=token)
    await house.call("DeleteUser", vendor.boss, user="temp")
    house.clock.pass_days(1)
    await house.call("CreateUser", vendor.boss, user="temp")
    await house.call("AttachPolicy", vendor.boss, user="temp", policy="of-temp")
    made_token = await house.call("CreateToken", vendor.boss, user="temp")
    new = Caller("tcp", token=Plaintext(made_token.token.reveal()))
    assert not await encrypts(house, new, key)
    assert await outcome(house, "RetireGrant", new, key=full(house, key), grant=made.id) == "access-denied"
    await grant(grantee=name)
    assert await encrypts(house, new, key)


async def test_a_time_that_no_calendar_has_is_refused_and_harms_no_key(house, vendor, key, grant):
    far = {"grantee": APP, "operations": ("Encrypt",), "expires_ms": LAST_MS + 1}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"key": key, **far}, CreateGrantRequest)
    await grant(expires_ms=LAST_MS)
    stored = await grant(**far)  # as one from before that was looked at
    assert await encrypts(house, vendor.app, key)
    assert (await house.call("RevokeGrant", key=key, grant=stored.id)).grants == (stored.id,)


async def test_the_context_is_constrained_to_the_whole_or_to_a_part(house, vendor, key, grant):
    made = await grant(context_equals=CONTEXT)
    assert await encrypts(house, vendor.app, key, CONTEXT)
    for other in ({}, OTHER, {**CONTEXT, "more": "x"}):
        assert not await encrypts(house, vendor.app, key, other)
    await house.call("RevokeGrant", key=key, grant=made.id)
    await grant(context_subset=CONTEXT)
    for more in (CONTEXT, {**CONTEXT, "more": "x"}):
        assert await encrypts(house, vendor.app, key, more)
    for other in ({}, OTHER):
        assert not await encrypts(house, vendor.app, key, other)


async def test_a_grant_is_over_when_its_time_has_come(house, vendor, key, grant):
    made = await grant(expires_ms=house.clock.now_ms() + MINUTE_MS)
    assert await encrypts(house, vendor.app, key)
    house.clock.ms += MINUTE_MS
    assert not await encrypts(house, vendor.app, key)
    assert await listed(house, key) == [made.id]
    lasting = await grant(("Decrypt",))
    assert await ExpiredGrants(house.pipeline).ensure() == 1
    assert await listed(house, key) == [lasting.id]
    (event,) = [one for one in await house.events() if one["operation"] == "ExpireGrant"]
    assert (event["outcome"], event["fields"]["grant"]) == ("ok", made.id)
    assert await ExpiredGrants(house.pipeline).ensure() == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"operations": ("Sign",), "context_equals": CONTEXT},
        {"context_equals": CONTEXT, "context_subset": CONTEXT},
        {"expires_ms": 1},
        {"grantee": "secretsd:000000000000:group/x"},
        {"grantee": "*"},
        {"retiring_principal": "*"},
        {"retiring_principal": VENDOR},
        {"grantee": "secretsd:system:user/x"},
    ],
)
async def test_a_grant_that_makes_no_sense_is_refused(house, grant, tools, fields):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await grant(**fields)


async def test_a_grant_to_all_of_ones_own_account_is_refused(house, grant, tools):
    """It would allow everybody there what none of their policies does."""
    with pytest.raises(tools.Failed, match="invalid-request"):
        await grant(grantee=house.account)


async def test_the_services_own_key_is_granted_to_nobody(house, tools):
    default = (await house.storage.accounts.get(house.account)).default_key_id
    with pytest.raises(tools.Failed, match="invalid-key-usage"):
        await house.call("CreateGrant", key=default, grantee=APP, operations=("DescribeKey",))


async def test_the_same_under_the_same_name_is_one_grant(house, key, grant):
    first = await grant(("Encrypt", "Decrypt"), name="once")
    assert (await grant(("Decrypt", "Encrypt", "Encrypt"), name="once")).id == first.id
    assert (await grant(("Encrypt",), name="once")).id != first.id
    assert (await grant(("Encrypt", "Decrypt"))).id != (await grant(("Encrypt", "Decrypt"))).id
    assert len(await listed(house, key)) == 4


async def test_two_at_once_of_one_name_are_one_grant(house, key, grant, monkeypatch):
    """Another worker makes it between what this one read and what it commits."""
    others = []

    async def other():
        others.append(await grant(name="once"))

    happened = overtaken(house, monkeypatch, other)
    made = await grant(name="once")
    assert happened == [True]
    assert [made.id] == [one.id for one in others] == await listed(house, key)


async def test_a_key_has_a_bounded_number_of_grants(house, key, grant, tools, monkeypatch):
    monkeypatch.setattr(grant_operations, "MAX_GRANTS", 3)
    made = [await grant() for _ in range(3)]
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await grant()
    await house.call("RevokeGrant", key=key, grant=made[0].id)
    await grant()


async def test_a_key_with_many_grants_decides_like_one_with_few(house, vendor, key, grant):
    """The first few are read on the loop, all of them beside it."""
    for number in range(12):
        await grant(grantee=f"secretsd:{VENDOR}:user/u{number}")
    assert not await encrypts(house, vendor.app, key)
    await grant()
    assert await encrypts(house, vendor.app, key)
    assert len(await listed(house, key)) == 13


async def test_grants_are_listed_in_pages_also_for_who_may_see_them(house, vendor, key, grant):
    made = sorted([(await grant()).id for _ in range(5)])
    found, token = [], None
    while True:
        page = await house.call("ListGrants", key=key, limit=2, next_token=token)
        found += [one.id for one in page.grants]
        if (token := page.next_token) is None:
            break
    assert found == made
    assert await outcome(house, "ListGrants", vendor.app, key=full(house, key)) == "access-denied"


async def test_the_retiring_principal_gives_it_up_and_nobody_else_of_the_vendor(house, vendor, key, grant):
    made, other = await grant(retiring_principal=BOSS), await grant()
    named = full(house, key)
    for retirable, caller in ((BOSS, vendor.boss), (None, vendor.boss)):
        found = await house.call("ListRetirableGrants", caller, retiring_principal=retirable)
        assert [one.id for one in found.grants] == [made.id]
    assert (await house.call("ListRetirableGrants", vendor.app)).grants == ()
    assert await outcome(house, "RetireGrant", vendor.app, key=named, grant=made.id) == "access-denied"
    # To retire one grant is no right to retire another on the same key.
    assert await outcome(house, "RetireGrant", vendor.boss, key=named, grant=other.id) == "access-denied"
    answer = await house.run("RetireGrant", vendor.boss, key=named, grant=made.id)
    assert answer.response.grants == (made.id,)
    (event,) = await house.events(answer.request_id)
    assert (event["principal"], event["fields"]) == (BOSS, {"grant": made.id, "grantee": APP})


async def test_a_grantee_gives_up_a_grant_that_says_so(house, vendor, key, grant):
    made, kept = await grant(("Encrypt", "RetireGrant")), await grant(("Decrypt",))
    assert await outcome(house, "RetireGrant", vendor.app, key=full(house, key), grant=kept.id) == "access-denied"
    assert await outcome(house, "RetireGrant", vendor.app, key=full(house, key), grant=made.id) == "ok"
    assert await listed(house, key) == [kept.id]
    # And the owner any.
    await house.call("RetireGrant", key=key, grant=kept.id)
    assert await listed(house, key) == []


async def test_nobody_lists_what_another_accounts_principals_may_retire(house, vendor, grant, tools):
    await grant(retiring_principal=BOSS)
    assert await outcome(house, "ListRetirableGrants", tools.ROOT, retiring_principal=BOSS) == "access-denied"


async def test_an_unknown_grant_is_not_found(house, vendor, key, grant):
    assert await outcome(house, "RevokeGrant", vendor.app, key=full(house, key), grant="ab" * 32) == "access-denied"
    made = await grant()
    elsewhere = (await house.call("CreateKey")).id
    for name, fields in (("RevokeGrant", {"grant": made.id}), ("RetireGrant", {"grant": "ab" * 32})):
        with pytest.raises(Exception, match="not-found"):
            await house.call(name, key=elsewhere, **fields)


async def test_a_grant_survives_neither_its_keys_disabling_nor_a_storm_of_calls(house, vendor, key, grant):
    await grant()
    results = await asyncio.gather(*(encrypts(house, vendor.app, key) for _ in range(20)))
    assert all(results)
    await house.call("DisableKey", key=key)
    found = await outcome(house, "Encrypt", vendor.app, key=full(house, key), plaintext=TEXT)
    assert found == "key-disabled"


async def test_who_is_meant_does_not_hang_on_clocks(house, vendor, key, grant):
    """Made anew while the clock is behind, he is another one all the same; made ahead of the grant, he is meant."""
    everything = {"effect": "Allow", "action": ["*"], "resource": [f"secretsd:{house.account}:*"]}
    name = f"secretsd:{VENDOR}:user/temp"
    house.clock.ms += MINUTE_MS
    await house.call("CreateUser", vendor.boss, user="temp")
    house.clock.ms -= MINUTE_MS
    first = await grant(grantee=name, name="job", retiring_principal=name)
    await house.call("AttachPolicy", vendor.boss, user="temp", policy=await wide(house, vendor, everything))
    old = await shown(house, vendor, "temp")
    assert await encrypts(house, old, key)
    for token in (await house.call("ListTokens", vendor.boss, user="temp")).tokens:
        await house.call("DeleteToken", vendor.boss, user="temp", id=token.id)
    await house.call("DeleteUser", vendor.boss, user="temp")
    house.clock.ms -= 10 * MINUTE_MS
    await house.call("CreateUser", vendor.boss, user="temp")
    await house.call("AttachPolicy", vendor.boss, user="temp", policy="wide")
    new = await shown(house, vendor, "temp")
    assert not await encrypts(house, new, key)
    assert await outcome(house, "RetireGrant", new, key=full(house, key), grant=first.id) == "access-denied"
    # The same again under the same name is for whoever has the name now.
    second = await grant(grantee=name, name="job", retiring_principal=name)
    assert second.id != first.id
    assert await encrypts(house, new, key)
    assert (await grant(grantee=name, name="job", retiring_principal=name)).id == second.id


async def wide(house, vendor, statement):
    await house.call("CreatePolicy", vendor.boss, policy="wide", document=document(statement))
    return "wide"


async def shown(house, vendor, user):
    made = await house.call("CreateToken", vendor.boss, user=user)
    return Caller("tcp", token=Plaintext(made.token.reveal()))
