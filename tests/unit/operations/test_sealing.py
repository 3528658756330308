"""Sealed values: bound to where they belong; unwrapped data keys stay for a bounded time and number."""

from dataclasses import replace
from typing import Any

import pytest

from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidCiphertext, KeyStoreUnavailable
from secretsd.domain.keys import KeyMetadata
from secretsd.domain.secrets import SealedValue
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import sealing
from secretsd.operations.sealing import Sealer
from secretsd.ports.keystore import KeyUse
from secretsd.testing.memory_keystore import MemoryKeyStore

ACCOUNT, OTHER = "100000000001", "100000000002"
KEY_ID = "11111111-2222-4333-8444-555555555555"
WHERE = (ACCOUNT, "secret-1", "v-1")


def _with(sealed: SealedValue, field: str, value: Any) -> SealedValue:
    changes: dict[str, Any] = {field: value}
    return replace(sealed, **changes)


@pytest.fixture
async def parts():
    keystore = MemoryKeyStore()
    return keystore, await keystore.generate_key(KeyMetadata(ACCOUNT, KEY_ID, 1))


@pytest.fixture
def turned(monkeypatch):
    """A monotonic clock that a test turns."""

    class Turned:
        now = 1000.0

        @classmethod
        def monotonic(cls):
            return cls.now

    monkeypatch.setattr(sealing, "time", Turned)
    return Turned


@pytest.mark.parametrize("value", [b"", b"x", bytes(65536), b"\xff" * 33])
async def test_a_value_comes_back(parts, value):
    keystore, key = parts
    sealer = Sealer(keystore, keep_seconds=0)
    sealed = await sealer.seal(key, *WHERE, Plaintext(value), "r")
    assert await sealer.open(key, sealed, "r") == value
    assert len(value) < 8 or value not in sealed.value, "a short one may stand there by chance"


@pytest.mark.parametrize("field", ["account", "secret_id", "version_id"])
@pytest.mark.parametrize("cached", [True, False])
async def test_a_value_opens_nowhere_else_whether_or_not_its_data_key_is_in_memory(parts, field, cached):
    keystore, key = parts
    sealer = Sealer(keystore)
    sealed = await sealer.seal(key, *WHERE, Plaintext(b"value"), "r")
    if not cached:
        sealer.forget()
    with pytest.raises(Exception, match=r"cannot (open|use)"):
        await sealer.open(key, _with(sealed, field, OTHER), "r")


@pytest.mark.parametrize("cached", [True, False])
async def test_two_values_cannot_be_mixed(parts, cached):
    keystore, key = parts
    sealer = Sealer(keystore)
    one = await sealer.seal(key, *WHERE, Plaintext(b"one"), "r")
    two = await sealer.seal(key, *WHERE, Plaintext(b"two"), "r")
    if not cached:
        sealer.forget()
    for mixed in (replace(one, value=two.value), replace(two, data_key=one.data_key)):
        with pytest.raises(InvalidCiphertext):
            await sealer.open(key, mixed, "r")


@pytest.mark.parametrize("cached", [True, False])
async def test_no_changed_byte_is_accepted(parts, cached):
    keystore, key = parts
    sealer = Sealer(keystore)
    sealed = await sealer.seal(key, *WHERE, Plaintext(b"value"), "r")
    for field in ("data_key", "value"):
        whole = getattr(sealed, field)
        for position in range(len(whole)):
            changed = bytearray(whole)
            changed[position] ^= 0x40
            if not cached:
                sealer.forget()
            with pytest.raises(InvalidCiphertext):
                await sealer.open(key, _with(sealed, field, bytes(changed)), "r")


async def test_an_unwrapped_data_key_serves_while_the_key_store_is_away_and_not_longer(parts, turned):
    keystore, key = parts
    sealer = Sealer(keystore, keep_seconds=10)
    sealed = await sealer.seal(key, *WHERE, Plaintext(b"value"), "r")
    keystore.away = True
    turned.now += 9.9
    assert await sealer.open(key, sealed, "r") == b"value"
    turned.now += 0.2
    with pytest.raises(KeyStoreUnavailable):
        await sealer.open(key, sealed, "r")
    keystore.away = False
    assert await sealer.open(key, sealed, "r") == b"value"


async def test_reading_does_not_prolong_the_time(parts, turned):
    keystore, key = parts
    sealer = Sealer(keystore, keep_seconds=10)
    sealed = await sealer.seal(key, *WHERE, Plaintext(b"value"), "r")
    keystore.away = True
    for _ in range(9):
        turned.now += 1.1
        await sealer.open(key, sealed, "r")
    turned.now += 1.1
    with pytest.raises(KeyStoreUnavailable):
        await sealer.open(key, sealed, "r")


async def test_zero_seconds_keep_nothing(parts):
    keystore, key = parts
    sealer = Sealer(keystore, keep_seconds=0)
    sealed = await sealer.seal(key, *WHERE, Plaintext(b"value"), "r")
    keystore.away = True
    with pytest.raises(KeyStoreUnavailable):
        await sealer.open(key, sealed, "r")


async def test_the_oldest_data_key_makes_room(parts):
    keystore, key = parts
    sealer = Sealer(keystore, max_keys=2)
    sealed = [await sealer.seal(key, ACCOUNT, "s", f"v-{n}", Plaintext(b"value"), "r") for n in range(3)]
    keystore.away = True
    with pytest.raises(KeyStoreUnavailable):
        await sealer.open(key, sealed[0], "r")
    for one in sealed[1:]:
        assert await sealer.open(key, one, "r") == b"value"


async def test_a_note_is_no_value_and_no_value_a_note(parts):
    keystore, key = parts
    sealer = Sealer(keystore)
    note = await sealer.seal_note(key, *WHERE, Plaintext(b"note"), "r")
    assert await sealer.open_note(key, *WHERE, note, "r") == b"note"
    with pytest.raises(InvalidCiphertext):
        await sealer.open_note(key, ACCOUNT, "secret-1", "v-2", note, "r")
    sealed = await sealer.seal(key, *WHERE, Plaintext(b"value"), "r")
    use = KeyUse(ACCOUNT, Purpose.ROTATION_JOURNAL, "r")
    with pytest.raises(InvalidCiphertext):
        await keystore.decrypt(key, use, sealed.data_key, {"account": ACCOUNT, "secret": "secret-1", "version": "v-1"})
