"""Accounts: made whole by operators, who may do nothing in them; and the administrator that root makes at last."""

import logging
from dataclasses import replace

import pytest

from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.request_facts import Way
from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from tests.unit.operations.conftest import ROOT

OPERATOR = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}
EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
HOUR_MS, DAY = 3600 * 1000, 24 * 3600


def holder(token) -> Caller:
    return Caller("tcp", token=Plaintext(token.reveal()))


@pytest.fixture
async def operator(house):
    return await house.user("operator", OPERATOR)


async def test_an_account_is_made_whole(house, operator):
    made = await house.call("CreateAccount", operator, account_name="acme")
    assert (made.account_name, made.administrator) == ("acme", "admin")
    assert made.resource == f"secretsd:system:account/{made.account}"
    boss = holder(made.token)
    assert (await house.call("GetCallerIdentity", boss)).principal == f"secretsd:{made.account}:user/admin"
    await house.call("CreateSecret", boss, name="x", text="theirs")
    assert await house.text("x", boss) == "theirs"
    key = await house.call("DescribeKey", boss, key=made.default_key)
    assert (key.owner, key.state) == ("service", "enabled")
    await house.call("CreateUser", boss, user="ann")


async def test_its_event_is_in_both_accounts_views(house, operator):
    answer = await house.run("CreateAccount", operator, account_name="acme")
    account = answer.response.account
    for view in (house.account, SYSTEM_ACCOUNT, account):
        (event,) = await house.events(answer.request_id, view)
        assert (event["operation"], event["outcome"]) == ("CreateAccount", "ok")
        assert event["resource"] == f"secretsd:system:account/{account}"
    assert answer.response.token.reveal().decode() not in str(event)
    answer = await house.run("UpdateAccount", operator, account=account, account_name="acme-2")
    (event,) = await house.events(answer.request_id, account)
    assert event["fields"] == {"account_name": "acme-2"}


async def test_the_first_token_ends_within_a_day(house, operator):
    made = await house.call("CreateAccount", operator, account_name="acme", ttl_seconds=DAY)
    boss = holder(made.token)
    assert made.expires_ms <= house.clock.ms + DAY * 1000
    house.clock.pass_days(1)
    assert (await house.run("GetCallerIdentity", boss)).error.kind.value == "unauthenticated"


async def test_no_two_accounts_have_the_same_name(house, operator):
    made = await house.call("CreateAccount", operator, account_name="acme")
    answer = await house.run("CreateAccount", operator, account_name="acme")
    assert answer.error.kind.value == "already-exists"
    (event,) = await house.events(answer.request_id, SYSTEM_ACCOUNT)
    assert (event["resource"], event["accounts"]) == ("secretsd:system:account/*", [house.account, SYSTEM_ACCOUNT])
    other = await house.call("CreateAccount", operator, account_name="other")
    answer = await house.run("UpdateAccount", operator, account=other.account, account_name="acme")
    assert answer.error.kind.value == "already-exists"
    listed = (await house.call("ListAccounts", operator)).accounts
    assert {one.account: one.account_name for one in listed} == {
        house.account: "main", made.account: "acme", other.account: "other",
    }  # fmt: skip


async def test_accounts_are_listed_in_pages_and_without_the_operators_own(house, operator):
    await house.add_record(samples.account(SYSTEM_ACCOUNT))
    made = {(await house.call("CreateAccount", operator, account_name=f"a{number}")).account for number in range(4)}
    found, token = [], None
    for _ in range(10):
        page = await house.call("ListAccounts", operator, limit=2, next_token=token)
        found += [one.account for one in page.accounts]
        token = page.next_token
        if token is None:
            break
    assert found == sorted({house.account, *made})
    told = await house.call("DescribeAccount", operator, account=house.account)
    assert (told.account_name, told.account) == ("main", house.account)
    assert (await house.run("DescribeAccount", operator, account="1" * 12)).error.kind.value == "not-found"


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("CreateAccount", {"account_name": "mine"}),
        ("ListAccounts", {}),
        ("DescribeAccount", {"account": ""}),
        ("UpdateAccount", {"account": "", "account_name": "x"}),
        ("RecoverAdministrator", {}),
        ("RecoverAdministrator", {"account": ""}),
    ],
)
async def test_nobody_but_operators_deals_with_accounts(house, operation, fields):
    """Not even with his own: what an account is, is the operator's."""
    chief = await house.user("chief", EVERYTHING)
    if "account" in fields:
        fields = {**fields, "account": house.account}
    answer = await house.run(operation, chief, **fields)
    assert answer.error.kind.value == "access-denied"


async def test_an_operator_reads_nothing_in_the_account_that_he_made(house, operator):
    made = await house.call("CreateAccount", operator, account_name="acme")
    boss = holder(made.token)
    await house.call("CreateSecret", boss, name="x", text="theirs")
    key = await house.call("CreateKey", boss)
    full = f"secretsd:{made.account}"
    for operation, fields in (
        ("GetSecretValue", {"name": f"{full}:secret/x"}),
        ("DescribeSecret", {"name": f"{full}:secret/x"}),
        ("DescribeKey", {"key": f"{full}:key/{key.id}"}),
        ("GenerateDataKey", {"key": f"{full}:key/{key.id}"}),
        ("LookupEvents", {"account": made.account}),
        ("RecoverAdministrator", {"account": made.account}),
    ):
        answer = await house.run(operation, operator, **fields)
        assert answer.error is not None, operation
        assert answer.error.kind.value == "access-denied", operation


async def bereave(house, *, keep_account=True):
    """Take away every binding, token, user and policy of the account, as its records."""
    proofs, accounts = house.storage.proofs, house.storage.accounts
    gone = [*await proofs.bindings(house.account, "", 100), *await accounts.policies(house.account, "", 100)]
    for user in await accounts.users(house.account, "", 100):
        gone += [user, *await proofs.tokens(house.account, user.name, "", 99)]
    event = samples.event("Lost", accounts=(samples.OTHER_ACCOUNT,))
    await house.storage.commit(UnitOfWork(tuple(map(Delete, gone)), event))
    house.storage.refresh()


async def test_root_recovers_an_administrator_when_everything_is_gone(house, caplog):
    await house.call("CreateSecret", name="x", text="still here")
    await bereave(house)
    assert (await house.run("GetCallerIdentity")).error.kind.value == "unauthenticated"
    with caplog.at_level(logging.CRITICAL, "secretsd.break_glass"):
        answer = await house.run("RecoverAdministrator", operator=True)
    made = answer.response
    (line,) = caplog.records
    assert line.levelno == logging.CRITICAL
    assert made.user in line.getMessage()
    assert house.account in line.getMessage()
    token = made.token.reveal().decode()
    assert token not in caplog.text
    for view in (SYSTEM_ACCOUNT, house.account):
        (event,) = await house.events(answer.request_id, view)
        assert (event["operation"], event["outcome"], event["proof"]) == ("RecoverAdministrator", "ok", "unix:uid/0")
        assert event["principal"] == "secretsd:system:host/root"
        assert event["fields"]["user"] == made.user
        assert token not in str(event)
    boss = holder(made.token)
    assert await house.text("x", boss) == "still here"
    await house.call("CreateUser", boss, user="ann")
    await house.call("CreateBinding", boss, proof="unix:uid/0", user="ann")
    house.clock.ms += HOUR_MS
    assert (await house.run("GetCallerIdentity", boss)).error.kind.value == "unauthenticated"


async def test_an_administrator_that_is_recovered_is_no_operator_unless_root_says_so(house):
    made = await house.call("RecoverAdministrator")
    boss = holder(made.token)
    assert (await house.run("ListAccounts", boss)).error.kind.value == "access-denied"
    await house.call("ListSecrets", boss)


async def test_root_of_the_host_does_nothing_else_by_itself(house):
    await bereave(house)
    for operation, fields in (("ListAccounts", {}), ("ListUsers", {}), ("CreateAccount", {"account_name": "x"})):
        assert (await house.run(operation, **fields)).error.kind.value == "unauthenticated"


@pytest.mark.parametrize(
    "caller",
    [
        Caller("unix", uid=1000),
        Caller("unix", uid=0),
        Caller("unix", 1000, way=Way(uid=1000, is_of_host=lambda: True)),
        Caller("tcp"),
        Caller("tcp", proofs=("unix:uid/0",)),
        Caller("unix", 0, Plaintext(b"secretsd_" + b"A" * 43), ROOT.way),
    ],
)
async def test_nobody_but_root_recovers(house, caller):
    """Whoever shows a token claims to be somebody else, and is looked at as that; uid 0 may be a container's."""
    before = await house.storage.accounts.users(house.account, "", 100)
    answer = await house.run("RecoverAdministrator", caller)
    assert answer.error.kind.value in ("unauthenticated", "access-denied")
    assert await house.storage.accounts.users(house.account, "", 100) == before


async def test_root_says_which_account_where_there_are_several(house, operator):
    made = await house.call("CreateAccount", operator, account_name="acme")
    answer = await house.run("RecoverAdministrator")
    assert answer.error.kind.value == "invalid-request"
    for account, name in ((house.account, "main"), (made.account, "acme")):
        assert f"{account} ({name})" in answer.error.message
    recovered = await house.call("RecoverAdministrator", account=made.account)
    assert recovered.account == made.account
    identity = await house.call("GetCallerIdentity", holder(recovered.token))
    assert identity.account == made.account
    assert (await house.run("RecoverAdministrator", account="1" * 12)).error.kind.value == "not-found"


async def test_a_start_without_administrators_makes_no_second_account(house):
    """Otherwise taking away root's binding would hand the next start a fresh operator."""
    await bereave(house)
    assert await ensure_first_account(house.parts, (), "test") == house.account
    assert [one.id for one in await house.storage.accounts.page("", 10)] == [house.account]
    assert (await house.run("GetCallerIdentity", ROOT)).error.kind.value == "unauthenticated"


async def test_another_name_changes_nothing_else(house, operator):
    before = await house.storage.accounts.get(house.account)
    told = await house.call("UpdateAccount", operator, account=house.account, account_name="one")
    assert told.account_name == "one"
    after = await house.storage.accounts.get(house.account)
    assert after == replace(before, name="one", revision=before.revision + 1)
