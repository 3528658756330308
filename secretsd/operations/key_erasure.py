"""The end of a CMK whose waiting time is over: two steps, so that no crash and no late change of mind meets it halfway.

BeginKeyErasure is the point of no return, stored before anything is destroyed: from then on the deletion cannot be
cancelled. EraseKey sets the key store's tombstone, which outlives every restore, then empties the rows. Both may run
twice; a key that a crash left between them is still due.
"""

from dataclasses import replace

from secretsd.api.fields import Response
from secretsd.api.keys import OfKey
from secretsd.domain.errors import InvalidState
from secretsd.domain.keys import CMK, KeyState, KeyVersionState, WrappedKey
from secretsd.operations.call import Call
from secretsd.operations.key_material import destroyed
from secretsd.operations.pinned_keys import HELD_BACK_MS, held_by
from secretsd.operations.registry import operation
from secretsd.ports.storage import Change, Delete

AT_ONCE = 100
"""How many key versions, aliases and grants, each, one unit of work takes away."""


class ErasureResponse(Response, frozen=True, kw_only=True):
    """The state of the key, whether its erasure has begun, and else the secret whose rotation still needs it."""

    id: str
    state: str
    begun: bool
    held_by: str | None = None


@operation("BeginKeyErasure", None)
async def begin_key_erasure(call: Call, request: OfKey) -> ErasureResponse:
    """Decide for good that a CMK is erased, or put that off while a rotation may need one of its versions."""
    key = await _due(call, request)
    if begun(key):
        return _told(key)
    needed_by = await held_by(call, key)
    if needed_by is not None:
        call.fields["held_by"] = needed_by
        later = replace(key, deletion_ms=call.time_ms + HELD_BACK_MS)
        await call.commit(call.replace(key, later))
        return _told(later, needed_by)
    # No version is left that was not destroyed, or is about to be.
    marked = replace(key, oldest_version=key.current_version + 1)
    await call.commit(call.replace(key, marked))
    return _told(marked)


@operation("EraseKey", None)
async def erase_key(call: Call, request: OfKey) -> ErasureResponse:
    """Destroy the material of a CMK whose erasure has begun; to be repeated until the key is destroyed."""
    key = await _due(call, request)
    if not begun(key):
        raise InvalidState(f"cannot erase key {key.id}: that has not begun")
    await call.parts.keystore.destroy_key(key.account, key.id, key.current_version)
    keys = call.parts.storage.keys
    left = await _left(call, key)
    aliases = await keys.aliases(key.account, "", AT_ONCE + 1, key.id)
    grants = await call.parts.storage.grants.grants(key.account, key.id, "", AT_ONCE + 1)
    changes: list[Change] = [call.replace(one, destroyed(one)) for one in left[:AT_ONCE]]
    changes += map(Delete, aliases[:AT_ONCE])
    changes += map(Delete, grants[:AT_ONCE])
    gone = key
    if max(len(left), len(aliases), len(grants)) <= AT_ONCE:
        gone = replace(
            key.become(KeyState.DESTROYED),
            deletion_ms=call.time_ms,
            rotation_seconds=None,
            next_rotation_ms=None,
            material_expires_ms=None,
        )
    await call.commit(call.replace(key, gone), *changes)
    return _told(gone)


def begun(key: CMK) -> bool:
    """Whether the key's material is being destroyed, or is already."""
    return key.oldest_version > key.current_version


def _told(key: CMK, needed_by: str | None = None) -> ErasureResponse:
    return ErasureResponse(id=key.id, state=key.state.value, begun=begun(key), held_by=needed_by)


async def _due(call: Call, request: OfKey) -> CMK:
    """The key, read fresh; InvalidState unless its day has come."""
    key = await call.parts.storage.keys.get(call.account, request.key)
    if key.state is not KeyState.PENDING_DELETION or key.deletion_ms is None or key.deletion_ms > call.time_ms:
        raise InvalidState(f"cannot erase key {key.id}: its waiting time has not ended")
    return key


async def _left(call: Call, key: CMK) -> list[WrappedKey]:
    """The newest versions that are not destroyed, up to AT_ONCE + 1 of them."""
    before = 2**62
    found: list[WrappedKey] = []
    while len(found) <= AT_ONCE:
        versions = await call.parts.storage.keys.versions(key.account, key.id, before, AT_ONCE)
        if not versions:
            break
        found += [one for one in versions if one.state is not KeyVersionState.DESTROYED]
        before = versions[-1].version
    return found[: AT_ONCE + 1]
