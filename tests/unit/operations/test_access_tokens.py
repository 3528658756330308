"""OAuth 2.0 client credentials: an access key becomes a token for a while, which ends with it."""

import pytest

from secretsd.domain import credentials
from secretsd.domain.credentials import KeyPair
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import tokens
from secretsd.operations.authenticator import Caller
from tests.unit.operations.two_accounts import outcome

ROOT = Caller("unix", uid=0)
GRANT = {"grant_type": "client_credentials"}


async def key_of(house, user="ann"):
    """An access key of a new user, and a caller who shows it."""
    await house.call("CreateUser", user=user)
    key = await house.call("CreateAccessKey", user=user)
    return key.access_key, Caller("tcp", pair=KeyPair(key.access_key, Plaintext(key.secret.reveal())))


async def token_of(house, caller, **more) -> Caller:
    made = await house.call("CreateAccessToken", caller, **GRANT, **more)
    return Caller("tcp", token=Plaintext(made.access_token.reveal()))


async def test_a_token_proves_the_same_user_and_names_its_key(house):
    key, caller = await key_of(house)
    made = await house.call("CreateAccessToken", caller, **GRANT)
    assert (made.token_type, made.expires_in) == ("Bearer", 3600)
    who = await house.call("GetCallerIdentity", Caller("tcp", token=Plaintext(made.access_token.reveal())))
    (listed,) = (await house.call("ListTokens", user="ann")).tokens
    assert who.proof == f"access-key/{key}/token/{listed.id}"
    assert who.principal == f"secretsd:{house.account}:user/ann"
    assert listed.access_key == key


async def test_it_leaves_one_event_that_names_the_token(house):
    key, caller = await key_of(house)
    answer = await house.run("CreateAccessToken", caller, **GRANT, expires_in=60)
    (event,) = await house.events(answer.request_id)
    (listed,) = (await house.call("ListTokens", user="ann")).tokens
    assert event["fields"] == {"expires_in": 60, "token_id": listed.id}
    assert (event["proof"], event["outcome"]) == (f"access-key/{key}", "ok")
    assert answer.response.access_token.reveal().decode() not in repr(event)


async def test_it_is_good_for_as_long_as_was_asked(house):
    _, caller = await key_of(house)
    token = await token_of(house, caller, expires_in=60)
    house.clock.ms += 59_000
    assert await outcome(house, "GetCallerIdentity", token) == "ok"
    house.clock.ms += 1_001
    assert await outcome(house, "GetCallerIdentity", token) == "unauthenticated"


@pytest.mark.parametrize("end", ["UpdateAccessKey", "DeleteAccessKey"])
async def test_it_ends_with_its_key(house, end):
    key, caller = await key_of(house)
    token = await token_of(house, caller)
    own = Caller("tcp", token=Plaintext((await house.call("CreateToken", user="ann")).token.reveal()))
    more = {"active": False} if end == "UpdateAccessKey" else {}
    await house.call(end, user="ann", access_key=key, **more)
    assert await outcome(house, "GetCallerIdentity", token) == "unauthenticated"
    assert await outcome(house, "GetCallerIdentity", own) == "ok"
    assert len((await house.call("ListTokens", user="ann")).tokens) == (2 if more else 1)


async def test_a_token_of_a_key_that_vanished_meanwhile_proves_nobody(house):
    """Its row may be added while the key goes: the key's row is looked at each time."""
    key, caller = await key_of(house)
    token = await token_of(house, caller)
    row = await house.storage.proofs.token(token.digest)
    await house.call("DeleteAccessKey", user="ann", access_key=key)
    await house.add_record(row)
    assert await outcome(house, "GetCallerIdentity", token) == "unauthenticated"


async def test_only_a_key_itself_gets_one(house):
    _, caller = await key_of(house)
    token = await token_of(house, caller)
    plain = Caller("tcp", token=Plaintext((await house.call("CreateToken", user="ann")).token.reveal()))
    for other in (token, plain, ROOT):
        assert await outcome(house, "CreateAccessToken", other, **GRANT) == "invalid-state"


async def test_it_needs_no_policy_and_gives_no_right(house):
    _, caller = await key_of(house)
    token = await token_of(house, caller)
    assert await outcome(house, "ListUsers", token) == "access-denied"


async def test_a_user_has_so_many_at_a_time(house, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_TOKENS", 3)
    _, caller = await key_of(house)
    await token_of(house, caller)
    await token_of(house, caller, expires_in=1)
    await house.call("CreateToken", user="ann")
    assert await outcome(house, "CreateToken", ROOT, user="ann") == "limit-exceeded"
    house.clock.ms += 2_000  # one of them is over
    assert await outcome(house, "CreateToken", ROOT, user="ann") == "ok"


async def test_whoever_shows_an_access_key_gets_a_token_and_the_one_that_ends_first_goes(house, monkeypatch):
    """A client that asks again and again must not lock out the others that share its key."""
    monkeypatch.setattr(tokens, "MAX_TOKENS", 3)
    _, caller = await key_of(house)
    made = [await token_of(house, caller, expires_in=seconds) for seconds in (300, 100, 200)]
    for expected in ("ok", "unauthenticated", "ok"), ("ok", "unauthenticated", "unauthenticated"):
        await token_of(house, caller)
        assert tuple([await outcome(house, "GetCallerIdentity", one) for one in made]) == expected
    assert len((await house.call("ListTokens", user="ann")).tokens) == 3


async def test_tokens_that_a_person_made_make_no_room(house, monkeypatch):
    monkeypatch.setattr(tokens, "MAX_TOKENS", 2)
    _, caller = await key_of(house)
    for _ in range(2):
        await house.call("CreateToken", user="ann")
    assert await outcome(house, "CreateAccessToken", caller, **GRANT) == "limit-exceeded"
    assert len((await house.call("ListTokens", user="ann")).tokens) == 2


def test_the_limit_is_a_thousand():
    assert credentials.MAX_TOKENS == 1_000


async def test_a_token_older_than_its_user_is_of_somebody_else(house):
    """A user was deleted and made again under the same name, and a backup brought the token back."""
    await house.call("CreateUser", user="ann")
    made = await house.call("CreateToken", user="ann")
    caller = Caller("tcp", token=Plaintext(made.token.reveal()))
    row = await house.storage.proofs.token(caller.digest)
    assert await outcome(house, "GetCallerIdentity", caller) == "ok"
    await house.call("DeleteToken", user="ann", id=made.id)
    await house.call("DeleteUser", user="ann")
    await house.add_record(row)
    assert await outcome(house, "GetCallerIdentity", caller) == "unauthenticated"
    await house.call("CreateUser", user="ann")
    assert await outcome(house, "GetCallerIdentity", caller) == "unauthenticated"
