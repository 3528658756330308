"""Data keys and key pairs, with and without plaintext, and data keys for somebody else's RSA key."""

import asyncio
import threading
import typing

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from secretsd.api.data_keys import KeyPairSpec
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import Throttled
from secretsd.domain.key_specs import SPECS, KeyFamily, KeySpec
from secretsd.domain.keys import KeyState
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import key_pairs
from secretsd.operations.key_pairs import KeyPair, KeyPairs

CONTEXT = {"service": "shop"}
HASHES = {"RSAES_OAEP_SHA_1": hashes.SHA1(), "RSAES_OAEP_SHA_256": hashes.SHA256()}
PAIRS = {
    "RSA_2048": rsa.RSAPrivateKey,
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
    "ECC_NIST_EDWARDS25519": ed25519.Ed25519PrivateKey,
}


@pytest.fixture
async def key(house):
    return (await house.call("CreateKey")).id


@pytest.fixture(scope="module")
def receiver():
    return rsa.generate_private_key(65537, 2048)


def spki(private):
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def unwrapped(receiver, name, exported):
    return receiver.decrypt(exported, padding.OAEP(padding.MGF1(HASHES[name]), HASHES[name], None))


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, 32),
        ({"spec": "AES_256"}, 32),
        ({"spec": "AES_128"}, 16),
        ({"number_of_bytes": 1}, 1),
        ({"number_of_bytes": 1024}, 1024),
    ],
)
async def test_a_data_key_is_what_its_ciphertext_holds(house, key, asked, size):
    made = await house.call("GenerateDataKey", key=key, context=CONTEXT, **asked)
    assert (made.key_id, made.key_version, len(made.plaintext)) == (key, 1, size)
    opened = await house.call("Decrypt", ciphertext=made.ciphertext, context=CONTEXT)
    assert opened.plaintext == made.plaintext
    assert CiphertextHeader.split(made.ciphertext)[0].purpose is Purpose.API_DATA_KEY


async def test_a_data_key_has_a_spec_or_a_size(house, tools, key):
    for name in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
        with pytest.raises(tools.Failed, match="invalid-request"):
            await house.call(name, key=key, spec="AES_256", number_of_bytes=32)


async def test_a_data_key_without_plaintext_shows_none(house, key):
    made = await house.call("GenerateDataKeyWithoutPlaintext", key=key, context=CONTEXT)
    assert set(made.__struct_fields__) == {"key_id", "key_version", "ciphertext"}
    assert len((await house.call("Decrypt", ciphertext=made.ciphertext, context=CONTEXT)).plaintext) == 32


async def test_no_data_key_comes_twice(house, key):
    made = [await house.call("GenerateDataKey", key=key) for _ in range(20)]
    assert len({one.plaintext.reveal() for one in made}) == len({one.ciphertext for one in made}) == 20


async def test_each_of_the_operations_is_a_right_of_its_own(house, tools, key, receiver):
    ann = await house.user(
        "ann", {"effect": "Allow", "action": ["GenerateDataKeyWithoutPlaintext"], "resource": [f"key/{key}"]}
    )
    made = await house.call("GenerateDataKeyWithoutPlaintext", ann, key=key)
    for name, fields in {
        "GenerateDataKey": {"key": key},
        "GenerateDataKeyPair": {"key": key, "key_pair_spec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {"key": key, "key_pair_spec": "ECC_NIST_P256"},
        "GenerateAndExportDataKey": {"key": key, "public_key": spki(receiver)},
        "ExportDataKey": {"ciphertext": made.ciphertext, "public_key": spki(receiver)},
        "Decrypt": {"ciphertext": made.ciphertext},
    }.items():
        with pytest.raises(tools.Failed, match="access-denied"):
            await house.call(name, ann, **fields)


# Key pairs


@pytest.mark.parametrize("spec", PAIRS)
async def test_a_key_pair_is_one_of_its_kind_and_its_private_key_comes_back(house, key, spec):
    made = await house.call("GenerateDataKeyPair", key=key, key_pair_spec=spec, context=CONTEXT)
    private = serialization.load_der_private_key(made.private_key_plaintext.reveal(), None)
    assert isinstance(private.curve if isinstance(private, ec.EllipticCurvePrivateKey) else private, PAIRS[spec])
    assert spki(private) == made.public_key
    opened = await house.call("Decrypt", ciphertext=made.private_key_ciphertext, context=CONTEXT)
    assert opened.plaintext == made.private_key_plaintext
    hidden = await house.call("GenerateDataKeyPairWithoutPlaintext", key=key, key_pair_spec=spec, context=CONTEXT)
    assert "private_key_plaintext" not in hidden.__struct_fields__
    opened = await house.call("Decrypt", ciphertext=hidden.private_key_ciphertext, context=CONTEXT)
    assert spki(serialization.load_der_private_key(opened.plaintext.reveal(), None)) == hidden.public_key
    assert hidden.public_key != made.public_key


async def test_the_largest_private_key_fits_into_a_ciphertext(house, key):
    made = await house.call("GenerateDataKeyPair", key=key, key_pair_spec="RSA_4096")
    opened = await house.call("Decrypt", ciphertext=made.private_key_ciphertext)
    private = serialization.load_der_private_key(opened.plaintext.reveal(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    assert private.key_size == 4096


async def test_key_pairs_in_the_making_are_bounded_for_each_account(monkeypatch):
    go_on, at_work = threading.Event(), []

    def slow(spec):
        at_work.append(spec)
        assert go_on.wait(30)
        at_work.remove(spec)
        return KeyPair(spec.value.encode(), Plaintext(b""))

    monkeypatch.setattr(key_pairs, "_made", slow)
    pairs = KeyPairs(max_waiting=3, max_waiting_of_account=2)
    asked = [asyncio.ensure_future(pairs.make("one", KeySpec.RSA_2048)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Throttled):
        await pairs.make("one", KeySpec.RSA_2048)
    asked.append(asyncio.ensure_future(pairs.make("two", KeySpec.RSA_3072)))
    await asyncio.sleep(0)
    with pytest.raises(Throttled):
        await pairs.make("three", KeySpec.RSA_2048)
    assert len(at_work) <= 1
    go_on.set()
    made = [pair.public_key for pair in await asyncio.gather(*asked)]
    assert made == [b"RSA_2048", b"RSA_2048", b"RSA_3072"]
    assert (await pairs.make("three", KeySpec.RSA_4096)).public_key == b"RSA_4096"


async def test_a_key_that_was_disabled_while_the_pair_was_made_encrypts_nothing(house, tools, key, monkeypatch):
    made = key_pairs._made

    async def disabled_meanwhile(spec):
        await house.set_key_state(key, KeyState.DISABLED)
        return made(spec)

    monkeypatch.setattr(asyncio, "to_thread", lambda _, spec: disabled_meanwhile(spec))
    with pytest.raises(tools.Failed, match="key-disabled"):
        await house.call("GenerateDataKeyPair", key=key, key_pair_spec="RSA_2048")


def test_every_spec_with_a_public_key_but_sm2_can_be_a_pair():
    wanted = {spec.value for spec, rules in SPECS.items() if rules.asymmetric and rules.family is not KeyFamily.SM2}
    assert set(typing.get_args(KeyPairSpec)) == wanted


# Export


@pytest.mark.parametrize("name", HASHES)
async def test_a_data_key_is_exported_to_the_holder_of_a_private_key(house, key, receiver, name):
    made = await house.call("GenerateDataKey", key=key, context=CONTEXT)
    fields = {"public_key": spki(receiver), "wrapping_algorithm": name, "context": CONTEXT}
    exported = await house.call("ExportDataKey", ciphertext=made.ciphertext, **fields)
    assert unwrapped(receiver, name, exported.exported_data_key) == made.plaintext.reveal()
    new = await house.call("GenerateAndExportDataKey", key=key, **fields)
    opened = await house.call("Decrypt", ciphertext=new.ciphertext, context=CONTEXT)
    assert unwrapped(receiver, name, new.exported_data_key) == opened.plaintext.reveal()
    assert opened.plaintext != made.plaintext
    for answer in (exported, new):
        assert made.plaintext.reveal() not in msgspec.json.encode(answer)


async def test_what_is_no_data_key_is_not_exported(house, tools, key, receiver):
    made = await house.call("Encrypt", key=key, plaintext=(await house.call("GenerateRandom")).plaintext)
    with pytest.raises(tools.Failed, match="invalid-ciphertext"):
        await house.call("ExportDataKey", ciphertext=made.ciphertext, public_key=spki(receiver))


async def test_a_data_key_larger_than_the_public_key_holds_is_refused(house, tools, key, receiver):
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await house.call("GenerateAndExportDataKey", key=key, number_of_bytes=191, public_key=spki(receiver))
    assert await house.call("GenerateAndExportDataKey", key=key, number_of_bytes=190, public_key=spki(receiver))


async def test_only_rsa_keys_of_the_usual_sizes_take_an_export(house, tools, key, receiver):
    weak = rsa.generate_private_key(65537, 1024)
    odd = rsa.generate_private_key(65537, 2056)
    pem = receiver.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    bad = [spki(weak), spki(odd), spki(ec.generate_private_key(ec.SECP256R1())), pem, b"x", spki(receiver)[:-1]]
    for public_key in bad:
        for name, given in (("GenerateAndExportDataKey", {"key": key}), ("ExportDataKey", {"ciphertext": bytes(60)})):
            with pytest.raises(tools.Failed, match="invalid-request"):
                await house.call(name, public_key=public_key, **given)
