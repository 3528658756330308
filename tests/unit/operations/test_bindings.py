"""Bindings: proofs lead to one user or role, the most telling first; what operators have bound is theirs to end."""

from functools import partial

import pytest

from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import Way
from secretsd.testing.policies import document
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.proof_callers import ROOT, UIDS, UNIT, in_unit, told, vendor_with_spaces, whoami
from tests.unit.operations.two_accounts import Vendor


@pytest.fixture
async def spaces(house):
    return await vendor_with_spaces(house)


async def test_whoever_may_bind_for_the_operator_alone_makes_nobody_of_his_account(house, spaces):
    """The right to proofs is no right to the account's users."""
    reach = {"effect": "Allow", "action": ["CreateBinding"], "resource": ["secretsd:system:*"]}
    olga = await house.user("olga", reach)
    assert (await told(house, "CreateBinding", olga, proof="unix:uid/3500", user="admin"))[0] == "access-denied"


async def test_whoever_may_bind_a_proof_needs_to_be_allowed_whom_it_leads_to(house, spaces):
    bind = {"effect": "Allow", "action": ["CreateBinding"], "resource": ["binding/*", "user/app"]}
    deputy = await spaces.user("deputy", bind)
    answer = await told(house, "CreateBinding", deputy, proof=UNIT, user="boss")
    assert answer[0] == "access-denied"
    assert await told(house, "CreateBinding", deputy, proof=UNIT, user="nobody") == answer
    assert (await house.call("CreateBinding", deputy, proof=UNIT, user="app")).user == "app"


async def test_the_unit_proves_before_the_uid(house, spaces):
    await house.call("CreateBinding", spaces.boss, proof=UNIT, user="app")
    await house.call("CreateBinding", spaces.boss, proof="unix:uid/2500", user="boss")
    assert (await whoami(house, in_unit("acme-web.service"))).proof == UNIT
    assert (await whoami(house, in_unit("acme-db.service"))).proof == "unix:uid/2500"
    assert (await whoami(house, in_unit(""))).proof == "unix:uid/2500"


async def test_who_one_is_tells_unit_and_uid_whatever_proved_it(house, spaces):
    await house.call("CreateBinding", spaces.boss, proof="unix:uid/2500", user="app")
    found = await whoami(house, in_unit("acme-web.service"))
    assert (found.account, found.uid, found.unit, found.session_name) == (
        spaces.account,
        2500,
        "acme-web.service",
        None,
    )
    found = await whoami(house, spaces.boss)
    assert (found.uid, found.unit) == (None, None)


async def test_what_leads_nowhere_is_remembered_until_it_leads_somewhere(house, spaces, monkeypatch):
    caller = in_unit("acme-web.service")
    await house.call("CreateBinding", spaces.boss, proof="unix:uid/2500", user="app")
    await whoami(house, caller)
    asked = []
    load = house.storage.proofs.binding

    async def binding(proof):
        asked.append(proof)
        return await load(proof)

    monkeypatch.setattr(house.storage.proofs, "binding", binding)
    for _ in range(3):
        assert (await whoami(house, caller)).proof == "unix:uid/2500"
    assert asked == []
    await house.call("CreateBinding", spaces.boss, proof=UNIT, user="boss")
    assert (await whoami(house, caller)).proof == UNIT
    assert asked == [UNIT]


async def test_the_unit_is_looked_for_once_and_only_when_somebody_asks(house, spaces):
    looks = []

    def find():
        looks.append(1)
        return "acme-web.service"

    way = Way(uid=2500, find_unit=find)
    caller = Caller("unix:pid/1", 2500, None, way)
    with_token = Caller("unix:pid/1", 2500, spaces.boss.token, way)
    await house.call("CreateBinding", spaces.boss, proof=UNIT, user="app")
    await house.call("ListUsers", with_token)
    assert looks == []
    for _ in range(2):
        assert (await whoami(house, caller)).proof == UNIT
    assert looks == [1]


async def test_a_condition_on_the_unit_asks_for_it(house, tools):
    condition = {"StringEquals": {"secretsd:SystemdUnit": "backup.service"}}
    only = {"effect": "Allow", "action": ["ListUsers"], "resource": ["*"], "condition": condition}
    ann = await house.user("ann", only)
    for unit, allowed in (("backup.service", True), ("other.service", False), ("", False)):
        caller = Caller("unix:pid/1", 7, ann.token, Way(uid=7, find_unit=partial(str, unit)))
        assert ((await house.run("ListUsers", caller)).error is None) is allowed


async def test_operators_take_a_binding_of_any_account_and_both_see_it(house, spaces):
    await house.call("CreateBinding", spaces.boss, proof=UNIT, user="app")
    other = await Vendor(house, "200000000003").settle()
    refused = await told(house, "DeleteBinding", other.boss, proof=UNIT)
    assert refused == await told(house, "DeleteBinding", other.boss, proof="systemd:unit/acme-none.service")
    assert refused[0] == "not-found"
    answer = await house.run("DeleteBinding", proof=UNIT)
    assert answer.error is None
    for account in (house.account, spaces.account, "system"):
        assert len(await house.events(answer.request_id, account)) == 1
    assert (await told(house, "GetCallerIdentity", in_unit("acme-web.service")))[0] == "unauthenticated"


async def test_what_an_operator_has_bound_for_an_account_is_his_to_end(house, spaces, tools):
    chief = await house.user("chief", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    for operation in ("DeleteBinding", "CreateBinding"):
        fields = {} if operation == "DeleteBinding" else {"user": "chief"}
        assert (await told(house, operation, chief, proof="unix:uid/0", **fields))[0] == "access-denied"
    assert (await whoami(house, ROOT)).proof == "unix:uid/0"
    await house.call("CreateBinding", proof="unix:uid/3500", user="chief")
    assert (await told(house, "DeleteBinding", chief, proof="unix:uid/3500"))[0] == "access-denied"
    await house.call("DeleteBinding", proof="unix:uid/3500")


async def test_a_proof_leads_to_a_role(house, spaces):
    trust = document({"effect": "Deny", "action": ["AssumeRole"], "principal": ["*"]})
    await house.call("CreateRole", spaces.boss, role="deployer", trust=trust)
    made = await house.call("CreateBinding", spaces.boss, proof=UNIT, role="deployer")
    assert (made.role, made.user) == ("deployer", None)
    assert (await whoami(house, in_unit("acme-web.service"))).principal.endswith(":role/deployer")
    listed = await house.call("ListBindings", spaces.boss)
    assert [(one.proof, one.user, one.role) for one in listed.bindings] == [(UNIT, None, "deployer")]
    assert (await told(house, "DeleteRole", spaces.boss, role="deployer"))[0] == "invalid-state"
    for fields in ({"role": "nobody"}, {"user": "nobody"}):
        assert (await told(house, "CreateBinding", spaces.boss, proof="unix:uid/2001", **fields))[0] == "not-found"
    for fields in ({}, {"user": "app", "role": "deployer"}):
        answer = await told(house, "CreateBinding", spaces.boss, proof="unix:uid/2001", **fields)
        assert answer == ("invalid-request", "cannot bind the proof: it leads to either a user or a role")


async def test_nothing_leads_to_somebody_who_goes_meanwhile(house, spaces, monkeypatch):
    await house.call("CreateUser", spaces.boss, user="new")
    happened = overtaken(house, monkeypatch, lambda: house.call("DeleteUser", spaces.boss, user="new"))
    answer = await told(house, "CreateBinding", spaces.boss, proof=UNIT, user="new")
    assert (answer[0], happened) == ("not-found", [True])


async def test_who_is_bound_while_he_is_deleted_stays(house, spaces, monkeypatch):
    """Else the binding would be left behind, and lead to the next user or role of that name."""
    trust = document({"effect": "Deny", "action": ["AssumeRole"], "principal": ["*"]})
    await house.call("CreateUser", spaces.boss, user="new")
    await house.call("CreateRole", spaces.boss, role="new", trust=trust)
    for number, (kind, delete) in enumerate({"user": "DeleteUser", "role": "DeleteRole"}.items()):
        bind = partial(house.call, "CreateBinding", spaces.boss, proof=f"unix:uid/{2600 + number}", **{kind: "new"})
        happened = overtaken(house, monkeypatch, bind)
        answer = await told(house, delete, spaces.boss, **{kind: "new"})
        assert (answer[0], happened) == ("invalid-state", [True])


async def test_a_proof_leads_to_one_only(house, spaces):
    await house.call("CreateBinding", spaces.boss, proof=UNIT, user="app")
    answer = await told(house, "CreateBinding", spaces.boss, proof=UNIT, user="boss")
    assert answer == ("already-exists", "cannot bind the proof: it leads to somebody already")


async def test_a_role_of_operators_is_bound_by_operators(house, tools):
    """Its administrator has the account's space, and is no operator himself."""
    reach = document({"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]})
    trust = document({"effect": "Deny", "action": ["AssumeRole"], "principal": ["*"]})
    await house.call("CreateRole", role="ops", trust=trust)
    await house.call("PutRolePolicy", role="ops", policy="p", document=reach)
    await house.call("CreateProofSpace", space=UIDS, account=house.account)
    chief = await house.user("chief", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    assert (await told(house, "CreateBinding", chief, proof="unix:uid/2001", role="ops"))[0] == "access-denied"
    await house.call("CreateBinding", proof="unix:uid/2001", role="ops")
