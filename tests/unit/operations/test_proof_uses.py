"""When proofs were used last: noted in memory, written now and then, shown with tokens, access keys and sessions."""

from typing import Any

import pytest

from secretsd.domain.credentials import KeyPair
from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.principals import Principal
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import proof_uses
from secretsd.operations.authenticator import Caller
from secretsd.operations.proof_uses import DAY_MS, KEPT_MS, ProofUses
from secretsd.ports.storage import ProofUse
from secretsd.testing.policies import document
from tests.unit.operations.two_accounts import outcome

GRANT = {"grant_type": "client_credentials"}


def by(proof: str) -> Principal:
    return Principal("1" * 12, "user/ann", proof)


class Written:
    """A storage that takes uses, or is away."""

    def __init__(self) -> None:
        self.away = False
        self.found: dict[str, ProofUse] = {}
        self.audit = self

    async def note_uses(self, uses) -> None:
        if self.away:
            raise StorageUnavailable
        self.found |= {use.proof: use for use in uses}

    async def uses(self, proofs):
        return [self.found[proof] for proof in proofs if proof in self.found]


async def test_each_kind_counts_under_what_is_listed():
    storage: Any = Written()
    uses = ProofUses(storage)
    for number, proof in enumerate(
        (
            "token/1",
            "access-key/A",
            "access-key/A/token/2",
            "session/S/name/secretsd:1:user/x",
            "unix:uid/0",
            "schedule",
        )
    ):
        uses.note(by(proof), 1000 + number, "tcp:1", "Encrypt")
    await uses.flush()
    told = {proof: (use.time_ms, use.until_ms - use.time_ms) for proof, use in storage.found.items()}
    assert told == {
        "token/1": (1000, KEPT_MS), "access-key/A": (1002, KEPT_MS), "session/S": (1003, DAY_MS),
    }  # fmt: skip


async def test_a_use_is_written_once_and_kept_while_the_storage_is_away():
    storage: Any = Written()
    uses = ProofUses(storage)
    uses.note(by("token/1"), 1000, "a", "Encrypt")
    uses.note(by("token/2"), 1000, "a", "Encrypt")
    storage.away = True
    with pytest.raises(StorageUnavailable):
        await uses.flush()
    uses.note(by("token/1"), 2000, "b", "Decrypt")
    storage.away = False
    await uses.flush()
    assert {proof: use.time_ms for proof, use in storage.found.items()} == {"token/1": 2000, "token/2": 1000}
    storage.found.clear()
    await uses.flush()
    assert storage.found == {}


async def test_a_use_while_the_writing_fails_is_the_later_one():
    storage: Any = Written()
    uses = ProofUses(storage)
    uses.note(by("token/1"), 1000, "a", "Encrypt")

    async def fails(_) -> None:
        uses.note(by("token/1"), 2000, "b", "Encrypt")
        raise StorageUnavailable

    storage.note_uses, write = fails, storage.note_uses
    with pytest.raises(StorageUnavailable):
        await uses.flush()
    storage.note_uses = write
    await uses.flush()
    assert storage.found["token/1"].time_ms == 2000


async def test_the_latest_counts_whoever_noted_it():
    storage: Any = Written()
    here, there = ProofUses(storage), ProofUses(storage)
    here.note(by("token/1"), 1000, "here", "Encrypt")
    there.note(by("token/1"), 2000, "there", "Encrypt")
    assert (await here.last(["token/1"]))["token/1"].source == "here"
    await there.flush()
    assert (await here.last(["token/1"]))["token/1"].source == "there"
    here.note(by("token/1"), 3000, "here", "Encrypt")
    assert (await here.last(["token/1", "token/9"])).keys() == {"token/1"}
    assert (await here.last(["token/1"]))["token/1"].source == "here"


async def test_memory_is_bounded_and_known_ones_go_on(monkeypatch):
    monkeypatch.setattr(proof_uses, "MAX_NOTED", 2)
    storage: Any = Written()
    uses = ProofUses(storage)
    for number in range(4):
        uses.note(by(f"token/{number}"), number, "a", "Encrypt")
    uses.note(by("token/0"), 9, "a", "Encrypt")
    await uses.flush()
    assert {proof: use.time_ms for proof, use in storage.found.items()} == {"token/0": 9, "token/1": 1}


async def test_memory_is_bounded_also_where_writing_fails(monkeypatch):
    """What is later stays: of what waited already, as much as there is room for."""
    monkeypatch.setattr(proof_uses, "MAX_NOTED", 3)
    storage: Any = Written()
    uses = ProofUses(storage)
    for number in range(3):
        uses.note(by(f"token/{number}"), number, "a", "Encrypt")

    async def fails(_) -> None:
        for number in (7, 8, 1):
            uses.note(by(f"token/{number}"), 10 + number, "b", "Encrypt")
        raise StorageUnavailable

    storage.note_uses, write = fails, storage.note_uses
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await uses.flush()
    storage.note_uses = write
    await uses.flush()
    assert {proof: use.time_ms for proof, use in storage.found.items()} == {"token/7": 17, "token/8": 18, "token/1": 11}


async def test_what_is_listed_nowhere_takes_no_room(monkeypatch):
    monkeypatch.setattr(proof_uses, "MAX_NOTED", 1)
    storage: Any = Written()
    uses = ProofUses(storage)
    for proof in ("unix:uid/0", "systemd:unit/a.service", "jwt:a/sub=b", "tls:a/dns/b", "schedule", "enrolment/1"):
        uses.note(by(proof), 1, "a", "Encrypt")
    uses.note(by("token/1"), 2, "a", "Encrypt")
    await uses.flush()
    assert list(storage.found) == ["token/1"]


async def test_lists_show_the_last_use(house, tools):
    await house.call("CreateUser", user="ann")
    key = await house.call("CreateAccessKey", user="ann")
    caller = Caller("tcp:192.0.2.1:7", pair=KeyPair(key.access_key, Plaintext(key.secret.reveal())))
    (before,) = (await house.call("ListAccessKeys", user="ann")).access_keys
    assert before.last_used_ms is None
    await house.call("GetCallerIdentity", caller)
    token = await house.call("CreateAccessToken", caller, **GRANT)
    await outcome(house, "ListUsers", Caller("tcp:192.0.2.9:7", token=Plaintext(token.access_token.reveal())))
    own = await house.call("CreateToken", user="ann")
    await house.call("GetCallerIdentity", Caller("tcp:192.0.2.3:7", token=Plaintext(own.token.reveal())))
    await house.parts.proof_uses.flush()
    other = tools.House(house.storage, house.keystore)
    (used,) = (await other.call("ListAccessKeys", user="ann")).access_keys
    assert (used.last_used_from, used.last_operation) == ("tcp:192.0.2.9:7", "ListUsers")
    assert used.last_used_ms > before.created_ms
    listed = {one.id: one.last_used_from for one in (await other.call("ListTokens", user="ann")).tokens}
    assert listed[own.id] == "tcp:192.0.2.3:7"


async def test_sessions_show_theirs(house):
    await house.call("CreateUser", user="ann")
    caller = await house.user("bob", {"effect": "Allow", "action": ["AssumeRole"], "resource": ["role/*"]})
    trust = document({"effect": "Allow", "action": ["AssumeRole"], "principal": [f"secretsd:{house.account}:user/bob"]})
    await house.call("CreateRole", role="reader", trust=trust)
    made = await house.call("AssumeRole", caller, role="reader", session_name="build-7")
    session = Caller("tcp:192.0.2.4:7", token=Plaintext(made.session_token.reveal()))
    await house.call("GetCallerIdentity", session)
    (listed,) = (await house.call("ListRoleSessions", role="reader")).sessions
    assert (listed.last_used_from, listed.last_operation) == ("tcp:192.0.2.4:7", "GetCallerIdentity")


async def test_what_proved_nobody_was_not_used(house):
    await house.call("CreateUser", user="ann")
    key = await house.call("CreateAccessKey", user="ann")
    await outcome(house, "GetCallerIdentity", Caller("tcp", pair=KeyPair(key.access_key, Plaintext(b"x"))))
    (listed,) = (await house.call("ListAccessKeys", user="ann")).access_keys
    assert listed.last_used_ms is None
