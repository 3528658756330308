"""CMKs that a rotation under way needs: its target may be on any version that they guard (SECURITY 20)."""

import base64

from secretsd.domain.envelope import CiphertextHeader
from secretsd.domain.errors import InvalidState, NotFound
from secretsd.domain.keys import CMK, KeyOrigin, KeyState
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.domain.secrets import Secret
from secretsd.operations.call import Call
from secretsd.operations.ciphertext_places import notes_under
from secretsd.ports.storage import Change

HELD_BACK_MS = 3600 * 1000
"""How much later the end of a key or of its material is tried again that a secret's rotation does not allow yet."""
AT_ONCE = 100


async def held_by(call: Call, key: CMK) -> str | None:
    """A secret whose rotation is under way and needs the key."""
    after = ""
    while rotations := await call.parts.storage.rotations.page(key.account, after, AT_ONCE):
        for rotation in rotations:
            if rotation.state is not RotationState.IDLE and await _needs(call, rotation, key):
                return rotation.secret_name
        after = rotations[-1].secret_id
    return None


async def hold_material(call: Call, secret: Secret, rotation: Rotation) -> list[Change]:
    """Changes for the commit by which a rotation pins its versions: they keep imported material from going meanwhile.

    `held_by` sees a rotation only once that is stored. So both ways write the row of the key: whoever takes the
    material away in the same moment finds the row changed, looks again and sees the rotation, or the rotation finds it
    changed and begins anew. Other keys need none of it, because their end is days after they were last used.
    InvalidState where the material is away already.
    """
    if not rotation.rules.pinned:
        return []
    rows, wanted = call.parts.rows, {secret.key_id}
    wanted |= {(await rows.version(secret, one)).key_id for one in set(secret.stages.values())}
    wanted |= {CiphertextHeader.split(base64.b64decode(note))[0].key_id for note in rotation.kept.values()}
    changes: list[Change] = []
    for key_id in sorted(wanted):
        # Another account's key is its owner's to take away: `held_by` does not ask for rotations of others.
        if await rows.owner_of_key(key_id, secret.account) != secret.account:
            continue
        if (await rows.key(secret.account, key_id)).origin is not KeyOrigin.EXTERNAL:
            continue
        key = await call.parts.storage.keys.get(secret.account, key_id)
        if key.state is KeyState.PENDING_IMPORT:
            raise InvalidState(f"cannot rotate secret {secret.name}: the material of key {key_id} is away")
        changes.append(call.replace(key, key))
    return changes


async def _needs(call: Call, rotation: Rotation, key: CMK) -> bool:
    """Whether a version that the rotation has pinned, or a note of its rotator, is under the key."""
    secrets = call.parts.storage.secrets
    try:
        secret = await secrets.get(rotation.account, rotation.secret_name)
    except NotFound:
        return False
    if not secret.pinned:
        return False
    if notes_under(rotation, key, key.current_version + 1):
        return True
    pinned = [await secrets.version(secret.account, secret.id, one) for one in set(secret.stages.values())]
    return any(version.key_id == key.id for version in pinned)
