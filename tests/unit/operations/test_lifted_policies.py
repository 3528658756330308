"""A policy of a resource that nobody may change any more is taken away by root of the host, and by nobody else."""

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document
from tests.unit.operations.conftest import ROOT
from tests.unit.operations.two_accounts import outcome

NOBODY = document({"effect": "Deny", "action": ["*"], "principal": ["*"]})


@pytest.fixture
async def locked(house):
    """A secret and a key whose policies deny everything to everybody."""
    await house.call("CreateSecret", name="prod/x", text="v")
    key = await house.call("CreateKey", alias="k")
    resources = ("secret/prod/x", f"key/{key.id}")
    for resource in resources:
        await house.call("PutResourcePolicy", resource=resource, document=NOBODY, bypass_lockout_check=True)
        assert await outcome(house, "DeleteResourcePolicy", ROOT, resource=resource) == "access-denied"
    return resources


async def recovered(house, resource, **fields):
    answer = await house.run("RecoverAdministrator", lift_policy=resource, **fields)
    return answer, answer.response and Caller("tcp", token=Plaintext(answer.response.token.reveal()))


async def test_root_takes_it_away_loudly_and_the_rest_stays(house, locked, caplog):
    answer, _ = await recovered(house, "secret/prod/x")
    assert await house.text("prod/x") == "v"
    assert "took away the policy of secret/prod/x" in caplog.text
    for view in ("system", house.account):
        (event,) = await house.events(answer.request_id, view)
        assert event["fields"]["lift_policy"] == "secret/prod/x"
    assert await outcome(house, "DescribeKey", ROOT, key=locked[1].removeprefix("key/")) == "access-denied"
    assert await house.call("PutResourcePolicy", resource="secret/prod/x", document=NOBODY, bypass_lockout_check=True)
    assert (await recovered(house, "alias/k"))[0].error is None
    assert await outcome(house, "DescribeKey", ROOT, key="alias/k") == "ok"


async def test_also_one_that_is_lost(house, locked):
    stored = await house.storage.grants.policy(house.account, locked[1])
    await house.storage.commit(UnitOfWork((Delete(stored),), samples.event("Lost", accounts=(house.account,))))
    house.storage.refresh()
    assert await outcome(house, "DescribeKey", ROOT, key="alias/k") == "access-denied"
    _, boss = await recovered(house, locked[1])
    assert await outcome(house, "DescribeKey", boss, key="alias/k") == "ok"


@pytest.mark.parametrize("resource", ["secret/none", "alias/none", "key/00000000-0000-4000-8000-000000000000"])
async def test_where_there_is_nothing_nothing_is_made(house, locked, resource):
    users = len((await house.call("ListUsers")).users)
    assert await outcome(house, "RecoverAdministrator", ROOT, lift_policy=resource) == "not-found"
    await house.call("CreateSecret", name="free", text="1")
    assert await outcome(house, "RecoverAdministrator", ROOT, lift_policy="secret/free") == "invalid-state"
    assert len((await house.call("ListUsers")).users) == users


async def test_nobody_else_does_it(house, locked):
    chief = await house.user("chief", {"effect": "Allow", "action": ["*"], "resource": ["*", "secretsd:system:*"]})
    assert await outcome(house, "RecoverAdministrator", chief, lift_policy="secret/prod/x") == "access-denied"
