"""Access keys: made, shown once, used as a proof, changed over, taken out of use; two a user, none for a service."""

import asyncio
import base64
import re

import pytest

from secretsd.domain.credentials import AccessKey, KeyPair, access_key_context
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import InvalidCiphertext, NotFound
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.ports.keystore import KeyUse
from secretsd.ports.storage import Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document
from secretsd.testing.storage import authenticator
from tests.unit.operations.two_accounts import outcome

ALL_USERS = {"effect": "Allow", "action": ["*"], "resource": ["user/*"]}


def by(key, secret=None) -> Caller:
    """A caller who shows the key, or another secret."""
    shown = key.secret.reveal() if secret is None else secret
    return Caller("tcp", pair=KeyPair(key.access_key, Plaintext(shown)))


async def made(house, user="ann"):
    if user not in {one.user for one in (await house.call("ListUsers")).users}:
        await house.call("CreateUser", user=user)
    return await house.call("CreateAccessKey", user=user)


async def test_a_key_proves_its_user_and_the_event_says_so(house):
    key = await made(house)
    assert re.fullmatch(r"AKSD[A-Z2-7]{16}", key.access_key)
    assert re.fullmatch(rb"[A-Za-z0-9_-]{40}", key.secret.reveal())
    who = await house.call("GetCallerIdentity", by(key))
    assert who.principal == f"secretsd:{house.account}:user/ann"
    assert who.proof == f"access-key/{key.access_key}"


async def test_the_secret_is_shown_once_and_stands_nowhere(house, tmp_path):
    key = await made(house)
    secret = key.secret.reveal()
    answer = await house.call("ListAccessKeys", user="ann")
    assert [one.access_key for one in answer.access_keys] == [key.access_key]
    assert secret.decode() not in repr(answer) + repr(key) + repr(by(key).pair) + repr(await house.events())
    for file in (tmp_path / "storage").iterdir():
        assert not file.is_file() or secret not in file.read_bytes()


async def test_the_secret_is_sealed_under_the_accounts_key_for_this_purpose_and_row(house):
    key = await made(house)
    row = await house.storage.proofs.access_key(key.access_key)
    sealed = base64.b64decode(row.secret)
    header, _, _ = CiphertextHeader.split(sealed)
    account = await house.storage.accounts.get(house.account)
    assert (header.key_id, header.purpose) == (account.default_key_id, Purpose.CREDENTIAL)
    version = await house.storage.keys.version(house.account, header.key_id, header.key_version)
    context = access_key_context(house.account, "ann", key.access_key)
    use = KeyUse(house.account, Purpose.CREDENTIAL, "test")
    assert await house.keystore.decrypt(version, use, sealed, context) == Plaintext(key.secret.reveal())
    for wrong in ({"user": "bob"}, {"access-key": "AKSD"}, {"account": "1" * 12}):
        with pytest.raises(InvalidCiphertext):
            await house.keystore.decrypt(version, use, sealed, {**context, **wrong})


async def test_users_cannot_open_it_with_the_key_that_it_is_under(house):
    key = await made(house)
    row = await house.storage.proofs.access_key(key.access_key)
    sealed = base64.b64decode(row.secret)
    assert await outcome(house, "Decrypt", Caller("unix", uid=0), ciphertext=sealed) != "ok"


async def test_a_moved_secret_opens_for_nobody(house):
    ann, bob = await made(house), await made(house, "bob")
    rows = [await house.storage.proofs.access_key(one.access_key) for one in (ann, bob)]
    moved = AccessKey(rows[1].id, house.account, "bob", rows[0].secret, True, rows[1].created_ms)
    with pytest.raises(NotFound):
        await house.parts.opened_secrets.of(moved)


@pytest.mark.parametrize(
    "wrong", [b"", b"x", b"A" * 40, b"A" * 41, b"A" * 10_000], ids=["none", "short", "other", "long", "very long"]
)
async def test_a_wrong_secret_proves_nobody(house, wrong):
    key = await made(house)
    assert await outcome(house, "GetCallerIdentity", by(key, wrong)) == "unauthenticated"


@pytest.mark.parametrize("identifier", ["", "AKSD" + "A" * 16, "STSD" + "A" * 16, "x" * 10_000, "a\0b"])
async def test_an_unknown_id_proves_nobody(house, identifier):
    key = await made(house)
    caller = Caller("tcp", pair=KeyPair(identifier, Plaintext(key.secret.reveal())))
    assert await outcome(house, "GetCallerIdentity", caller) == "unauthenticated"


async def test_a_key_that_fails_is_no_fall_back_to_what_the_connection_proves(house):
    key = await made(house)
    caller = Caller("unix", uid=0).showing(KeyPair(key.access_key, Plaintext(b"wrong")))
    assert await outcome(house, "GetCallerIdentity", caller) == "unauthenticated"
    assert await outcome(house, "RecoverAdministrator", caller) == "unauthenticated"


async def test_two_a_user_and_a_third_once_one_is_gone(house):
    first, _ = await made(house), await made(house)
    assert await outcome(house, "CreateAccessKey", Caller("unix", uid=0), user="ann") == "limit-exceeded"
    await house.call("DeleteAccessKey", user="ann", access_key=first.access_key)
    await made(house)


async def test_many_at_once_by_two_workers_make_two(house, tools):
    await house.call("CreateUser", user="ann")
    workers = [house, tools.House(house.storage, house.keystore)]
    answers = await asyncio.gather(*(workers[turn % 2].run("CreateAccessKey", user="ann") for turn in range(8)))
    outcomes = [answer.error.kind.value if answer.error else "ok" for answer in answers]
    assert sorted(outcomes) == ["limit-exceeded"] * 6 + ["ok"] * 2
    assert len((await house.call("ListAccessKeys", user="ann")).access_keys) == 2


async def test_a_service_has_none(house):
    await house.call("CreateUser", user="shop", service=True)
    assert await outcome(house, "CreateAccessKey", Caller("unix", uid=0), user="shop") == "invalid-state"
    await made(house)
    assert await outcome(house, "UpdateUser", Caller("unix", uid=0), user="ann", service=True) == "invalid-state"


async def test_out_of_use_and_back(house):
    key = await made(house)
    await house.call("UpdateAccessKey", user="ann", access_key=key.access_key, active=False)
    assert await outcome(house, "GetCallerIdentity", by(key)) == "unauthenticated"
    with pytest.raises(NotFound):
        await house.parts.opened_secrets.secret_of(key.access_key)
    (shown,) = (await house.call("ListAccessKeys", user="ann")).access_keys
    assert not shown.active
    await house.call("UpdateAccessKey", user="ann", access_key=key.access_key, active=True)
    assert await outcome(house, "GetCallerIdentity", by(key)) == "ok"
    assert await house.parts.opened_secrets.secret_of(key.access_key) == Plaintext(key.secret.reveal())


async def test_deleted_is_deleted_and_the_user_can_go(house):
    key = await made(house)
    assert await outcome(house, "DeleteUser", Caller("unix", uid=0), user="ann") == "invalid-state"
    await house.call("DeleteAccessKey", user="ann", access_key=key.access_key)
    assert await outcome(house, "GetCallerIdentity", by(key)) == "unauthenticated"
    await house.call("DeleteUser", user="ann")


async def test_a_key_older_than_its_user_is_of_somebody_else(house):
    """As a backup that brought only one of the two back would leave it."""
    key = await made(house)
    row = await house.storage.proofs.access_key(key.access_key)
    assert await outcome(house, "GetCallerIdentity", by(key)) == "ok"
    older = AccessKey(row.id, row.account, row.user, row.secret, True, 1, row.revision + 1)
    unit = UnitOfWork((Replace(row, older, authenticator().mac(older)),), samples.event("x"))
    await house.storage.commit(unit)
    house.storage.refresh()
    assert await outcome(house, "GetCallerIdentity", by(key)) == "unauthenticated"


async def test_a_clock_that_was_set_back_makes_no_dead_keys(house):
    await house.call("CreateUser", user="ann")
    house.clock.ms -= 10_000
    key = await made(house)
    token = await house.call("CreateToken", user="ann")
    assert await outcome(house, "GetCallerIdentity", by(key)) == "ok"
    caller = Caller("tcp", token=Plaintext(token.token.reveal()))
    assert await outcome(house, "GetCallerIdentity", caller) == "ok"


async def test_keys_of_others_are_not_found(house):
    key = await made(house)
    await house.call("CreateUser", user="bob")
    for name, more in (("DeleteAccessKey", {}), ("UpdateAccessKey", {"active": False})):
        assert (
            await outcome(house, name, Caller("unix", uid=0), user="bob", access_key=key.access_key, **more)
            == "not-found"
        )
    assert await outcome(house, "GetCallerIdentity", by(key)) == "ok"


async def test_who_may_not_is_denied(house):
    key = await made(house)
    nobody = await house.user("nobody")
    for name, more in (
        ("CreateAccessKey", {}),
        ("ListAccessKeys", {}),
        ("UpdateAccessKey", {"access_key": key.access_key, "active": False}),
        ("DeleteAccessKey", {"access_key": key.access_key}),
    ):
        assert await outcome(house, name, nobody, user="ann", **more) == "access-denied"


async def test_an_administrator_makes_himself_no_operator(house):
    """Nobody hands on a reach into account `system` that he has not got himself (SECURITY 13)."""
    boss = await house.user("boss", ALL_USERS)
    assert await outcome(house, "CreateAccessKey", boss, user="admin") == "access-denied"
    key = await house.call("CreateAccessKey", user="admin")
    change = {"user": "admin", "access_key": key.access_key}
    assert await outcome(house, "UpdateAccessKey", boss, **change, active=False) == "ok"
    assert await outcome(house, "UpdateAccessKey", boss, **change, active=True) == "access-denied"
    assert await outcome(house, "GetCallerIdentity", by(key)) == "unauthenticated"


async def test_conditions_see_the_kind_of_proof(house):
    key = await made(house)
    only = {"effect": "Allow", "action": ["ListUsers"], "resource": ["user/*"]}
    text = document({**only, "condition": {"StringEquals": {"secretsd:ProofKind": ["access-key"]}}})
    await house.call("CreatePolicy", policy="p", document=text)
    await house.call("AttachPolicy", user="ann", policy="p")
    assert await outcome(house, "ListUsers", by(key)) == "ok"
    token = await house.call("CreateToken", user="ann")
    caller = Caller("tcp", token=Plaintext(token.token.reveal()))
    assert await outcome(house, "ListUsers", caller) == "access-denied"


async def test_while_the_key_store_is_away_what_was_opened_still_proves(house):
    first, second = await made(house), await made(house, "bob")
    assert await outcome(house, "GetCallerIdentity", by(first)) == "ok"
    house.keystore.away = True
    assert await outcome(house, "GetCallerIdentity", by(first)) == "ok"
    assert await outcome(house, "GetCallerIdentity", by(second)) == "keystore-unavailable"
