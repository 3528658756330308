"""Sign and Verify, GenerateMac and VerifyMac: messages and digests, by every spec and algorithm."""

import hashlib
import hmac

import msgspec
import pytest

from secretsd.api.fields import BinaryValue
from secretsd.domain.algorithms import SigningAlgorithm, digest_bytes, hash_of, mac_algorithms, signing_algorithms
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyState

MESSAGE = BinaryValue(b"pay 100 to bob")
OTHER = BinaryValue(b"pay 900 to eve")
SIGNING = [
    (spec, one) for spec in KeySpec if spec.value not in ("RSA_3072", "RSA_4096") for one in signing_algorithms(spec)
]
MACS = [(spec, one) for spec in KeySpec for one in mac_algorithms(spec)]


async def new_key(house, spec, usage=None):
    return (await house.call("CreateKey", spec=spec.value, usage=usage)).id


def digest(algorithm):
    return BinaryValue(hashlib.new(hash_of(algorithm), MESSAGE.reveal()).digest())


@pytest.mark.parametrize(("spec", "algorithm"), SIGNING)
async def test_a_signature_is_valid_for_its_message_alone(house, spec, algorithm):
    key, other = await new_key(house, spec, "SIGN_VERIFY"), await new_key(house, spec, "SIGN_VERIFY")
    made = await house.call("Sign", key=key, message=MESSAGE, algorithm=algorithm.value)
    assert (made.key_id, made.key_version, made.algorithm) == (key, 1, algorithm.value)

    async def valid(key=key, message=MESSAGE, signature=made.signature, **more):
        fields = {"message": message, "signature": signature, "algorithm": algorithm.value, **more}
        return (await house.call("Verify", key=key, **fields)).valid

    assert await valid()
    assert not await valid(message=OTHER)
    assert not await valid(key=other)
    assert not await valid(signature=made.signature[:-1])
    assert not await valid(signature=made.signature + b"\0")
    assert not await valid(signature=b"no signature")
    for place in range(0, len(made.signature), 7):
        changed = bytearray(made.signature)
        changed[place] ^= 1
        assert not await valid(signature=bytes(changed)), place


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [one for one in SIGNING if one[1] not in (SigningAlgorithm.SM2DSA, SigningAlgorithm.ED25519_SHA_512)],
)
async def test_message_and_digest_are_signed_alike(house, spec, algorithm):
    key = await new_key(house, spec, "SIGN_VERIFY")
    hashed = digest(algorithm)
    by_message = await house.call("Sign", key=key, message=MESSAGE, algorithm=algorithm.value)
    by_digest = await house.call("Sign", key=key, message=hashed, message_type="DIGEST", algorithm=algorithm.value)
    for signature in (by_message.signature, by_digest.signature):
        for message, kind in ((MESSAGE, "RAW"), (hashed, "DIGEST")):
            fields = {"message": message, "message_type": kind, "algorithm": algorithm.value}
            assert (await house.call("Verify", key=key, signature=signature, **fields)).valid
    # A digest that is taken for the message is another message.
    fields = {"message": hashed, "algorithm": algorithm.value}
    assert not (await house.call("Verify", key=key, signature=by_message.signature, **fields)).valid


async def test_the_digest_of_an_sm2_message_is_not_its_bare_hash(house):
    key = await new_key(house, KeySpec.SM2, "SIGN_VERIFY")
    version = await house.storage.keys.version(house.account, key, 1)
    e = BinaryValue(house.keystore.sm2.digest(version.public_key, MESSAGE.reveal()))
    made = await house.call("Sign", key=key, message=e, message_type="DIGEST")
    assert (await house.call("Verify", key=key, message=MESSAGE, signature=made.signature)).valid


@pytest.mark.parametrize("name", ["Sign", "Verify"])
async def test_a_digest_has_the_length_of_its_hash(house, tools, name):
    more = {"signature": b"x"} if name == "Verify" else {}
    for spec, algorithm in SIGNING:
        if spec not in (KeySpec.ECC_NIST_P256, KeySpec.ECC_NIST_P521, KeySpec.RSA_2048):
            continue
        key = await new_key(house, spec, "SIGN_VERIFY")
        size = digest_bytes(algorithm)
        assert size is not None
        for wrong in (0, size - 1, size + 1, 20):
            fields = {"message": BinaryValue(bytes(wrong)), "message_type": "DIGEST", "algorithm": algorithm.value}
            with pytest.raises(tools.Failed, match="invalid-request") as refused:
                await house.call(name, key=key, **fields, **more)
            assert f"has {size} bytes" in refused.value.error.message
    edwards = await new_key(house, KeySpec.ECC_NIST_EDWARDS25519)
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call(name, key=edwards, message=BinaryValue(bytes(64)), message_type="DIGEST", **more)


@pytest.mark.parametrize("name", ["Sign", "Verify", "GenerateMac", "VerifyMac"])
async def test_a_message_has_at_most_4_kib(house, tools, name):
    key = await new_key(house, KeySpec.HMAC_256 if "Mac" in name else KeySpec.ECC_NIST_P256)
    more = {"Verify": {"signature": b"x"}, "VerifyMac": {"mac": bytes(32)}}.get(name, {})
    assert await house.call(name, key=key, message=BinaryValue(bytes(4096)), **more)
    with pytest.raises(tools.Failed, match="limit-exceeded"):
        await house.call(name, key=key, message=BinaryValue(bytes(4097)), **more)


async def test_an_algorithm_is_named_where_the_key_has_several(house, tools):
    key = await new_key(house, KeySpec.RSA_2048)
    with pytest.raises(tools.Failed, match="invalid-request") as refused:
        await house.call("Sign", key=key, message=MESSAGE)
    assert "RSASSA_PSS_SHA_256" in refused.value.error.message
    for algorithm in ("ECDSA_SHA_256", "ED25519_SHA_512", "SM2DSA"):
        with pytest.raises(tools.Failed, match="invalid-key-usage"):
            await house.call("Sign", key=key, message=MESSAGE, algorithm=algorithm)
    single = await new_key(house, KeySpec.ECC_NIST_P384)
    assert (await house.call("Sign", key=single, message=MESSAGE)).algorithm == "ECDSA_SHA_384"
    with pytest.raises(tools.Failed, match="invalid-key-usage"):
        await house.call("Sign", key=single, message=MESSAGE, algorithm="ECDSA_SHA_256")


async def test_verification_asks_no_key_store(house, tools):
    key = await new_key(house, KeySpec.ECC_NIST_P256)
    made = await house.call("Sign", key=key, message=MESSAGE)
    house.keystore.away = True
    assert (await house.call("Verify", key=key, message=MESSAGE, signature=made.signature)).valid
    with pytest.raises(tools.Failed, match="keystore-unavailable"):
        await house.call("Sign", key=key, message=MESSAGE)


@pytest.mark.parametrize(
    ("state", "kind"), [(KeyState.DISABLED, "key-disabled"), (KeyState.PENDING_DELETION, "invalid-state")]
)
async def test_keys_that_are_not_enabled_neither_sign_nor_verify(house, tools, state, kind):
    signing, authenticating = await new_key(house, KeySpec.ECC_NIST_P256), await new_key(house, KeySpec.HMAC_256)
    for key in (signing, authenticating):
        await house.set_key_state(key, state)
    for name, key, more in (
        ("Sign", signing, {}),
        ("Verify", signing, {"signature": b"x"}),
        ("GenerateMac", authenticating, {}),
        ("VerifyMac", authenticating, {"mac": b"x"}),
    ):
        with pytest.raises(tools.Failed, match=f"^{kind}$"):
            await house.call(name, key=key, message=MESSAGE, **more)


@pytest.mark.parametrize(("spec", "usage"), [("AES_256", None), ("RSA_2048", "ENCRYPT_DECRYPT"), ("HMAC_256", None)])
async def test_keys_for_other_uses_sign_nothing(house, tools, spec, usage):
    key = (await house.call("CreateKey", spec=spec, usage=usage)).id
    for name in ("Sign", "GenerateMac") if spec != "HMAC_256" else ("Sign",):
        with pytest.raises(tools.Failed, match="invalid-key-usage"):
            await house.call(name, key=key, message=MESSAGE)


async def test_events_tell_whether_it_was_valid_and_no_message(house):
    key = await new_key(house, KeySpec.ECC_NIST_P256)
    made = await house.call("Sign", key=key, message=MESSAGE)
    for message in (MESSAGE, OTHER):
        await house.call("Verify", key=key, message=message, signature=made.signature)
    events = [one for one in await house.events() if one["operation"] in ("Sign", "Verify")]
    assert [one["fields"].get("valid") for one in events] == [None, True, False]
    assert {one["outcome"] for one in events} == {"ok"}
    told = msgspec.json.encode(events)
    assert b"bob" not in told
    assert b"eve" not in told


# MACs


@pytest.mark.parametrize(("spec", "algorithm"), MACS)
async def test_a_mac_is_valid_whole_and_for_its_message_alone(house, tools, spec, algorithm):
    key, other = await new_key(house, spec), await new_key(house, spec)
    made = await house.call("GenerateMac", key=key, message=MESSAGE)
    assert (made.algorithm, len(made.mac)) == (algorithm.value, hashlib.new(hash_of(algorithm)).digest_size)

    async def valid(key=key, message=MESSAGE, mac=made.mac):
        return (await house.call("VerifyMac", key=key, message=message, mac=mac)).valid

    assert await valid()
    assert not await valid(message=OTHER)
    assert not await valid(key=other)
    for wrong in (made.mac[:-1], made.mac[:16], made.mac + b"\0", b"\0", bytes(len(made.mac))):
        assert not await valid(mac=wrong)
    wrong = {"HMAC_SHA_256": "HMAC_SHA_512"}.get(algorithm.value, "HMAC_SHA_256")
    with pytest.raises(tools.Failed, match="invalid-key-usage"):
        await house.call("GenerateMac", key=key, message=MESSAGE, algorithm=wrong)


async def test_macs_are_compared_in_constant_time(house, monkeypatch):
    compared, compare_digest = [], hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return compare_digest(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    key = await new_key(house, KeySpec.HMAC_256)
    made = await house.call("GenerateMac", key=key, message=MESSAGE)
    assert (await house.call("VerifyMac", key=key, message=MESSAGE, mac=made.mac)).valid
    assert (made.mac, made.mac) in compared


async def test_who_may_verify_a_mac_may_not_make_one(house, tools):
    key = await new_key(house, KeySpec.HMAC_256)
    made = await house.call("GenerateMac", key=key, message=MESSAGE)
    ann = await house.user("ann", {"effect": "Allow", "action": ["VerifyMac", "Verify"], "resource": ["key/*"]})
    answer = await house.call("VerifyMac", ann, key=key, message=MESSAGE, mac=bytes(32))
    assert made.mac not in msgspec.json.encode(answer)
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("GenerateMac", ann, key=key, message=MESSAGE)
