"""Ciphertexts that are not what they should be: one answer for whatever must not be told apart, and an event each."""

import json
from dataclasses import replace

import pytest

from secretsd.api.cryptography import OfCiphertext
from secretsd.api.fields import BinaryValue
from secretsd.dialects.native.requests import Reader
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.keys import CMK, KeyMetadata, KeyOrigin, KeyOwner, KeyState, KeyVersionState, ProtectionLevel
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.catalogue import catalogue
from secretsd.ports.keystore import KeyUse
from secretsd.ports.storage import Add, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

TEXT = BinaryValue(b"correct horse battery staple")
CONTEXT = {"service": "shop"}
HEADER_BYTES = 24
OTHER_ACCOUNT = "000000000999"
UNREADABLE = "cannot open the ciphertext"
FORBIDDEN = "cannot do that: Decrypt is not allowed, or it does not exist"


async def new_key(house, spec="AES_256", usage=None):
    return (await house.call("CreateKey", spec=spec, usage=usage)).id


@pytest.fixture
async def key(house):
    return await new_key(house)


@pytest.fixture
async def ciphertext(house, key):
    return (await house.call("Encrypt", key=key, plaintext=TEXT, context=CONTEXT)).ciphertext


@pytest.fixture
async def stranger(house):
    """Somebody who may decrypt under a key of his own and no other."""
    own = await new_key(house)
    return await house.user("eve", {"effect": "Allow", "action": ["*"], "resource": [f"key/{own}"]})


@pytest.fixture
def told(house, tools):
    """What is answered to a Decrypt that fails, once it is proved that it left exactly one event that says the same."""

    async def ask(caller, ciphertext, **fields):
        given = {"context": CONTEXT, **fields}
        answer = await house.run("Decrypt", caller, ciphertext=ciphertext, **given)
        assert answer.error is not None, "it was opened"
        (event,) = await house.events(answer.request_id)
        assert (event["operation"], event["outcome"]) == ("Decrypt", answer.error.kind.value)
        assert "valid" not in event.get("fields", {})
        return answer.error.message

    return ask


async def store(house, *records):
    changes = tuple(Add(record, authenticator().mac(record)) for record in records)
    await house.storage.commit(UnitOfWork(changes, samples.event("CreateKey", accounts=(house.account,))))
    house.storage.refresh()


async def anothers_ciphertext(house):
    """A ciphertext of the same context under another account's key."""
    identifier = "11111111-0000-4000-8000-000000000001"
    version = await house.keystore.generate_key(KeyMetadata(OTHER_ACCOUNT, identifier, 1))
    kind = (version.spec, version.usage, KeyOrigin.HSM, ProtectionLevel.HSM, KeyOwner.CUSTOMER)
    await store(house, CMK(OTHER_ACCOUNT, identifier, KeyState.ENABLED, *kind, "", 1, house.clock.now_ms()), version)
    use = KeyUse(OTHER_ACCOUNT, Purpose.API_CIPHERTEXT, "request")
    return await house.keystore.encrypt(version, use, TEXT, CONTEXT)


async def made_for(house, key, purpose):
    """A ciphertext under the key that the API does not make."""
    version = await house.storage.keys.version(house.account, key, 1)
    return await house.keystore.encrypt(version, KeyUse(house.account, purpose, "request"), TEXT, CONTEXT)


def every_change(ciphertext):
    """The ciphertext with every byte changed, one at a time: its lowest bit, its highest, all of them."""
    for place in range(len(ciphertext)):
        for bits in (0x01, 0x80, 0xFF):
            changed = bytearray(ciphertext)
            changed[place] ^= bits
            yield bytes(changed)


async def test_every_changed_byte_is_the_same_error_and_one_event(house, tools, told, ciphertext):
    before = len(await house.events())
    answers = [await told(tools.ROOT, changed) for changed in every_change(ciphertext)]
    assert len(answers) == 3 * len(ciphertext)
    assert set(answers) == {UNREADABLE}
    assert len(await house.events()) == before + len(answers)
    assert (await house.call("Decrypt", ciphertext=ciphertext, context=CONTEXT)).plaintext == TEXT


async def test_a_stranger_learns_nothing_from_any_changed_byte(house, told, stranger, ciphertext):
    # The bytes that name the key are the exception that proves the rule: none of those keys is his either.
    assert {await told(stranger, changed) for changed in every_change(ciphertext)} == {FORBIDDEN}


async def test_every_shortened_or_lengthened_ciphertext_is_the_same_error(house, tools, told, ciphertext):
    shortened = [ciphertext[:size] for size in range(1, len(ciphertext))]
    longer = [ciphertext + bytes(size) for size in (1, 16, 8192 - len(ciphertext))]
    assert {await told(tools.ROOT, changed) for changed in (*shortened, *longer)} == {UNREADABLE}


async def test_a_stranger_hears_the_same_of_every_ciphertext_that_names_a_key(house, told, stranger, key, ciphertext):
    other = await anothers_ciphertext(house)
    unknown = ciphertext[:3] + bytes(16) + ciphertext[19:]
    inner = [await made_for(house, key, purpose) for purpose in (Purpose.SECRET_DATA_KEY, Purpose.TARGET)]
    asked = [ciphertext, other, unknown, *inner, ciphertext[:HEADER_BYTES], ciphertext[:-1]]
    assert {await told(stranger, one) for one in asked} == {FORBIDDEN}
    for state in (KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.DESTROYED):
        await house.set_key_state(key, state)
        assert {await told(stranger, one) for one in asked} == {FORBIDDEN}


async def test_a_stranger_hears_only_what_he_sent_himself(told, stranger, ciphertext):
    """Too short to name a key: that can be seen without any right."""
    assert {await told(stranger, ciphertext[:size]) for size in range(1, HEADER_BYTES)} == {UNREADABLE}


async def test_with_all_rights_unknown_keys_and_others_keys_are_told_like_changed_bytes(house, tools, told, ciphertext):
    unknown = ciphertext[:3] + bytes(16) + ciphertext[19:]
    other = await anothers_ciphertext(house)
    assert {await told(tools.ROOT, one) for one in (unknown, other)} == {UNREADABLE}
    # Nor does it help to say which key it is.
    own = await new_key(house)
    for given in (own, f"secretsd:{house.account}:key/{own}"):
        assert {await told(tools.ROOT, one, key=given) for one in (unknown, other, ciphertext)} == {UNREADABLE}
    for theirs in ("11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002"):
        reference = f"secretsd:{OTHER_ACCOUNT}:key/{theirs}"
        assert await told(tools.ROOT, other, key=reference) == f"{FORBIDDEN} (nothing allows it)"


@pytest.mark.parametrize("context", [{}, {"service": "shoq"}, {"service": "shop", "more": ""}, {"Service": "shop"}])
async def test_another_context_is_told_like_a_changed_byte(tools, told, ciphertext, context):
    assert await told(tools.ROOT, ciphertext, context=context) == UNREADABLE


@pytest.mark.parametrize("purpose", [one for one in Purpose if one.internal and one is not Purpose.STORAGE_KEY])
async def test_what_was_never_made_for_callers_is_opened_for_none(house, tools, told, key, purpose):
    assert await told(tools.ROOT, await made_for(house, key, purpose)) == UNREADABLE
    # Not with another purpose written into it either.
    for written in (Purpose.API_CIPHERTEXT, Purpose.API_DATA_KEY, Purpose.API_MAC):
        changed = bytearray(await made_for(house, key, purpose))
        changed[2] = written
        assert await told(tools.ROOT, bytes(changed)) == UNREADABLE


async def test_a_stored_data_key_of_a_secret_is_no_ciphertext_to_anybody(house, tools, told):
    key = await new_key(house)
    made = await house.call("CreateSecret", name="app", text="one", key_id=key)
    secret = await house.storage.secrets.get(house.account, "app")
    sealed = await house.storage.secrets.value(house.account, secret.id, made.version_id)
    context = {"account": house.account, "secret": secret.id, "version": made.version_id}
    for stolen in (sealed.data_key, sealed.value):
        assert await told(tools.ROOT, stolen, context=context) == UNREADABLE


async def test_whoever_has_the_right_hears_of_the_keys_state(house, tools, told, key, ciphertext):
    seen = {}
    for state in (KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.DESTROYED):
        await house.set_key_state(key, state)
        seen[state] = await told(tools.ROOT, ciphertext)
    assert seen == {
        KeyState.DISABLED: f"cannot use key {key}: it is disabled",
        KeyState.PENDING_DELETION: f"cannot use key {key}: it is pending-deletion",
        KeyState.DESTROYED: f"cannot use key {key}: it is destroyed",
    }


async def test_a_version_that_is_destroyed_says_so(house, tools, told, key, ciphertext):
    before = await house.storage.keys.version(house.account, key, 1)
    after = replace(before, state=KeyVersionState.DESTROYED, blob=b"", revision=before.revision + 1)
    change = Replace(before, after, authenticator().mac(after))
    await house.storage.commit(UnitOfWork((change,), samples.event("DestroyKeyVersion", accounts=(house.account,))))
    house.storage.refresh()
    assert await told(tools.ROOT, ciphertext) == f"cannot use version 1 of key {key}: it is destroyed"


async def test_a_ciphertext_that_names_a_key_of_another_kind_is_none(house, tools, told, ciphertext):
    for spec, usage in (("RSA_2048", "ENCRYPT_DECRYPT"), ("SM2", "ENCRYPT_DECRYPT"), ("AES_128", None)):
        named = (await new_key(house, spec, usage)).replace("-", "")
        assert await told(tools.ROOT, ciphertext[:3] + bytes.fromhex(named) + ciphertext[19:]) == UNREADABLE


async def test_an_rsa_ciphertext_fails_in_one_way_only(house, tools, told):
    """Whatever is wrong inside must not be told apart: that is what Manger's attack lives on (RFC 8017, 7.1.2)."""
    key = await new_key(house, "RSA_2048", "ENCRYPT_DECRYPT")
    name = "RSAES_OAEP_SHA_256"
    made = (await house.call("Encrypt", key=key, plaintext=TEXT, algorithm=name)).ciphertext
    changed = [made[:-1] + bytes([made[-1] ^ 1]), bytes([made[0] ^ 1]) + made[1:]]
    bad = [made[:-1], made + b"\0", bytes(256), b"\xff" * 256, *changed]
    answers = {await told(tools.ROOT, one, key=key, algorithm=name, context={}) for one in bad}
    assert answers == {UNREADABLE}
    # Without the key there is nothing that says whose it is.
    assert await told(tools.ROOT, made, algorithm=name, context={}) == UNREADABLE


@pytest.mark.parametrize("name", ["ReEncrypt", "ExportDataKey"])
async def test_the_other_operations_on_ciphertexts_tell_the_same(house, tools, key, stranger, name):
    made = (await house.call("GenerateDataKey", key=key, context=CONTEXT)).ciphertext
    public = (await house.call("GenerateDataKeyPair", key=key, key_pair_spec="RSA_2048")).public_key
    more = {"destination_key": key} if name == "ReEncrypt" else {"public_key": public}
    bad = [
        bytes([*made[:place], made[place] ^ 1, *made[place + 1 :]]) for place in (0, 1, 2, 3, 19, 22, 23, 24, 40, -1)
    ]
    for caller, wanted in ((tools.ROOT, UNREADABLE), (stranger, FORBIDDEN.replace("Decrypt", name))):
        for one in bad:
            answer = await house.run(name, caller, ciphertext=one, context=CONTEXT, **more)
            assert answer.error is not None
            assert answer.error.message == wanted
            assert len(await house.events(answer.request_id)) == 1


def test_what_is_larger_than_any_ciphertext_is_not_even_read():
    reader = Reader(catalogue()["Decrypt"])
    largest = reader.read(None, "", b'{"ciphertext":"' + b"AAAA" * 2730 + b'"}', "")
    assert isinstance(largest, OfCiphertext)
    assert len(largest.ciphertext) == 8190
    for ciphertext in ("AAAA" * 2731, "", "AAA", "AA A", "_-_-", 5, None):
        with pytest.raises(InvalidRequest, match=r"^cannot read the request: ciphertext"):
            reader.read(None, "", json.dumps({"ciphertext": ciphertext}).encode(), "")


async def test_errors_show_nothing_of_what_was_sent(house, tools, told, key, ciphertext):
    secret = Plaintext(b"correct horse")
    for message in (
        await told(tools.ROOT, ciphertext, context={"horse": "correct"}),
        await told(tools.ROOT, b"correct horse battery staple, encrypted by hand"),
        await told(tools.ROOT, ciphertext, key=key, algorithm="SM2PKE"),
    ):
        assert "horse" not in message
    answer = await house.run("Encrypt", key=key, plaintext=secret, context={"correct horse": "x" * 9000})
    assert answer.error is not None
    assert (answer.error.kind.value, "horse" in answer.error.message) == ("invalid-request", False)
