"""Fills a storage with secrets through its port, sealed by the running key store: a node beside the daemon's own.

Run as `python -m benchmarks.secrets_loader STATE_DIR FIRST COUNT`; takes the uid that owns the storage, as workers do.
"""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.sqlite import SqliteStorage, open_storage
from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.keys import WrappedKey
from secretsd.domain.records import RECORDS, RecordAuthenticator, key_of
from secretsd.domain.secrets import CURRENT, DataType, Secret, SecretVersion, VersionState
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import events
from secretsd.operations.ids import new_id, new_request_id
from secretsd.operations.sealing import Sealer
from secretsd.ports.storage import Add, UnitOfWork

SECRETS_A_UNIT = 25
UNITS_AT_ONCE = 8


def name_of(index: int) -> str:
    """The name of a loaded secret."""
    return f"bench/loaded/{index // 1000:05d}/app-{index:08d}"


def value_of(index: int) -> str:
    """The value of a loaded secret."""
    return f"value-{index:058d}"


def load(state_dir: Path, first: int, count: int) -> None:
    """Load in a process of its own; CalledProcessError when it fails."""
    command = [sys.executable, "-m", "benchmarks.secrets_loader", str(state_dir), str(first), str(count)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


class Loader:
    """Makes and commits secrets of the first account under its default key."""

    def __init__(self, storage: SqliteStorage, sealer: Sealer, authenticator: RecordAuthenticator) -> None:
        self._storage = storage
        self._sealer = sealer
        self._authenticator = authenticator

    async def fill(self, first: int, count: int) -> None:
        """Load the secrets numbered from `first` on."""
        account = (await self._storage.proofs.binding("unix:uid/0")).account
        key_id = (await self._storage.accounts.get(account)).default_key_id
        key = await self._storage.keys.get(account, key_id)
        wrapped = await self._storage.keys.version(account, key_id, key.current_version)
        units = [
            range(at, min(at + SECRETS_A_UNIT, first + count)) for at in range(first, first + count, SECRETS_A_UNIT)
        ]
        for at in range(0, len(units), UNITS_AT_ONCE):
            await asyncio.gather(*(self._unit(wrapped, indices) for indices in units[at : at + UNITS_AT_ONCE]))

    async def _unit(self, key: WrappedKey, indices: range) -> None:
        made = await asyncio.gather(*(self._secret(key, index) for index in indices))
        adds = tuple(add for one in made for add in one)
        rows = tuple(
            ChangedRow(RECORDS[type(add.record)].table, key_of(add.record), add.record.revision, add.mac)
            for add in adds
        )
        now_ms = time.time_ns() // 1_000_000
        resource = f"secretsd:{key.account}:secret/bench/loaded/*"
        identity = new_request_id(now_ms)
        event = AuditEvent(identity, now_ms, (key.account,), "", "host", "host", "Load", resource, "ok", changes=rows)
        await self._storage.commit(UnitOfWork(adds, events.record(event)))

    async def _secret(self, key: WrappedKey, index: int) -> tuple[Add, ...]:
        now_ms = time.time_ns() // 1_000_000
        secret_id, version_id = new_id(), new_id()
        stages = {CURRENT: version_id}
        secret = Secret(
            key.account,
            name_of(index),
            secret_id,
            "",
            key.key_id,
            now_ms,
            now_ms,
            stages,
            next_number=2,
            version_count=1,
        )
        kinds = DataType.TEXT, VersionState.LIVE
        version = SecretVersion(key.account, secret_id, version_id, 1, *kinds, now_ms, key.key_id, key.version)
        value = Plaintext.from_text(value_of(index))
        sealed = await self._sealer.seal(key, key.account, secret_id, version_id, value, "load")
        return tuple(Add(record, self._authenticator.mac(record)) for record in (secret, version, sealed))


async def main(state_dir: Path, first: int, count: int) -> None:
    """Load into the storage of a running daemon."""
    keystore = ProcessKeyStore(state_dir / "run" / "keystore.sock", deadline_seconds=10.0)
    try:
        authenticator = RecordAuthenticator((await keystore.storage_key()).reveal())
        async with open_storage(state_dir / "storage", authenticator) as storage:
            await Loader(storage, Sealer(keystore, keep_seconds=0), authenticator).fill(first, count)
    finally:
        await keystore.close()


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    if os.geteuid() == 0:
        owner = (directory / "storage").stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(directory, int(sys.argv[2]), int(sys.argv[3])))
