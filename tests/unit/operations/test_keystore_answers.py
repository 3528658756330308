"""Pairs that prove nothing have one answer while the key store is away, too, and asking it is bounded."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.credentials import KeyPair
from secretsd.domain.errors import InvalidRequest, KeyStoreUnavailable
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.access_key_proofs import AccessKeyProofs
from secretsd.operations.authenticator import Caller
from secretsd.operations.keystore_answers import FRESH_SECONDS, KeyStoreAnswers
from secretsd.operations.opened_secrets import OpenedSecrets
from secretsd.operations.pipeline import Pipeline

WRONG = Plaintext(b"A" * 40)


class Monotonic:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """A key store that is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None
        self.let = asyncio.Event()
        self.let.set()

    async def random(self, size: int) -> Plaintext:
        self.asked += 1
        await self.let.wait()
        if self.error is not None:
            raise self.error
        return Plaintext(bytes(size))


@pytest.fixture
def asked():
    keystore: Any = Asked()
    now = Monotonic()
    return KeyStoreAnswers(keystore, now), keystore, now


def by(identifier: str, secret: Plaintext = WRONG) -> Caller:
    return Caller("tcp", pair=KeyPair(identifier, secret))


async def told(house, caller) -> tuple[object, ...]:
    error = (await house.run("GetCallerIdentity", caller)).error
    assert error is not None
    return error.kind.value, error.message, error.retry_after_seconds


async def test_while_the_key_store_is_away_nobody_learns_which_keys_there_are(house):
    """Of keys that are not there, are out of use, were opened before, and were not, whatever is shown with them."""
    for user in ("ann", "bob"):
        await house.call("CreateUser", user=user)
    opened, disabled = [await house.call("CreateAccessKey", user="ann") for _ in range(2)]
    fresh = await house.call("CreateAccessKey", user="bob")
    await house.call("UpdateAccessKey", user="ann", access_key=disabled.access_key, active=False)
    good = by(opened.access_key, Plaintext(opened.secret.reveal()))
    bad = {
        "not there": by("AKSD" + "A" * 16),
        "no id": by(""),
        "opened": by(opened.access_key),
        "never opened": by(fresh.access_key),
        "out of use": by(disabled.access_key),
        "out of use, its secret": by(disabled.access_key, Plaintext(disabled.secret.reveal())),
    }
    assert (await house.run("GetCallerIdentity", good)).error is None
    for away in (True, False):
        house.keystore.away = away
        for _ in range(2):
            await asyncio.sleep(FRESH_SECONDS)
            answers = {name: await told(house, caller) for name, caller in bad.items()}
            assert len(set(answers.values())) == 1, answers
            assert answers["not there"][0] == ("keystore-unavailable" if away else "unauthenticated")
        assert (await house.run("GetCallerIdentity", good)).error is None


async def test_pairs_that_prove_nothing_cost_the_key_store_little(house):
    """Whoever tries ids without end costs it one small call, until that is a tenth of a second ago."""
    asked: Any = Asked()
    now, parts = Monotonic(), house.parts
    opened = OpenedSecrets(parts.storage, parts.rows, parts.cache, asked, 300.0, now)
    house.pipeline = Pipeline(replace(parts, access_key_proofs=AccessKeyProofs(parts.rows, opened)))
    for number in range(50):
        assert (await told(house, by(f"AKSD{number:016}")))[0] == "unauthenticated"
    assert asked.asked == 1
    now.now += FRESH_SECONDS
    await told(house, by("AKSDx"))
    assert asked.asked == 2


async def test_of_many_one_asks(asked):
    answers, keystore, _ = asked
    keystore.let.clear()
    waiting = [asyncio.create_task(answers.require()) for _ in range(20)]
    await asyncio.sleep(0)
    keystore.let.set()
    await asyncio.gather(*waiting)
    assert keystore.asked == 1


async def test_while_it_is_away_one_waits_and_the_others_do_not(asked):
    answers, keystore, now = asked
    answers.heard(away=True)
    now.now += FRESH_SECONDS
    keystore.let.clear()
    first = asyncio.create_task(answers.require())
    await asyncio.sleep(0)
    for _ in range(5):
        with pytest.raises(KeyStoreUnavailable):
            await answers.require()
    keystore.let.set()
    await first
    await answers.require()
    assert keystore.asked == 1


async def test_what_others_hear_counts(asked):
    answers, keystore, now = asked
    answers.heard(away=True)
    with pytest.raises(KeyStoreUnavailable):
        await answers.require()
    answers.heard(away=False)
    await answers.require()
    assert keystore.asked == 0
    now.now += FRESH_SECONDS
    keystore.error = InvalidRequest()
    await answers.require()
    now.now += FRESH_SECONDS
    keystore.error = KeyStoreUnavailable("cannot: it is told to nobody", retry_after_seconds=77)
    with pytest.raises(KeyStoreUnavailable) as refused:
        await answers.require()
    assert (str(refused.value), refused.value.retry_after_seconds) == ("cannot reach the key store", 1)
