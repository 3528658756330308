"""Whoever proves nothing, or may do nothing, learns nothing of what exists: not from answers, not from their times."""

import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from secretsd.domain.credentials import KeyPair, Session
from secretsd.domain.errors import SecretsdError
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.principals import Role
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import SESSION_PREFIX, TOKEN_PREFIX, Authenticator, Caller, token_digest
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.limits import CallerLimits
from secretsd.operations.pipeline import Pipeline
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import temporary_storage
from tests.unit.operations.conftest import House

ROUNDS, AT_ONCE = 300, 4
APART = 0.35
"""How far two medians may lie apart, as a part of the smaller one. A row in memory saves more, a read costs more."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with temporary_storage(tmp_path / "storage") as storage:
        made = House(storage, MemoryKeyStore())
        made.account = await ensure_first_account(made.parts, (), "test")
        yield made


def shown(prefix: str, letter: str) -> Plaintext:
    return Plaintext((prefix + letter * 43).encode())


@pytest.fixture
async def bad(house: House) -> dict[str, Caller]:
    """Callers who prove nothing, each for a reason of his own."""
    await house.call("CreateUser", user="ann")
    await house.call("CreateUser", user="bob")
    expired = await house.call("CreateToken", user="ann", ttl_seconds=1)
    deleted = await house.call("CreateToken", user="ann")
    await house.call("DeleteToken", user="ann", id=deleted.id)
    trust = (Statement(Effect.ALLOW, ("AssumeRole",), (), principals=("*",)),)
    role = Role(house.account, "deployer", "role-id", 1, trust, revoked_ms=house.clock.ms + 1)
    await house.add_record(role)
    sessions = {"revoked session": role.id, "session of a role before": "another"}
    callers = {
        "unknown token": shown(TOKEN_PREFIX, "A"),
        "expired token": Plaintext(expired.token.reveal()),
        "deleted token": Plaintext(deleted.token.reveal()),
        "unknown session": shown(SESSION_PREFIX, "A"),
    }
    for number, (name, role_id) in enumerate(sessions.items()):
        token = shown(SESSION_PREFIX, "BC"[number])
        names = (token_digest(token), f"AS{number}", house.account, "deployer", role_id, "job", "", (), "x", False)
        await house.add_record(Session(*names, house.clock.ms - 1000, house.clock.ms + 10**7))
        callers[name] = token
    found = {name: Caller("tcp", token=token) for name, token in callers.items()}
    for name, pair in (await bad_pairs(house)).items():
        found[name] = Caller("tcp", pair=pair)
    house.clock.ms += 2000
    return found


async def bad_pairs(house: House) -> dict[str, KeyPair]:
    """Access keys that prove nothing, shown with their secrets or with another one."""
    wrong = Plaintext(b"A" * 43)
    good, disabled = [await house.call("CreateAccessKey", user="bob") for _ in range(2)]
    await house.call("UpdateAccessKey", user="bob", access_key=disabled.access_key, active=False)
    own = Plaintext(disabled.secret.reveal())
    backwards = good.access_key[:4] + good.access_key[:3:-1]
    return {
        "unknown access key": KeyPair(backwards, wrong),
        "wrong secret": KeyPair(good.access_key, wrong),
        "disabled key": KeyPair(disabled.access_key, own),
        "disabled key, wrong secret": KeyPair(disabled.access_key, wrong),
    }


async def told(house: House, caller: Caller, operation: str = "GetCallerIdentity", **fields: str) -> tuple[object, ...]:
    """All that a caller can tell from an answer but its id."""
    error = (await house.run(operation, caller, **fields)).error
    assert error is not None
    return error.kind, error.message, error.retry_after_seconds


async def test_every_bad_proof_has_the_same_answer(house: House, bad: dict[str, Caller]) -> None:
    answers = {name: await told(house, caller) for name, caller in bad.items()}
    answers["malformed token"] = await told(house, Caller("tcp", token=Plaintext(b"secretsd_x")))
    answers["no proof"] = await told(house, Caller("tcp"))
    assert len(set(answers.values())) == 1, answers


async def test_so_it_has_while_further_ones_are_held_up(house: House, bad: dict[str, Caller]) -> None:
    """Also those whose rows are in memory, which are looked at because they could be good."""
    for caller in bad.values():
        await told(house, caller)
    house.pipeline = Pipeline(house.parts, limits=CallerLimits(free_failed_proofs=1, now=lambda: 1000.0))
    await told(house, bad["unknown token"])
    answers = {name: await told(house, caller) for name, caller in bad.items()}
    assert len(set(answers.values())) == 1, answers
    assert next(iter(answers.values()))[2] == 1


async def medians(tries: Mapping[str, Callable[[], Awaitable[object]]]) -> dict[str, float]:
    """The median time of each, in seconds, taken in turns so that a slow moment of the host falls on all alike."""
    times: dict[str, list[float]] = {name: [] for name in tries}
    for _ in range(ROUNDS):
        for name, one in tries.items():
            started = time.perf_counter()
            for _ in range(AT_ONCE):
                with contextlib.suppress(SecretsdError):
                    await one()
            times[name].append(time.perf_counter() - started)
    # Of the quicker half: what is slower was held up by something else on the host.
    return {name: statistics.median(sorted(found)[: ROUNDS // 2]) for name, found in times.items()}


@pytest.mark.parametrize(
    ("alike", "apart"),
    [
        (("unknown token", "expired token", "deleted token"), APART),
        (("unknown session", "revoked session"), APART),
        (("wrong secret", "disabled key", "disabled key, wrong secret"), APART),
        # Some 3 µs, for the look at the user. The id of an access key is no secret; whether it is in use is told above.
        (("unknown access key", "disabled key"), 0.75),
    ],
    ids=["tokens", "sessions", "access keys", "unknown access keys"],
)
async def test_bad_proofs_take_the_same_time(
    house: House, bad: dict[str, Caller], alike: tuple[str, ...], apart: float
) -> None:
    parts = house.parts
    authenticator = Authenticator(parts.rows, parts.jwt_proofs, parts.access_key_proofs, parts.tls_proofs)
    for name in alike:
        await told(house, bad[name])  # what is opened once and kept is so from here on
    now_ms = house.clock.now_ms()
    found = await medians({name: partial(authenticator.principal, bad[name], now_ms) for name in alike})
    assert max(found.values()) <= min(found.values()) * (1 + apart), found


async def test_what_somebody_may_not_see_is_as_if_it_were_not_there(house: House) -> None:
    nobody = await house.user("nobody")
    await house.call("CreateSecret", name="there", text="x")
    key = await house.call("CreateKey")
    missing = "00000000-0000-4000-8000-000000000000"
    for operation, there, gone in (
        ("DescribeUser", {"user": "admin"}, {"user": "nowhere"}),
        ("ListTokens", {"user": "admin"}, {"user": "nowhere"}),
        ("GetSecretValue", {"name": "there"}, {"name": "nowhere"}),
        ("DescribeKey", {"key": key.id}, {"key": missing}),
        ("DescribeAccount", {"account": house.account}, {"account": "1" * 12}),
        ("RecoverAdministrator", {"account": house.account}, {"account": "1" * 12}),
    ):
        assert await told(house, nobody, operation, **there) == await told(house, nobody, operation, **gone), operation


async def test_it_takes_the_same_time_too(house: House) -> None:
    nobody = await house.user("nobody")
    await house.call("CreateSecret", name="there", text="x")
    found = await medians({name: partial(house.run, "GetSecretValue", nobody, name=name) for name in ("there", "gone")})
    assert max(found.values()) <= min(found.values()) * (1 + APART), found
