"""AssumeRole: who may, across accounts, for how long, how often, within which bounds; and what ends it."""

import pytest

from secretsd.domain.errors import NotFound
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import sessions
from secretsd.operations.authenticator import Caller
from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.two_accounts import Vendor, outcome

ROOT = Caller("unix", uid=0)
READ = {"effect": "Allow", "action": ["GetSecretValue", "ListSecrets"], "resource": ["secret/*"]}
MAY = {"effect": "Allow", "action": ["AssumeRole"], "resource": ["role/*"]}


def trusts(*principals, **more) -> str:
    return document({"effect": "Allow", "action": ["AssumeRole"], "principal": list(principals), **more})


async def role(house, name, *principals, policy=None, **more) -> None:
    """A role that trusts the principals and may do what the statement says."""
    condition = {"condition": more.pop("condition")} if "condition" in more else {}
    await house.call("CreateRole", role=name, trust=trusts(*principals, **condition), **more)
    if policy is not None:
        await house.call("PutRolePolicy", role=name, policy="own", document=document(policy))


async def ann(house, *statements) -> Caller:
    return await house.user("ann", *(statements or (MAY,)))


def me(house, user="ann") -> str:
    return f"secretsd:{house.account}:user/{user}"


async def opened(house, caller, name="reader", **more) -> Caller:
    return showing(await house.call("AssumeRole", caller, role=name, session_name="build-7", **more))


def showing(made) -> Caller:
    return Caller("tcp", token=Plaintext(made.session_token.reveal()))


async def assume(house, caller, name="reader", **more) -> str:
    return await outcome(house, "AssumeRole", caller, **{"role": name, "session_name": "build-7", **more})


async def test_a_session_is_the_role_and_says_who_opened_it(house):
    caller = await ann(house)
    await role(house, "reader", me(house), policy=READ)
    await house.call("CreateSecret", name="app", text="v")
    made = await house.call("AssumeRole", caller, role="reader", session_name="build-7")
    session = Caller("tcp", token=Plaintext(made.session_token.reveal()))
    assert made.access_key.startswith("STSD")
    assert made.session_token.reveal().startswith(b"secretsd-session_")
    who = await house.call("GetCallerIdentity", session)
    assert who.principal == f"secretsd:{house.account}:role/reader"
    assert who.proof == f"session/{made.access_key}/build-7/{me(house)}"
    assert await house.text("app", session) == "v"
    assert await outcome(house, "GetSecretValue", caller, name="app") == "access-denied"
    (event,) = [one for one in await house.events() if one["operation"] == "GetSecretValue" and one["outcome"] == "ok"]
    assert event["proof"] == who.proof


async def test_the_event_of_opening_tells_what_auditors_ask(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    answer = await house.run("AssumeRole", caller, role="reader", session_name="build-7", external_id="contract-1")
    (event,) = await house.events(answer.request_id)
    assert event["fields"] == {
        "session_name": "build-7",
        "duration_seconds": 3600,
        "session": answer.response.access_key,
        "external_id": "contract-1",
    }
    assert event["resource"] == f"secretsd:{house.account}:role/reader"
    assert answer.response.secret.reveal().decode() not in repr(event)


async def test_its_secret_is_sealed_to_it(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    made = await house.call("AssumeRole", caller, role="reader", session_name="build-7")
    secrets = house.parts.opened_secrets
    assert await secrets.secret_of(made.access_key) == Plaintext(made.secret.reveal())
    with pytest.raises(NotFound):
        await secrets.secret_of("STSD" + "A" * 16)


@pytest.mark.parametrize("trusted", ["nobody", "account"])
async def test_trust_is_needed_even_within_the_account(house, trusted):
    caller = await ann(house)
    await role(house, "reader", me(house, "bob") if trusted == "nobody" else house.account)
    assert await assume(house, caller) == ("access-denied" if trusted == "nobody" else "ok")


async def test_an_account_that_is_trusted_leaves_it_to_its_own_policies(house):
    caller = await house.user("ann")
    await role(house, "reader", house.account)
    assert await assume(house, caller) == "access-denied"


async def test_a_role_that_is_not_there_is_denied_as_one_that_may_not_be_assumed(house):
    caller = await ann(house)
    await role(house, "closed", me(house, "bob"))
    for name in ("closed", "nowhere", "rotation", f"secretsd:{'9' * 12}:role/x"):
        assert await assume(house, caller, name) == "access-denied"


async def test_the_external_id_is_a_condition_of_trust(house):
    caller = await ann(house)
    await role(house, "reader", me(house), condition={"StringEquals": {"secretsd:ExternalId": ["contract-1"]}})
    assert await assume(house, caller) == "access-denied"
    assert await assume(house, caller, external_id="contract-2") == "access-denied"
    assert await assume(house, caller, external_id="contract-1") == "ok"


@pytest.mark.parametrize(
    ("longest", "wanted", "seconds"),
    [(3600, None, 3600), (900, None, 900), (43_200, None, 3600), (43_200, 43_200, 43_200), (3600, 3601, None)],
)
async def test_a_session_is_as_long_as_asked_and_the_role_allows(house, longest, wanted, seconds):
    caller = await ann(house)
    await role(house, "reader", me(house), max_session_seconds=longest)
    if seconds is None:
        assert await assume(house, caller, duration_seconds=wanted) == "invalid-request"
        return
    session = await opened(house, caller, duration_seconds=wanted)
    house.clock.ms += seconds * 1000 - 100
    assert await outcome(house, "GetCallerIdentity", session) == "ok"
    house.clock.ms += 101
    assert await outcome(house, "GetCallerIdentity", session) == "unauthenticated"


async def test_a_session_opens_one_more_for_an_hour_and_that_one_none(house):
    caller = await ann(house)
    own = f"secretsd:{house.account}:role/"
    await role(house, "first", me(house), policy=MAY, max_session_seconds=43_200)
    await role(house, "second", own + "first", policy=MAY, max_session_seconds=43_200)
    await role(house, "third", own + "second")
    first = await opened(house, caller, "first", duration_seconds=43_200)
    assert await assume(house, first, "second", duration_seconds=3601) == "invalid-request"
    second = await opened(house, first, "second")
    house.clock.ms += 3_500_000
    assert await outcome(house, "GetCallerIdentity", second) == "ok"
    assert await assume(house, second, "third") == "invalid-state"
    assert await assume(house, second, "second") == "access-denied"
    house.clock.ms += 200_000
    assert await outcome(house, "GetCallerIdentity", second) == "unauthenticated"
    assert await outcome(house, "GetCallerIdentity", first) == "ok"


async def test_a_session_policy_bounds_and_never_adds(house):
    caller = await ann(house)
    await role(house, "reader", me(house), policy=READ)
    for name in ("a", "b"):
        await house.call("CreateSecret", name=name, text=name)
    only = document(
        {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/a"]},
        {"effect": "Allow", "action": ["CreateUser"], "resource": ["user/*"]},
    )
    session, free = await opened(house, caller, session_policy=only), await opened(house, caller)
    outcomes = [await outcome(house, "GetSecretValue", who, name=name) for who in (session, free) for name in "ab"]
    assert outcomes == ["ok", "access-denied", "ok", "ok"]
    assert await outcome(house, "CreateUser", session, user="x") == "access-denied"


@pytest.mark.parametrize("policy", ["{}", '{"Version":"1","Statement":[]}', document({"effect": "Allow"})])
async def test_a_bad_session_policy_is_refused(house, policy):
    caller = await ann(house)
    await role(house, "reader", me(house))
    assert await assume(house, caller, session_policy=policy) == "invalid-request"


async def test_revoked_deleted_and_made_again(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    before = await opened(house, caller)
    await house.call("RevokeRoleSessions", role="reader")
    assert await outcome(house, "GetCallerIdentity", before) == "unauthenticated"
    after = await opened(house, caller)
    assert await outcome(house, "GetCallerIdentity", after) == "ok"
    await house.call("DeleteRole", role="reader")
    assert await outcome(house, "GetCallerIdentity", after) == "unauthenticated"
    await role(house, "reader", me(house))
    assert await outcome(house, "GetCallerIdentity", after) == "unauthenticated"


async def test_one_that_is_opened_after_a_revocation_is_good_whatever_the_clock_says(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    await house.call("RevokeRoleSessions", role="reader")
    house.clock.ms -= 5_000
    assert await outcome(house, "GetCallerIdentity", await opened(house, caller)) == "ok"


async def test_across_accounts_both_sides_allow_and_both_see_it(house):
    vendor = await Vendor(house).settle()
    await role(house, "vendor", f"secretsd:{vendor.account}:user/app", policy=READ)
    await house.call("CreateSecret", name="app", text="v")
    full = f"secretsd:{house.account}:role/vendor"
    answer = await house.run("AssumeRole", vendor.app, role=full, session_name="support")
    assert answer.error is None
    for account in (house.account, vendor.account):
        (event,) = await house.events(answer.request_id, account)
        assert (event["operation"], event["resource"]) == ("AssumeRole", full)
    session = Caller("tcp", token=Plaintext(answer.response.session_token.reveal()))
    assert await house.text("app", session) == "v"
    who = await house.call("GetCallerIdentity", session)
    assert (who.account, who.proof.split("/", 3)[3]) == (house.account, f"secretsd:{vendor.account}:user/app")
    # The other side's own policies count as well, and another one of it is not trusted.
    nobody = await vendor.user("nobody")
    assert await assume(house, nobody, full) == "access-denied"
    assert await assume(house, vendor.boss, full) == "access-denied"


async def test_a_role_in_full_of_the_own_account_is_the_same(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    assert await assume(house, caller, f"secretsd:{house.account}:role/reader") == "ok"


async def test_sessions_of_a_role_are_listed_while_they_are_good(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    await opened(house, caller, duration_seconds=900)
    bounded = await opened(house, caller, session_policy=document(READ))
    found = (await house.call("ListRoleSessions", role="reader")).sessions
    assert {(one.session_name, one.opened_by, one.chained) for one in found} == {("build-7", me(house), False)}
    assert sorted(one.bounded for one in found) == [False, True]
    house.clock.ms += 901_000
    (left,) = (await house.call("ListRoleSessions", role="reader")).sessions
    assert left.bounded
    assert await outcome(house, "GetCallerIdentity", bounded) == "ok"
    await house.call("RevokeRoleSessions", role="reader")
    assert (await house.call("ListRoleSessions", role="reader")).sessions == ()
    assert await outcome(house, "ListRoleSessions", caller, role="reader") == "access-denied"


async def test_whoever_opens_them_has_so_many_sessions_of_a_role_at_a_time(house, monkeypatch):
    """And nobody else hears of it, who may become that role too."""
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    caller, other = await ann(house), await house.user("bob", MAY)
    await role(house, "reader", me(house), me(house, "bob"))
    await opened(house, caller, duration_seconds=900)
    await opened(house, caller)
    assert await assume(house, caller) == "limit-exceeded"
    assert await assume(house, other) == "ok"
    house.clock.ms += 901_000
    assert [await assume(house, caller) for _ in range(2)] == ["ok", "limit-exceeded"]
    await house.call("RevokeRoleSessions", role="reader")
    assert await assume(house, caller) == "ok", "those that were revoked do not count"


async def test_trust_that_is_taken_away_opens_none_any_more(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    session = await opened(house, caller)
    await house.call("UpdateAssumeRolePolicy", role="reader", trust=trusts(me(house, "bob")))
    assert await assume(house, caller) == "access-denied"
    assert await outcome(house, "GetCallerIdentity", session) == "ok"  # RevokeRoleSessions ends those


async def test_one_that_is_revoked_while_it_is_opened_is_opened_anew(house, monkeypatch):
    """Whoever gets a session gets one that is good: the role is looked at again where it changed meanwhile."""
    caller = await ann(house)
    await role(house, "reader", me(house))
    proofs = house.storage.proofs
    revoked: list[bool] = []
    count = proofs.count_sessions

    async def counted(*arguments):
        if not revoked:
            revoked.append(await house.call("RevokeRoleSessions", role="reader"))
        return await count(*arguments)

    monkeypatch.setattr(proofs, "count_sessions", counted)
    assert await outcome(house, "GetCallerIdentity", await opened(house, caller)) == "ok"
    assert len(revoked) == 1


async def test_a_session_that_is_opened_while_all_are_revoked_is_revoked(house, monkeypatch):
    """Its request came later, and it was there before."""
    caller = await ann(house)
    await role(house, "reader", me(house))
    made = []

    async def open_one():
        house.clock.ms += 50
        made.append(await house.call("AssumeRole", caller, role="reader", session_name="late"))

    overtaken(house, monkeypatch, open_one)
    await house.call("RevokeRoleSessions", role="reader")
    assert (await house.run("GetCallerIdentity", showing(made[0]))).error.kind.value == "unauthenticated"


async def test_revoking_ends_what_was_opened_before_the_clock_went_back(house):
    caller = await ann(house)
    await role(house, "reader", me(house))
    made = await house.call("AssumeRole", caller, role="reader", session_name="ahead")
    house.clock.ms -= 5_000
    await house.call("RevokeRoleSessions", role="reader")
    assert (await house.run("GetCallerIdentity", showing(made))).error.kind.value == "unauthenticated"
    again = await house.call("AssumeRole", caller, role="reader", session_name="again")
    assert (await house.run("GetCallerIdentity", showing(again))).error is None
