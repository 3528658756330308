"""The conformance suite of the key store port: every adapter and every fake passes it.

class TestMine(KeyStoreSuite):
    @pytest.fixture
    async def keystore(self): ...
"""

# ruff: noqa: S101 - a suite asserts

import asyncio
import dataclasses
import uuid

import pytest

from secretsd.domain.envelope import (
    COMMITMENT,
    IV_BYTES,
    MAX_PLAINTEXT_BYTES,
    SUITE_AES_256_GCM,
    TAG_BYTES,
    CiphertextHeader,
    Purpose,
)
from secretsd.domain.errors import (
    AccessDenied,
    Internal,
    InvalidCiphertext,
    InvalidRequest,
    LimitExceeded,
    SecretsdError,
)
from secretsd.domain.keys import KeyMetadata, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.ports.keystore import KeyStore, KeyUse

ACCOUNT = "000000000001"
CONTEXT = {"service": "shop", "étage": "production"}
TEXT = Plaintext(b"correct horse battery staple")
USE = KeyUse(ACCOUNT, Purpose.API_CIPHERTEXT, "request-1")


def metadata(version: int = 1, account: str = ACCOUNT, key_id: str | None = None) -> KeyMetadata:
    """A new key of the account."""
    return KeyMetadata(account, key_id or str(uuid.uuid4()), version)


class KeyStoreSuite:
    """Inherit, and give a `keystore` fixture; `suite` is the one that its AES-256 keys have, the sizes are its own."""

    suite = SUITE_AES_256_GCM
    iv_bytes, tag_bytes, blob_bytes = IV_BYTES, TAG_BYTES, 40

    def encrypted_bytes(self, text_bytes: int) -> int:
        """How long the encrypted part of a ciphertext of so many bytes is, without its tag."""
        return len(COMMITMENT) + text_bytes

    @pytest.fixture
    async def key(self, keystore: KeyStore) -> WrappedKey:
        """A fresh CMK."""
        return await keystore.generate_key(metadata())

    async def test_a_new_key_says_what_it_was_made_as(self, keystore: KeyStore) -> None:
        wanted = metadata(version=7)
        key = await keystore.generate_key(wanted)
        assert key.metadata == wanted
        assert key.suite == self.suite
        assert key.kek_id == (await keystore.status()).kek_id
        assert len(key.blob) == self.blob_bytes
        assert len(key.mac) == 32

    async def test_two_keys_share_nothing(self, keystore: KeyStore) -> None:
        first, second = await asyncio.gather(keystore.generate_key(metadata()), keystore.generate_key(metadata()))
        assert first.blob != second.blob
        assert first.mac != second.mac

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 1000, MAX_PLAINTEXT_BYTES])
    async def test_what_was_encrypted_comes_back(self, keystore: KeyStore, key: WrappedKey, size: int) -> None:
        text = Plaintext(bytes(range(256)) * (size // 256) + bytes(size % 256))
        ciphertext = await keystore.encrypt(key, USE, text, CONTEXT)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == text

    async def test_a_ciphertext_has_the_documented_layout(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        header, packed, encrypted = CiphertextHeader.split(ciphertext)
        assert packed[0] == 1
        assert (header.suite, header.purpose) == (self.suite, Purpose.API_CIPHERTEXT)
        assert (header.key_id, header.key_version, len(header.iv)) == (key.key_id, key.version, self.iv_bytes)
        assert len(encrypted) == self.encrypted_bytes(len(TEXT)) + self.tag_bytes

    async def test_no_iv_comes_twice(self, keystore: KeyStore, key: WrappedKey) -> None:
        made = await asyncio.gather(*(keystore.encrypt(key, USE, TEXT, {}) for _ in range(200)))
        assert len({CiphertextHeader.split(ciphertext)[0].iv for ciphertext in made}) == 200

    async def test_the_order_of_the_context_does_not_matter(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        turned = dict(reversed(CONTEXT.items()))
        assert await keystore.decrypt(key, USE, ciphertext, turned) == TEXT

    @pytest.mark.parametrize(
        "context",
        [
            {},
            {"service": "shop"},
            {**CONTEXT, "more": ""},
            {**CONTEXT, "service": "shoq"},
            {"serviceshop": "", "é": "x"},
        ],
    )
    async def test_another_context_opens_nothing(
        self, keystore: KeyStore, key: WrappedKey, context: dict[str, str]
    ) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(key, USE, ciphertext, context)

    async def test_pairs_of_a_context_do_not_run_into_each_other(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, {"ab": "c"})
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(key, USE, ciphertext, {"a": "bc"})

    async def test_another_key_opens_nothing(self, keystore: KeyStore, key: WrappedKey) -> None:
        other = await keystore.generate_key(metadata())
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(other, USE, ciphertext, CONTEXT)

    async def test_another_version_of_the_key_opens_nothing(self, keystore: KeyStore, key: WrappedKey) -> None:
        next_version = await keystore.generate_key(metadata(version=2, key_id=key.key_id))
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(next_version, USE, ciphertext, CONTEXT)

    @pytest.mark.parametrize("made_for", [Purpose.SECRET_DATA_KEY, Purpose.CREDENTIAL, Purpose.TARGET, Purpose.BACKUP])
    async def test_the_api_opens_no_internal_ciphertext(
        self, keystore: KeyStore, key: WrappedKey, made_for: Purpose
    ) -> None:
        internal = dataclasses.replace(USE, purpose=made_for)
        ciphertext = await keystore.encrypt(key, internal, TEXT, CONTEXT)
        for purpose in (Purpose.API_CIPHERTEXT, Purpose.API_DATA_KEY):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(key, dataclasses.replace(USE, purpose=purpose), ciphertext, CONTEXT)
        assert await keystore.decrypt(key, internal, ciphertext, CONTEXT) == TEXT

    async def test_a_ciphertext_with_another_purpose_written_into_it_opens_for_nobody(
        self, keystore: KeyStore, key: WrappedKey
    ) -> None:
        internal = dataclasses.replace(USE, purpose=Purpose.SECRET_DATA_KEY)
        ciphertext = bytearray(await keystore.encrypt(key, internal, TEXT, CONTEXT))
        ciphertext[2] = Purpose.API_CIPHERTEXT
        with pytest.raises(InvalidCiphertext):
            await keystore.decrypt(key, USE, bytes(ciphertext), CONTEXT)

    async def test_the_storage_keys_purpose_is_nobodys(self, keystore: KeyStore, key: WrappedKey) -> None:
        with pytest.raises(AccessDenied):
            await keystore.encrypt(key, dataclasses.replace(USE, purpose=Purpose.STORAGE_KEY), TEXT, CONTEXT)

    async def test_every_changed_byte_of_a_ciphertext_is_noticed(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        for place in range(len(ciphertext)):
            for bit in (1, 128):
                changed = bytearray(ciphertext)
                changed[place] ^= bit
                with pytest.raises(InvalidCiphertext):
                    await keystore.decrypt(key, USE, bytes(changed), CONTEXT)
        assert await keystore.decrypt(key, USE, ciphertext, CONTEXT) == TEXT

    async def test_every_shortened_ciphertext_is_noticed(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        for size in range(len(ciphertext)):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(key, USE, ciphertext[:size], CONTEXT)
        for longer in (ciphertext + b"\0", ciphertext + bytes(100_000)):
            with pytest.raises(InvalidCiphertext):
                await keystore.decrypt(key, USE, longer, CONTEXT)

    async def test_every_changed_byte_of_a_wrapped_key_is_noticed(self, keystore: KeyStore, key: WrappedKey) -> None:
        whole = key.blob + key.mac
        for place in range(len(whole)):
            changed = bytearray(whole)
            changed[place] ^= 1
            blob, mac = bytes(changed[: len(key.blob)]), bytes(changed[len(key.blob) :])
            with pytest.raises(Internal):
                await keystore.encrypt(dataclasses.replace(key, blob=blob, mac=mac), USE, TEXT, {})
        assert await keystore.encrypt(key, USE, TEXT, {})

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("account", "000000000002"),
            ("account", "system"),
            ("key_id", "00000000-0000-4000-8000-000000000000"),
            ("version", 2),
            ("suite", 3),
            ("kek_id", "00000000-0000-4000-8000-000000000000"),
            ("blob", b""),
            ("mac", b""),
        ],
    )
    async def test_a_row_that_the_key_store_did_not_make_is_refused(
        self, keystore: KeyStore, key: WrappedKey, field: str, value: object
    ) -> None:
        row = dataclasses.replace(key, **{field: value})  # type: ignore[arg-type]  # one field at a time
        with pytest.raises(Internal, match=r"^cannot use key"):
            await keystore.encrypt(row, dataclasses.replace(USE, account=row.account), TEXT, {})

    async def test_a_key_works_for_its_own_account_alone(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        stranger = dataclasses.replace(USE, account="000000000002")
        with pytest.raises(AccessDenied):
            await keystore.encrypt(key, stranger, TEXT, CONTEXT)
        with pytest.raises(AccessDenied):
            await keystore.decrypt(key, stranger, ciphertext, CONTEXT)
        with pytest.raises(AccessDenied):
            await keystore.generate_data_key(key, stranger, CONTEXT)

    @pytest.mark.parametrize("size", [1, 32, 1024])
    async def test_a_data_key_is_what_its_ciphertext_holds(
        self, keystore: KeyStore, key: WrappedKey, size: int
    ) -> None:
        use = dataclasses.replace(USE, purpose=Purpose.API_DATA_KEY)
        data_key, ciphertext = await keystore.generate_data_key(key, use, CONTEXT, size)
        assert len(data_key) == size
        assert await keystore.decrypt(key, use, ciphertext, CONTEXT) == data_key

    async def test_data_keys_are_32_bytes_unless_asked_otherwise(self, keystore: KeyStore, key: WrappedKey) -> None:
        first, _ = await keystore.generate_data_key(key, USE, {})
        second, _ = await keystore.generate_data_key(key, USE, {})
        assert len(first) == 32
        assert first != second

    async def test_too_much_is_refused_before_anything_is_done(self, keystore: KeyStore, key: WrappedKey) -> None:
        with pytest.raises(LimitExceeded):
            await keystore.encrypt(key, USE, Plaintext(bytes(MAX_PLAINTEXT_BYTES + 1)), {})
        for size in (0, -1, 4097, 1 << 40):
            with pytest.raises(InvalidRequest):
                await keystore.random(size)
        for size in (0, -1, 1025, 1 << 40):
            with pytest.raises(InvalidRequest):
                await keystore.generate_data_key(key, USE, {}, size)
        for context in ({"a": "x" * 10_000}, {str(number): "" for number in range(100)}, {"a": "\ud800"}):
            with pytest.raises(InvalidRequest):
                await keystore.encrypt(key, USE, TEXT, context)
        assert (await keystore.status()).available

    @pytest.mark.parametrize("size", [1, 7, 32, 4096])
    async def test_random_bytes_are_as_many_as_asked_for_and_never_the_same(
        self, keystore: KeyStore, size: int
    ) -> None:
        drawn = [await keystore.random(size) for _ in range(2)]
        assert [len(bytes_) for bytes_ in drawn] == [size, size]
        assert size < 7 or drawn[0] != drawn[1]

    async def test_the_storage_key_stays_the_same(self, keystore: KeyStore) -> None:
        first, second = await keystore.storage_key(), await keystore.storage_key()
        assert first == second
        assert len(first) == 32
        assert first != Plaintext(bytes(32))

    async def test_the_status_counts_the_uses_of_a_key(self, keystore: KeyStore, key: WrappedKey) -> None:
        await keystore.encrypt(key, USE, TEXT, {})
        name = f"{key.key_id}/{key.version}"
        before = (await keystore.status()).uses[name]
        for _ in range(5):
            await keystore.encrypt(key, USE, TEXT, {})
        status = await keystore.status()
        assert status.uses[name] == before + 5
        assert status.available
        assert status.reason == ""
        assert status.module

    async def test_errors_show_no_plaintext(self, keystore: KeyStore, key: WrappedKey) -> None:
        ciphertext = await keystore.encrypt(key, USE, TEXT, CONTEXT)
        failures = [
            keystore.decrypt(key, USE, ciphertext[:-1] + bytes([ciphertext[-1] ^ 1]), CONTEXT),
            keystore.encrypt(key, dataclasses.replace(USE, account="000000000002"), TEXT, CONTEXT),
            keystore.encrypt(dataclasses.replace(key, mac=bytes(32)), USE, TEXT, CONTEXT),
        ]
        for failure in failures:
            with pytest.raises(SecretsdError, match=r"^cannot ") as caught:
                await failure
            told = repr(caught.value) + str(caught.value)
            assert "horse" not in told
            assert "shop" not in told

    async def test_many_calls_at_once_get_their_own_answers(self, keystore: KeyStore, key: WrappedKey) -> None:
        texts = [Plaintext(b"%d" % number * 50) for number in range(700)]
        made = await asyncio.gather(*(keystore.encrypt(key, USE, text, {}) for text in texts))
        opened = await asyncio.gather(*(keystore.decrypt(key, USE, ciphertext, {}) for ciphertext in made))
        assert opened == texts
