"""A user with many tokens: they are listed in pages, found one by one, and go with him, whatever their number."""

from secretsd.domain.credentials import Token
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import users
from secretsd.operations.authenticator import Caller, token_digest
from secretsd.ports.storage import Add, UnitOfWork
from secretsd.services.expired_credentials import ExpiredCredentials
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

HOUR_MS = 3_600_000


async def ann_with(house, count, **fields):
    """Ann, and as many tokens of hers, the texts of which are returned."""
    await house.call("CreateUser", user="ann")
    texts = [f"secretsd_{number:043}" for number in range(count)]
    made = [
        Token(
            token_digest(Plaintext(text.encode())), f"t-{number:05}", house.account, "ann",
            **{"created_ms": house.clock.ms, "expires_ms": None} | fields,
        )
        for number, text in enumerate(texts)
    ]  # fmt: skip
    adds = tuple(Add(one, authenticator().mac(one)) for one in made)
    await house.storage.commit(UnitOfWork(adds, samples.event("Added", accounts=(house.account,))))
    house.storage.refresh()
    return [Caller("tcp", token=Plaintext(text.encode())) for text in texts]


async def told(house, operation, *caller, **fields):
    return (await house.run(operation, *caller, **fields)).error.kind.value


async def left(house):
    return len(await house.storage.proofs.tokens(house.account, "ann", "", 99_999))


async def test_tokens_are_listed_in_pages(house):
    await ann_with(house, 205)
    pages: list[list[str]] = []
    token = None
    while not pages or token is not None:
        page = await house.call("ListTokens", user="ann", next_token=token, limit=100)
        pages.append([one.id for one in page.tokens])
        token = page.next_token
    assert [len(page) for page in pages] == [100, 100, 5]
    assert [one for page in pages for one in page] == [f"t-{number:05}" for number in range(205)]
    assert len((await house.call("ListTokens", user="ann")).tokens) == 100


async def test_one_token_is_ended_by_its_id_and_of_its_user_alone(house):
    callers = await ann_with(house, 150)
    await house.call("CreateUser", user="bob")
    await house.call("DeleteToken", user="ann", id="t-00149")
    assert await told(house, "GetCallerIdentity", callers[149]) == "unauthenticated"
    await house.call("GetCallerIdentity", callers[148])
    for user, identifier in (("ann", "t-00149"), ("bob", "t-00001"), ("nobody", "t-00001")):
        assert await told(house, "DeleteToken", user=user, id=identifier) == "not-found"
    assert await left(house) == 149


async def test_a_user_with_more_tokens_than_one_unit_takes_is_deleted(house, monkeypatch):
    monkeypatch.setattr(users, "MAX_TAKEN", 10)
    callers = await ann_with(house, 25, expires_ms=house.clock.ms + 1_000)
    await house.call("GetCallerIdentity", callers[24])
    house.clock.ms += 2_000
    await house.call("DeleteUser", user="ann")
    assert await left(house) == 15
    assert await told(house, "DescribeUser", user="ann") == "not-found"
    house.clock.ms += HOUR_MS
    await ExpiredCredentials(house.pipeline).ensure()
    assert await left(house) == 0


async def test_a_token_that_is_left_does_not_prove_who_has_the_name_next(house, monkeypatch):
    """Not even where the clock was set back, to a time at which it would be good again."""
    monkeypatch.setattr(users, "MAX_TAKEN", 0)
    before_ms = house.clock.ms
    house.clock.ms += HOUR_MS
    (caller,) = await ann_with(house, 1, expires_ms=house.clock.ms + 1_000)
    house.clock.ms += 2_000
    await house.call("DeleteUser", user="ann")
    house.clock.ms = before_ms
    made = await house.call("CreateUser", user="ann")
    assert await left(house) == 1
    assert await told(house, "GetCallerIdentity", caller) == "unauthenticated"
    # What she gets herself is good.
    token = await house.call("CreateToken", user="ann")
    found = await house.call("GetCallerIdentity", Caller("tcp", token=Plaintext(token.token.reveal())))
    assert found.principal == made.resource
