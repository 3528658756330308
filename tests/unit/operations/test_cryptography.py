"""Encrypt, Decrypt, ReEncrypt, GenerateRandom: by key, alias and context; over key versions; rights asked first."""

from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from secretsd.api.cryptography import OfCiphertext
from secretsd.api.fields import BinaryValue
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.keys import KeyState
from secretsd.ports.storage import Add, Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

TEXT = BinaryValue(b"correct horse battery staple")
CONTEXT = {"service": "shop"}


async def new_key(house, spec="AES_256", usage=None, **more):
    return (await house.call("CreateKey", spec=spec, usage=usage, **more)).id


async def encrypted(house, key, text=TEXT, context=CONTEXT, **more):
    return (await house.call("Encrypt", key=key, plaintext=text, context=context, **more)).ciphertext


async def rotated(house, key_id):
    """The key with a second version, which is current from now on."""
    before = await house.storage.keys.get(house.account, key_id)
    first = await house.storage.keys.version(house.account, key_id, 1)
    second = await house.keystore.generate_key(replace(first.metadata, version=2))
    after = replace(before, current_version=2, revision=before.revision + 1)
    changes = (Replace(before, after, authenticator().mac(after)), Add(second, authenticator().mac(second)))
    await house.storage.commit(UnitOfWork(changes, samples.event("RotateKeyOnDemand", accounts=(house.account,))))
    house.storage.refresh()


@pytest.mark.parametrize("spec", ["AES_256", "AES_192", "AES_128", "SM4"])
async def test_what_was_encrypted_comes_back(house, spec):
    key = await new_key(house, spec)
    made = await house.call("Encrypt", key=key, plaintext=TEXT, context=CONTEXT)
    assert (made.key_id, made.key_version, made.algorithm) == (key, 1, "SYMMETRIC_DEFAULT")
    opened = await house.call("Decrypt", ciphertext=made.ciphertext, context=CONTEXT)
    assert (opened.key_id, opened.key_version, opened.algorithm) == (key, 1, "SYMMETRIC_DEFAULT")
    assert opened.plaintext == TEXT
    assert CiphertextHeader.split(made.ciphertext)[0].purpose is Purpose.API_CIPHERTEXT


@pytest.mark.parametrize("size", [0, 1, 6144])
async def test_a_plaintext_has_at_most_6_kib(house, tools, size):
    key = await new_key(house)
    ciphertext = await encrypted(house, key, BinaryValue(bytes(size)))
    assert len((await house.call("Decrypt", ciphertext=ciphertext, context=CONTEXT)).plaintext) == size
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await encrypted(house, key, BinaryValue(bytes(6145)))


async def test_a_key_may_be_named_by_alias_and_in_full(house):
    key = await new_key(house, alias="shop/main")
    for name in ("alias/shop/main", f"secretsd:{house.account}:alias/shop/main", f"secretsd:{house.account}:key/{key}"):
        ciphertext = await encrypted(house, name)
        for given in (None, name, key):
            opened = await house.call("Decrypt", ciphertext=ciphertext, context=CONTEXT, key=given)
            assert (opened.key_id, opened.plaintext) == (key, TEXT)


async def test_old_versions_of_a_key_still_decrypt(house):
    key = await new_key(house)
    old = await encrypted(house, key)
    await rotated(house, key)
    new = await house.call("Encrypt", key=key, plaintext=TEXT, context=CONTEXT)
    assert new.key_version == 2
    versions = [
        (await house.call("Decrypt", ciphertext=one, context=CONTEXT)).key_version for one in (old, new.ciphertext)
    ]
    assert versions == [1, 2]
    renewed = await house.call(
        "ReEncrypt", ciphertext=old, context=CONTEXT, destination_key=key, destination_context=CONTEXT
    )
    assert (renewed.source_key_version, renewed.key_version) == (1, 2)


async def test_events_tell_key_and_version_and_no_value(house):
    key = await new_key(house)
    ciphertext = await encrypted(house, key)
    await house.call("Decrypt", ciphertext=ciphertext, context=CONTEXT)
    encrypt, decrypt = [one for one in await house.events() if one["operation"] in ("Encrypt", "Decrypt")]
    assert encrypt["resource"] == decrypt["resource"] == f"secretsd:{house.account}:key/{key}"
    assert encrypt["fields"] == decrypt["fields"] == {"key_version": 1}
    assert b"horse" not in msgspec.json.encode([encrypt, decrypt])


async def test_the_services_own_key_is_nobodys_to_use(house, tools):
    await house.call("CreateSecret", name="app", text="one")
    key = (await house.call("DescribeSecret", name="app")).key_id
    for name, more in (("Encrypt", {"plaintext": TEXT}), ("GenerateDataKey", {})):
        with pytest.raises(tools.Failed, match="invalid-key-usage"):
            await house.call(name, key=key, **more)


# RSA


@pytest.fixture
async def rsa_key(house):
    return await new_key(house, "RSA_2048", "ENCRYPT_DECRYPT")


@pytest.mark.parametrize("name", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
async def test_an_rsa_key_decrypts_what_its_public_key_encrypted(house, tools, rsa_key, name):
    room = {"RSAES_OAEP_SHA_1": 214, "RSAES_OAEP_SHA_256": 190}[name]
    text = BinaryValue(bytes(room))
    made = await house.call("Encrypt", key=rsa_key, plaintext=text, algorithm=name)
    assert (made.algorithm, len(made.ciphertext)) == (name, 256)
    opened = await house.call("Decrypt", key=rsa_key, ciphertext=made.ciphertext, algorithm=name)
    assert (opened.plaintext, opened.algorithm) == (text, name)
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await house.call("Encrypt", key=rsa_key, plaintext=BinaryValue(bytes(room + 1)), algorithm=name)
    other = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"} - {name}
    with pytest.raises(tools.Failed, match="invalid-ciphertext"):
        await house.call("Decrypt", key=rsa_key, ciphertext=made.ciphertext, algorithm=other.pop())


async def test_an_rsa_keys_algorithm_has_to_be_named_and_its_own(house, tools, rsa_key):
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await house.call("Encrypt", key=rsa_key, plaintext=TEXT)
    assert "RSAES_OAEP_SHA_256, RSAES_OAEP_SHA_1" in refused.value.error.message
    for name in ("SYMMETRIC_DEFAULT", "SM2PKE"):
        with pytest.raises(tools.Failed, match="invalid-key-usage"):
            await house.call("Encrypt", key=rsa_key, plaintext=TEXT, algorithm=name)


async def test_nothing_is_encrypted_that_the_key_store_could_not_decrypt(house, tools, rsa_key):
    house.keystore.inabilities["RSAES_OAEP_SHA_256"] = "offers no RSA-OAEP-SHA-256"
    with pytest.raises(tools.Failed, match="unsupported") as refused:
        await house.call("Encrypt", key=rsa_key, plaintext=TEXT, algorithm="RSAES_OAEP_SHA_256")
    assert "offers no RSA-OAEP-SHA-256" in refused.value.error.message
    house.keystore.away = True
    with pytest.raises(tools.Failed, match="keystore-unavailable"):
        await house.call("Encrypt", key=rsa_key, plaintext=TEXT, algorithm="RSAES_OAEP_SHA_1")


async def test_an_rsa_ciphertext_has_no_context(house, tools, rsa_key):
    made = await house.call("Encrypt", key=rsa_key, plaintext=TEXT, algorithm="RSAES_OAEP_SHA_1")
    more = {"key": rsa_key, "algorithm": "RSAES_OAEP_SHA_1", "context": CONTEXT}
    for name, given in (("Encrypt", {"plaintext": TEXT}), ("Decrypt", {"ciphertext": made.ciphertext})):
        with pytest.raises(tools.Failed, match="invalid-request"):
            await house.call(name, **given, **more)


async def test_others_encrypt_for_an_rsa_key_by_its_public_key(house, rsa_key):
    version = await house.storage.keys.version(house.account, rsa_key, 1)
    public = serialization.load_der_public_key(version.public_key)
    assert isinstance(public, rsa.RSAPublicKey)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    made = public.encrypt(TEXT.reveal(), oaep)
    opened = await house.call("Decrypt", key=rsa_key, ciphertext=made, algorithm="RSAES_OAEP_SHA_256")
    assert opened.plaintext == TEXT


async def test_an_sm2_key_encrypts_by_its_only_algorithm(house):
    key = await new_key(house, "SM2", "ENCRYPT_DECRYPT")
    made = await house.call("Encrypt", key=key, plaintext=TEXT)
    assert made.algorithm == "SM2PKE"
    assert (await house.call("Decrypt", key=key, ciphertext=made.ciphertext)).plaintext == TEXT


@pytest.mark.parametrize(("spec", "usage"), [("RSA_2048", "SIGN_VERIFY"), ("HMAC_256", None), ("ECC_NIST_P256", None)])
async def test_keys_for_other_uses_encrypt_nothing(house, tools, spec, usage):
    key = await new_key(house, spec, usage)
    for name in ("Encrypt", "GenerateDataKey"):
        more = {"plaintext": TEXT} if name == "Encrypt" else {}
        with pytest.raises(tools.Failed, match="invalid-key-usage"):
            await house.call(name, key=key, **more)


# ReEncrypt


async def test_a_ciphertext_moves_to_another_key_and_context(house, tools):
    old, new = await new_key(house), await new_key(house, "AES_128", alias="new")
    made = await house.call(
        "ReEncrypt",
        ciphertext=await encrypted(house, old),
        context=CONTEXT,
        destination_key="alias/new",
        destination_context={"a": "b"},
    )
    assert (made.source_key_id, made.key_id, made.algorithm) == (old, new, "SYMMETRIC_DEFAULT")
    assert (await house.call("Decrypt", ciphertext=made.ciphertext, context={"a": "b"})).plaintext == TEXT
    with pytest.raises(tools.Failed, match="invalid-ciphertext"):
        await house.call("Decrypt", ciphertext=made.ciphertext, context=CONTEXT)
    assert not hasattr(made, "plaintext")
    (event,) = [one for one in await house.events() if one["operation"] == "ReEncrypt"]
    assert event["fields"] == {
        "destination_key": "alias/new",
        "destination": new,
        "source_key_version": 1,
        "key_version": 1,
    }


async def test_a_data_key_stays_one_when_it_is_encrypted_anew(house):
    key = await new_key(house)
    made = await house.call("GenerateDataKey", key=key)
    again = await house.call("ReEncrypt", ciphertext=made.ciphertext, destination_key=key)
    assert CiphertextHeader.split(again.ciphertext)[0].purpose is Purpose.API_DATA_KEY


async def test_ciphertexts_move_from_and_to_rsa_keys(house, rsa_key):
    key = await new_key(house)
    oaep = "RSAES_OAEP_SHA_256"
    there = await house.call(
        "ReEncrypt",
        ciphertext=await encrypted(house, key),
        context=CONTEXT,
        destination_key=rsa_key,
        destination_algorithm=oaep,
    )
    back = await house.call("ReEncrypt", ciphertext=there.ciphertext, key=rsa_key, algorithm=oaep, destination_key=key)
    assert (await house.call("Decrypt", ciphertext=back.ciphertext)).plaintext == TEXT


async def test_re_encryption_needs_a_right_on_either_key(house, tools):
    old, new = await new_key(house), await new_key(house)
    ciphertext = await encrypted(house, old)
    rights = {
        "from": {"effect": "Allow", "action": ["ReEncrypt", "ReEncryptFrom"], "resource": [f"key/{old}"]},
        "to": {"effect": "Allow", "action": ["ReEncryptTo"], "resource": [f"key/{new}"]},
    }
    both = await house.user("both", *rights.values())
    fields = {"ciphertext": ciphertext, "context": CONTEXT, "destination_key": new}
    assert await house.call("ReEncrypt", both, **fields)
    every = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
    for name, statements in {
        "only-from": (rights["from"],),
        "only-to": (rights["to"],),
        "decrypts": ({"effect": "Allow", "action": ["Decrypt", "Encrypt", "ReEncrypt"], "resource": ["key/*"]},),
        "not-from": (every, {"effect": "Deny", "action": ["ReEncryptFrom"], "resource": [f"key/{old}"]}),
        "not-to": (every, {"effect": "Deny", "action": ["ReEncryptTo"], "resource": [f"key/{new}"]}),
        "not-at-all": (every, {"effect": "Deny", "action": ["ReEncrypt"], "resource": ["*"]}),
    }.items():
        with pytest.raises(tools.Failed, match="access-denied"):
            await house.call("ReEncrypt", await house.user(name, *statements), **fields)
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("Decrypt", both, ciphertext=ciphertext, context=CONTEXT)


# Random bytes


@pytest.mark.parametrize("size", [1, 32, 4096])
async def test_random_bytes_are_as_many_as_asked_for(house, size):
    drawn = [(await house.call("GenerateRandom", number_of_bytes=size)).plaintext for _ in range(2)]
    assert [len(one) for one in drawn] == [size, size]
    assert size == 1 or drawn[0] != drawn[1]


async def test_random_bytes_need_a_right(house, tools):
    ann = await house.user("ann", {"effect": "Allow", "action": ["GenerateRandom"], "resource": ["random"]})
    assert await house.call("GenerateRandom", ann)
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("GenerateRandom", await house.user("bob"))


def test_a_request_about_a_ciphertext_is_about_the_key_that_it_names():
    header = CiphertextHeader(1, Purpose.API_CIPHERTEXT, "00000000-0000-4000-8000-00000000000a", 1, bytes(12)).pack()
    assert OfCiphertext(ciphertext=header).resource_path == "key/00000000-0000-4000-8000-00000000000a"
    assert OfCiphertext(ciphertext=header, key="alias/none").resource_path == "alias/none"


async def test_what_can_be_done_with_a_key_needs_it_enabled(house, tools):
    """The states, one by one: the operations of keys move between them."""
    key = await new_key(house)
    ciphertext = await encrypted(house, key)
    for state, kind in ((KeyState.DISABLED, "key-disabled"), (KeyState.PENDING_DELETION, "invalid-state")):
        await house.set_key_state(key, state)
        calls = {
            "Encrypt": {"key": key, "plaintext": TEXT},
            "Decrypt": {"ciphertext": ciphertext, "context": CONTEXT},
            "ReEncrypt": {"ciphertext": ciphertext, "context": CONTEXT, "destination_key": key},
            "GenerateDataKey": {"key": key},
            "GenerateDataKeyPair": {"key": key, "key_pair_spec": "ECC_NIST_P256"},
        }
        for name, fields in calls.items():
            with pytest.raises(tools.Failed, match=f"^{kind}$"):
                await house.call(name, **fields)
