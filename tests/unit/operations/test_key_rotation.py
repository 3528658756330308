"""Keys get new versions by the clock, on demand and when one is used up; old versions still decrypt."""

import asyncio

import pytest

from secretsd.api.fields import BinaryValue
from secretsd.domain.errors import AccessDenied, KeyStoreUnavailable
from secretsd.domain.keys import KeyState
from secretsd.domain.names import Resource
from secretsd.domain.principals import KEY_ROTATION_ROLE, ROTATION_ROLE, Principal
from secretsd.operations.authorizer import OPEN_TO_ALL
from secretsd.operations.key_rotation import RenewKeyRequest
from secretsd.operations.registry import OPERATIONS
from secretsd.operations.request_facts import SCHEDULED, RequestFacts
from secretsd.operations.scheduled_roles import KEY_ROTATION_STEPS
from secretsd.services.key_rotation import KeyRotations

DAY_MS = 24 * 3600 * 1000


async def made(house, **fields):
    return (await house.call("CreateKey", **fields)).id


async def status(house, key):
    return await house.call("GetKeyRotationStatus", key=key)


async def ciphertext_of(house, key, text="words"):
    return (await house.call("Encrypt", key=key, plaintext=BinaryValue(text.encode()))).ciphertext


async def opened(house, ciphertext):
    return (await house.call("Decrypt", ciphertext=ciphertext)).plaintext.reveal().decode()


async def test_a_rotated_key_encrypts_by_its_new_version_and_decrypts_by_all(house):
    key = await made(house)
    old = await ciphertext_of(house, key)
    await house.call("CreateSecret", name="app", text="one", key_id=key)
    rotated = await house.call("RotateKeyOnDemand", key=key)
    assert (rotated.current_version, rotated.oldest_version, rotated.enabled) == (2, 1, False)
    assert rotated.last_rotation_ms == house.clock.ms
    new = await ciphertext_of(house, key)
    assert [await opened(house, one) for one in (old, new)] == ["words", "words"]
    assert old[:24] != new[:24], "the header names the key version"
    assert await house.text("app") == "one"
    await house.call("PutSecretValue", name="app", text="two")
    secret = await house.storage.secrets.get(house.account, "app")
    versions = await house.storage.secrets.versions(house.account, secret.id, 99, 9)
    assert [version.key_version for version in versions] == [2, 1]


async def test_a_rotation_is_one_unit_with_its_event(house):
    key = await made(house)
    answer = await house.run("RotateKeyOnDemand", key=key)
    (event,) = await house.events(answer.request_id)
    assert (event["operation"], event["outcome"]) == ("RotateKeyOnDemand", "ok")
    assert event["fields"]["current_version"] == 2
    assert {(row[0], tuple(row[1])[-1]) for row in event["changes"]} == {("keys", key), ("key_versions", "2")}


async def test_two_who_rotate_at_once_make_two_versions_and_lose_none(house):
    key = await made(house)
    answers = await asyncio.gather(*(house.run("RotateKeyOnDemand", key=key) for _ in range(5)))
    assert [answer.error for answer in answers] == [None] * 5
    assert sorted(answer.response.current_version for answer in answers) == [2, 3, 4, 5, 6]
    for version in range(1, 7):
        await house.storage.keys.version(house.account, key, version)


async def test_rotations_are_listed_the_newest_first(house, tools):
    key = await made(house)
    assert (await house.call("ListKeyRotations", key=key)).rotations == ()
    moments = [(await house.call("RotateKeyOnDemand", key=key)).last_rotation_ms for _ in range(3)]
    listed = await house.call("ListKeyRotations", key=key)
    assert [(one.version, one.rotated_ms, one.state) for one in listed.rotations] == [
        (4, moments[2], "live"),
        (3, moments[1], "live"),
        (2, moments[0], "live"),
    ]
    first = await house.call("ListKeyRotations", key=key, limit=2)
    rest = await house.call("ListKeyRotations", key=key, limit=2, next_token=first.next_token)
    assert [one.version for one in (*first.rotations, *rest.rotations)] == [4, 3, 2]
    assert rest.next_token is None
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("ListKeyRotations", key=key, next_token="eA==")


@pytest.mark.parametrize("spec", ["HMAC_256", "RSA_2048", "ECC_NIST_P256"])
async def test_only_symmetric_keys_that_encrypt_are_rotated(house, tools, spec):
    key = await made(house, spec=spec)
    for operation in ("RotateKeyOnDemand", "EnableKeyRotation", "DisableKeyRotation"):
        with pytest.raises(tools.Failed, match="invalid-key-usage") as failed:
            await house.call(operation, key=key)
        assert "only symmetric keys that encrypt" in failed.value.error.message
    assert (await status(house, key)).enabled is False


async def test_imported_keys_are_not_rotated(house, tools):
    key = await made(house, origin="EXTERNAL")
    with pytest.raises(tools.Failed, match="invalid-key-usage"):
        await house.call("RotateKeyOnDemand", key=key)


@pytest.mark.parametrize("operation", ["RotateKeyOnDemand", "EnableKeyRotation"])
async def test_a_disabled_key_is_not_rotated(house, tools, operation):
    key = await made(house)
    await house.call("DisableKey", key=key)
    with pytest.raises(tools.Failed, match="key-disabled"):
        await house.call(operation, key=key)
    assert (await status(house, key)).current_version == 1


async def test_the_period(house, tools):
    key = await made(house)
    enabled = await house.call("EnableKeyRotation", key=key)
    assert (enabled.enabled, enabled.rotation_period_seconds) == (True, 365 * 24 * 3600)
    week = await house.call("EnableKeyRotation", key=key, rotation_period_days=7)
    assert week.next_rotation_ms == house.clock.ms + 7 * DAY_MS
    assert await status(house, key) == week
    with pytest.raises(tools.Failed, match="invalid-request"):
        await house.call("EnableKeyRotation", key=key, rotation_period_days=7, rotation_period_seconds=9)
    disabled = await house.call("DisableKeyRotation", key=key)
    assert (disabled.enabled, disabled.rotation_period_seconds, disabled.next_rotation_ms) == (False, None, None)


async def test_seconds_only_where_the_settings_allow_it(tmp_path, house, tools):
    key = await made(house)
    short = await house.call("EnableKeyRotation", key=key, rotation_period_seconds=1)
    assert short.next_rotation_ms == house.clock.ms + 1000
    object.__setattr__(house.parts, "min_interval_seconds", 3600)
    for seconds in (1, 3600, 7 * 24 * 3600 - 1):
        with pytest.raises(tools.Failed, match="invalid-request") as failed:
            await house.call("EnableKeyRotation", key=key, rotation_period_seconds=seconds)
        assert "at least 604800 seconds" in failed.value.error.message
    week = await house.call("EnableKeyRotation", key=key, rotation_period_seconds=7 * 24 * 3600)
    assert week.rotation_period_seconds == 7 * 24 * 3600


async def test_what_is_due_is_rotated_once_and_due_again_a_period_later(house):
    key, other = await made(house), await made(house)
    await house.call("EnableKeyRotation", key=key, rotation_period_days=7)
    await house.call("EnableKeyRotation", key=other, rotation_period_days=30)
    service = KeyRotations(house.pipeline)
    assert await service.ensure() == 0
    house.clock.pass_days(7)
    assert await service.ensure() == 1
    assert await service.ensure() == 0
    rotated = await status(house, key)
    assert rotated.current_version == 2
    assert rotated.next_rotation_ms == rotated.last_rotation_ms + 7 * DAY_MS
    assert (await status(house, other)).current_version == 1
    (event,) = [event for event in await house.events() if event["operation"] == "RenewKey"]
    assert event["principal"] == f"secretsd:{house.account}:{KEY_ROTATION_ROLE}"
    assert (event["proof"], event["outcome"]) == ("schedule", "ok")


async def test_a_long_time_away_is_one_rotation(house):
    key = await made(house)
    await house.call("EnableKeyRotation", key=key, rotation_period_days=7)
    house.clock.pass_days(100)
    assert await KeyRotations(house.pipeline).ensure() == 1
    assert await KeyRotations(house.pipeline).ensure() == 0


async def test_a_disabled_key_waits_and_holds_nobody_up(house):
    key, other = await made(house), await made(house)
    for one in (key, other):
        await house.call("EnableKeyRotation", key=one, rotation_period_days=7)
    await house.call("DisableKey", key=key)
    house.clock.pass_days(8)
    assert await KeyRotations(house.pipeline).ensure() == 1
    assert [(await status(house, one)).current_version for one in (key, other)] == [1, 2]
    await house.call("EnableKey", key=key)
    assert await KeyRotations(house.pipeline).ensure() == 1


async def test_two_workers_rotate_it_once(house):
    key = await made(house)
    await house.call("EnableKeyRotation", key=key, rotation_period_days=7)
    house.clock.pass_days(8)
    await asyncio.gather(*(KeyRotations(house.pipeline).ensure() for _ in range(4)))
    assert (await status(house, key)).current_version == 2
    late = RenewKeyRequest(key=key, version=1, used_up=True)  # found before the other one rotated it
    principal = Principal(house.account, KEY_ROTATION_ROLE, "schedule")
    await house.pipeline.run_scheduled(OPERATIONS["RenewKey"], late, principal, None)
    assert (await status(house, key)).current_version == 2


async def test_a_key_store_that_is_away_is_asked_again(house):
    key = await made(house)
    await house.call("EnableKeyRotation", key=key, rotation_period_days=7)
    house.clock.pass_days(8)
    service = KeyRotations(house.pipeline)
    house.keystore.away = True
    with pytest.raises(KeyStoreUnavailable):
        await service.ensure(worn=False)
    house.keystore.away = False
    assert await service.ensure() == 1


async def test_a_version_that_is_used_up_is_rotated_without_a_period(house):
    key = await made(house)
    house.keystore.worn_at = 3
    service = KeyRotations(house.pipeline)
    await ciphertext_of(house, key)
    await ciphertext_of(house, key)
    assert await service.ensure() == 0
    last = await ciphertext_of(house, key)
    assert await service.ensure(worn=False) == 0, "that look is not the one that asks the key store"
    assert await service.ensure() == 1
    assert await service.ensure() == 0
    rotated = await status(house, key)
    assert (rotated.current_version, rotated.enabled, rotated.next_rotation_ms) == (2, False, None)
    assert await opened(house, last) == "words"


async def test_the_accounts_default_key_is_rotated_when_it_is_used_up(house):
    default = (await house.storage.accounts.get(house.account)).default_key_id
    house.keystore.worn_at = 1
    await house.call("CreateSecret", name="app", text="one")
    assert await KeyRotations(house.pipeline).ensure() == 1
    assert (await status(house, default)).current_version == 2
    assert await house.text("app") == "one"


async def test_the_role_may_do_its_own_steps_on_keys_and_nothing_else(house):
    """And the rotation role of secrets reads no more for it."""
    role = Principal(house.account, KEY_ROTATION_ROLE, "schedule")
    key, secret = Resource(house.account, "key/k"), Resource(house.account, "secret/app")
    allowed = {
        (name, resource)
        for name in [*OPERATIONS, "Decrypt", "GenerateDataKey", "UseTarget"]
        for resource in (key, secret, Resource("100000000009", "key/k"))
        if await _may(house, role, name, resource)
    }
    assert allowed == {(step, key) for step in KEY_ROTATION_STEPS} | {
        (name, one) for name in OPEN_TO_ALL for one in (key, secret, Resource("100000000009", "key/k"))
    }
    assert all(OPERATIONS[step].route is None for step in KEY_ROTATION_STEPS)
    assert not await _may(house, Principal(house.account, ROTATION_ROLE, "schedule"), "RotateKeyOnDemand", key)


async def _may(house, principal, permission, resource):
    try:
        facts = RequestFacts(principal, SCHEDULED, None, 0)
        await house.parts.authorizer.require(principal, permission, resource, facts)
    except AccessDenied:
        return False
    return True


async def test_rotation_needs_its_own_permission(house, tools):
    key = await made(house)
    caller = await house.user("ann", {"effect": "Allow", "action": ["GetKeyRotationStatus"], "resource": ["key/*"]})
    assert (await house.call("GetKeyRotationStatus", caller, key=key)).current_version == 1
    for operation in (
        "RotateKeyOnDemand",
        "EnableKeyRotation",
        "DisableKeyRotation",
        "ListKeyRotations",
        "ReEncryptSecrets",
        "DescribeReEncryption",
        "CancelReEncryption",
    ):
        with pytest.raises(tools.Failed, match="access-denied"):
            await house.call(operation, caller, key=key)
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("DestroyKeyVersion", caller, key=key, version=1)


async def test_a_key_that_waits_for_its_deletion_is_left_alone(house, tools):
    key = await made(house)
    await house.call("EnableKeyRotation", key=key, rotation_period_days=7)
    await house.call("ScheduleKeyDeletion", key=key, pending_window_days=30)
    house.clock.pass_days(8)
    assert await KeyRotations(house.pipeline).ensure() == 0
    assert (await house.storage.keys.get(house.account, key)).state is KeyState.PENDING_DELETION
    with pytest.raises(tools.Failed, match="invalid-state"):
        await house.call("DisableKeyRotation", key=key)
