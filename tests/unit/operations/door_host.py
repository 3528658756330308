"""A rotator host in this process, of one rotator: `doors` have logins and codes, and an administrator who changes them.

It writes down every order that it is given, so that tests see what a rotator is told of a target.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from secretsd.domain.credentials import Token
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import CMK, KeyMetadata, KeyOrigin, KeyOwner, KeyState, ProtectionLevel
from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import Account, User
from secretsd.domain.records import Record
from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller, token_digest
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.ports.rotator import (
    Acceptance,
    Candidate,
    JobOrder,
    Note,
    Outcome,
    RotationFailed,
    RotatorDescription,
    StagedSecret,
)
from secretsd.ports.storage import Add, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import authenticator, temporary_storage

ABILITIES = frozenset({"idle", "restore"})
NEIGHBOUR = "200000000002"
KEY_OF_NEIGHBOUR = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


class DoorHost:
    """Implements ports.rotator.RotatorHost for `doors` and, known by name alone, `gates`. `away` is set by tests."""

    def __init__(self) -> None:
        self.orders: list[JobOrder] = []
        self.codes: dict[str, Plaintext] = {}
        self.away = False

    async def rotators(self) -> Sequence[RotatorDescription]:
        doors = RotatorDescription("doors", "changes codes", {}, ABILITIES, MachineKind.SINGLE_USER, {})
        return [doors, replace(doors, name="gates"), RotatorDescription("random", "makes values", {}, frozenset())]

    async def check_settings(self, rotator: str, settings: str) -> str:
        self._look(rotator)
        if json.loads(settings):
            raise RotationFailed("bad-settings")
        return settings

    async def check_address(self, rotator: str, address: str) -> str:
        self._look(rotator)
        told = json.loads(address)
        if not {"house"} <= set(told) <= {"house", "floor"} or not isinstance(told["house"], str):
            raise RotationFailed("bad-settings", f"cannot read {address}")
        return json.dumps({"floor": 0, **told}, sort_keys=True, separators=(",", ":"))

    async def warm(self, rotator: str, account: str, methods: Sequence[str]) -> None:
        return

    async def prepare(self, order: JobOrder) -> Candidate:
        self.orders.append(order)
        return Candidate(Plaintext(f"code {len(self.orders)}".encode()))

    async def apply(self, order: JobOrder, note: Note) -> Outcome:
        self.orders.append(order)
        assert order.candidate is not None
        self.codes[order.logins[0]] = order.candidate.value
        return Outcome.APPLIED

    async def settle(self, order: JobOrder) -> None:
        self.orders.append(order)

    async def probe(self, order: JobOrder, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        self.orders.append(order)
        code = self.codes.get(order.logins[0])
        return {one.version_id: Acceptance.ACCEPTED if one.value == code else Acceptance.REFUSED for one in versions}

    async def verify(self, order: JobOrder) -> None:
        self.orders.append(order)

    async def idle(self, order: JobOrder) -> bool:
        return True

    async def restore(self, order: JobOrder) -> Outcome:
        raise AssertionError("nothing here has to be restored")

    async def revoke(self, order: JobOrder, version: StagedSecret) -> None:
        raise AssertionError("nothing here is revoked")

    def _look(self, rotator: str) -> None:
        if self.away:
            raise RotationFailed("host-away")
        if rotator not in ("doors", "gates", "random"):
            raise RotationFailed("unknown-rotator")


@asynccontextmanager
async def house_with_doors(path: Path, kind: Any) -> AsyncIterator[Any]:
    """A house (`kind` of conftest.py) whose rotators are a DoorHost; `neighbour` is another account's administrator."""
    host = DoorHost()
    async with temporary_storage(path) as storage:
        made = kind(storage, MemoryKeyStore(), rotators=host)
        made.account = await ensure_first_account(made.parts, (), "test")
        made.host, made.neighbour = host, await _neighbour(made)
        yield made


async def _neighbour(house: Any) -> Caller:
    """Another account, and the one who may do everything in it."""
    made = await house.keystore.generate_key(
        KeyMetadata(NEIGHBOUR, KEY_OF_NEIGHBOUR, 1, KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT)
    )
    kinds = (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT, KeyOrigin.HSM, ProtectionLevel.HSM, KeyOwner.SERVICE)
    use = Statement(Effect.ALLOW, ("UseTarget",), ("secretsd:system:target/*",))
    token = Plaintext(b"secretsd_" + b"7" * 43)
    records: list[Record] = [
        Account(NEIGHBOUR, "neighbour", KEY_OF_NEIGHBOUR, 1),
        CMK(NEIGHBOUR, KEY_OF_NEIGHBOUR, KeyState.ENABLED, *kinds, "", 1, 1),
        made,
        Policy(NEIGHBOUR, "all", (Statement(Effect.ALLOW, ("*",), ("*",)), use), "", 1),
        User(NEIGHBOUR, "boss", 1, ("all",)),
        Token(token_digest(token), "t-boss", NEIGHBOUR, "boss", 1, None),
    ]
    changes = tuple(Add(record, authenticator().mac(record)) for record in records)
    await house.storage.commit(UnitOfWork(changes, samples.event("CreateAccount", accounts=(NEIGHBOUR,))))
    house.storage.refresh()
    return Caller("tcp", token=token)
