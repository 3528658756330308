"""Access: decisions are remembered until something changes, a lost policy opens nothing, proofs lead to one user."""

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.operations import authorizer
from secretsd.operations.authenticator import Caller
from secretsd.testing.policies import document

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/prod/*"]}
TRUST = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}


async def denied(house, tools, operation, caller, **fields):
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call(operation, caller, **fields)


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="prod/app", text="one")
    return house


async def test_a_user_may_nothing_until_a_policy_says_so(app, tools):
    ann = await app.user("ann")
    await denied(app, tools, "GetSecretValue", ann, name="prod/app")
    await app.allow("ann", "readers", READ)
    assert await app.text("prod/app", ann) == "one"
    await denied(app, tools, "PutSecretValue", ann, name="prod/app", text="x")
    await denied(app, tools, "GetSecretValue", ann, name="test/app")


async def test_what_is_unknown_and_what_is_forbidden_look_alike(app, tools):
    ann = await app.user("ann")
    told = set()
    for name in ("prod/app", "prod/none"):
        with pytest.raises(tools.Failed) as refused:
            await app.call("GetSecretValue", ann, name=name)
        told.add((refused.value.error.kind, refused.value.error.message))
    assert len(told) == 1


async def test_detaching_takes_the_right_away_though_the_decision_was_remembered(app, tools):
    ann = await app.user("ann", READ)
    for _ in range(2):
        assert await app.text("prod/app", ann) == "one"
    await app.call("DetachPolicy", user="ann", policy="of-ann")
    await denied(app, tools, "GetSecretValue", ann, name="prod/app")
    await app.call("AttachPolicy", user="ann", policy="of-ann")
    assert await app.text("prod/app", ann) == "one"


async def test_a_deny_added_later_wins_over_the_remembered_decision(app, tools):
    ann = await app.user("ann", READ)
    assert await app.text("prod/app", ann) == "one"
    await app.allow("ann", "stop", {"effect": "Deny", "action": ["*"], "resource": ["secret/prod/app"]})
    await denied(app, tools, "GetSecretValue", ann, name="prod/app")


async def test_decisions_are_remembered(app, monkeypatch):
    ann = await app.user("ann", READ)
    assert await app.text("prod/app", ann) == "one"

    async def never(*_):
        raise AssertionError("cannot decide from memory")

    monkeypatch.setattr(app.authorizer.rules, "narrowed", never)
    assert await app.text("prod/app", ann) == "one"


async def test_what_is_remembered_of_one_outlasts_the_change_of_another(app, monkeypatch):
    ann = await app.user("ann", READ)
    bob = await app.user("bob", READ)
    await app.call("CreateRole", role="reader", trust=document(TRUST))
    assert [await app.text("prod/app", one) for one in (ann, bob)] == ["one", "one"]
    await app.call("UpdateUser", user="bob", description="somebody else")
    await app.call("UpdateRole", role="reader", description="something else")
    await app.call("CreateUser", user="carol")
    asked = []

    async def narrowed(principal, *_):
        asked.append(principal.path)
        return await genuine(principal, *_)

    genuine = app.authorizer.rules.narrowed
    monkeypatch.setattr(app.authorizer.rules, "narrowed", narrowed)
    assert [await app.text("prod/app", one) for one in (ann, bob)] == ["one", "one"]
    assert asked == ["user/bob"]


async def test_a_changed_trust_policy_counts_although_the_decision_was_remembered(app, tools):
    ann = await app.user("ann", {"effect": "Allow", "action": ["AssumeRole"], "resource": ["role/reader"]})
    await app.call("CreateRole", role="reader", trust=document(TRUST))
    for _ in range(2):
        await app.call("AssumeRole", ann, role="reader", session_name="one")
    await app.call("UpdateAssumeRolePolicy", role="reader", trust=document({**TRUST, "effect": "Deny"}))
    await denied(app, tools, "AssumeRole", ann, role="reader", session_name="two")


async def test_no_more_is_remembered_than_it_may_be_also_where_grants_come_and_go(app, monkeypatch):
    monkeypatch.setattr(authorizer, "MAX_DECISIONS", 3)
    key = (await app.call("CreateKey", spec="AES_256")).id
    grant = {"key": key, "grantee": f"secretsd:{app.account}:user/admin", "operations": ["Encrypt"]}
    for _ in range(6):
        await app.call("CreateGrant", **grant)
        await app.call("DescribeKey", key=key)
        kept, by_principal = app.authorizer._decisions, app.authorizer._by_principal
        assert sum(map(len, kept.values())) <= 3
        assert sum(map(len, by_principal.values())) <= 3


async def test_a_user_whose_policy_is_missing_may_nothing(app, tools):
    from secretsd.ports.storage import Delete, UnitOfWork
    from secretsd.testing import samples

    ann = await app.user("ann", READ, {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    await app.allow("ann", "more", {"effect": "Deny", "action": ["PutSecretValue"], "resource": ["*"]})
    assert await app.text("prod/app", ann) == "one"
    lost = await app.storage.accounts.policy(app.account, "more")
    await app.storage.commit(UnitOfWork((Delete(lost),), samples.event("DeletePolicy", accounts=(app.account,))))
    app.storage.refresh()
    # The lost policy may have been the one that denied.
    await denied(app, tools, "GetSecretValue", ann, name="prod/app")


async def test_a_token_ends_when_it_is_deleted_or_its_time_has_come(app, tools):
    await app.user("ann", READ)
    short = await app.call("CreateToken", user="ann", ttl_seconds=60)
    caller = Caller("tcp", token=Plaintext(short.token.reveal()))
    assert await app.text("prod/app", caller) == "one"
    app.clock.pass_days(1)
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("prod/app", caller)
    other = await app.call("CreateToken", user="ann")
    caller = Caller("tcp", token=Plaintext(other.token.reveal()))
    assert await app.text("prod/app", caller) == "one"
    await app.call("DeleteToken", user="ann", id=other.id)
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("prod/app", caller)


@pytest.mark.parametrize("token", [b"", b"secretsd_", b"secretsd_" + b"A" * 43, b"x" * 52, b"\xff" * 52, b"A" * 10000])
async def test_a_token_of_nobody_proves_nothing_even_for_root(app, tools, token):
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("prod/app", Caller("unix", uid=0, token=Plaintext(token)))


async def test_a_uid_proves_what_its_binding_says(app, tools):
    caller = Caller("unix", uid=4711)
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("prod/app", caller)
    await app.user("ann", READ)
    await app.call("CreateBinding", proof="unix:uid/4711", user="ann")
    assert await app.text("prod/app", caller) == "one"
    with pytest.raises(tools.Failed, match="already-exists"):
        await app.call("CreateBinding", proof="unix:uid/4711", user="admin")
    await app.call("DeleteBinding", proof="unix:uid/4711")
    with pytest.raises(tools.Failed, match="unauthenticated"):
        await app.text("prod/app", caller)


async def test_tokens_are_shown_once_and_stored_as_digests(app):
    made = await app.call("CreateToken", user="admin")
    shown = made.token.reveal().decode()
    listed = await app.call("ListTokens", user="admin")
    assert made.id in [token.id for token in listed.tokens]
    for place in (
        str(listed),
        str(await app.events()),
        str(await app.storage.proofs.tokens(app.account, "admin", "", 9)),
    ):
        assert shown not in place


async def test_who_am_i_is_open_to_everybody_with_a_proof(app):
    ann = await app.user("ann")
    told = await app.call("GetCallerIdentity", ann)
    assert (told.account, told.principal) == (app.account, f"secretsd:{app.account}:user/ann")
    assert told.proof.startswith("token/")


async def test_a_policy_that_names_nothing_is_refused(app, tools):
    with pytest.raises(tools.Failed, match="invalid-request"):
        await app.allow("admin", "typo", {"effect": "Allow", "action": ["GetSecretValu"], "resource": ["*"]})


async def test_users_hold_a_bounded_number_of_policies(app, tools):
    await app.call("CreateUser", user="ann")
    for number in range(20):
        await app.allow("ann", f"p{number}", READ)
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await app.allow("ann", "p20", READ)
    assert (await app.call("DescribeUser", user="ann")).policies == tuple(f"p{number}" for number in range(20))


async def test_listing_users_policies_and_bindings_in_pages(app):
    for number in range(5):
        await app.user(f"u{number}", READ)
        await app.call("CreateBinding", proof=f"unix:uid/{9000 + number}", user=f"u{number}")
    for operation, field, wanted in (
        ("ListUsers", "users", 6), ("ListPolicies", "policies", 7), ("ListBindings", "bindings", 6)
    ):  # fmt: skip
        seen, token = [], None
        while True:
            page = await app.call(operation, limit=2, next_token=token)
            seen += getattr(page, field)
            if (token := page.next_token) is None:
                break
        assert len(seen) == len({str(one) for one in seen}) == wanted
