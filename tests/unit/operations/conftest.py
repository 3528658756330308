"""The house without its processes: real SQLite, a key store in memory, a clock that tests turn, the real pipeline."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from secretsd.adapters.calendar import TriggerCalendar
from secretsd.api.fields import TextValue
from secretsd.domain.keys import CMK, KeyState
from secretsd.domain.records import Record
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.catalogue import catalogue
from secretsd.operations.parts import assemble
from secretsd.operations.pipeline import Answer, Pipeline
from secretsd.operations.request_facts import Way
from secretsd.ports.rotator import RotationFailed
from secretsd.ports.storage import Add, Delete, EventFilter, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.policies import document
from secretsd.testing.storage import authenticator, temporary_storage

OPERATIONS = catalogue()
ROOT = Caller("unix", 0, way=Way(uid=0, is_of_host=lambda: True))


class Clock:
    """Wall time that only moves when a test says so, and by a millisecond with every look."""

    def __init__(self) -> None:
        self.ms = 1_800_000_000_000

    def now_ms(self) -> int:
        self.ms += 1
        return self.ms

    def pass_days(self, days: float) -> None:
        self.ms += int(days * 24 * 3600 * 1000)


class NoRotators:
    """A rotator host that is away."""

    async def rotators(self, *_: Any) -> Any:
        raise RotationFailed("host-away")

    check_settings = check_address = prepare = apply = settle = probe = verify = idle = restore = revoke = rotators


class Failed(Exception):
    """An answer that is an error."""

    def __init__(self, answer: Answer) -> None:
        assert answer.error is not None
        super().__init__(answer.error.kind.value)
        self.error = answer.error
        self.request_id = answer.request_id


class House:
    """Operations as callers reach them. `call` returns the response or raises Failed, whose text is the error kind."""

    def __init__(
        self, storage: Any, keystore: MemoryKeyStore, keep_seconds: float = 300.0, rotators: Any = None
    ) -> None:
        self.storage, self.keystore, self.clock = storage, keystore, Clock()
        host: Any = rotators or NoRotators()
        self.parts = assemble(
            storage=storage, keystore=keystore, rotators=host, escrow=MemoryEscrow(),
            calendar=TriggerCalendar(1), clock=self.clock, authenticator=authenticator(),
            data_key_seconds=keep_seconds, min_interval_seconds=1,
        )  # fmt: skip
        self.authorizer, self.sealer = self.parts.authorizer, self.parts.sealer
        self.pipeline = Pipeline(self.parts)
        self.account = ""

    async def run(self, name: str, caller: Caller = ROOT, /, **fields: Any) -> Answer:
        operation = OPERATIONS[name]
        for field in ("text", "value"):
            if isinstance(fields.get(field), str):
                fields[field] = TextValue.from_text(fields[field])
        return await self.pipeline.run(operation, lambda: operation.request(**fields), caller)

    async def call(self, name: str, caller: Caller = ROOT, /, **fields: Any) -> Any:
        answer = await self.run(name, caller, **fields)
        if answer.error is not None:
            raise Failed(answer)
        return answer.response

    async def text(self, name: str, caller: Caller = ROOT, **fields: Any) -> str:
        """The text of a secret's value."""
        response = await self.call("GetSecretValue", caller, name=name, **fields)
        return str(response.text.reveal().decode())

    async def events(self, request_id: str | None = None, account: str | None = None) -> list[dict[str, Any]]:
        """All events of an account, or those of one request."""
        wanted = EventFilter(
            account or self.account, request_id=None if request_id is None else bytes.fromhex(request_id)
        )
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page, after = await self.storage.audit.lookup(wanted, after, 100)
            found += [msgspec.json.decode(data) for data in page]
            if after is None:
                return found

    async def user(self, name: str, *statements: dict[str, Any]) -> Caller:
        """A caller with a token of a new user who may do what the statements say."""
        await self.call("CreateUser", user=name)
        if statements:
            await self.allow(name, f"of-{name}", *statements)
        made = await self.call("CreateToken", user=name)
        return Caller("tcp", token=Plaintext(made.token.reveal()))

    async def allow(self, user: str, policy: str, *statements: dict[str, Any]) -> None:
        """Make a policy and attach it."""
        await self.call("CreatePolicy", policy=policy, document=document(*statements))
        await self.call("AttachPolicy", user=user, policy=policy)

    async def add_record(self, record: Record) -> None:
        """Store a record that no operation makes, as a recorded change."""
        change = Add(record, authenticator().mac(record))
        await self.storage.commit(UnitOfWork((change,), samples.event("Added", accounts=(samples.OTHER_ACCOUNT,))))
        self.storage.refresh()

    async def drop_record(self, record: Record) -> None:
        """Take away a record in a way that no operation does, as a recorded change."""
        unit = UnitOfWork((Delete(record),), samples.event("Dropped", accounts=(samples.OTHER_ACCOUNT,)))
        await self.storage.commit(unit)
        self.storage.refresh()

    async def set_key_state(self, key_id: str, state: KeyState) -> CMK:
        """What the operations of a later release do: move a key to another state, as a recorded change."""
        before = await self.storage.keys.get(self.account, key_id)
        after = replace(before.become(state), revision=before.revision + 1)
        change = Replace(before, after, authenticator().mac(after))
        await self.storage.commit(UnitOfWork((change,), samples.event("DisableKey", accounts=(self.account,))))
        self.storage.refresh()
        return after


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with temporary_storage(tmp_path / "storage") as storage:
        made = House(storage, MemoryKeyStore())
        made.account = await ensure_first_account(made.parts, (), "test")
        yield made


@pytest.fixture
def tools() -> SimpleNamespace:
    """What tests of operations share beside the house."""
    return SimpleNamespace(House=House, Failed=Failed, ROOT=ROOT)


@pytest.fixture
async def apps(house):
    for name in "ab":
        await house.call("CreateSecret", name=f"app/{name}", text="one")
    return ("app/a", "app/b")
