"""Importing the material of a key as its customer does: parameters, import, the same again, gone and back."""

import os
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from secretsd.domain.keys import KeyVersionState
from secretsd.testing.customer import pkcs8, public_key_info
from tests.unit.operations.importing import (
    DAY_MS,
    ONE_STEP,
    TEXT,
    TWO_STEPS,
    House,
    bring,
    external,
    parameters,
    refused,
    rows,
)


@pytest.mark.parametrize("algorithm", [ONE_STEP, "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", TWO_STEPS])
async def test_imported_material_encrypts_from_then_on(house: House, algorithm: str) -> None:
    key = await external(house)
    told = await parameters(house, key, algorithm)
    assert (told.id, told.wrapping_algorithm, told.wrapping_key_spec) == (key, algorithm, "RSA_2048")
    assert 0 < told.expires_ms - house.clock.ms <= DAY_MS
    public = serialization.load_der_public_key(told.public_key)
    assert isinstance(public, rsa.RSAPublicKey)
    assert public.key_size == 2048
    answer = await bring(house, key, os.urandom(32), told)
    assert (answer.id, answer.state, answer.expires_ms) == (key, "enabled", None)
    made = await house.call("Encrypt", key=key, plaintext=TEXT)
    opened = await house.call("Decrypt", ciphertext=made.ciphertext)
    assert opened.plaintext == TEXT
    described = await house.call("DescribeKey", key=key)
    assert (described.state, described.origin, described.material_expires_ms) == ("enabled", "EXTERNAL", None)


async def test_private_keys_come_with_their_public_ones(house: House) -> None:
    mine = ec.generate_private_key(ec.SECP256R1())
    key = await external(house, "ECC_NIST_P256")
    await bring(house, key, pkcs8(mine))
    assert (await house.call("GetPublicKey", key=key)).public_key == public_key_info(mine)


async def test_the_events_tell_what_was_done_and_show_nothing_of_it(house: House) -> None:
    key = await external(house)
    told = await parameters(house, key)
    await bring(house, key, os.urandom(32), told, expires_ms=house.clock.ms + DAY_MS)
    await house.call("DeleteImportedKeyMaterial", key=key)
    events = {event["operation"]: event for event in await house.events()}
    asked, done, gone = [
        events[name] for name in ("GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial")
    ]
    assert asked["fields"] == {"wrapping_algorithm": TWO_STEPS, "wrapping_key_spec": "RSA_2048"}
    assert set(done["fields"]) == {"expires_ms"}
    assert "changes" not in asked
    for event in (done, gone):
        assert {change[0] for change in event["changes"]} == {"keys", "key_versions"}
        assert event["resource"] == f"secretsd:{house.account}:key/{key}"


async def test_material_that_goes_may_come_back_and_opens_what_it_sealed(house: House) -> None:
    key, material = await external(house), os.urandom(32)
    await bring(house, key, material, expires_ms=house.clock.ms + DAY_MS)
    made = await house.call("Encrypt", key=key, plaintext=TEXT)
    before = (await rows(house, key))[1]
    answer = await house.call("DeleteImportedKeyMaterial", key=key)
    assert (answer.id, answer.state) == (key, "pending-import")
    stored, version = await rows(house, key)
    assert (stored.material_expires_ms, version.state, version.blob) == (None, KeyVersionState.ABSENT, b"")
    assert version.fingerprint == before.fingerprint
    again = await house.call("DeleteImportedKeyMaterial", key=key)
    assert again == answer, "it is gone, whoever asks again"
    house.clock.pass_days(30)
    await bring(house, key, material)
    assert (await house.call("Decrypt", ciphertext=made.ciphertext)).plaintext == TEXT
    version = (await rows(house, key))[1]
    assert (version.state, version.created_ms) == (KeyVersionState.LIVE, before.created_ms)


async def test_a_key_whose_material_is_gone_does_nothing(house: House, tools: Any) -> None:
    key = await external(house)
    await refused(house, tools, "invalid-state", house.call("Encrypt", key=key, plaintext=TEXT))
    await bring(house, key, os.urandom(32))
    made = await house.call("Encrypt", key=key, plaintext=TEXT)
    await house.call("DeleteImportedKeyMaterial", key=key)
    await refused(house, tools, "invalid-state", house.call("Encrypt", key=key, plaintext=TEXT))
    await refused(house, tools, "invalid-state", house.call("Decrypt", ciphertext=made.ciphertext))


@pytest.mark.parametrize("gone", [False, True])
async def test_other_material_never_takes_the_place_of_the_first(house: House, tools: Any, gone: bool) -> None:
    key, material = await external(house), os.urandom(32)
    await bring(house, key, material)
    if gone:
        await house.call("DeleteImportedKeyMaterial", key=key)
    before, told = await rows(house, key), await parameters(house, key)
    message = await refused(house, tools, "conflict", bring(house, key, os.urandom(32), told))
    assert "not the same" in message
    assert await rows(house, key) == before
    await bring(house, key, material, told)


async def test_the_same_material_again_changes_when_it_goes(house: House) -> None:
    key, material = await external(house), os.urandom(32)
    soon, later = house.clock.ms + DAY_MS, house.clock.ms + 9 * DAY_MS
    await bring(house, key, material, expires_ms=soon)
    version = (await rows(house, key))[1]
    for wanted in (later, None, soon):
        answer = await bring(house, key, material, expires_ms=wanted)
        assert (answer.state, answer.expires_ms) == ("enabled", wanted)
        stored, now = await rows(house, key)
        assert (stored.material_expires_ms, now) == (wanted, version)


async def test_the_same_is_known_again_although_the_root_was_renewed_meanwhile(house: House, tools: Any) -> None:
    key, material = await external(house), os.urandom(32)
    await bring(house, key, material)
    made = await house.call("Encrypt", key=key, plaintext=TEXT)
    await house.call("DeleteImportedKeyMaterial", key=key)
    old = (await rows(house, key))[1].kek_id
    assert house.keystore.renew_root() != old
    await refused(house, tools, "conflict", bring(house, key, os.urandom(32), await parameters(house, key)))
    await bring(house, key, material)
    assert (await rows(house, key))[1].kek_id == old, "the renewal of keys takes it from there, as all others"
    assert (await house.call("Decrypt", ciphertext=made.ciphertext)).plaintext == TEXT
    renewed = await house.keystore.rewrap((await rows(house, key))[1])
    assert renewed.fingerprint != (await rows(house, key))[1].fingerprint
