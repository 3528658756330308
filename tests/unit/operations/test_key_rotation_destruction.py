"""A key version is destroyed only when nothing that is stored here needs it, and nothing can need it afterwards."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from secretsd.api.fields import BinaryValue
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import KeyVersionState
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.ciphertext_places import WORDS, in_words
from secretsd.operations.rotation_orders import rest_on_note
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.keystore import KeyUse
from secretsd.services.key_reencryption import ReEncryptions
from secretsd.testing import samples


async def rotated(house, secrets=("app",)):
    """A key of two versions with secrets under the first one."""
    key = (await house.call("CreateKey")).id
    for name in secrets:
        await house.call("CreateSecret", name=name, text=f"value of {name}", key_id=key)
    await house.call("RotateKeyOnDemand", key=key)
    return key


async def moved(house, key):
    await house.call("ReEncryptSecrets", key=key, per_second=10_000)
    service = ReEncryptions(house.pipeline)
    await service.ensure()
    await service.settled()
    assert (await house.call("DescribeReEncryption", key=key)).state == "done"


async def destroy(house, key, version=1, confirm=True):
    return await house.call("DestroyKeyVersion", key=key, version=version, confirm_unknown_ciphertexts=confirm)


async def refused(house, tools, key, kind="conflict", **fields):
    with pytest.raises(tools.Failed, match=rf"^{kind}$") as failed:
        await destroy(house, key, **fields)
    assert (await house.storage.keys.version(house.account, key, 1)).state is KeyVersionState.LIVE
    assert (await house.storage.keys.get(house.account, key)).oldest_version == 1
    return failed.value.error.message


async def test_refused_with_the_number_while_secrets_need_it_and_done_once_none_does(house, tools):
    key = await rotated(house, ("app", "web"))
    message = await refused(house, tools, key)
    assert "2 secret version(s) need it; ReEncryptSecrets moves them" in message
    await moved(house, key)
    done = await destroy(house, key)
    assert (done.version, done.oldest_version) == (1, 2)
    gone = await house.storage.keys.version(house.account, key, 1)
    assert (gone.state, gone.blob) == (KeyVersionState.DESTROYED, b"")
    listed = await house.call("GetKeyRotationStatus", key=key)
    assert (listed.oldest_version, listed.current_version) == (2, 2)
    house.sealer.forget()
    assert await house.text("app") == "value of app"


async def test_the_key_store_never_loads_it_again(house):
    """Whatever a restore brings back: the row as it was before is refused too."""
    key = await rotated(house, ())
    before = await house.storage.keys.version(house.account, key, 1)
    ciphertext = (await house.call("Encrypt", key=key, plaintext=BinaryValue(b"new"))).ciphertext
    await destroy(house, key)
    with pytest.raises(InvalidState, match="destroyed"):
        await house.keystore.generate_data_key(before, KeyUse(house.account, Purpose.API_DATA_KEY, "r"), {})
    assert (await house.call("Decrypt", ciphertext=ciphertext)).plaintext.reveal() == b"new"


async def test_its_ciphertexts_open_no_more(house, tools):
    key = (await house.call("CreateKey")).id
    ciphertext = (await house.call("Encrypt", key=key, plaintext=BinaryValue(b"old"))).ciphertext
    await house.call("RotateKeyOnDemand", key=key)
    await destroy(house, key)
    with pytest.raises(tools.Failed, match="invalid-"):
        await house.call("Decrypt", ciphertext=ciphertext)


async def test_ciphertexts_that_nobody_knows_of_are_the_owners_word(house, tools):
    key = await rotated(house, ())
    message = await refused(house, tools, key, "invalid-state", confirm=False)
    assert "say confirm_unknown_ciphertexts" in message
    await destroy(house, key)


async def test_the_services_own_key_needs_no_such_word(house):
    default = (await house.storage.accounts.get(house.account)).default_key_id
    await house.call("CreateSecret", name="app", text="one")
    await house.call("RotateKeyOnDemand", key=default)
    await moved(house, default)
    assert (await destroy(house, default, confirm=False)).oldest_version == 2
    house.sealer.forget()
    assert await house.text("app") == "one"


async def test_only_the_oldest_and_never_the_current_one(house, tools):
    key = await rotated(house, ())
    await house.call("RotateKeyOnDemand", key=key)
    for version, said in ((2, "version 1 goes first"), (3, "has not been replaced"), (9, "has not been replaced")):
        assert said in await refused(house, tools, key, "invalid-state", version=version)
    await destroy(house, key)
    with pytest.raises(tools.Failed, match="invalid-state") as failed:
        await destroy(house, key)
    assert "destroyed already" in failed.value.error.message
    assert (await destroy(house, key, version=2)).oldest_version == 3


@pytest.mark.parametrize("spec", ["HMAC_256", "RSA_2048"])
async def test_keys_of_one_version_lose_none(house, tools, spec):
    key = (await house.call("CreateKey", spec=spec)).id
    await refused(house, tools, key, "invalid-key-usage")


async def test_notes_and_escrow_are_counted_too(house, tools):
    key = await rotated(house)
    secret = await house.storage.secrets.get(house.account, "app")
    version = await house.storage.secrets.version(house.account, secret.id, secret.stages["current"])
    sealed = await house.storage.secrets.value(house.account, secret.id, version.id)
    wrapped = await house.storage.keys.version(house.account, key, 1)
    note = await house.sealer.seal_note(wrapped, house.account, secret.id, version.id, Plaintext(b"n"), "r")
    rotation = replace(
        samples.rotation(secret.id, next_due_ms=None), account=house.account, journal=(), kept={version.id: note}
    )
    await house.add_record(rotation)
    await house.parts.escrow.keep(EscrowEntry(1, 1, secret, rotation, version, sealed))
    message = await refused(house, tools, key)
    assert "1 secret version(s), 1 rotation(s) with notes, 1 escrow entry(s) need it" in message
    await moved(house, key)
    await destroy(house, key)


def test_every_place_has_a_word():
    assert in_words(dict.fromkeys(WORDS, 2)).count("2 ") == len(WORDS)


async def stopped_at(house, monkeypatch, name, meanwhile):
    """Let the next such call to the key store stop until `meanwhile` is done with the rest."""
    original = getattr(house.keystore, name)

    async def stop(*arguments):
        made = await original(*arguments)
        monkeypatch.undo()
        await meanwhile()
        return made

    monkeypatch.setattr(house.keystore, name, stop)


async def test_a_value_that_was_on_its_way_under_the_old_version_is_not_lost(house, monkeypatch):
    """The key is rotated, and its version destroyed, between the making of a data key and its commit."""
    key = (await house.call("CreateKey")).id
    await house.call("CreateSecret", name="app", text="one", key_id=key)

    async def meanwhile():
        await house.call("RotateKeyOnDemand", key=key)
        await moved(house, key)
        await destroy(house, key)

    await stopped_at(house, monkeypatch, "generate_data_key", meanwhile)
    answer = await house.run("PutSecretValue", name="app", text="two")
    assert answer.error is None
    house.sealer.forget()
    assert await house.text("app") == "two"
    assert await house.text("app", stage="previous") == "one"


async def test_a_secret_that_was_on_its_way_is_made_under_the_new_version(house, monkeypatch):
    key = (await house.call("CreateKey")).id

    async def meanwhile():
        await house.call("RotateKeyOnDemand", key=key)
        await destroy(house, key)

    await stopped_at(house, monkeypatch, "generate_data_key", meanwhile)
    assert (await house.run("CreateSecret", name="app", text="one", key_id=key)).error is None
    house.sealer.forget()
    assert await house.text("app") == "one"
    secret = await house.storage.secrets.get(house.account, "app")
    (version,) = await house.storage.secrets.versions(house.account, secret.id, 9, 9)
    assert version.key_version == 2


async def test_what_is_put_all_the_time_while_versions_come_and_go_stays_readable(house):
    """Puts, rotations, re-encryption and destruction at once, again and again."""
    key = (await house.call("CreateKey")).id
    await house.call("CreateSecret", name="app", text="0", key_id=key)
    last, busy = 0, True

    async def put():
        nonlocal last
        while busy:
            last += 1
            assert (await house.run("PutSecretValue", name="app", text=str(last))).error is None
            house.sealer.forget()
            assert await house.text("app") == str(last)

    putting = asyncio.create_task(put())
    for version in range(1, 8):
        await house.call("RotateKeyOnDemand", key=key)
        await moved(house, key)
        await destroy(house, key, version)
    busy = False
    await putting
    house.sealer.forget()
    secret = await house.storage.secrets.get(house.account, "app")
    versions = await house.storage.secrets.versions(house.account, secret.id, 10**6, 10**4)
    for version in versions:
        await house.text("app", version_id=version.id)
    assert len(versions) == last + 1 > 20


async def test_a_crash_between_key_store_and_storage_is_done_again(house, monkeypatch):
    key = await rotated(house)
    await moved(house, key)

    async def fail(unit):
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(house.storage, "commit", fail)
        with pytest.raises(asyncio.CancelledError):
            await destroy(house, key)
    assert (await house.storage.keys.get(house.account, key)).oldest_version == 1
    house.sealer.forget()
    assert await house.text("app") == "value of app"
    assert (await destroy(house, key)).oldest_version == 2


async def test_a_note_that_was_sealed_under_a_destroyed_version_is_not_stored(house, tools):
    key = await rotated(house, ())
    wrapped = await house.storage.keys.version(house.account, key, 1)
    note = await house.sealer.seal_note(wrapped, house.account, "s", "v", Plaintext(b"n"), "r")
    await destroy(house, key)
    call: Any = SimpleNamespace(parts=house.parts, account=house.account, rest_on=lambda _: None)
    with pytest.raises(InvalidState, match="it is destroyed"):
        await rest_on_note(call, note)
