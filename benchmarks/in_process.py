"""The worker's parts in this process, on a real storage and a key store in memory: to time them one by one."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from secretsd.adapters.calendar import TriggerCalendar
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.sqlite import open_storage
from secretsd.adapters.system_clock import SystemClock
from secretsd.dialects.native.dialect import NativeDialect
from secretsd.domain.records import RecordAuthenticator
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.bootstrap import ensure_first_account, ensure_token
from secretsd.operations.catalogue import catalogue
from secretsd.operations.parts import Parts, assemble
from secretsd.operations.pipeline import Pipeline
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.memory_keystore import MemoryKeyStore

TOKEN = "secretsd_" + "t" * 43


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker process is made of, without its transport."""

    parts: Parts
    dialect: NativeDialect
    account: str


@contextlib.asynccontextmanager
async def worker(directory: Path) -> AsyncIterator[Worker]:
    """A worker whose administrator has TOKEN."""
    keystore = MemoryKeyStore()
    authenticator = RecordAuthenticator((await keystore.storage_key()).reveal())
    async with open_storage(directory, authenticator) as storage:
        parts = assemble(
            storage=storage,
            keystore=keystore,
            rotators=ProcessRotatorHost(directory / "no-rotators.sock", attempt_seconds=1.0),
            escrow=MemoryEscrow(),
            calendar=TriggerCalendar(3600),
            clock=SystemClock(),
            authenticator=authenticator,
        )
        account = await ensure_first_account(parts, (), "benchmark")
        await ensure_token(parts, account, Plaintext.from_text(TOKEN), "benchmark")
        yield Worker(parts, NativeDialect(Pipeline(parts), catalogue(), {}), account)


def afresh(parts: Parts) -> Parts:
    """Parts on the same storage that have nothing in memory yet, as those of a worker that has just started."""
    return assemble(
        storage=parts.storage,
        keystore=parts.keystore,
        rotators=parts.rotators,
        escrow=parts.escrow,
        calendar=parts.calendar,
        clock=parts.clock,
        authenticator=parts.authenticator,
    )
