"""What every case of a profile begins with: an account, a target, and a secret that was rotated twice already."""

import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from secretsd.adapters.sqlite.schema import migrate
from secretsd.api.fields import TextValue
from secretsd.api.rotation import ScheduleFields
from secretsd.domain.audit import AuditEvent
from secretsd.domain.envelope import Purpose
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, KeyOwner
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.records import Record
from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.targets import Target, admin_context
from secretsd.operations import events
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.ids import new_id, new_request_id
from secretsd.operations.keys import new_key
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.keystore import KeyUse
from secretsd.ports.storage import Add, UnitOfWork
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.simulator.node import Node
from secretsd.testing.simulator.profiles import ROTATOR, TARGET, Profile
from secretsd.testing.simulator.target import SimulatedTarget

NAME = "prod/db/app"
EVERY_SECONDS = 30 * 24 * 3600
GRACE_SECONDS = 60
"""The rhythm of the secret under test; far beyond every pause between two attempts."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where every case of a profile begins. `older` is what the target accepted before the last rotation.

    `backup` is a copy of the storage from before the last rotation too.
    `begin_seconds` is the loop's time at which it was left, with the next rotation still to come.
    """

    profile: Profile
    directory: Path
    backup: Path
    keystore: MemoryKeyStore
    escrow: tuple[EscrowEntry, ...]
    target: SimulatedTarget
    older: dict[str, frozenset[str]]
    begin_seconds: float
    passwords: int


def copy_files(source: Path, directory: Path) -> None:
    """The files of a storage that no node has open."""
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "nodes").mkdir(mode=0o700, exist_ok=True)
    for path in source.iterdir():
        if path.is_file():
            shutil.copyfile(path, directory / path.name)


def prepare(directory: Path) -> None:
    """An empty storage with today's schema."""
    directory.mkdir(mode=0o700)
    migrate(directory)


async def furnish(node: Node, profile: Profile) -> None:
    """An account, the target, and the secret with its first value, whose rotation is due now."""
    parts = node.pipeline.parts
    account = await ensure_first_account(parts, (), "simulator")
    if profile.machine is not MachineKind.STANDALONE:
        await _target(node, profile, account)
    first, *others = profile.logins or ("app",)
    for at, login in enumerate(others, 1):
        # Where each login changes itself, the one that is next has to be known too.
        await node.call("CreateSecret", name=NAME, text=TextValue.from_text(value(login, f"password-{at}")))
    name = "PutSecretValue" if others else "CreateSecret"
    await node.call(name, name=NAME, text=TextValue.from_text(value(first, "password-0")))
    await node.call(
        "RotateSecret", name=NAME, rotator=ROTATOR, settings={},
        target=TARGET if profile.logins else None, logins=profile.logins or None, grace_seconds=GRACE_SECONDS,
        schedule=ScheduleFields(every_seconds=EVERY_SECONDS), rotate_immediately=True,
    )  # fmt: skip


async def _target(node: Node, profile: Profile, account: str) -> None:
    parts = node.pipeline.parts
    now_ms, identifier = parts.clock.now_ms(), new_id()
    key = new_key(SYSTEM_ACCOUNT, KeySpec.AES_256, KeyOwner.SERVICE, "key of targets", now_ms)
    wrapped = await parts.keystore.generate_key(KeyMetadata(key.account, key.id, 1, key.spec, key.usage))
    sealed, admin = "", "" if profile.alone else "admin"
    if admin:
        use = KeyUse(SYSTEM_ACCOUNT, Purpose.TARGET, "simulator")
        context = admin_context(identifier, "{}", admin)
        sealed = base64.b64encode(
            await parts.keystore.encrypt(wrapped, use, Plaintext(b"of the admin"), context)
        ).decode()
    target = Target(
        SYSTEM_ACCOUNT,
        TARGET,
        identifier,
        ROTATOR,
        "{}",
        now_ms,
        now_ms,
        admin,
        sealed,
        {account: "\n".join(profile.logins)},
    )
    records: list[Record] = [key, wrapped, target]
    changes = tuple(Add(one, parts.authenticator.mac(one)) for one in records)
    event = AuditEvent(
        new_request_id(now_ms), now_ms, (SYSTEM_ACCOUNT,), "", "simulator", "host", "InitialiseAccount", "", "ok"
    )
    await parts.storage.commit(UnitOfWork(changes, events.record(event)))


def value(login: str, password: str) -> str:
    """A secret's value in the shape that clients know."""
    return json.dumps({"engine": "simulated", "username": login, "password": password})
