"""Keys and secrets of another account: named in full, used where both sides allow it, seen by their owner."""

import pytest

from secretsd.domain.across_accounts import ACROSS_ACCOUNTS
from secretsd.domain.grants import GRANT_OPERATIONS
from secretsd.operations.registry import permissions
from tests.unit.operations.two_accounts import APP, CONTEXT, TEXT, VENDOR, Vendor, outcome, speaks, told

UNKNOWN = "00000000-0000-4000-8000-000000000000"
OWNER_DOES_NOT, NOTHING_DOES = " (the owner of the resource does not allow it)", " (nothing allows it)"


def denied(operation, why=""):
    return "access-denied", f"cannot do that: {operation} is not allowed, or it does not exist{why}"


@pytest.fixture
async def vendor(house):
    return await Vendor(house).settle()


@pytest.fixture
async def key(house):
    return (await house.call("CreateKey", alias="customer")).id


def full(house, path):
    return f"secretsd:{house.account}:{path}"


async def put(house, resource, actions, principal=APP, effect="Allow", **more):
    await house.call("PutResourcePolicy", resource=resource, document=speaks(actions, principal, effect, **more))


def test_what_may_reach_across_is_a_list_of_known_permissions():
    assert permissions() >= ACROSS_ACCOUNTS - {"AssumeRole"}
    assert ACROSS_ACCOUNTS > GRANT_OPERATIONS
    assert not {"PutResourcePolicy", "RevokeGrant", "DisableKey", "CreateSecret", "CreateUser"} & ACROSS_ACCOUNTS


@pytest.mark.parametrize("reference", ["key/{key}", "alias/customer"])
async def test_a_key_is_used_by_its_full_name_once_both_sides_allow_it(house, vendor, key, reference):
    named = full(house, reference.format(key=key))
    asked = {"key": named, "plaintext": TEXT, "context": CONTEXT}
    assert await outcome(house, "Encrypt", vendor.app, **asked) == "access-denied"
    await put(house, f"key/{key}", ["Encrypt", "Decrypt", "DescribeKey"])
    made = await house.call("Encrypt", vendor.app, **asked)
    assert made.key_id == key
    back = await house.call("Decrypt", vendor.app, ciphertext=made.ciphertext, context=CONTEXT)
    assert back.plaintext.reveal() == TEXT.reveal()
    described = await house.call("DescribeKey", vendor.app, key=named)
    assert described.resource == full(house, f"key/{key}")
    # The owner opens what the vendor made.
    assert (await house.call("Decrypt", ciphertext=made.ciphertext, context=CONTEXT)).plaintext == TEXT


async def test_the_callers_own_side_has_to_allow_it_too(house, vendor, key):
    await put(house, f"key/{key}", ["Encrypt"], VENDOR)
    named = full(house, f"key/{key}")
    nobody = await vendor.user("nobody", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    assert await outcome(house, "Encrypt", nobody, key=named, plaintext=TEXT) == "access-denied"
    assert await outcome(house, "Encrypt", vendor.app, key=named, plaintext=TEXT) == "ok"


async def test_the_owners_denial_wins_over_a_grant(house, vendor, key):
    await house.call("CreateGrant", key=key, grantee=APP, operations=("Encrypt",))
    named = full(house, f"key/{key}")
    assert await outcome(house, "Encrypt", vendor.app, key=named, plaintext=TEXT) == "ok"
    await put(house, f"key/{key}", ["Encrypt"], APP, "Deny")
    assert await outcome(house, "Encrypt", vendor.app, key=named, plaintext=TEXT) == "access-denied"


async def test_every_kind_of_use_reaches_a_key_of_another_account(house, vendor):
    await put(house, f"key/{(cipher := await make(house, 'AES_256'))}", ["*"])
    await put(house, f"key/{(signer := await make(house, 'ECC_NIST_P256'))}", ["*"])
    await put(house, f"key/{(mac := await make(house, 'HMAC_256'))}", ["*"])

    async def call(name, key=None, **fields):
        named = {} if key is None else {"key": full(house, f"key/{key}")}
        return await house.call(name, vendor.app, **named, **fields)

    data_key = await call("GenerateDataKey", cipher, context=CONTEXT)
    opened = await call("Decrypt", ciphertext=data_key.ciphertext, context=CONTEXT)
    assert opened.plaintext == data_key.plaintext
    await call("GenerateDataKeyWithoutPlaintext", cipher)
    await call("GenerateDataKeyPair", cipher, key_pair_spec="ECC_NIST_P256")
    await call("GenerateDataKeyPairWithoutPlaintext", cipher, key_pair_spec="ECC_NIST_P256")
    signature = (await call("Sign", signer, message=TEXT)).signature
    assert (await call("Verify", signer, message=TEXT, signature=signature)).valid
    tag = (await call("GenerateMac", mac, message=TEXT)).mac
    assert (await call("VerifyMac", mac, message=TEXT, mac=tag)).valid
    assert (await call("GetPublicKey", signer)).id == signer


async def make(house, spec):
    usage = "SIGN_VERIFY" if spec.startswith("ECC") else None
    return (await house.call("CreateKey", spec=spec, usage=usage)).id


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("DisableKey", {}), ("ScheduleKeyDeletion", {}), ("UpdateKeyDescription", {"description": "mine"}),
        ("RotateKeyOnDemand", {}), ("RevokeGrant", {"grant": "ab" * 32}), ("EnableKeyRotation", {}),
        ("SetDeletionProtection", {"enabled": True}),
    ],
)  # fmt: skip
async def test_keys_of_others_are_used_and_never_managed(house, vendor, key, operation, fields):
    """Whatever the owner's policy says: to manage is to become a role there."""
    await put(house, f"key/{key}", ["*"])
    before = await house.storage.keys.get(house.account, key)
    heard = await told(house, operation, vendor.app, key=full(house, f"key/{key}"), **fields)
    assert heard == denied(operation, OWNER_DOES_NOT)
    assert await house.storage.keys.get(house.account, key) == before


async def test_what_is_not_there_and_what_is_denied_look_alike(house, vendor, key):
    await house.call("CreateSecret", name="prod/db", text="x")
    for path, unknown in ((f"key/{key}", f"key/{UNKNOWN}"), ("alias/customer", "alias/none")):
        answers = [
            await told(house, "Encrypt", vendor.app, key=full(house, one), plaintext=TEXT) for one in (path, unknown)
        ]
        # What an alias stands for would tell whether there is one.
        assert answers == [denied("Encrypt", OWNER_DOES_NOT if path.startswith("key/") else "")] * 2
    for operation in ("GetSecretValue", "DescribeSecret"):
        answers = [
            await told(house, operation, vendor.app, name=full(house, f"secret/{name}")) for name in ("prod/db", "none")
        ]
        assert answers == [denied(operation, OWNER_DOES_NOT)] * 2
    nowhere = "secretsd:999999999999:secret/prod/db"
    assert await told(house, "GetSecretValue", vendor.app, name=nowhere) == denied("GetSecretValue", NOTHING_DOES)


async def test_a_refused_callers_own_trail_does_not_tell_what_an_alias_stands_for(house, vendor, key):
    for alias in ("customer", "none"):
        answer = await house.run("Encrypt", vendor.app, key=full(house, f"alias/{alias}"), plaintext=TEXT)
        (event,) = await house.events(answer.request_id, VENDOR)
        assert event["resource"] == full(house, f"alias/{alias}")
        assert event["accounts"] == [VENDOR, house.account]
        assert key not in str(event)


async def test_a_ciphertext_under_anothers_key_is_told_like_one_under_none(house, vendor, key):
    made = (await house.call("Encrypt", key=key, plaintext=TEXT)).ciphertext
    nowhere = made[:3] + bytes(16) + made[19:]
    only_own = await vendor.user("own", {"effect": "Allow", "action": ["*"], "resource": ["*"]})
    nothing = await vendor.user("nothing")
    for caller in (vendor.app, only_own, nothing):
        heard = {await told(house, "Decrypt", caller, ciphertext=one) for one in (made, nowhere)}
        assert len(heard) == 1
    own = await house.call("CreateKey", vendor.boss)
    heard = {
        await told(house, "ReEncrypt", vendor.app, ciphertext=one, destination_key=own.id) for one in (made, nowhere)
    }
    assert len(heard) == 1


async def test_the_owner_sees_every_use_of_his_key_and_every_refused_one(house, vendor, key):
    named = full(house, f"key/{key}")
    made = (await house.call("Encrypt", key=key, plaintext=TEXT)).ciphertext
    asked = {"Encrypt": {"key": named, "plaintext": TEXT}, "Decrypt": {"ciphertext": made}}
    refused = [(name, await house.run(name, vendor.app, **fields)) for name, fields in asked.items()]
    seen = [one for one in await house.events() if one["resource"] == named and one["outcome"] == "access-denied"]
    assert sorted((one["operation"], one["principal"]) for one in seen) == [("Decrypt", APP), ("Encrypt", APP)]
    await put(house, f"key/{key}", ["Encrypt", "Decrypt"])
    allowed = [(name, await house.run(name, vendor.app, **fields)) for name, fields in asked.items()]
    for name, answer in allowed:
        (event,) = await house.events(answer.request_id)
        assert (event["operation"], event["principal"]) == (name, APP)
        assert event["accounts"] == [VENDOR, house.account]
        assert event["resource"] == named
        assert [event] == await house.events(answer.request_id, VENDOR)
    assert [answer.error is None for _, answer in (*refused, *allowed)] == [False, False, True, True]


async def test_the_trail_of_whoever_tried_a_ciphertext_does_not_tell_whose_its_key_is(house, vendor, key):
    made = (await house.call("Encrypt", key=key, plaintext=TEXT)).ciphertext
    nowhere = made[:3] + bytes(16) + made[19:]
    told = []
    for ciphertext in (made, nowhere):
        answer = await house.run("Decrypt", vendor.app, ciphertext=ciphertext)
        (event,) = await house.events(answer.request_id, VENDOR)
        assert house.account not in str(await house.events(None, VENDOR))
        told.append({name: event[name] for name in ("accounts", "outcome", "principal", "source")})
    assert told[0] == told[1]
    (of_owner,) = [one for one in await house.events() if one["outcome"] == "access-denied"]
    assert of_owner["accounts"] == [house.account]
    assert of_owner["resource"] == full(house, f"key/{key}")


async def test_re_encryption_asks_the_condition_of_the_context_that_is_bound(house, vendor, key):
    """Else who may write for one tenant only would write for any other."""
    source = (await house.call("CreateKey", vendor.boss)).id
    made = await house.call("Encrypt", vendor.app, key=source, plaintext=TEXT, context=CONTEXT)
    await house.call(
        "CreateGrant", key=key, grantee=APP, operations=("ReEncryptTo", "ReEncryptFrom"), context_equals=CONTEXT
    )
    asked = {"ciphertext": made.ciphertext, "context": CONTEXT, "destination_key": full(house, f"key/{key}")}
    assert await outcome(house, "ReEncrypt", vendor.app, **asked) == "access-denied"
    assert (
        await outcome(house, "ReEncrypt", vendor.app, **asked, destination_context={"tenant": "8"}) == "access-denied"
    )
    moved = await house.call("ReEncrypt", vendor.app, **asked, destination_context=CONTEXT)
    assert (moved.source_key_id, moved.key_id) == (source, key)
    # And back from the customer's key to one's own, by the grant again.
    back = {"ciphertext": moved.ciphertext, "destination_key": source}
    assert await outcome(house, "ReEncrypt", vendor.app, **back, context={}) == "invalid-ciphertext"
    assert (await house.call("ReEncrypt", vendor.app, **back, context=CONTEXT)).key_id == source


async def test_the_key_store_counts_a_use_for_the_keys_owner(house, vendor, key):
    used = []
    genuine = house.keystore.encrypt

    async def encrypt(version, use, *rest):
        used.append(use.account)
        return await genuine(version, use, *rest)

    house.keystore.encrypt = encrypt
    await put(house, f"key/{key}", ["Encrypt"])
    await house.call("Encrypt", vendor.app, key=full(house, f"key/{key}"), plaintext=TEXT)
    assert used == [house.account]


async def test_a_secret_is_read_and_written_by_its_full_name(house, vendor):
    await house.call("CreateSecret", name="prod/db", text="one")
    named = full(house, "secret/prod/db")
    await put(house, "secret/prod/db", ["GetSecretValue"])
    value = await house.call("GetSecretValue", vendor.app, name=named)
    assert (value.name, value.text.reveal()) == ("prod/db", b"one")
    assert await outcome(house, "DescribeSecret", vendor.app, name=named) == "access-denied"
    assert await outcome(house, "PutSecretValue", vendor.app, name=named, text="two") == "access-denied"
    await put(house, "secret/prod/db", ["GetSecretValue", "PutSecretValue", "DescribeSecret"])
    answer = await house.run("PutSecretValue", vendor.app, name=named, text="two")
    assert await house.text("prod/db") == "two"
    assert (await house.call("DescribeSecret", vendor.app, name=named)).resource == named
    (event,) = await house.events(answer.request_id)
    assert (event["principal"], event["resource"], event["accounts"]) == (APP, named, [VENDOR, house.account])
    # One's own secret by its full name is the same one.
    assert await house.text(named) == "two"


async def test_a_secret_made_again_under_the_name_is_not_let_out_by_the_old_ones_policy(house, vendor):
    named = full(house, "secret/prod/db")
    await house.call("CreateSecret", name="prod/db", text="one")
    await put(house, "secret/prod/db", ["GetSecretValue"])
    assert await outcome(house, "GetSecretValue", vendor.app, name=named) == "ok"
    old = (await house.call("DescribeSecret", name="prod/db")).id
    await house.call("DeleteSecret", name="prod/db", force=True)
    assert await told(house, "GetSecretValue", vendor.app, name=named) == denied("GetSecretValue", OWNER_DOES_NOT)
    await house.call("CreateSecret", name="prod/db", text="another's")
    assert await told(house, "GetSecretValue", vendor.app, name=named) == denied("GetSecretValue", OWNER_DOES_NOT)
    with pytest.raises(Exception, match="cannot find a policy"):
        await house.storage.grants.policy(house.account, f"secret-id/{old}")


@pytest.mark.parametrize(
    "name",
    ["secretsd:system:secret/x", "secretsd:200000000002:key/x", "secretsd::secret/x", "secretsd:2:secret/x",
     "secretsd:200000000002:secret/", "secretsd:200000000002:secret/../x", "secretsd:200000000002:secret/a:b"],
)  # fmt: skip
async def test_what_only_looks_like_a_full_name_is_refused(name):
    import msgspec

    from secretsd.api.values import GetSecretValueRequest

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": name}, GetSecretValueRequest)


async def test_an_alias_of_ones_own_never_leads_to_anothers_key(house, vendor, key):
    await put(house, f"key/{key}", ["*"])
    named = full(house, f"key/{key}")
    assert await outcome(house, "CreateAlias", vendor.app, alias="mine", key=named) == "not-found"
    assert await outcome(house, "PutResourcePolicy", vendor.app, resource=f"key/{key}", document=speaks("*", APP)) == (
        "not-found"
    )
