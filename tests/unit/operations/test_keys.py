"""CMKs as a whole: made of every kind or not at all, described, found by what they are, their public halves told."""

import typing
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from secretsd.api import keys as api
from secretsd.domain.algorithms import algorithm_names
from secretsd.domain.key_specs import SPECS, KeySpec, KeyUsage
from secretsd.domain.keys import KeyOrigin, KeyOwner, KeyState, KeyVersionState, ProtectionLevel
from secretsd.domain.names import Resource
from secretsd.ports.storage import Replace, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.storage import authenticator

QUICK = [spec for spec in KeySpec if spec not in (KeySpec.RSA_3072, KeySpec.RSA_4096)]


def literals(kind) -> set[str]:
    return set(typing.get_args(kind))


def test_requests_speak_of_the_kinds_that_the_domain_knows():
    assert literals(api.Spec) == {spec.value for spec in KeySpec}
    assert literals(api.Usage) == {usage.value for usage in KeyUsage}
    assert literals(api.Origin) == {origin.value for origin in KeyOrigin}
    assert literals(api.State) == {state.value for state in KeyState}
    hints = typing.get_type_hints(api.ListKeysRequest)
    assert literals(typing.get_args(hints["owner"])[0]) == {owner.value for owner in KeyOwner}
    assert literals(typing.get_args(hints["protection_level"])[0]) == {level.value for level in ProtectionLevel}


@pytest.mark.parametrize("spec", QUICK)
async def test_a_key_of_every_spec_that_the_key_store_can_make(house, tools, spec):
    if spec.value in house.keystore.inabilities:
        with pytest.raises(tools.Failed, match=r"^unsupported$"):
            await house.call("CreateKey", spec=spec.value)
        return
    made = await house.call("CreateKey", spec=spec.value)
    usage = SPECS[spec].usages[0]
    assert (made.spec, made.usage, made.state, made.origin) == (spec.value, usage.value, "enabled", "HSM")
    assert made.algorithms == algorithm_names(spec, usage) != ()
    assert made == await house.call("DescribeKey", key=made.id)
    version = await house.storage.keys.version(house.account, made.id, 1)
    assert (version.spec, version.usage, version.created_ms) == (spec, usage, made.created_ms)
    assert bool(version.public_key) == SPECS[spec].asymmetric


@pytest.mark.parametrize("origin", ["HSM", "EXTERNAL"])
async def test_what_the_key_store_cannot_make_is_refused_with_the_reason_and_never_half_made(house, tools, origin):
    house.keystore.inabilities["RSA_2048"] = "offers no RSA"
    with pytest.raises(tools.Failed, match=r"^unsupported$") as failed:
        await house.call("CreateKey", spec="RSA_2048", origin=origin, alias="mine")
    assert failed.value.error.message == "cannot make a key of spec RSA_2048: this HSM offers no RSA"
    assert (await house.call("ListKeys", owner="customer")).keys == ()
    assert (await house.call("ListAliases")).aliases == ()
    (event,) = await house.events(failed.value.request_id)
    assert (event["outcome"], event["fields"]["spec"]) == ("unsupported", "RSA_2048")


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"spec": "AES_256", "usage": "SIGN_VERIFY"}, "AES_256 for SIGN_VERIFY"),
        ({"spec": "HMAC_256", "usage": "ENCRYPT_DECRYPT"}, "HMAC_256 for ENCRYPT_DECRYPT"),
        ({"spec": "ECC_NIST_EDWARDS25519", "origin": "EXTERNAL"}, "whose material is imported"),
        ({"protection_reason": "because"}, "not wanted"),
        ({"alias": "aws/s3"}, "reserved"),
        ({"alias": "secretsd/default"}, "reserved"),
    ],
)
async def test_parts_that_do_not_go_together_are_refused(house, tools, fields, about):
    with pytest.raises(tools.Failed, match=r"^invalid-request$") as failed:
        await house.call("CreateKey", **fields)
    assert about in failed.value.error.message
    assert (await house.call("ListKeys", owner="customer")).keys == ()


async def test_a_key_of_either_usage_is_made_as_it_is_wanted(house):
    signs = await house.call("CreateKey", spec="RSA_2048")
    opens = await house.call("CreateKey", spec="RSA_2048", usage="ENCRYPT_DECRYPT")
    assert (signs.usage, opens.usage) == ("SIGN_VERIFY", "ENCRYPT_DECRYPT")
    assert "RSASSA_PSS_SHA_256" in signs.algorithms
    assert "RSAES_OAEP_SHA_1" in opens.algorithms


async def test_a_key_from_outside_waits_for_its_material_without_a_version(house, tools):
    made = await house.call("CreateKey", origin="EXTERNAL")
    assert (made.state, made.origin, made.current_version) == ("pending-import", "EXTERNAL", 1)
    assert (await house.call("ListKeyVersions", key=made.id)).versions == ()
    with pytest.raises(tools.Failed, match=r"^invalid-state$"):
        await house.call("EnableKey", key=made.id)


async def test_alias_tags_and_protection_come_with_the_key_in_one_unit(house):
    answer = await house.run(
        "CreateKey", alias="prod/db", tags={"env": "prod"}, deletion_protection=True, protection_reason="archive"
    )
    made = answer.response
    assert (made.tags, made.deletion_protection, made.protection_reason) == ({"env": "prod"}, True, "archive")
    assert await house.call("DescribeKey", key="alias/prod/db") == made
    (event,) = await house.events(answer.request_id)
    assert [row[0] for row in event["changes"]] == ["keys", "key_versions", "aliases"]
    assert (event["fields"]["key"], event["fields"]["alias"]) == (made.id, "prod/db")


async def test_an_alias_that_is_taken_or_forbidden_makes_no_key(house, tools):
    await house.call("CreateKey", alias="mine")
    with pytest.raises(tools.Failed, match=r"^already-exists$"):
        await house.call("CreateKey", alias="mine")
    bob = await house.user("bob", {"effect": "Allow", "action": ["CreateKey"], "resource": ["key/*"]})
    with pytest.raises(tools.Failed, match=r"^access-denied$"):
        await house.call("CreateKey", bob, alias="his")
    assert len((await house.call("ListKeys", owner="customer")).keys) == 1
    await house.call("CreateKey", bob)


async def test_keys_are_listed_by_what_they_are(house, tools):
    aes = await house.call("CreateKey", tags={"env": "prod", "team": "x"})
    mac = await house.call("CreateKey", spec="HMAC_256", tags={"env": "prod"})
    own = await house.call("CreateKey", origin="EXTERNAL")
    await house.call("DisableKey", key=mac.id)

    async def found(**wanted):
        return {key.id for key in (await house.call("ListKeys", **wanted)).keys}

    customers = {aes.id, mac.id, own.id}
    (default,) = await found() - customers
    assert await found(owner="service") == {default}
    assert await found(owner="customer") == customers
    assert await found(spec="HMAC_256") == await found(usage="GENERATE_VERIFY_MAC") == {mac.id}
    assert await found(state="disabled") == {mac.id}
    assert await found(origin="EXTERNAL") == await found(state="pending-import") == {own.id}
    assert await found(tags=("env=prod",)) == {aes.id, mac.id}
    assert await found(tags=("env=prod", "team=x")) == {aes.id}
    assert await found(protection_level="SOFTWARE") == set()
    first = await house.call("ListKeys", owner="customer", limit=2)
    rest = await house.call("ListKeys", owner="customer", limit=2, next_token=first.next_token)
    assert [key.id for key in (*first.keys, *rest.keys)] == sorted(customers)
    for tag in ("env", "=prod", ""):
        with pytest.raises(tools.Failed, match=r"^invalid-request$"):
            await house.call("ListKeys", tags=(tag,))


async def test_a_description_changes_and_nothing_else(house):
    made = await house.call("CreateKey", description="one")
    changed = await house.call("UpdateKeyDescription", key=made.id, description="two")
    assert changed.description == "two"
    assert await house.call("DescribeKey", key=made.id) == changed
    assert {name for name in made.__struct_fields__ if getattr(made, name) != getattr(changed, name)} == {"description"}


async def test_a_public_key_is_told_in_both_spellings(house, tools):
    made = await house.call("CreateKey", spec="ECC_NIST_P256", alias="signer")
    told = await house.call("GetPublicKey", key="alias/signer")
    assert (told.id, told.version, told.algorithms) == (made.id, 1, ("ECDSA_SHA_256",))
    read = serialization.load_pem_public_key(told.pem.encode())
    assert isinstance(read, ec.EllipticCurvePublicKey)
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    assert read.public_bytes(*form) == told.public_key
    assert read.public_bytes(serialization.Encoding.PEM, form[1]).decode() == told.pem
    await house.call("DisableKey", key=made.id)
    with pytest.raises(tools.Failed, match=r"^key-disabled$"):
        await house.call("GetPublicKey", key=made.id)


async def test_a_symmetric_key_has_no_public_half(house, tools):
    for spec in ("AES_256", "HMAC_256"):
        made = await house.call("CreateKey", spec=spec)
        with pytest.raises(tools.Failed, match=r"^invalid-key-usage$"):
            await house.call("GetPublicKey", key=made.id)


async def test_versions_are_listed_newest_first_and_say_which_is_current(house, tools):
    made = await house.call("CreateKey")
    (only,) = (await house.call("ListKeyVersions", key=made.id)).versions
    assert (only.version, only.state, only.current, only.created_ms) == (1, "live", True, made.created_ms)
    # As rotations leave it: three versions, the first destroyed, the third current.
    mac = authenticator().mac
    before = await house.storage.keys.get(house.account, made.id)
    first = await house.storage.keys.version(house.account, made.id, 1)
    gone = replace(first, state=KeyVersionState.DESTROYED, blob=b"", revision=1, created_ms=0)
    after = replace(before, current_version=3, oldest_version=2, revision=before.revision + 1)
    changes = [Replace(first, gone, mac(gone)), Replace(before, after, mac(after))]
    await house.storage.commit(UnitOfWork(tuple(changes), samples.event("Rotated", accounts=(samples.OTHER_ACCOUNT,))))
    for number in (2, 3):
        await house.add_record(replace(first, version=number, created_ms=number))
    first_page = await house.call("ListKeyVersions", key=made.id, limit=2)
    assert [(one.version, one.state, one.current, one.created_ms) for one in first_page.versions] == [
        (3, "live", True, 3),
        (2, "live", False, 2),
    ]
    last = await house.call("ListKeyVersions", key=made.id, limit=2, next_token=first_page.next_token)
    assert [(one.version, one.state, one.created_ms) for one in last.versions] == [(1, "destroyed", made.created_ms)]
    assert last.next_token is None
    with pytest.raises(tools.Failed, match=r"^invalid-request$"):
        await house.call("ListKeyVersions", key=made.id, next_token="eA==")


async def test_an_unknown_key_is_not_found_or_forbidden_and_its_name_is_not_repeated(house, tools):
    nowhere = "99999999-9999-4999-8999-999999999999"
    bob = await house.user("bob", {"effect": "Allow", "action": ["*"], "resource": ["key/not-that-one"]})
    asked: dict[str, dict[str, Any]] = {
        "DescribeKey": {},
        "UpdateKeyDescription": {"description": "x"},
        "EnableKey": {},
        "DisableKey": {},
        "ScheduleKeyDeletion": {},
        "CancelKeyDeletion": {},
        "SetDeletionProtection": {"enabled": True},
        "ListKeyVersions": {},
        "GetPublicKey": {},
        "CreateAlias": {"alias": "a"},
    }
    for name, fields in asked.items():
        for reference in (nowhere, "alias/nowhere"):
            with pytest.raises(tools.Failed, match=r"^not-found$") as failed:
                await house.call(name, key=reference, **fields)
            assert failed.value.error.message == "cannot find the key", name
            with pytest.raises(tools.Failed, match=r"^access-denied$"):
                await house.call(name, bob, key=reference, **fields)
        # In another account nobody may know whether there is one.
        theirs = f"secretsd:100000000009:key/{nowhere}"
        with pytest.raises(tools.Failed, match=r"^not-found$" if name == "CreateAlias" else r"^access-denied$"):
            await house.call(name, key=theirs, **fields)


async def test_tags_reach_a_key_by_its_alias_as_whoever_may_tag_the_key(house, tools):
    made = await house.call("CreateKey", alias="mine")
    told = await house.call("TagResource", resource="alias/mine", tags={"a": "1", "b": "2"})
    assert (told.resource, told.tags) == (f"key/{made.id}", {"a": "1", "b": "2"})
    await house.call("UntagResource", resource="alias/mine", keys=("a",))
    assert (await house.call("DescribeKey", key=made.id)).tags == {"b": "2"}
    with pytest.raises(tools.Failed, match=r"^not-found$"):
        await house.call("TagResource", resource="alias/nowhere", tags={"a": "1"})
    by_name = await house.user("by-name", {"effect": "Allow", "action": ["*"], "resource": ["alias/*"]})
    with pytest.raises(tools.Failed, match=r"^access-denied$"):
        await house.call("TagResource", by_name, resource="alias/mine", tags={"a": "1"})
    by_key = await house.user("by-key", {"effect": "Allow", "action": ["*"], "resource": [f"key/{made.id}"]})
    await house.call("TagResource", by_key, resource="alias/mine", tags={"a": "3"})


async def test_each_account_sees_its_own_keys_only(house, tools):
    made = await house.call("CreateKey", alias="mine")
    other = replace(samples.cmk(samples.KEY_ID), account=samples.OTHER_ACCOUNT)
    await house.add_record(other)
    assert samples.KEY_ID not in {key.id for key in (await house.call("ListKeys")).keys}
    in_full = str(Resource(samples.OTHER_ACCOUNT, f"key/{samples.KEY_ID}"))
    for reference, kind in ((samples.KEY_ID, "not-found"), (in_full, "access-denied")):
        with pytest.raises(tools.Failed, match=f"^{kind}$"):
            await house.call("DescribeKey", key=reference)
    assert (await house.call("DescribeKey", key=str(Resource(house.account, "alias/mine")))).id == made.id
