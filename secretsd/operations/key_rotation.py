"""Operations on the rotation of CMKs: by the clock, on demand, and when a version has encrypted as often as it may."""

from dataclasses import replace

from secretsd.api.fields import Response
from secretsd.api.key_rotation import (
    DisableKeyRotationRequest,
    EnableKeyRotationRequest,
    GetKeyRotationStatusRequest,
    KeyRotationEntry,
    KeyRotationStatus,
    ListKeyRotationsRequest,
    ListKeyRotationsResponse,
    RotateKeyOnDemandRequest,
)
from secretsd.api.keys import OfKey
from secretsd.domain.errors import InvalidRequest, NotFound
from secretsd.domain.key_specs import KeyUsage
from secretsd.domain.keys import CMK, MIN_ROTATION_DAYS, KeyMetadata
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.registry import operation

DAY_SECONDS = 24 * 3600
DEFAULT_PERIOD_DAYS = 365
SHORT_PERIODS_BELOW_SECONDS = 60
"""Periods below a week are for trying it out: where schedules may come as often as that, as in `secretsd dev`."""
MAX_VERSION = 2**32 - 1


class RenewKeyRequest(OfKey, frozen=True, kw_only=True):
    """`version` is the one to be replaced: whoever finds another one current was too late.

    `used_up` tells that it has encrypted as often as it should; else it is the clock.
    """

    version: int
    used_up: bool = False


class RenewKeyResponse(Response, frozen=True, kw_only=True):
    """Which version is current now."""

    current_version: int


async def key_of(call: Call, key_id: str) -> CMK:
    """The key, read fresh because it is about to be changed; NotFound."""
    try:
        return await call.parts.storage.keys.get(call.account, key_id)
    except NotFound:
        raise NotFound("cannot find the key") from None


@operation(
    "EnableKeyRotation",
    "POST /v1/keys/{key}:enable-rotation",
    audited=("rotation_period_days", "rotation_period_seconds"),
)
async def enable_key_rotation(call: Call, request: EnableKeyRotationRequest) -> KeyRotationStatus:
    """Let a key be rotated by the clock; the first time is a period from now."""
    key = await key_of(call, request.key)
    key.require_rotatable()
    key.require_usable(KeyUsage.ENCRYPT_DECRYPT, call.time_ms)
    seconds = _period_seconds(call, request)
    after = replace(key, rotation_seconds=seconds, next_rotation_ms=call.time_ms + 1000 * seconds)
    await call.commit(call.replace(key, after))
    return _status(after)


def _period_seconds(call: Call, request: EnableKeyRotationRequest) -> int:
    days, seconds = request.rotation_period_days, request.rotation_period_seconds
    if days is not None and seconds is not None:
        raise InvalidRequest("cannot set the period: give either days or seconds")
    if seconds is None:
        return DAY_SECONDS * (days or DEFAULT_PERIOD_DAYS)
    least = call.parts.min_interval_seconds
    if least > SHORT_PERIODS_BELOW_SECONDS:
        least = DAY_SECONDS * MIN_ROTATION_DAYS
    if seconds < least:
        raise InvalidRequest(f"cannot set the period: it is at least {least} seconds")
    return seconds


@operation("DisableKeyRotation", "POST /v1/keys/{key}:disable-rotation")
async def disable_key_rotation(call: Call, request: DisableKeyRotationRequest) -> KeyRotationStatus:
    """Let a key not be rotated by the clock any more; its versions stay."""
    key = await key_of(call, request.key)
    key.require_rotatable()
    key.require_present()
    after = replace(key, rotation_seconds=None, next_rotation_ms=None)
    await call.commit(call.replace(key, after))
    return _status(after)


@operation("GetKeyRotationStatus", "GET /v1/keys/{key}:rotation-status")
async def get_key_rotation_status(call: Call, request: GetKeyRotationStatusRequest) -> KeyRotationStatus:
    """Tell whether a key is rotated by the clock, and when next."""
    return _status(await key_of(call, request.key))


@operation("RotateKeyOnDemand", "POST /v1/keys/{key}:rotate")
async def rotate_key_on_demand(call: Call, request: RotateKeyOnDemandRequest) -> KeyRotationStatus:
    """Make a new version of a key current; older versions still decrypt."""
    return _status(await _rotated(call, await key_of(call, request.key)))


@operation("RenewKey", None, audited=("version", "used_up"))
async def renew_key(call: Call, request: RenewKeyRequest) -> RenewKeyResponse:
    """Make a new version of a key current because its time has come; nothing where somebody did that already."""
    key = await key_of(call, request.key)
    due = key.next_rotation_ms is not None and key.next_rotation_ms <= call.time_ms
    if key.current_version == request.version and (due or request.used_up):
        key = await _rotated(call, key)
    return RenewKeyResponse(current_version=key.current_version)


async def _rotated(call: Call, key: CMK) -> CMK:
    """The key at its next version: made in the key store, then current in one unit with its event."""
    key.require_rotatable()
    key.require_usable(KeyUsage.ENCRYPT_DECRYPT, call.time_ms)
    if key.current_version >= MAX_VERSION:
        raise InvalidRequest(f"cannot rotate key {key.id}: it has as many versions as there can be")
    after = key.rotated(call.time_ms)
    metadata = KeyMetadata(
        key.account, key.id, after.current_version, key.spec, key.usage, key.origin, key.protection_level
    )
    # A version that is made and then loses the race is in nobody's storage, and so it is nowhere.
    made = await call.parts.keystore.generate_key(metadata)
    call.fields["current_version"] = after.current_version
    await call.commit(call.replace(key, after), call.add(replace(made, created_ms=call.time_ms)))
    return after


@operation("ListKeyRotations", "GET /v1/keys/{key}:rotations")
async def list_key_rotations(call: Call, request: ListKeyRotationsRequest) -> ListKeyRotationsResponse:
    """List when a key got its versions, the newest first."""
    key = await key_of(call, request.key)
    before = _before(request.next_token) or key.current_version + 1
    found = await call.parts.storage.keys.versions(key.account, key.id, before, request.limit + 1)
    versions = [one for one in found if one.version > 1]
    shown, token = pages.page(versions, request.limit, lambda one: str(one.version))
    entries = tuple(
        KeyRotationEntry(version=one.version, rotated_ms=one.created_ms, state=one.state.value) for one in shown
    )
    return ListKeyRotationsResponse(rotations=entries, next_token=token)


def _before(token: str | None) -> int:
    after = pages.after(token)
    if after and not (after.isascii() and after.isdecimal() and len(after) <= 10):
        raise InvalidRequest("cannot go on with the list: next_token is not one of ours")
    return int(after or 0)


def _status(key: CMK) -> KeyRotationStatus:
    return KeyRotationStatus(
        key=key.id,
        enabled=key.rotation_seconds is not None,
        current_version=key.current_version,
        oldest_version=key.oldest_version,
        rotation_period_seconds=key.rotation_seconds,
        next_rotation_ms=key.next_rotation_ms,
        last_rotation_ms=key.last_rotation_ms,
    )
