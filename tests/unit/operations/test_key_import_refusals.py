"""Imports that are refused, each with one clear error and one event, and nothing changed."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from secretsd.api.fields import BinaryValue
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.keys import KeyState
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyUse
from secretsd.testing.customer import pkcs8
from tests.unit.operations.importing import (
    ONE_STEP,
    TWO_STEPS,
    House,
    bring,
    external,
    parameters,
    refused,
    wrapped,
)


async def test_a_token_serves_its_day(house: House, tools: Any) -> None:
    key = await external(house)
    told = await parameters(house, key)
    house.clock.pass_days(0.999)
    await bring(house, key, material := os.urandom(32), told)
    await bring(house, key, material, told)
    house.clock.pass_days(0.001)
    message = await refused(house, tools, "invalid-ciphertext", bring(house, key, material, told))
    assert "its day is over" in message


async def test_a_token_serves_its_own_key_alone(house: House, tools: Any) -> None:
    key, other = await external(house), await external(house)
    told = await parameters(house, key)
    await refused(house, tools, "invalid-ciphertext", bring(house, other, os.urandom(32), told))
    assert (await house.storage.keys.get(house.account, other)).state is KeyState.PENDING_IMPORT


async def test_every_changed_byte_of_a_token_is_noticed(house: House, tools: Any) -> None:
    key = await external(house)
    told = await parameters(house, key)
    material = wrapped(told, os.urandom(32))
    token = told.import_token
    for place in [*range(64), *range(64, len(token), 97), len(token) - 1]:
        changed = bytearray(token)
        changed[place] ^= 1
        about = house.call("ImportKeyMaterial", key=key, import_token=bytes(changed), encrypted_material=material)
        await refused(house, tools, "invalid-ciphertext", about)
    for other in (b"x", token[:-1], token + b"x", bytes(100)):
        about = house.call("ImportKeyMaterial", key=key, import_token=other, encrypted_material=material)
        await refused(house, tools, "invalid-ciphertext", about)
    assert (await house.storage.keys.get(house.account, key)).state is KeyState.PENDING_IMPORT


async def test_what_callers_encrypt_themselves_is_no_token(house: House, tools: Any) -> None:
    """The purpose in the ciphertext keeps the API out, even where somebody knows all that is in a token."""
    key = await external(house)
    told = await parameters(house, key)
    header, _, _ = CiphertextHeader.split(told.import_token)
    assert header.purpose is Purpose.IMPORT_TOKEN
    sealing = await house.storage.keys.version(house.account, header.key_id, header.key_version)
    context = {"account": house.account, "key": key}
    use = KeyUse(house.account, Purpose.IMPORT_TOKEN, "test")
    inside = await house.keystore.decrypt(sealing, use, told.import_token, context)
    mine = (await house.call("CreateKey")).id
    forged = await house.call("Encrypt", key=mine, plaintext=BinaryValue(inside.reveal()), context=context)
    about = house.call(
        "ImportKeyMaterial", key=key, import_token=forged.ciphertext, encrypted_material=wrapped(told, os.urandom(32))
    )
    await refused(house, tools, "invalid-ciphertext", about)
    for purpose in (Purpose.CREDENTIAL, Purpose.SECRET_DATA_KEY):
        use = KeyUse(house.account, purpose, "test")
        token = await house.keystore.encrypt(sealing, use, Plaintext(inside.reveal()), context)
        about = house.call("ImportKeyMaterial", key=key, import_token=token, encrypted_material=bytes(256))
        await refused(house, tools, "invalid-ciphertext", about)


async def test_what_a_token_holds_is_for_nobody(house: House, tools: Any) -> None:
    key = await external(house)
    told = await parameters(house, key)
    about = house.call("Decrypt", ciphertext=told.import_token, context={"account": house.account, "key": key})
    with pytest.raises(tools.Failed):
        await about


def weak() -> Iterator[tuple[str, bytes]]:
    yield "AES_256", os.urandom(31)
    yield "AES_256", os.urandom(16)
    yield "AES_128", os.urandom(32)
    yield "AES_256", bytes(32)
    yield "HMAC_384", os.urandom(32)
    yield "RSA_2048", pkcs8(rsa.generate_private_key(65537, 3072))
    yield "RSA_2048", pkcs8(rsa.generate_private_key(3, 2048))
    yield "ECC_NIST_P256", pkcs8(ec.generate_private_key(ec.SECP384R1()))
    yield "ECC_NIST_P256", os.urandom(32)


async def test_material_that_is_no_such_key_is_refused_and_changes_nothing(house: House, tools: Any) -> None:
    keys: dict[str, str] = {}
    for spec, material in weak():
        key = keys.get(spec) or keys.setdefault(spec, await external(house, spec))
        told = await parameters(house, key)
        await refused(house, tools, "invalid-ciphertext", bring(house, key, material, told))
        stored = await house.storage.keys.get(house.account, key)
        assert (stored.state, stored.revision) == (KeyState.PENDING_IMPORT, 0)
        assert not await house.storage.keys.versions(house.account, key, 2**62, 10)


async def test_material_wrapped_for_another_import_is_refused(house: House, tools: Any) -> None:
    key = await external(house)
    told, other = await parameters(house, key), await parameters(house, key)
    sealed = wrapped(other, os.urandom(32))
    about = bring(house, key, b"", told, encrypted_material=sealed)
    await refused(house, tools, "invalid-ciphertext", about)
    about = bring(house, key, b"", await parameters(house, key, ONE_STEP), encrypted_material=sealed)
    with pytest.raises(tools.Failed, match="invalid-ciphertext"):
        await about


@pytest.mark.parametrize(
    ("spec", "algorithm", "pair", "kind"),
    [
        ("RSA_2048", ONE_STEP, "RSA_2048", "invalid-key-usage"),
        ("ECC_NIST_P256", "RSAES_OAEP_SHA_256", "RSA_4096", "invalid-key-usage"),
        ("AES_256", "SM2PKE", "SM2", "invalid-key-usage"),
        ("AES_256", ONE_STEP, "SM2", "invalid-request"),
    ],
)
async def test_a_way_that_does_not_fit_the_key_is_refused_at_once(
    house: House, tools: Any, spec: str, algorithm: str, pair: str, kind: str
) -> None:
    key = await external(house, spec)
    about = parameters(house, key, algorithm, wrapping_key_spec=pair)
    await refused(house, tools, kind, about)


async def test_what_this_hsm_cannot_unwrap_is_refused_before_anybody_wraps(house: House, tools: Any) -> None:
    house.keystore.inabilities |= {TWO_STEPS: "offers no RSA-OAEP-SHA-256"}
    key = await external(house)
    message = await refused(house, tools, "unsupported", parameters(house, key))
    assert message == f"cannot import material by {TWO_STEPS}: this HSM offers no RSA-OAEP-SHA-256"


async def test_keys_that_take_no_material_say_why(house: House, tools: Any) -> None:
    ours = (await house.call("CreateKey")).id
    for about in (parameters(house, ours), house.call("DeleteImportedKeyMaterial", key=ours)):
        assert "made in the HSM" in await refused(house, tools, "invalid-state", about)
    key, material = await external(house), os.urandom(32)
    told = await parameters(house, key)
    await bring(house, key, material, told)
    await house.call("DisableKey", key=key)
    await refused(house, tools, "key-disabled", bring(house, key, material, told))
    await house.call("EnableKey", key=key)
    await house.call("ScheduleKeyDeletion", key=key)
    for about in (
        bring(house, key, material, told),
        parameters(house, key),
        house.call("DeleteImportedKeyMaterial", key=key),
    ):
        assert "pending-deletion" in await refused(house, tools, "invalid-state", about)


async def test_an_end_in_the_past_is_refused(house: House, tools: Any) -> None:
    key = await external(house)
    told = await parameters(house, key)
    about = bring(house, key, os.urandom(32), told, expires_ms=house.clock.ms)
    await refused(house, tools, "invalid-request", about)


async def test_who_may_not_is_told_nothing(house: House, tools: Any) -> None:
    key = await external(house)
    told = await parameters(house, key)
    reader = await house.user("reader", {"effect": "Allow", "action": ["DescribeKey"], "resource": ["*"]})
    sealed = wrapped(told, os.urandom(32))
    for asked in (key, "00000000-0000-4000-8000-000000000000"):
        for name, fields in (
            ("GetParametersForImport", {"wrapping_algorithm": ONE_STEP}),
            ("ImportKeyMaterial", {"import_token": told.import_token, "encrypted_material": sealed}),
            ("DeleteImportedKeyMaterial", {}),
        ):
            await refused(house, tools, "access-denied", house.call(name, reader, key=asked, **fields))


async def test_a_key_store_that_is_away_changes_nothing(house: House, tools: Any) -> None:
    key = await external(house)
    told = await parameters(house, key)
    house.keystore.away = True
    await refused(house, tools, "keystore-unavailable", parameters(house, key))
    await refused(house, tools, "keystore-unavailable", bring(house, key, os.urandom(32), told))
    house.keystore.away = False
    assert (await house.storage.keys.get(house.account, key)).state is KeyState.PENDING_IMPORT
    await bring(house, key, os.urandom(32), told)
