"""What the MAC of a key row covers: every field, unambiguously."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.adapters.pkcs11.key_rows import authenticated_bytes, digest
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyMetadata, KeyOrigin, ProtectionLevel, WrappedKey

ROW = WrappedKey(
    "000000000001",
    "11111111-2222-4333-8444-555555555555",
    1,
    KeySpec.AES_256,
    KeyUsage.ENCRYPT_DECRYPT,
    KeyOrigin.HSM,
    ProtectionLevel.HSM,
    1,
    "99999999-2222-4333-8444-555555555555",
    b"blob",
    b"mac",
)
OTHERS: dict[str, Any] = {
    "account": "000000000002",
    "key_id": "11111111-2222-4333-8444-555555555556",
    "version": 2,
    "suite": 2,
    "kek_id": "another",
    "blob": b"bloc",
    "mac": b"mad",
    "public_key": b"point",
    "fingerprint": b"finger",
    "spec": KeySpec.AES_128,
    "usage": KeyUsage.SIGN_VERIFY,
    "origin": KeyOrigin.EXTERNAL,
    "protection_level": ProtectionLevel.SOFTWARE,
}


def covered(row: WrappedKey) -> bytes:
    return authenticated_bytes(row.metadata, row.suite, row.kek_id, row.blob, row.public_key, row.fingerprint)


def test_a_digest_is_the_rows_own_although_others_stood_in_its_place_before() -> None:
    found: dict[str, bytes] = {}
    for _ in range(3):
        for number in range(3000):  # more, in all, than are remembered; each row is gone before the next is made
            blob = f"blob {number}"
            assert found.setdefault(blob, digest(dataclasses.replace(ROW, blob=blob.encode()))) == digest(
                dataclasses.replace(ROW, blob=blob.encode())
            )
    assert len(set(found.values())) == 3000


@pytest.mark.parametrize("field", OTHERS)
def test_every_field_makes_another_digest(field: str) -> None:
    assert digest(dataclasses.replace(ROW, **{field: OTHERS[field]})) != digest(ROW)


@pytest.mark.parametrize("field", [field for field in OTHERS if field != "mac"])
def test_every_field_but_the_mac_is_covered(field: str) -> None:
    assert covered(dataclasses.replace(ROW, **{field: OTHERS[field]})) != covered(ROW)


def test_a_new_field_of_a_row_must_be_thought_of_here() -> None:
    storages_own = {"revision", "created_ms", "state"}
    assert {field.name for field in dataclasses.fields(WrappedKey)} == {*OTHERS, *storages_own}


@given(st.text(max_size=20), st.binary(max_size=20), st.text(max_size=20), st.binary(max_size=20))
def test_fields_do_not_run_into_each_other(kek: str, blob: bytes, other_kek: str, other_blob: bytes) -> None:
    metadata = KeyMetadata(ROW.account, ROW.key_id, 1)
    same = (kek, blob) == (other_kek, other_blob)
    assert (
        authenticated_bytes(metadata, 1, kek, blob) == authenticated_bytes(metadata, 1, other_kek, other_blob)
    ) is same
