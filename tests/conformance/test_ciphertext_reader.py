"""An independent reader, written from the reference alone, opens what the daemon makes; the page's example is right."""

import ast
import base64
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secretsd.domain.envelope import MAX_PLAINTEXT_BYTES, Purpose
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.sealing import Sealer
from secretsd.ports.keystore import KeyUse
from secretsd.testing.memory_keystore import MemoryKeyStore
from tests.conformance import ciphertext_reader
from tests.conformance.ciphertext_reader import Unreadable, header, open_ciphertext, open_value

PAGE = (Path(__file__).parents[2] / "docs/reference/ciphertext.md").read_text()
ACCOUNT, KEY_ID = "000000000001", "00010203-0405-0607-0809-0a0b0c0d0e0f"
SUITES = {KeySpec.AES_256: 1, KeySpec.AES_192: 3, KeySpec.AES_128: 4, KeySpec.SM4: 5}
CONTEXTS: list[dict[str, str]] = [{}, {"a": "b"}, {"étage": "", "etage": "x", "Z": "ü" * 100}]
USE = KeyUse(ACCOUNT, Purpose.API_CIPHERTEXT, "request")


@pytest.fixture
def keystore() -> MemoryKeyStore:
    return MemoryKeyStore()


async def new_key(keystore: MemoryKeyStore, spec: KeySpec = KeySpec.AES_256, version: int = 1) -> WrappedKey:
    return await keystore.generate_key(KeyMetadata(ACCOUNT, KEY_ID, version, spec))


def material(keystore: MemoryKeyStore, key: WrappedKey) -> bytes:
    return keystore._material(key)


def test_the_reader_knows_nothing_of_the_daemon() -> None:
    tree = ast.parse(Path(ciphertext_reader.__file__).read_text())
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in named if name.startswith(("secretsd", "tests"))}


@pytest.mark.parametrize("spec", SUITES)
@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("size", [0, 1, 15, 16, 1000, MAX_PLAINTEXT_BYTES])
async def test_it_opens_ciphertexts_under_every_spec(
    keystore: MemoryKeyStore, spec: KeySpec, context: dict[str, str], size: int
) -> None:
    key, text = await new_key(keystore, spec, version=7), bytes(range(256)) * 24
    made = await keystore.encrypt(key, USE, Plaintext(text[:size]), context)
    found = header(made)
    assert (found.suite, found.purpose, found.key, found.key_version) == (SUITES[spec], 1, KEY_ID, 7)
    assert open_ciphertext(material(keystore, key), made, context) == text[:size]


async def test_it_refuses_what_was_changed(keystore: MemoryKeyStore) -> None:
    key = await new_key(keystore)
    made = await keystore.encrypt(key, USE, Plaintext(b"text"), {"a": "b"})
    opens = material(keystore, key)
    for place in range(len(made)):
        changed = bytearray(made)
        changed[place] ^= 1
        with pytest.raises(Unreadable):
            open_ciphertext(opens, bytes(changed), {"a": "b"})
    with pytest.raises(Unreadable):
        open_ciphertext(opens, made, {"a": "c"})


@pytest.mark.parametrize(
    ("purpose", "number"), [(Purpose.API_DATA_KEY, 2), (Purpose.TARGET, 19), (Purpose.IMPORT_TOKEN, 20)]
)
async def test_it_finds_the_purpose(keystore: MemoryKeyStore, purpose: Purpose, number: int) -> None:
    key = await new_key(keystore)
    made = await keystore.encrypt(key, KeyUse(ACCOUNT, purpose, "request"), Plaintext(b"text"), {})
    assert header(made).purpose == number
    assert f"| {number} | " in PAGE


def test_every_purpose_and_suite_is_on_the_page() -> None:
    ciphertexts = [one for one in Purpose if one not in (Purpose.API_SIGNATURE, Purpose.API_MAC)]
    assert [one for one in ciphertexts if f"\n| {int(one)} | " not in PAGE] == []
    assert [one for one in ciphertext_reader.SIZES if f"\n| {one} | " not in PAGE] == []


async def test_it_opens_a_secret_value_under_its_data_key(keystore: MemoryKeyStore) -> None:
    key, sealer = await new_key(keystore), Sealer(keystore)
    sealed = await sealer.seal(key, ACCOUNT, KEY_ID, "version-1", Plaintext(b"the value"), "request")
    context = {"account": ACCOUNT, "secret": KEY_ID, "version": "version-1"}
    assert header(sealed.data_key).purpose == 16
    data_key = open_ciphertext(material(keystore, key), sealed.data_key, context)
    assert len(data_key) == 32
    place = (ACCOUNT, KEY_ID, "version-1")
    assert open_value(data_key, sealed.data_key, sealed.value, *place) == b"the value"
    for place in ((ACCOUNT, KEY_ID, "version-2"), ("000000000002", KEY_ID, "version-1")):
        with pytest.raises(Unreadable):
            open_value(data_key, sealed.data_key, sealed.value, *place)
    note = await sealer.seal_note(key, ACCOUNT, KEY_ID, "version-1", Plaintext(b"a note"), "request")
    opened = base64.b64decode(note)
    assert header(opened).purpose == 23
    assert open_ciphertext(material(keystore, key), opened, context) == b"a note"


# What the key store opens, it opens because it is as the page says: made here by hand, opened by the key store.


async def test_the_key_store_opens_what_was_made_by_the_page(keystore: MemoryKeyStore) -> None:
    for spec, suite in SUITES.items():
        key = await new_key(keystore, spec)
        clear = bytes([1, suite, 1]) + bytes(range(16)) + b"\0\0\0\1\x0c" + bytes(12)
        bound = clear + ciphertext_reader.context_bytes({"a": "b"})
        sealed = _sealed(spec, material(keystore, key), bound, bytes(32) + b"by hand")
        assert (await keystore.decrypt(key, USE, clear + sealed, {"a": "b"})).reveal() == b"by hand"
        uncommitted = _sealed(spec, material(keystore, key), bound, bytes(31) + b"\1by hand")
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(key, USE, clear + uncommitted, {"a": "b"})
        with pytest.raises(Unreadable):
            open_ciphertext(material(keystore, key), clear + uncommitted, {"a": "b"})


def _sealed(spec: KeySpec, key: bytes, bound: bytes, text: bytes) -> bytes:
    if spec is not KeySpec.SM4:
        return AESGCM(key).encrypt(bytes(12), text, bound)
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(bytes(12))).encryptor()
    encryptor.authenticate_additional_data(bound)
    return encryptor.update(text) + encryptor.finalize() + encryptor.tag


def test_the_example_of_the_page_opens() -> None:
    block = re.search(r"^    ciphertext +((?:[0-9a-f]+\n? *)+)$", PAGE, re.MULTILINE)
    assert block is not None
    made = bytes.fromhex(block[1])
    told = {name: re.search(rf"^    {name} +([0-9a-f ]+)$", PAGE, re.MULTILINE) for name in ("header", "context")}
    clear, context = (bytes.fromhex(found[1]) for found in told.values() if found is not None)
    assert made.startswith(clear)
    assert context == ciphertext_reader.context_bytes({"a": "b"})
    assert open_ciphertext(bytes(range(32)), made, {"a": "b"}) == b"hello"
