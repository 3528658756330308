"""A process that raises workers for the storage tests: it has all imported, so a fork of it begins at once.

Reads one JSON line a worker from standard input, forks it, and prints `pid <name> <pid>`. Workers print what they were
told is committed, a line each, on the same standard output.
"""

import asyncio
import itertools
import json
import os
import signal
import sys
import traceback
from dataclasses import replace
from pathlib import Path

from secretsd.adapters.sqlite import SqliteStorage
from secretsd.domain.errors import Conflict
from secretsd.ports.storage import Add, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator, temporary_storage

mac = authenticator().mac


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def write(storage: SqliteStorage, name: str) -> None:
    """Create secrets, move a counter of our own and record reads for as long as we live."""

    async def create(task: int) -> None:
        for number in itertools.count():
            secret = samples.secret(f"{name}/{task}/{number:06}")
            records = (secret, samples.secret_version(1, secret.id), samples.sealed_value(1, secret.id, 500))
            event = samples.event("CreateSecret", resource=secret.name)
            await storage.commit(UnitOfWork(tuple(Add(record, mac(record)) for record in records), event))
            say("created", secret.name)

    async def count() -> None:
        counter = samples.user(f"counter-{name.replace('/', '-')}")
        await storage.commit(UnitOfWork((Add(counter, mac(counter)),), samples.event("CreateUser")))
        for revision in itertools.count(1):
            after = replace(counter, created_ms=revision, revision=revision)
            event = samples.event("Count", resource=counter.name)
            await storage.commit(UnitOfWork((Replace(counter, after, mac(after)),), event))
            say("counted", counter.name, revision)
            counter = after

    async def read() -> None:
        while True:
            event = samples.event(resource=f"read/{name}")
            await storage.audit.record(event)
            say("read", event.event.id.hex())
            await asyncio.sleep(0.001)

    await asyncio.gather(*(create(task) for task in range(6)), count(), read(), read())


async def increment(storage: SqliteStorage, name: str, times: int) -> None:
    """Add one to a counter that everybody adds to; read it again after a conflict."""
    for _ in range(times):
        while True:
            before = await storage.accounts.user(samples.ACCOUNT, "shared")
            after = replace(before, created_ms=before.created_ms + 1, revision=before.revision + 1)
            try:
                await storage.commit(UnitOfWork((Replace(before, after, mac(after)),), samples.event("Count")))
            except Conflict:
                continue
            break
        say("incremented", name)


async def hold(storage: SqliteStorage, name: str) -> None:
    """Take a lease and keep it."""
    lease = await storage.leases.claim("held", 3600)
    say("holds", name, lease.epoch if lease else None)
    await asyncio.sleep(3600)


async def work(order: dict) -> None:
    name, mode = order["name"], order["mode"]
    async with temporary_storage(Path(order["path"])) as storage:
        if mode == "write":
            await write(storage, name)
        elif mode == "increment":
            await increment(storage, name, order["times"])
        elif mode == "hold":
            await hold(storage, name)
        say("done", name)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if order["mode"] == "echo":
            say("echo")
            continue
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                asyncio.run(work(order))
            except BaseException:  # noqa: BLE001 - a fork must not run on in the nursery's loop, whatever happened
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        say("pid", order["name"], pid)


if __name__ == "__main__":
    main()
