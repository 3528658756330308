"""What is under older versions of a key is moved under its current one, resumed after a crash, done once, counted."""

import asyncio
from dataclasses import replace

import pytest

from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.keys import KeyState
from secretsd.domain.principals import KEY_ROTATION_ROLE
from secretsd.domain.rotation import MachineKind, RotationState
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.services.key_reencryption import ReEncryptions
from secretsd.testing import samples
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.storage import temporary_storage
from tests.unit.operations.reencryption import (
    FAST,
    SECRETS,
    changed,
    guarded,
    prepared,
    progress,
    require_all_readable,
    run,
    step,
)


async def test_everything_is_moved_and_read_as_before(house):
    key = await prepared(house)
    begun = await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    assert (begun.state, begun.total, begun.done, begun.left) == ("running", 50, 0, {"secret-version": 50})
    await run(house)
    done = await progress(house, key)
    assert (done.state, done.total, done.done, done.waiting, done.failed, done.left) == ("done", 50, 50, 0, 0, {})
    assert done.finished_ms > done.started_ms
    assert await guarded(house, key, 1) == []
    for version in await guarded(house, key, 2):
        sealed = await house.storage.secrets.value(house.account, version.secret_id, version.id)
        header, _, _ = CiphertextHeader.split(sealed.data_key)
        assert (header.key_id, header.key_version, header.purpose) == (key, 2, Purpose.SECRET_DATA_KEY)
    await require_all_readable(house)


async def test_what_is_moved_is_recorded_with_the_progress(house):
    key = await prepared(house, 2)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await run(house)
    events = [event for event in await house.events() if event["operation"] == "ContinueReEncryption"]
    assert sum(event["fields"].get("moved", 0) for event in events) == 4
    assert {event["principal"] for event in events} == {f"secretsd:{house.account}:{KEY_ROTATION_ROLE}"}
    (first,) = [event for event in events if event["fields"].get("moved")]
    assert sorted(row[0] for row in first["changes"]) == [
        "reencryptions",
        *["secret_values"] * 4,
        *["secret_versions"] * 4,
    ]


async def test_reads_never_fail_while_it_runs(house):
    key = await prepared(house)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    service = ReEncryptions(house.pipeline)
    running, reads = True, 0

    async def read(cached):
        nonlocal reads
        while running:
            for number in range(SECRETS):
                if not cached:
                    house.sealer.forget()
                answer = await house.run("GetSecretValue", name=f"s-{number:03}")
                assert answer.error is None
                assert answer.response.text.reveal() == f"value {number}".encode()
                reads += 1

    readers = [asyncio.create_task(read(cached)) for cached in (True, False, False)]
    await service.ensure()
    await service.settled()
    running = False
    await asyncio.gather(*readers)
    assert reads > SECRETS
    assert (await progress(house, key)).state == "done"


@pytest.mark.parametrize("between", ["version", "value"])
async def test_a_read_that_meets_two_moments_looks_again(house, monkeypatch, between):
    """Version and value are two rows: what is sealed anew between the look at each is no tampering."""
    key = await prepared(house, 1)
    house.sealer.forget()
    original = getattr(house.parts.rows, between)

    async def after_a_move(*arguments):
        found = await original(*arguments)
        monkeypatch.undo()
        await house.call("ReEncryptSecrets", key=key, per_second=FAST)
        await run(house)
        await house.call("DestroyKeyVersion", key=key, version=1, confirm_unknown_ciphertexts=True)
        house.sealer.forget()
        return found

    monkeypatch.setattr(type(house.parts.rows), between, lambda _, *arguments: after_a_move(*arguments))
    assert await house.text("s-000") == "value 0"
    assert await guarded(house, key, 1) == []


async def test_a_crash_between_units_is_resumed_where_it_stood(house):
    key = await prepared(house)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await step(house, key)
    await step(house, key)
    half = await progress(house, key)
    assert (half.state, half.done, half.left) == ("running", 20, {"secret-version": 30})
    await run(house)
    done = await progress(house, key)
    assert (done.state, done.total, done.done, done.left) == ("done", 50, 50, {})
    await require_all_readable(house)


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_a_crash_at_any_call_moves_nothing_by_half(house, monkeypatch, after):
    """The service is cancelled at its first call to key store or storage, then at its second, and so on."""
    key = await prepared(house, 3)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    calls, fatal = 0, 0

    def mortal(owner, name):
        original = getattr(owner, name)

        async def call(*arguments):
            nonlocal calls
            calls += 1
            if calls == fatal and not after:
                raise asyncio.CancelledError
            made = await original(*arguments)
            if calls == fatal:
                raise asyncio.CancelledError
            return made

        monkeypatch.setattr(owner, name, call)

    for owner, name in ((house.storage, "commit"), (house.keystore, "decrypt"), (house.keystore, "generate_data_key")):
        mortal(owner, name)
    while True:
        calls, fatal = 0, fatal + 1
        await run(house)
        died, fatal_was, fatal = calls >= fatal, fatal, 0
        found = await progress(house, key)
        left = len(await guarded(house, key, 1))
        assert (found.done, found.done + left) in ((0, 6), (6, 6))
        fatal = fatal_was
        if not died:
            break
    assert (found.state, fatal > 5) == ("done", True)
    await require_all_readable(house, 3)


async def test_two_workers_do_it_once(tmp_path, tools):
    async with temporary_storage(tmp_path / "storage") as one, temporary_storage(tmp_path / "storage") as other:
        keystore = MemoryKeyStore()
        houses = [tools.House(storage, keystore) for storage in (one, other)]
        houses[0].account = houses[1].account = await ensure_first_account(houses[0].parts, (), "test")
        key = await prepared(houses[0])
        await houses[0].call("ReEncryptSecrets", key=key, per_second=FAST)
        houses[1].clock.ms = houses[0].clock.ms
        services = [ReEncryptions(house.pipeline) for house in houses]
        while (await progress(houses[0], key)).state == "running":
            await asyncio.gather(*(service.ensure() for service in services))
            await asyncio.gather(*(service.settled() for service in services))
        done = await progress(houses[1], key)
        assert (done.done, done.failed, done.left) == (50, 0, {})
        for version in await guarded(houses[0], key, 2):
            assert version.revision == 1, "moved once"
        for house in houses:
            await require_all_readable(house)


async def test_two_steps_at_once_do_not_do_it_twice(house):
    """Without the lease: the compare-and-set alone."""
    key = await prepared(house, 10)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await asyncio.gather(*(step(house, key) for _ in range(3)), return_exceptions=True)
    await run(house)
    done = await progress(house, key)
    assert (done.state, done.done) == ("done", 20)
    assert {version.revision for version in await guarded(house, key, 2)} == {1}
    await require_all_readable(house, 10)


async def test_no_faster_than_it_was_told(house, monkeypatch):
    key = await prepared(house, 10)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    await house.call("ReEncryptSecrets", key=key, per_second=5)
    monkeypatch.setattr("secretsd.services.key_reencryption.asyncio.sleep", sleep)
    await run(house)
    assert (await progress(house, key)).done == 20
    assert 3.0 < sum(slept) <= 4.0, "twenty at five a second, less what the work itself took"
    assert max(slept) <= 1.0


async def test_one_that_runs_gets_the_new_rate_and_goes_on(house):
    key = await prepared(house)
    await house.call("ReEncryptSecrets", key=key, per_second=1)
    await step(house, key)
    again = await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    assert (again.state, again.per_second, again.total, again.done) == ("running", FAST, 50, 1)
    await run(house)
    assert (await progress(house, key)).done == 50


async def test_it_can_be_cancelled_and_begun_again(house, tools):
    key = await prepared(house)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await step(house, key)
    cancelled = await house.call("CancelReEncryption", key=key)
    assert (cancelled.state, cancelled.done, cancelled.left) == ("cancelled", 10, {"secret-version": 40})
    await run(house)
    assert await progress(house, key) == cancelled
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("CancelReEncryption", key=key)
    assert (await house.call("ReEncryptSecrets", key=key, per_second=FAST)).total == 40
    await run(house)
    assert (await progress(house, key)).state == "done"


async def test_a_key_without_one(house, tools):
    key = await prepared(house, 1)
    for operation in ("DescribeReEncryption", "CancelReEncryption"):
        with pytest.raises(tools.Failed, match="not-found"):
            await house.call(operation, key=key)


async def test_a_disabled_key_is_waited_for_and_one_that_goes_ends_it(house):
    key = await prepared(house, 2)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await house.call("DisableKey", key=key)
    await run(house)
    waiting = await progress(house, key)
    assert (waiting.state, waiting.done) == ("running", 0)
    await house.set_key_state(key, KeyState.PENDING_DELETION)
    house.clock.pass_days(1)
    await run(house)
    assert (await progress(house, key)).state == "cancelled"


async def test_versions_that_a_rotation_holds_wait_for_its_end(house):
    key = await prepared(house, 3)
    secret = await house.storage.secrets.get(house.account, "s-001")
    rotation = replace(
        samples.rotation(secret.id, state=RotationState.APPLYING, next_due_ms=None),
        account=house.account,
        machine=MachineKind.SINGLE_USER,
        pending_version=secret.stages["current"],
        journal=(),
    )
    await house.add_record(rotation)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await run(house)
    held = await progress(house, key)
    assert (held.state, held.done, held.left) == ("running", 4, {"secret-version": 2})
    assert {version.secret_id for version in await guarded(house, key, 1)} == {secret.id}
    await changed(house, rotation, replace(rotation, state=RotationState.IDLE, pending_version=None))
    house.clock.pass_days(1)
    await run(house)
    assert (await progress(house, key)).state == "done"
    await require_all_readable(house, 3)


async def test_what_was_tampered_with_is_told_and_keeps_nothing_else(house):
    key = await prepared(house, 3)
    secret = await house.storage.secrets.get(house.account, "s-001")
    value = await house.storage.secrets.value(house.account, secret.id, secret.stages["current"])
    await changed(house, value, replace(value, value=value.value[:-1] + bytes([value.value[-1] ^ 1])))
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await run(house)
    done = await progress(house, key)
    assert (done.state, done.done, done.failed, done.left) == ("incomplete", 5, 1, {"secret-version": 1})


async def test_a_rotation_in_between_is_met_by_the_next_try(house, monkeypatch):
    """What was sealed under a version that is replaced, and destroyed, before the unit commits is sealed again."""
    key = await prepared(house, 1)
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    original = house.keystore.generate_data_key

    async def meanwhile(*arguments):
        made = await original(*arguments)
        monkeypatch.undo()
        await house.call("RotateKeyOnDemand", key=key)
        return made

    monkeypatch.setattr(house.keystore, "generate_data_key", meanwhile)
    await step(house, key)
    assert len(await guarded(house, key, 3)) == 2
    await require_all_readable(house, 1)
