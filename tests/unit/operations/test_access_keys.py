"""Access keys: two a user, switched off at once, turned into short tokens, and good for nothing else."""

import asyncio
from base64 import b64decode

import pytest

from secretsd.domain.errors import NotFound
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.credential_secrets import CredentialSecrets
from secretsd.operations.expired_credentials import ForgetExpiredCredentialsRequest
from secretsd.services.expired_credentials import ExpiredCredentials
from secretsd.testing.policies import document
from tests.unit.operations.reencryption import FAST, progress, run
from tests.unit.operations.two_accounts import outcome

SELF = {"effect": "Allow", "action": ["DescribeUser"], "resource": ["user/ann"]}


@pytest.fixture
async def ann(house):
    return await house.user("ann", SELF)


def client(made):
    """The caller who gives id and secret as HTTP Basic has them."""
    return Caller("tcp", token=Plaintext(made.id.encode() + b":" + made.secret.reveal()))


def bearer(answer):
    return Caller("tcp", token=Plaintext(answer.access_token.reveal()))


async def exchange(house, made, **fields):
    return await house.call("CreateAccessToken", client(made), grant_type="client_credentials", **fields)


async def describes(house, caller):
    return await outcome(house, "DescribeUser", caller, user="ann")


async def test_a_key_becomes_a_token_that_does_what_its_user_may(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    answer = await exchange(house, made, expires_in=600)
    assert (answer.token_type, answer.expires_in) == ("Bearer", 600)
    assert await describes(house, bearer(answer)) == "ok"
    assert await outcome(house, "ListUsers", bearer(answer)) == "access-denied"
    house.clock.pass_days(601 / 86_400)
    assert await describes(house, bearer(answer)) == "unauthenticated"
    assert (await exchange(house, made)).expires_in == 3_600


async def test_the_secret_is_shown_once_and_stored_sealed(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    assert len(made.secret) == 40
    stored = await house.storage.proofs.access_key(made.id)
    assert made.secret.reveal() not in b64decode(stored.secret)
    (listed,) = (await house.call("ListAccessKeys", user="ann")).access_keys
    assert (listed.id, listed.active) == (made.id, True)
    assert not hasattr(listed, "secret")


async def test_a_key_itself_is_good_for_nothing_but_a_token(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    assert await describes(house, client(made)) == "unauthenticated"
    assert await outcome(house, "GetCallerIdentity", client(made)) == "ok"
    token = (await exchange(house, made)).access_token
    again = Caller("tcp", token=Plaintext(token.reveal()))
    assert await outcome(house, "CreateAccessToken", again, grant_type="client_credentials") == "access-denied"


async def test_all_that_proves_nothing_is_answered_alike(house, ann):
    made, other = [await house.call("CreateAccessKey", user="ann") for _ in range(2)]
    secret = made.secret.reveal()
    wrong = [
        made.id.encode() + b":" + other.secret.reveal(),
        made.id.encode() + b":" + secret[:-1] + (b"A" if secret[-1:] != b"A" else b"B"),
        made.id.encode() + b"=" + secret,
        made.id.encode() + b":" + secret + b"x",
        b"AKSD" + b"A" * 16 + b":" + secret,
        b"\xff" * 61,
        b"AKSD" + b"\xff" * 57,
        made.id.encode(),
        b"",
    ]
    heard = set()
    for given in wrong:
        answer = await house.run(
            "CreateAccessToken", Caller("tcp", token=Plaintext(given)), grant_type="client_credentials"
        )
        assert answer.error is not None
        heard.add((answer.error.kind.value, answer.error.message))
    assert len(heard) == 1
    assert heard.pop()[0] == "unauthenticated"


async def test_an_inactive_key_and_its_tokens_prove_nothing_until_it_is_active_again(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    token = await exchange(house, made)
    off = await house.call("UpdateAccessKey", user="ann", access_key=made.id, active=False)
    assert off.active is False
    assert await describes(house, bearer(token)) == "unauthenticated"
    assert await outcome(house, "CreateAccessToken", client(made), grant_type="client_credentials") == "unauthenticated"
    await house.call("UpdateAccessKey", user="ann", access_key=made.id, active=True)
    assert await describes(house, bearer(token)) == "ok"


async def test_a_deleted_key_takes_its_tokens_along(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    token = await exchange(house, made)
    await house.call("DeleteAccessKey", user="ann", access_key=made.id)
    assert await describes(house, bearer(token)) == "unauthenticated"
    assert await outcome(house, "CreateAccessToken", client(made), grant_type="client_credentials") == "unauthenticated"
    assert len((await house.call("ListTokens", user="ann")).tokens) == 1, "the one that she was given"
    assert await outcome(house, "DeleteAccessKey", Caller("unix", uid=0), user="ann", access_key=made.id) == "not-found"


async def test_a_user_has_two_at_most_also_of_many_at_once(house, ann):
    made = await asyncio.gather(
        *(outcome(house, "CreateAccessKey", Caller("unix", uid=0), user="ann") for _ in range(5))
    )
    assert sorted(made) == ["limit-exceeded"] * 3 + ["ok"] * 2


async def test_a_service_has_none(house):
    await house.call("CreateUser", user="robot", service=True)
    assert await outcome(house, "CreateAccessKey", Caller("unix", uid=0), user="robot") == "invalid-state"


async def test_who_may_do_everything_here_makes_no_key_for_an_operator(house, tools):
    everything = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
    admin = await house.user("here", everything)
    assert await outcome(house, "CreateAccessKey", admin, user="admin") == "access-denied"
    made = await house.call("CreateAccessKey", user="admin")
    await house.call("UpdateAccessKey", admin, user="admin", access_key=made.id, active=False)
    on = {"user": "admin", "access_key": made.id, "active": True}
    assert await outcome(house, "UpdateAccessKey", admin, **on) == "access-denied"


async def test_a_key_is_not_the_next_users_of_that_name(house, ann):
    """A token that is made while its user goes is nobody's, also when somebody of that name comes."""
    made = await house.call("CreateAccessKey", user="ann")
    token = await exchange(house, made)
    user = await house.storage.accounts.user(house.account, "ann")
    house.clock.pass_days(1 / 86_400)
    await house.drop_record(user)
    assert await describes(house, bearer(token)) == "unauthenticated"
    await house.call("CreateUser", user="ann")
    assert await describes(house, bearer(token)) == "unauthenticated"
    assert await outcome(house, "CreateAccessToken", client(made), grant_type="client_credentials") == "unauthenticated"


async def test_secrets_move_with_their_key_and_open_afterwards(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    trust = document({"effect": "Allow", "action": ["AssumeRole"], "principal": f"secretsd:{house.account}:user/admin"})
    await house.call("CreateRole", role="reader", trust=trust)
    opened = await house.call("AssumeRole", role="reader", session_name="work")
    key = (await house.storage.accounts.get(house.account)).default_key_id
    await house.call("RotateKeyOnDemand", key=key)
    proofs = house.storage.proofs
    before = (await proofs.access_key(made.id)).secret
    refused = await house.run("DestroyKeyVersion", key=key, version=1, confirm_unknown_ciphertexts=True)
    assert "1 access key(s), 1 session(s)" in refused.error.message
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await run(house)
    assert (await progress(house, key)).state == "done"
    assert (await proofs.access_key(made.id)).secret != before
    await house.call("DestroyKeyVersion", key=key, version=1, confirm_unknown_ciphertexts=True)
    assert (await exchange(house, made)).token_type == "Bearer"
    secrets = CredentialSecrets(house.parts.rows, house.keystore)
    assert await secrets.of_session(await proofs.session_of_access_key(opened.access_key_id)) == Plaintext(
        opened.access_key_secret.reveal()
    )


async def test_what_is_over_is_taken_away_a_day_later(house, ann):
    made = await house.call("CreateAccessKey", user="ann")
    await exchange(house, made, expires_in=60)
    digest = (await house.storage.proofs.tokens_of_access_key(made.id, 9))[0].digest
    sweep = ExpiredCredentials(house.pipeline)
    house.clock.pass_days(0.5)
    assert await sweep.ensure() == 0
    house.clock.pass_days(0.6)
    assert await sweep.ensure() == 1
    with pytest.raises(NotFound):
        await house.storage.proofs.token(digest)
    assert await sweep.ensure() == 0
    (event,) = [one for one in await house.events() if one["operation"] == "ForgetExpiredCredentials"]
    assert event["fields"] == {"tokens": 1, "sessions": 0}
    assert ForgetExpiredCredentialsRequest().resource_path == "token/*"
