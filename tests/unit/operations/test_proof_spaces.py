"""Proof spaces: operators leave proofs to one account each; its administrators bind what lies in them, and no more."""

import pytest

from secretsd.domain.proofs import Binding
from tests.unit.operations.overtaking import overtaken
from tests.unit.operations.proof_callers import UIDS, UNIT, UNITS, in_unit, told, vendor_with_spaces, whoami
from tests.unit.operations.two_accounts import Vendor


@pytest.fixture
async def vendor(house):
    return await Vendor(house).settle()


@pytest.fixture
async def spaces(house):
    return await vendor_with_spaces(house)


async def test_an_administrator_binds_what_lies_in_a_space_of_his_account(house, spaces):
    for proof, caller in ((UNIT, in_unit("acme-web.service")), ("unix:uid/2000", in_unit("", 2000))):
        made = await house.call("CreateBinding", spaces.boss, proof=proof, user="app")
        assert (made.proof, made.user, made.role) == (proof, "app", None)
        found = await whoami(house, caller)
        assert (found.principal, found.proof) == (f"secretsd:{spaces.account}:user/app", proof)
    await house.call("DeleteBinding", spaces.boss, proof=UNIT)
    assert (await told(house, "GetCallerIdentity", in_unit("acme-web.service")))[0] == "unauthenticated"


@pytest.mark.parametrize(
    "proof",
    ["unix:uid/1999", "unix:uid/3000", "unix:uid/0", "systemd:unit/other.service", "systemd:unit/acme.service"],
)
async def test_and_nothing_else(house, spaces, proof):
    answer = await told(house, "CreateBinding", spaces.boss, proof=proof, user="app")
    sentence = (
        "cannot do that: the proof lies in no proof space of the account, so it is an operator's to bind and to end"
    )
    assert answer == ("access-denied", sentence)


async def test_nor_what_lies_in_another_accounts_space_which_looks_alike(house, spaces):
    """Neither whose it is nor that it is somebody's is anybody's business but the operator's."""
    other = await Vendor(house, "200000000003").settle()
    theirs, nobodys = "unix:uid/2500", "unix:uid/3500"
    assert await told(house, "CreateBinding", other.boss, proof=theirs, user="app") == await told(
        house, "CreateBinding", other.boss, proof=nobodys, user="app"
    )


async def test_an_operator_binds_what_is_in_no_space_but_not_what_is_another_accounts(house, spaces):
    await house.call("CreateUser", user="ann")
    await house.call("CreateBinding", proof="unix:uid/3500", user="ann")
    answer = await told(house, "CreateBinding", proof="unix:uid/2500", user="ann")
    assert answer == (
        "conflict",
        f"cannot bind the proof: it lies in proof space {UIDS} of account {spaces.account}",
    )


@pytest.mark.parametrize("space", [UIDS, "unix:uid/2500", "unix:uid/1-2000", "systemd:unit/acme-web*.service", UNIT])
async def test_no_proof_is_in_two_spaces(house, spaces, tools, space):
    for account in (spaces.account, house.account):
        with pytest.raises(tools.Failed, match=r"^(already-exists|conflict)$"):
            await house.call("CreateProofSpace", space=space, account=account)


async def test_nor_in_a_space_while_another_account_has_bound_it(house, vendor):
    await house.call("CreateUser", user="ann")
    await house.call("CreateBinding", proof="unix:uid/2999", user="ann")
    assert await told(house, "CreateProofSpace", space=UIDS, account=vendor.account) == (
        "conflict",
        f"cannot make proof space {UIDS}: account {house.account} has bound unix:uid/2999, which is in it",
    )
    await house.call("CreateProofSpace", space="unix:uid/2000-2998", account=vendor.account)
    await house.call("CreateProofSpace", space="unix:uid/2999-3000", account=house.account)


@pytest.mark.parametrize(
    ("space", "account", "kind"),
    [
        ("unix:uid/0-5", None, "invalid-request"), ("unix:uid/5-4", None, "invalid-request"),
        ("unix:uid/5", "999999999999", "not-found"),
    ],
)  # fmt: skip
async def test_spaces_that_cannot_be(house, space, account, kind):
    found = await told(house, "CreateProofSpace", space=space, account=account or house.account)
    assert found[0] == kind


async def test_there_is_a_bound_to_their_number(house, spaces, monkeypatch):
    monkeypatch.setattr("secretsd.operations.proof_spaces.MAX_SPACES", 3)
    await house.call("CreateProofSpace", space="unix:uid/5", account=house.account)
    answer = await told(house, "CreateProofSpace", space="unix:uid/6", account=house.account)
    assert answer == ("limit-exceeded", "cannot make the proof space: there are 3 already")


async def test_spaces_are_the_operators_and_listed_for_their_account(house, spaces):
    other = await Vendor(house, "200000000003").settle()
    for operation, fields in (
        ("CreateProofSpace", {"space": "unix:uid/5", "account": spaces.account}),
        ("DeleteProofSpace", {"space": UIDS}),
        ("ListProofSpaces", {"every_account": True}),
    ):
        assert (await told(house, operation, spaces.boss, **fields))[0] == "access-denied"
    listed = await house.call("ListProofSpaces", spaces.boss)
    assert [one.space for one in listed.proof_spaces] == [UNITS, UIDS]
    assert (await house.call("ListProofSpaces", other.boss)).proof_spaces == ()
    seen, token = [], None
    while True:
        page = await house.call("ListProofSpaces", every_account=True, limit=1, next_token=token)
        seen += [(one.space, one.account) for one in page.proof_spaces]
        if (token := page.next_token) is None:
            break
    assert seen == [(UNITS, spaces.account), (UIDS, spaces.account)]


async def test_both_accounts_see_that_proofs_came_and_went(house, spaces, tools):
    for operation, fields in (("CreateProofSpace", {"account": spaces.account}), ("DeleteProofSpace", {})):
        answer = await house.run(operation, space="unix:uid/77", **fields)
        for account in ("system", spaces.account):
            (event,) = await house.events(answer.request_id, account)
            assert event["resource"] == "secretsd:system:proof-space/unix:uid/77"


async def test_a_space_is_taken_back_when_nothing_is_bound_in_it_or_with_what_is(house, spaces):
    await house.call("CreateBinding", spaces.boss, proof=UNIT, user="app")
    await house.call("CreateBinding", spaces.boss, proof="unix:uid/2500", user="app")
    kind, sentence = await told(house, "DeleteProofSpace", space=UNITS)
    assert (kind, "has bound 1 proofs in it" in sentence) == ("invalid-state", True)
    assert (await whoami(house, in_unit("acme-web.service"))).proof == UNIT
    gone = await house.call("DeleteProofSpace", space=UNITS, force=True)
    assert (gone.bindings, gone.deleted) == (1, True)
    assert (await whoami(house, in_unit("acme-web.service"))).proof == "unix:uid/2500"
    assert (await told(house, "CreateBinding", spaces.boss, proof=UNIT, user="app"))[0] == "access-denied"
    # The next account gets them without anything of the last one in the way.
    await house.call("CreateProofSpace", space=UNITS, account=house.account)
    await house.call("CreateUser", user="ann")
    await house.call("CreateBinding", proof=UNIT, user="ann")
    assert (await told(house, "DeleteProofSpace", space=UNITS + "x"))[0] == "not-found"


async def test_many_bindings_go_a_piece_at_a_time(house, spaces, monkeypatch):
    from secretsd.operations import proof_spaces

    monkeypatch.setattr(proof_spaces, "MAX_TAKEN", 3)
    monkeypatch.setattr(proof_spaces, "_PAGE", 2)
    for number in range(5):
        await house.add_record(Binding(f"unix:uid/{2000 + number}", spaces.account, "app", 1))
    await house.add_record(Binding("unix:uid/3", spaces.account, "app", 1))
    answers = [await house.call("DeleteProofSpace", space=UIDS, force=True) for _ in range(2)]
    assert [(one.bindings, one.deleted) for one in answers] == [(3, False), (2, True)]
    left = await house.call("ListBindings", spaces.boss)
    assert [one.proof for one in left.bindings] == ["unix:uid/3"]


async def test_a_binding_that_is_made_meanwhile_is_seen(house, spaces, monkeypatch):
    def bind():
        return house.call("CreateBinding", spaces.boss, proof="unix:uid/2500", user="app")

    happened = overtaken(house, monkeypatch, bind)
    assert (await told(house, "DeleteProofSpace", space=UIDS))[0] == "invalid-state"
    assert happened == [True]


async def test_nothing_is_bound_in_a_space_that_goes_meanwhile(house, spaces, monkeypatch):
    happened = overtaken(house, monkeypatch, lambda: house.call("DeleteProofSpace", space=UIDS))
    answer = await told(house, "CreateBinding", spaces.boss, proof="unix:uid/2500", user="app")
    assert (answer[0], happened) == ("access-denied", [True])


@pytest.mark.parametrize("operation", ["CreateProofSpace", "CreateBinding"])
async def test_what_rests_on_there_being_no_such_space_notices_one_that_comes(house, vendor, monkeypatch, operation):
    await house.call("CreateUser", user="ann")

    def other():
        return house.call("CreateProofSpace", space=UIDS, account=vendor.account)

    fields = {"CreateProofSpace": {"space": "unix:uid/2500", "account": house.account}}
    happened = overtaken(house, monkeypatch, other)
    answer = await told(house, operation, **fields.get(operation, {"proof": "unix:uid/2500", "user": "ann"}))
    assert (answer[0], happened) == ("conflict", [True])
