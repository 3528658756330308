"""What a replay makes of stages, notes, numbers, logins and keys, each in the one unit that brings a candidate back."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.errors import Conflict, NotFound
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.domain.rotation import MachineKind, Rotation, RotationState
from secretsd.domain.secrets import Barrier, DataType, SealedValue, Secret, SecretVersion, VersionState
from secretsd.domain.targets import TargetLogin
from secretsd.operations.escrow_replay import FORGOTTEN_EPOCHS, ReplayEscrowRequest, unheard_of
from secretsd.operations.registry import OPERATIONS
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.storage import Add, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

NAME = "prod/db/app"


def entry_of(secret: Secret, number: int, current: str, **fields: Any) -> EscrowEntry:
    """Candidate `c-<number>` of the secret, at a time when `current` was proved."""
    version_id = f"c-{number}"
    rotation = Rotation(
        secret.account, secret.id, secret.name, "postgresql", '{"schema":"app"}', state=RotationState.APPLYING,
        pending_version=version_id, journal=(f"note-{number}", "later"), machine=MachineKind.SINGLE_USER,
        target="db-1", logins=("app_a",), run=number, steps=40 + number, revision=number,
    )  # fmt: skip
    version = SecretVersion(
        secret.account, secret.id, version_id, number, DataType.TEXT, VersionState.LIVE, 1000 + number, secret.key_id, 1
    )
    sealed = SealedValue(secret.account, secret.id, version_id, b"\x01" * 80, b"sealed")
    at_the_time = replace(
        secret, stages={**secret.stages, "current": current, "pending": version_id}, next_number=number + 1
    )
    entry = EscrowEntry(1000 + number, 70 + number, at_the_time, rotation, version, sealed)
    return replace(entry, rotation=replace(rotation, **fields))


async def made(house: Any) -> Secret:
    await house.call("CreateSecret", name=NAME, text="one")
    await house.call("PutSecretValue", name=NAME, text="two")
    return await stored(house)


async def stored(house: Any) -> Secret:
    found: Secret = await house.storage.secrets.get(house.account, NAME)
    return found


async def rotation_of(house: Any, secret: Secret) -> Rotation:
    found: Rotation = await house.storage.rotations.get(secret.account, secret.id)
    return found


async def change(house: Any, *records: Any) -> None:
    """Add records as some operation has."""
    changes = tuple(Add(record, authenticator().mac(record)) for record in records)
    await house.storage.commit(UnitOfWork(changes, samples.event("Test", accounts=(house.account,))))
    house.storage.refresh()


async def replay(house: Any, *entries: EscrowEntry) -> int:
    principal = Principal(house.account, ROTATION_ROLE, "schedule")
    request = ReplayEscrowRequest(name=NAME, entries=entries)
    done = await house.pipeline.run_scheduled(OPERATIONS["ReplayEscrow"], request, principal, None)
    return int(done.candidates)


async def test_the_newest_becomes_the_candidate_whose_fate_is_unknown(house: Any) -> None:
    secret = await made(house)
    entries = [entry_of(secret, 3, secret.stages["current"]), entry_of(secret, 4, "c-3"), entry_of(secret, 6, "c-3")]
    assert await replay(house, *entries) == 3
    now, rotation = await stored(house), await rotation_of(house, secret)
    assert now.stages == {"current": "c-3", "pending": "c-6", "previous": secret.stages["previous"]}
    assert (now.next_number, now.version_count) == (7, secret.version_count + 3)
    assert (now.barrier, now.pinned) == (Barrier.HOLD, True)
    assert (rotation.state, rotation.pending_version, rotation.journal) == (RotationState.RESOLVING, "c-6", ("note-6",))
    assert rotation.kept == {"c-3": "note-3", "c-4": "note-4"}
    assert rotation.epoch_floor == 76 + FORGOTTEN_EPOCHS
    assert rotation.next_due_ms is not None
    assert rotation.next_due_ms <= house.clock.ms
    assert (rotation.target, rotation.logins, rotation.settings) == ("db-1", ("app_a",), '{"schema":"app"}')
    login = await house.storage.targets.login("db-1", "app_a")
    assert (login.account, login.secret_id) == (house.account, secret.id)
    for entry in entries:
        assert await house.storage.secrets.value(house.account, secret.id, entry.version.id) == entry.sealed
    (step,) = await house.storage.rotations.steps(house.account, secret.id, 1000, 10)
    assert (step.number, step.state, step.reason, step.version_id) == (
        0, RotationState.RESOLVING, "restored-from-backup", "c-6",
    )  # fmt: skip
    assert rotation.steps == 1


async def test_a_storage_that_is_restored_once_more_begins_above_all_that_came_after_the_first(house: Any) -> None:
    secret = await made(house)
    await replay(house, entry_of(secret, 6, "c-3"))
    (entry,) = await house.parts.escrow.entries()
    assert entry.epoch == (await rotation_of(house, secret)).epoch_floor == 76 + FORGOTTEN_EPOCHS
    assert (entry.version.id, entry.rotation.pending_version) == ("c-6", "c-6")


async def test_a_stage_whose_version_is_lost_stays_where_the_backup_has_it(house: Any) -> None:
    """What somebody put by hand after the backup is in no escrow."""
    secret = await made(house)
    await replay(house, entry_of(secret, 9, "put-by-hand"))
    assert (await stored(house)).stages["current"] == secret.stages["current"]


async def test_a_candidate_that_the_backup_had_under_way_stays_among_those_that_may_work(house: Any) -> None:
    secret = await made(house)
    under_way = replace(
        entry_of(secret, 2, secret.stages["previous"]).rotation,
        pending_version=secret.stages["current"], journal=("note-2",), steps=5, run=2, kept={"gone": "x"}, revision=0,
    )  # fmt: skip
    await change(house, under_way, TargetLogin("db-1", "app_a", house.account, secret.id, 5))
    await replay(house, entry_of(secret, 3, secret.stages["current"]))
    rotation = await rotation_of(house, secret)
    assert rotation.kept == {secret.stages["current"]: "note-2"}
    assert (rotation.steps, rotation.run) == (6, 3)
    assert [step.number for step in await house.storage.rotations.steps(house.account, secret.id, 99, 10)] == [5]


async def test_logins_follow_the_entry(house: Any) -> None:
    secret = await made(house)
    before = replace(entry_of(secret, 2, "").rotation, state=RotationState.IDLE, logins=("app_a", "app_b"), revision=0)
    await change(house, before, *(TargetLogin("db-1", one, house.account, secret.id, 5) for one in before.logins))
    await replay(house, entry_of(secret, 3, secret.stages["current"], logins=("app_b", "app_c")))
    with pytest.raises(NotFound):
        await house.storage.targets.login("db-1", "app_a")
    assert (await house.storage.targets.login("db-1", "app_c")).secret_id == secret.id


async def test_a_login_that_another_secret_took_is_not_taken_back(house: Any) -> None:
    secret = await made(house)
    await change(house, TargetLogin("db-1", "app_a", house.account, "id-of-another", 5))
    with pytest.raises(Conflict, match="another one holds its login"):
        await replay(house, entry_of(secret, 3, secret.stages["current"]))
    assert await stored(house) == secret


async def test_a_candidate_whose_key_is_lost_is_told_and_the_one_before_it_comes_back(
    house: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret = await made(house)
    lost = entry_of(secret, 4, "c-3")
    lost = replace(lost, version=replace(lost.version, key_version=2))
    assert await replay(house, entry_of(secret, 3, secret.stages["current"]), lost) == 1
    assert (await stored(house)).stages["pending"] == "c-3"
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert await replay(house, lost) == 0


async def test_turns_are_held_too_because_a_backup_may_be_two_of_them_old(house: Any) -> None:
    secret = await made(house)
    entry = entry_of(secret, 3, secret.stages["current"], machine=MachineKind.ALTERNATING, logins=("app_a", "app_b"))
    await replay(house, entry)
    now = await stored(house)
    assert (now.barrier, now.pinned) == (Barrier.HOLD, True)


async def test_its_event_names_what_came_back_and_no_value(house: Any) -> None:
    secret = await made(house)
    await replay(house, entry_of(secret, 3, secret.stages["current"]))
    (event,) = [one for one in await house.events() if one["operation"] == "ReplayEscrow"]
    assert event["fields"] == {"versions": ["c-3"], "secret_came_back": False}
    assert event["resource"] == f"secretsd:{house.account}:secret/{NAME}"


async def test_replayed_twice_it_is_once(house: Any) -> None:
    secret = await made(house)
    entries = [entry_of(secret, 3, secret.stages["current"]), entry_of(secret, 4, "c-3")]
    await replay(house, *entries)
    after = await stored(house), await rotation_of(house, secret)
    assert await replay(house, *entries) == 0
    assert (await stored(house), await rotation_of(house, secret)) == after


@pytest.mark.parametrize(
    ("number", "state", "pending", "revision", "behind"),
    [
        (9, RotationState.IDLE, None, 50, True),  # a number that is yet to be given
        (8, RotationState.IDLE, None, 50, False),
        (8, RotationState.CANDIDATE_STORED, "c-8", 8, True),  # about to begin what was begun
        (8, RotationState.CANDIDATE_STORED, "c-8", 7, True),
        (8, RotationState.CANDIDATE_STORED, "c-8", 9, False),  # begun, and surely nothing was changed
        (8, RotationState.CANDIDATE_STORED, "c-7", 8, False),
        (8, RotationState.APPLYING, "c-8", 8, False),  # the engine finds out by itself
        (8, RotationState.QUARANTINED, "c-8", 8, False),
    ],
)
def test_what_a_storage_is_behind(
    number: int, state: RotationState, pending: str | None, revision: int, behind: bool
) -> None:
    secret = samples.secret()
    entry = entry_of(secret, number, "v-1")
    rotation = replace(entry.rotation, state=state, pending_version=pending, revision=revision)
    assert unheard_of(replace(secret, next_number=9), rotation, [entry]) == ([entry] if behind else [])
    assert unheard_of(None, None, [entry]) == [entry]


def test_a_candidate_begun_twice_counts_as_of_its_last_time() -> None:
    secret = samples.secret()
    first, other = entry_of(secret, 8, "v-1"), entry_of(secret, 5, "v-1")
    again = replace(first, rotation=replace(first.rotation, revision=12), epoch=99)
    rotation = replace(first.rotation, state=RotationState.CANDIDATE_STORED, revision=12)
    assert unheard_of(None, None, [first, other, again]) == [other, again]
    assert unheard_of(replace(secret, next_number=9), rotation, [first, other, again]) == [again]


async def test_replace_is_compare_and_set(house: Any) -> None:
    """Somebody who was faster with the same number makes it start over, from what is stored then."""
    secret = await made(house)
    storage, real = house.storage, house.storage.commit
    raced: list[UnitOfWork] = []

    async def commit(unit: UnitOfWork) -> None:
        if not raced and any(
            isinstance(one, Replace) and isinstance(one.after, Rotation | Secret) for one in unit.changes
        ):
            raced.append(unit)
            await house.call("TagResource", resource=f"secret/{NAME}", tags={"late": "yes"})
        await real(unit)

    storage.commit = commit
    try:
        assert await replay(house, entry_of(secret, 3, secret.stages["current"])) == 1
    finally:
        del storage.commit
    now = await stored(house)
    assert now.tags == {"late": "yes"}
    assert now.stages["pending"] == "c-3"
