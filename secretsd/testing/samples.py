"""Sample records and events, complete in every field, for tests of storages and of the layers above."""

import itertools
import os
import time
from collections.abc import Mapping
from dataclasses import replace

from secretsd.domain.audit import SALT_BYTES, AuditEvent, AuditRecord
from secretsd.domain.credentials import Token
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import CMK, Alias, KeyOrigin, KeyOwner, KeyState, KeyVersionState, ProtectionLevel, WrappedKey
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import Effect, InlinePolicy, Policy, Statement
from secretsd.domain.principals import Account, User
from secretsd.domain.proofs import Binding
from secretsd.domain.records import Record
from secretsd.domain.reencryption import ReEncryption, ReEncryptionState
from secretsd.domain.rotation import MachineKind, Rotation, RotationResult, RotationState, RotationStep
from secretsd.domain.schedule import Schedule, Window
from secretsd.domain.secrets import CURRENT, Barrier, DataType, SealedValue, Secret, SecretVersion, VersionState
from secretsd.domain.targets import Target, TargetLogin
from secretsd.testing import access_samples
from secretsd.testing.access_samples import ACCOUNT as ACCOUNT
from secretsd.testing.access_samples import KEY_ID as KEY_ID
from secretsd.testing.access_samples import OTHER_ACCOUNT as OTHER_ACCOUNT
from secretsd.testing.access_samples import conditional

_counter = itertools.count(1)


def account(identifier: str = ACCOUNT) -> Account:
    """An account; no two have the same name."""
    name = "Example & Söhne" if identifier == ACCOUNT else f"Example {identifier}"
    return Account(identifier, name, KEY_ID, 1_700_000_000_000)


def user(name: str = "ann", owner: str = ACCOUNT) -> User:
    """A user with policies and tags."""
    return User(owner, name, 1_700_000_000_001, ("readers", "writers"), {"team": "düsseldorf", "": "empty name"})


def token(digest: str = "ab" * 32, identifier: str = "t-1", expires_ms: int | None = None) -> Token:
    """A token of the sample user."""
    return Token(digest, identifier, ACCOUNT, "ann", 1_700_000_000_002, expires_ms)


def binding(proof: str = "unix:uid/1000", owner: str = ACCOUNT) -> Binding:
    """A binding to the sample user."""
    return Binding(proof, owner, "ann", 1_700_000_000_003)


def policy(name: str = "readers") -> Policy:
    """A policy of two statements."""
    allow = Statement(Effect.ALLOW, ("GetSecretValue", "List*"), ("secret/prod/*",))
    deny = Statement(Effect.DENY, ("*",), (f"secretsd:{ACCOUNT}:secret/prod/root", "secret/?"))
    return Policy(ACCOUNT, name, (allow, deny), "may read “prod”", 1_700_000_000_004)


def cmk(identifier: str = KEY_ID, deletion_ms: int | None = None) -> CMK:
    """A CMK, waiting for its deletion when that has a moment."""
    state = KeyState.ENABLED if deletion_ms is None else KeyState.PENDING_DELETION
    return CMK(
        ACCOUNT,
        identifier,
        state,
        KeySpec.AES_256,
        KeyUsage.ENCRYPT_DECRYPT,
        KeyOrigin.HSM,
        ProtectionLevel.HSM,
        KeyOwner.SERVICE,
        "the account's default",
        1,
        1_700_000_000_005,
        deletion_ms,
        {"env": "prod"},
    )


def wrapped_key(version: int = 1) -> WrappedKey:
    """A key version whose blob no key store ever made."""
    kinds = (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT, KeyOrigin.HSM, ProtectionLevel.HSM)
    return WrappedKey(ACCOUNT, KEY_ID, version, *kinds, 1, "kek-1", bytes(range(256)), b"\x00\xff" * 16)


def alias(name: str = "prod/db", key_id: str = KEY_ID) -> Alias:
    """An alias of the sample key."""
    return Alias(ACCOUNT, name, key_id, 1_700_000_000_013, 1_700_000_000_014)


def reencryption(key_id: str = KEY_ID) -> ReEncryption:
    """A re-encryption that is on its way."""
    times = (1_700_000_000_019, 50, 12, 3)
    return ReEncryption(ACCOUNT, key_id, ReEncryptionState.RUNNING, *times, next_due_ms=1_700_000_000_020)


def secret(
    name: str = "prod/db/app",
    identifier: str | None = None,
    tags: Mapping[str, str] | None = None,
    deletion_ms: int | None = None,
) -> Secret:
    """A secret with one current version; its id is made from its name unless given."""
    return Secret(
        ACCOUNT,
        name,
        identifier or f"id-of-{name}",
        "the app's password",
        KEY_ID,
        1_700_000_000_006,
        1_700_000_000_007,
        {CURRENT: "v-1", "blue/green": "v-1"},
        2,
        1,
        {"env": "prod"} if tags is None else dict(tags),
        deletion_ms,
    )


def secret_version(number: int = 1, secret_id: str = "id-of-prod/db/app", created_ms: int = 1_000) -> SecretVersion:
    """Version `v-<number>` of a secret."""
    kinds = (DataType.TEXT, VersionState.LIVE)
    return SecretVersion(ACCOUNT, secret_id, f"v-{number}", number, *kinds, created_ms, KEY_ID, 1)


def sealed_value(number: int = 1, secret_id: str = "id-of-prod/db/app", size: int = 64) -> SealedValue:
    """A value that nobody sealed."""
    return SealedValue(ACCOUNT, secret_id, f"v-{number}", b"\x01" * 80, bytes(size))


def rotation(
    secret_id: str = "id-of-prod/db/app",
    next_due_ms: int | None = 5_000,
    state: RotationState = RotationState.IDLE,
    enabled: bool = True,
) -> Rotation:
    """A rotation by cron."""
    schedule = Schedule(cron="0 3 * * sun", time_zone="Europe/Berlin", jitter_seconds=60)
    return Rotation(
        ACCOUNT,
        secret_id,
        "prod/db/app",
        "random",
        '{"length":32}',
        schedule,
        enabled,
        state,
        next_due_ms,
        journal=("bm90ZQ==", "bm90ZSAy"),
    )


def rotation_step(number: int = 0, secret_id: str = "id-of-prod/db/app") -> RotationStep:
    """An entry of a rotation's history."""
    moment = 1_700_000_000_008 + number
    return RotationStep(ACCOUNT, secret_id, number, 3, moment, RotationState.APPLYING, "not-now", "v-1", 7, 2)


def target(name: str = "db-1") -> Target:
    """A target with an administrator whose credential nobody sealed."""
    address = '{"database":"app","host":"db.example.net"}'
    logins = {ACCOUNT: "app_*\nreporting", OTHER_ACCOUNT: "*"}
    times = (1_700_000_000_009, 1_700_000_000_010)
    return Target(
        SYSTEM_ACCOUNT, name, f"id-of-{name}", "filed", address, *times, "rotator", "c2VhbGVk", logins, "ours"
    )


def target_login(login: str = "app_a", at: str = "db-1", secret_id: str = "id-of-prod/db/app") -> TargetLogin:
    """A login that the sample secret holds."""
    return TargetLogin(at, login, ACCOUNT, secret_id, 1_700_000_000_011)


def later_fields() -> list[Record]:
    """Records whose fields of later releases, those behind `revision`, are all at other values than their defaults."""
    windows = (Window(("sat", "sun"), "02:00", 180), Window(("mon",), "23:30", 60))
    return [
        replace(
            user("eve"),
            groups=("dbas",),
            boundary="bounds",
            inline=(InlinePolicy("own", (conditional(),)),),
            service=True,
            description="a machine",
        ),
        replace(token("ef" * 32, "t-9"), access_key="AK1", enrols_seconds=3600, network="192.0.2.0/24"),
        replace(binding("unix:uid/2000"), user="", role="deployer"),
        replace(policy("later"), statements=(conditional(),)),
        replace(secret("prod/db/held"), barrier=Barrier.UNPROVED, pinned=True, has_policy=True),
        replace(
            rotation("id-of-prod/db/held", state=RotationState.RESOLVING),
            schedule=Schedule(every_seconds=3600, windows=windows),
            machine=MachineKind.ALTERNATING,
            target="db-1",
            logins=("app_a", "app_b"),
            grace_seconds=900,
            kept={"v-1": "bm90ZQ==", "v-0": ""},
            cancelled=True,
            away=True,
            since_ms=1_700_000_000_012,
            last_result=RotationResult.ROLLED_BACK,
            run=7,
            steps=40,
            epoch_floor=12,
            restored=True,
            unnoted=True,
        ),
        replace(rotation_step(1, "id-of-prod/db/held"), result=RotationResult.QUARANTINED),
        replace(access_samples.session("ef" * 32, "STS9"), network="192.0.2.0/24"),
        replace(secret_version(3, "id-of-later"), made_by=f"secretsd:{ACCOUNT}:user/ann"),
        replace(access_samples.grant("cd" * 32), grantee_ms=1_700_000_000_001, retiring_ms=0),
        replace(
            cmk("id-of-held"),
            deletion_protection=True,
            protection_reason="the archive's key",
            rotation_seconds=7 * 86_400,
            next_rotation_ms=1_700_000_000_015,
            last_rotation_ms=1_700_000_000_016,
            material_expires_ms=1_700_000_000_017,
            oldest_version=2,
            has_policy=True,
        ),
        replace(
            wrapped_key(2),
            key_id="id-of-held",
            public_key=b"\x30\x59",
            fingerprint=b"\x00" * 32,
            created_ms=1_700_000_000_018,
            state=KeyVersionState.ABSENT,
        ),
    ]


def every_kind() -> list[Record]:
    """One record of each type."""
    return [
        account(),
        user(),
        token(),
        binding(),
        policy(),
        cmk(),
        wrapped_key(),
        alias(),
        reencryption(),
        secret(),
        secret_version(),
        sealed_value(),
        rotation(),
        rotation_step(),
        target(),
        target_login(),
        *access_samples.every_kind(),
    ]


def event(
    operation: str = "GetSecretValue",
    *,
    time_ms: int | None = None,
    accounts: tuple[str, ...] = (ACCOUNT,),
    principal: str = "user/ann",
    resource: str = f"secretsd:{ACCOUNT}:secret/prod/db/app",
) -> AuditRecord:
    """An event with an id of its own, larger than those before it at the same moment; a view for each account."""
    now_ms = time.time_ns() // 1_000_000 if time_ms is None else time_ms
    identifier = (now_ms << 80 | next(_counter) << 40 | int.from_bytes(os.urandom(5), "big")).to_bytes(16, "big")
    happened = AuditEvent(identifier, now_ms, accounts, principal, "token:t-1", "unix", operation, resource, "ok")
    data = f"event {identifier.hex()} {operation} {resource}".encode()
    return AuditRecord(happened, data, tuple((name, os.urandom(SALT_BYTES)) for name in accounts))
