"""Material that goes: of key versions that are destroyed, and of imported ones that may be imported again."""

from collections.abc import Sequence
from dataclasses import replace

from secretsd.api.fields import Response
from secretsd.api.keys import OfKey
from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import CMK, KeyOrigin, KeyState, KeyVersionState, WrappedKey
from secretsd.operations.call import Call
from secretsd.operations.pinned_keys import HELD_BACK_MS, held_by
from secretsd.operations.registry import operation
from secretsd.ports.storage import Change


def destroyed(version: WrappedKey) -> WrappedKey:
    """The row that stays of a version whose material is destroyed: nothing of it knows the material again."""
    return replace(version, state=KeyVersionState.DESTROYED, blob=b"", mac=b"", fingerprint=b"")


async def without_material(call: Call, key: CMK) -> tuple[CMK, Sequence[Change]]:
    """The key as it waits for its material again, and the changes that take the material away; nothing stored yet.

    InvalidState where there is none that could be imported again. No tombstone is set, because the same version may
    come back: a backup from before still holds the material, wrapped.
    """
    if key.origin is not KeyOrigin.EXTERNAL:
        raise InvalidState(f"cannot take away the material of key {key.id}: it was made in the HSM")
    waiting = replace(key.become(KeyState.PENDING_IMPORT), material_expires_ms=None)
    version = await call.parts.storage.keys.version(key.account, key.id, key.current_version)
    version.require_live()
    return waiting, [call.replace(key, waiting), call.replace(version, version.without_material())]


class ExpiryResponse(Response, frozen=True, kw_only=True):
    """The state of the key, and the secret whose rotation still needs the material."""

    id: str
    state: str
    held_by: str | None = None


@operation("ExpireKeyMaterial", None)
async def expire_key_material(call: Call, request: OfKey) -> ExpiryResponse:
    """Take away imported material whose time is over, or put that off while a rotation may need it."""
    key = await call.parts.storage.keys.get(call.account, request.key)
    if key.material_expires_ms is None or key.material_expires_ms > call.time_ms:
        raise InvalidState(f"cannot expire the material of key {key.id}: its time is not over")
    needed_by = await held_by(call, key)
    if needed_by is not None:
        # Until then it stays in use, because the rotation cannot come to its end without it.
        call.fields["held_by"] = needed_by
        later = replace(key, material_expires_ms=call.time_ms + HELD_BACK_MS)
        await call.commit(call.replace(key, later))
        return ExpiryResponse(id=later.id, state=later.state.value, held_by=needed_by)
    waiting, changes = await without_material(call, key)
    await call.commit(*changes)
    return ExpiryResponse(id=waiting.id, state=waiting.state.value)
