"""Notes of rotations, the escrow and administrators of targets are moved under a key's current version too."""

import base64
from dataclasses import replace

import pytest

from secretsd.domain.credentials import KeyPair
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.keys import KeyMetadata
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.targets import admin_context
from secretsd.operations.authenticator import Caller
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.keystore import KeyUse
from secretsd.testing import samples
from tests.unit.operations.reencryption import FAST, prepared, progress, run


async def noted(house, key):
    """A rotation at rest with notes under the key's first version, one of its own candidate and one kept."""
    secret = await house.storage.secrets.get(house.account, "s-000")
    wrapped = await house.storage.keys.version(house.account, key, 1)
    current, older = secret.stages["current"], secret.stages["previous"]
    notes = [
        await house.sealer.seal_note(wrapped, house.account, secret.id, version, Plaintext(text), "r")
        for version, text in ((current, b"first"), (current, b"second"), (older, b"kept"))
    ]
    rotation = replace(
        samples.rotation(secret.id, next_due_ms=None),
        account=house.account,
        pending_version=current,
        journal=tuple(notes[:2]),
        kept={older: notes[2], "gone": ""},
    )
    await house.add_record(rotation)
    return secret, rotation


async def read_notes(house, secret, rotation, key_version):
    found = []
    pairs = [(rotation.pending_version, note) for note in rotation.journal]
    for version, note in [*pairs, *((known, note) for known, note in rotation.kept.items() if note)]:
        header, _, _ = CiphertextHeader.split(base64.b64decode(note))
        assert header.key_version == key_version
        wrapped = await house.storage.keys.version(house.account, header.key_id, header.key_version)
        found.append(await house.sealer.open_note(wrapped, house.account, secret.id, version, note, "r"))
    return found


async def test_notes_of_rotations_are_moved(house):
    key = await prepared(house, 1)
    secret, rotation = await noted(house, key)
    begun = await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    assert begun.left == {"secret-version": 2, "rotation-note": 1}
    await run(house)
    assert (await progress(house, key)).left == {}
    after = await house.storage.rotations.get(house.account, secret.id)
    assert await read_notes(house, secret, after, 2) == [b"first", b"second", b"kept"]
    assert after.kept["gone"] == ""
    assert replace(after, journal=rotation.journal, kept=rotation.kept, revision=0) == rotation


async def test_the_escrow_is_moved(house):
    """Each entry stands where it stood, and says what it said."""
    key = await prepared(house, 2)
    secret, rotation = await noted(house, key)
    entries = []
    for name, stage in (("s-000", "current"), ("s-000", "previous"), ("s-001", "current")):
        of = await house.storage.secrets.get(house.account, name)
        version = await house.storage.secrets.version(house.account, of.id, of.stages[stage])
        sealed = await house.storage.secrets.value(house.account, of.id, version.id)
        entries.append(EscrowEntry(1, 7, of, replace(rotation, secret_id=of.id, kept={}, journal=()), version, sealed))
    entries[0] = replace(entries[0], rotation=rotation)
    for entry in (*entries, replace(entries[0], epoch=8)):
        await house.parts.escrow.keep(entry)
    assert (await house.call("ReEncryptSecrets", key=key, per_second=FAST)).left["escrow-entry"] == 4
    await run(house)
    assert (await progress(house, key)).left == {}
    moved = await house.parts.escrow.entries()
    assert [(one.name, one.epoch) for one in moved] == [
        *((one.name, one.epoch) for one in entries),
        (entries[0].name, 8),
    ]
    wrapped = await house.storage.keys.version(house.account, key, 2)
    values = [await house.sealer.open(wrapped, one.sealed, "r") for one in moved]
    assert values == [b"value 0", b"old 0", b"value 1", b"value 0"]
    assert [one.version.key_version for one in moved] == [2] * 4
    assert await read_notes(house, secret, moved[0].rotation, 2) == [b"first", b"second", b"kept"]


async def test_an_entry_of_the_escrow_that_cannot_be_opened_keeps_nothing_else(house):
    key = await prepared(house, 2)
    for number in range(2):
        of = await house.storage.secrets.get(house.account, f"s-00{number}")
        version = await house.storage.secrets.version(house.account, of.id, of.stages["current"])
        sealed = await house.storage.secrets.value(house.account, of.id, version.id)
        if number == 0:
            sealed = replace(sealed, value=sealed.value[:-1] + bytes([sealed.value[-1] ^ 1]))
        rotation = replace(samples.rotation(of.id), account=house.account, journal=())
        await house.parts.escrow.keep(EscrowEntry(1, 7, of, rotation, version, sealed))
    await house.call("ReEncryptSecrets", key=key, per_second=FAST)
    await run(house)
    done = await progress(house, key)
    assert (done.state, done.done, done.failed, done.left) == ("incomplete", 5, 1, {"escrow-entry": 1})


async def test_administrators_of_targets_are_moved(house):
    """They are under the key of account `system`."""
    now_ms = house.clock.now_ms()
    key = replace(samples.cmk(), account=SYSTEM_ACCOUNT, created_ms=now_ms)
    versions = [await house.keystore.generate_key(KeyMetadata(SYSTEM_ACCOUNT, key.id, number)) for number in (1, 2)]
    target = replace(samples.target(), admin="")
    use = KeyUse(SYSTEM_ACCOUNT, Purpose.TARGET, "r")
    context = admin_context(target.id, target.address, target.admin_login)
    sealed = await house.keystore.encrypt(versions[0], use, Plaintext(b"admin's"), context)
    target = replace(target, admin=base64.b64encode(sealed).decode())
    for record in (replace(key, current_version=2), *versions, target, samples.target("db-2")):
        await house.add_record(record)
    job = replace(samples.reencryption(key.id), account=SYSTEM_ACCOUNT, next_due_ms=1, per_second=FAST, done=0)
    await house.add_record(job)
    await run(house)
    after = await house.storage.keys.reencryption(SYSTEM_ACCOUNT, key.id)
    assert (after.state.value, after.done, after.failed) == ("done", 1, 0)
    moved = await house.storage.targets.get(target.name)
    assert (
        await house.keystore.decrypt(versions[1], use, base64.b64decode(moved.admin), context)
    ).reveal() == b"admin's"
    assert replace(moved, admin=target.admin, revision=0) == target


async def test_secrets_of_access_keys_are_moved_before_their_version_goes(house, tools):
    """They are under their account's default key; those of sessions are over before long, and keep nothing up."""
    key = (await house.storage.accounts.get(house.account)).default_key_id
    made = []
    for number in range(15):
        await house.call("CreateUser", user=f"user-{number}")
        made.append(await house.call("CreateAccessKey", user=f"user-{number}"))
    await house.call("RotateKeyOnDemand", key=key)
    with pytest.raises(tools.Failed, match="conflict") as refused:
        await house.call("DestroyKeyVersion", key=key, version=1)
    assert "15 access key(s)" in refused.value.error.message
    assert (await house.call("ReEncryptSecrets", key=key, per_second=FAST)).left == {"access-key": 15}
    await run(house)
    done = await progress(house, key)
    assert (done.state, done.done, done.failed, done.left) == ("done", 15, 0, {})
    await house.call("DestroyKeyVersion", key=key, version=1)
    for one in made:
        caller = Caller("tcp", pair=KeyPair(one.access_key, Plaintext(one.secret.reveal())))
        await house.call("GetCallerIdentity", caller)
