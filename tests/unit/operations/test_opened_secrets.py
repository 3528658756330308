"""Opened secrets of access keys in memory: bounded in number and time, dropped with their rows."""

from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.credentials import KeyPair
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import opened_secrets
from secretsd.operations.authenticator import Caller
from secretsd.operations.limits import CallerLimits
from secretsd.operations.opened_secrets import OpenedSecrets
from secretsd.operations.pipeline import Pipeline
from tests.unit.operations.two_accounts import outcome


class Counting:
    """A key store that counts what it decrypts."""

    def __init__(self, keystore) -> None:
        self._keystore = keystore
        self.decrypted = 0

    async def decrypt(self, *arguments):
        self.decrypted += 1
        return await self._keystore.decrypt(*arguments)


class Monotonic:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def keys(house):
    """Rows of four access keys."""
    found = []
    for user in ("ann", "bob"):
        await house.call("CreateUser", user=user)
        for _ in range(2):
            key = await house.call("CreateAccessKey", user=user)
            found.append(await house.storage.proofs.access_key(key.access_key))
    return found


def opening(house, keep_seconds=300.0):
    keystore: Any = Counting(house.keystore)
    now = Monotonic()
    parts = house.parts
    return OpenedSecrets(house.storage, parts.rows, parts.cache, keystore, keep_seconds, now), keystore, now


async def test_one_is_opened_once_for_a_while(house, keys):
    secrets, keystore, now = opening(house)
    first = await secrets.of(keys[0])
    assert await secrets.of(keys[0]) == first
    assert keystore.decrypted == 1
    now.now += 300.0
    assert secrets.known(keys[0]) is None
    assert await secrets.of(keys[0]) == first
    assert keystore.decrypted == 2


async def test_zero_keeps_none(house, keys):
    secrets, keystore, _ = opening(house, 0.0)
    await secrets.of(keys[0])
    await secrets.of(keys[0])
    assert (keystore.decrypted, len(secrets)) == (2, 0)


async def test_the_oldest_makes_room(house, keys, monkeypatch):
    monkeypatch.setattr(opened_secrets, "MAX_OPENED", 2)
    secrets, _, _ = opening(house)
    for key in keys[:3]:
        await secrets.of(key)
    assert [secrets.known(key) is not None for key in keys[:3]] == [False, True, True]


async def test_a_row_that_changes_takes_its_secret_along(house, keys):
    secrets, _, _ = opening(house)
    for key in keys:
        await secrets.of(key)
    await house.call("UpdateAccessKey", user="ann", access_key=keys[0].id, active=False)
    await house.call("DeleteAccessKey", user="ann", access_key=keys[1].id)
    house.storage.refresh()
    assert len(secrets) == 2


async def test_another_row_of_the_same_name_is_opened_anew(house, keys):
    secrets, _, _ = opening(house)
    await secrets.of(keys[0])
    assert secrets.known(replace(keys[0], secret=keys[1].secret)) is None
    assert secrets.known(keys[0]) is None


async def test_what_failed_too_often_is_still_let_in_by_a_key_that_is_known(house):
    """Whoever guesses from the same address locks out nobody who has proved himself to this worker."""
    await house.call("CreateUser", user="ann")
    key = await house.call("CreateAccessKey", user="ann")
    good = Caller("tcp", pair=KeyPair(key.access_key, Plaintext(key.secret.reveal())))
    bad = [Caller("tcp", pair=KeyPair(key.access_key, Plaintext(b"%d" % number))) for number in range(3)]
    house.pipeline = Pipeline(house.parts, limits=CallerLimits(free_failed_proofs=1, now=Monotonic()))
    assert await outcome(house, "GetCallerIdentity", good) == "ok"
    outcomes = [await outcome(house, "GetCallerIdentity", one) for one in (*bad, good)]
    assert outcomes == ["unauthenticated", "throttled", "throttled", "ok"]
