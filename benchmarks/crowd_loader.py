"""Fills a storage with a crowd through its port, as a node beside the daemon's own.

Run as `python -m benchmarks.crowd_loader STATE_DIR SIZE` with [JWKS, certificates] as JSON on standard input; takes the
uid that owns the storage, as workers do.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import uvloop

from benchmarks.crowd import Crowd, Signers
from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.sqlite import open_storage
from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.records import RECORDS, Record, RecordAuthenticator, key_of
from secretsd.operations import events
from secretsd.operations.ids import new_request_id
from secretsd.ports.storage import Add, Storage, UnitOfWork

RECORDS_A_UNIT = 200


def load(state_dir: Path, size: int, signers: Signers) -> None:
    """Load in a process of its own; CalledProcessError when it fails."""
    command = [sys.executable, "-m", "benchmarks.crowd_loader", str(state_dir), str(size)]
    subprocess.run(command, check=True, input=json.dumps(signers.public()).encode())


async def fill(storage: Storage, authenticator: RecordAuthenticator, crowd: Crowd, public: tuple[str, str]) -> None:
    """Commit the crowd's records, each with its authenticator, in units of work with their events."""
    records = crowd.records(*public, time.time_ns() // 1_000_000)
    while unit := list(islice(records, RECORDS_A_UNIT)):
        await storage.commit(_unit(crowd.account, unit, authenticator))


def _unit(account: str, records: list[Record], authenticator: RecordAuthenticator) -> UnitOfWork:
    adds = tuple(Add(record, authenticator.mac(record)) for record in records)
    rows = tuple(ChangedRow(RECORDS[type(add.record)].table, key_of(add.record), 0, add.mac) for add in adds)
    now_ms = time.time_ns() // 1_000_000
    resource = f"secretsd:{account}:user/*"
    identity = new_request_id(now_ms)
    event = AuditEvent(identity, now_ms, (account,), "", "host", "host", "Load", resource, "ok", changes=rows)
    return UnitOfWork(adds, events.record(event))


async def main(state_dir: Path, size: int, public: tuple[str, str]) -> None:
    """Load into the storage of a running daemon."""
    keystore = ProcessKeyStore(state_dir / "run" / "keystore.sock", deadline_seconds=10.0)
    try:
        authenticator = RecordAuthenticator((await keystore.storage_key()).reveal())
        async with open_storage(state_dir / "storage", authenticator) as storage:
            account = (await storage.proofs.binding("unix:uid/0")).account
            await fill(storage, authenticator, Crowd(account, size), public)
    finally:
        await keystore.close()


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    if os.geteuid() == 0:
        owner = (directory / "storage").stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    keys, certificates = json.load(sys.stdin)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(directory, int(sys.argv[2]), (keys, certificates)))
