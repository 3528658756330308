"""Operations that move a CMK from one state to another: enable, disable, schedule deletion, cancel that, protect it.

The moves are those of `domain.keys.TRANSITIONS`. A key that is in the wanted state already is no error and changes
nothing, as with the KMSs whose names these are; a deletion that is scheduled again is one: its day must not slip.
"""

from dataclasses import replace

from secretsd.api.key_lifecycle import (
    CancelKeyDeletionRequest,
    DeletionProtectionResponse,
    DisableKeyRequest,
    EnableKeyRequest,
    KeyStateResponse,
    ScheduleKeyDeletionRequest,
    SetDeletionProtectionRequest,
)
from secretsd.domain.errors import InvalidRequest, InvalidState, NotFound
from secretsd.domain.keys import CMK, KeyOrigin, KeyOwner, KeyState, KeyVersionState
from secretsd.operations.call import Call
from secretsd.operations.keys import find_key
from secretsd.operations.registry import operation

DAY_MS = 24 * 3600 * 1000


def describe_state(key: CMK) -> KeyStateResponse:
    """Where a CMK stands now."""
    return KeyStateResponse(id=key.id, state=key.state.value, deletion_ms=key.deletion_ms)


@operation("EnableKey", "POST /v1/keys/{key}:enable")
async def enable_key(call: Call, request: EnableKeyRequest) -> KeyStateResponse:
    """Let a disabled CMK be used again."""
    key = await find_key(call, request.key)
    if key.state is KeyState.ENABLED:
        return describe_state(key)
    if key.state is not KeyState.DISABLED:  # what waits for its material is enabled by importing that
        raise InvalidState(f"cannot enable key {key.id}: it is {key.state.value}")
    if key.material_expires_ms is not None and key.material_expires_ms <= call.time_ms:
        raise InvalidState(f"cannot enable key {key.id}: its imported material has expired")
    return await _move(call, key, key.become(KeyState.ENABLED))


@operation("DisableKey", "POST /v1/keys/{key}:disable")
async def disable_key(call: Call, request: DisableKeyRequest) -> KeyStateResponse:
    """Let a CMK be used no more, by nobody and nothing, until it is enabled again."""
    key = await find_key(call, request.key)
    await _require_own(call, key, "disable")
    if key.state is KeyState.DISABLED:
        return describe_state(key)
    if key.state is not KeyState.ENABLED:
        raise InvalidState(f"cannot disable key {key.id}: it is {key.state.value}")
    return await _move(call, key, key.become(KeyState.DISABLED))


@operation("ScheduleKeyDeletion", "POST /v1/keys/{key}:schedule-deletion", audited=("pending_window_days",))
async def schedule_key_deletion(call: Call, request: ScheduleKeyDeletionRequest) -> KeyStateResponse:
    """Let a CMK be used no more, and destroy it after so many days; what is encrypted under it is lost then."""
    key = await find_key(call, request.key)
    await _require_own(call, key, "delete")
    waiting = key.become(KeyState.PENDING_DELETION)
    if key.deletion_protection:
        raise InvalidState(f"cannot delete key {key.id}: it is protected from deletion; take that away first")
    deletion_ms = call.time_ms + request.pending_window_days * DAY_MS
    return await _move(call, key, replace(waiting, deletion_ms=deletion_ms))


@operation("CancelKeyDeletion", "POST /v1/keys/{key}:cancel-deletion")
async def cancel_key_deletion(call: Call, request: CancelKeyDeletionRequest) -> KeyStateResponse:
    """Keep a CMK that waits for its deletion: it is disabled then, or waits for its material if it has none."""
    key = await find_key(call, request.key)
    if key.state is not KeyState.PENDING_DELETION:
        raise InvalidState(f"cannot cancel the deletion of key {key.id}: it is {key.state.value}")
    if key.oldest_version > key.current_version:
        raise InvalidState(f"cannot cancel the deletion of key {key.id}: its material is being destroyed")
    state = KeyState.DISABLED if await _has_material(call, key) else KeyState.PENDING_IMPORT
    return await _move(call, key, replace(key.become(state), deletion_ms=None))


@operation("SetDeletionProtection", "POST /v1/keys/{key}:set-deletion-protection", audited=("enabled",))
async def set_deletion_protection(call: Call, request: SetDeletionProtectionRequest) -> DeletionProtectionResponse:
    """Protect a CMK from deletion, or take that protection away."""
    key = await find_key(call, request.key)
    key.require_present()
    if request.reason and not request.enabled:
        raise InvalidRequest("cannot keep a reason for a deletion protection that is taken away")
    changed = replace(key, deletion_protection=request.enabled, protection_reason=request.reason)
    if changed != key:
        await call.commit(call.replace(key, changed))
    return DeletionProtectionResponse(
        id=key.id, deletion_protection=changed.deletion_protection, protection_reason=changed.protection_reason
    )


async def _move(call: Call, before: CMK, after: CMK) -> KeyStateResponse:
    await call.commit(call.replace(before, after))
    return describe_state(after)


async def _require_own(call: Call, key: CMK, what: str) -> None:
    """Raise InvalidState for a key that belongs to the service: without it no secret of the account can be read."""
    account = await call.parts.rows.account(call.account)
    if key.owner is KeyOwner.SERVICE or key.id == account.default_key_id:
        raise InvalidState(f"cannot {what} key {key.id}: it is the service's own, which the account's secrets need")


async def _has_material(call: Call, key: CMK) -> bool:
    """Whether the key's material is there; only what comes from outside may be missing."""
    if key.origin is KeyOrigin.HSM:
        return True
    try:
        version = await call.parts.rows.key_version(key.account, key.id, key.current_version)
    except NotFound:
        return False
    return version.state is KeyVersionState.LIVE
