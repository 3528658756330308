"""The end of a key version, with proof that nothing here needs it.

The proof: new ciphertexts are stored only while their key is as it was when they were made (`Call.rest_on`), and from
this key's present row only those under its current version are. So what is counted after the key was read is all that
there is under an older one, and all that there will ever be.
"""

import contextlib
from dataclasses import replace

from secretsd.api.key_rotation import DestroyKeyVersionRequest, DestroyKeyVersionResponse
from secretsd.domain.errors import Conflict, InvalidState, NotFound
from secretsd.domain.keys import CMK, KeyOwner
from secretsd.operations import ciphertext_places
from secretsd.operations.call import Call
from secretsd.operations.key_material import destroyed
from secretsd.operations.key_rotation import key_of
from secretsd.operations.registry import operation


@operation(
    "DestroyKeyVersion",
    "POST /v1/keys/{key}:destroy-version",
    audited=("version", "confirm_unknown_ciphertexts"),
)
async def destroy_key_version(call: Call, request: DestroyKeyVersionRequest) -> DestroyKeyVersionResponse:
    """Destroy the oldest version of a key; refused while anything that is stored here needs it."""
    key = await key_of(call, request.key)
    _require_destroyable(key, request)
    found = await ciphertext_places.count(call, key, key.oldest_version + 1)
    if found:
        raise Conflict(
            f"cannot destroy version {request.version} of key {key.id}: {ciphertext_places.in_words(found)} need it; "
            "ReEncryptSecrets moves them to the current version"
        )
    # First in the key store: were it last, a crash in between would leave a version that a restore brings back to life.
    await call.parts.keystore.destroy_key(key.account, key.id, request.version)
    after = replace(key, oldest_version=request.version + 1)
    changes = [call.replace(key, after)]
    # After a restore there may be a version fewer than there were: then only the tombstone is left to be made.
    with contextlib.suppress(NotFound):
        version = await call.parts.storage.keys.version(key.account, key.id, request.version)
        changes.append(call.replace(version, destroyed(version)))
    await call.commit(*changes)
    return DestroyKeyVersionResponse(key=key.id, version=request.version, oldest_version=after.oldest_version)


def _require_destroyable(key: CMK, request: DestroyKeyVersionRequest) -> None:
    key.require_rotatable()
    key.require_present()
    if request.version < key.oldest_version:
        raise InvalidState(f"cannot destroy version {request.version} of key {key.id}: it is destroyed already")
    if request.version >= key.current_version:
        raise InvalidState(f"cannot destroy version {request.version} of key {key.id}: it has not been replaced")
    if request.version != key.oldest_version:
        raise InvalidState(
            f"cannot destroy version {request.version} of key {key.id}: version {key.oldest_version} goes first"
        )
    if key.owner is KeyOwner.CUSTOMER and not request.confirm_unknown_ciphertexts:
        raise InvalidState(
            f"cannot destroy version {request.version} of key {key.id}: callers may hold ciphertexts that nobody here "
            "knows of; ReEncrypt those first, then say confirm_unknown_ciphertexts"
        )
