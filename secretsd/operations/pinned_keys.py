"""CMKs that a rotation under way needs: its target may be on any version that they guard (SECURITY 20)."""

from secretsd.domain.errors import NotFound
from secretsd.domain.keys import CMK
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.operations.call import Call
from secretsd.operations.ciphertext_places import notes_under

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
