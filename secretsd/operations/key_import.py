"""Operations that import the material of a CMK (BYOK), and take it away again."""

import hmac
from dataclasses import replace

from secretsd.api.key_import import (
    DeleteImportedKeyMaterialRequest,
    GetParametersForImportRequest,
    GetParametersForImportResponse,
    ImportKeyMaterialRequest,
    ImportKeyMaterialResponse,
)
from secretsd.api.key_lifecycle import KeyStateResponse
from secretsd.domain.errors import Conflict, InvalidKeyUsage, InvalidRequest, InvalidState, KeyDisabled, NotFound
from secretsd.domain.key_import import TOKEN_SECONDS, WrappingAlgorithm, WrappingSpec, importable
from secretsd.domain.keys import CMK, KeyOrigin, KeyState, KeyVersionState, WrappedKey
from secretsd.operations.call import Call
from secretsd.operations.import_tokens import ImportToken, open_token, seal_token
from secretsd.operations.key_lifecycle import describe_state
from secretsd.operations.key_material import without_material
from secretsd.operations.keys import find_key, key_metadata
from secretsd.operations.pinned_keys import held_by
from secretsd.operations.registry import operation
from secretsd.ports.storage import Change


@operation(
    "GetParametersForImport",
    "POST /v1/keys/{key}:get-parameters-for-import",
    audited=("wrapping_algorithm", "wrapping_key_spec"),
)
async def get_parameters_for_import(
    call: Call, request: GetParametersForImportRequest
) -> GetParametersForImportResponse:
    """Tell under which public key the material of a CMK is to be wrapped, and give the token that goes with it."""
    key = await find_key(call, request.key)
    _require_importing(key)
    algorithm, spec = WrappingAlgorithm(request.wrapping_algorithm), WrappingSpec(request.wrapping_key_spec)
    if not importable(key.spec, algorithm):
        raise InvalidKeyUsage(f"cannot import material of spec {key.spec.value} by {algorithm.value}")
    if (spec is WrappingSpec.SM2) != (algorithm is WrappingAlgorithm.SM2PKE):
        raise InvalidRequest(f"cannot wrap by {algorithm.value} under a key of spec {spec.value}")
    await call.parts.keystore.require_able(algorithm)
    pair = await call.parts.keystore.generate_import_key(key.account, key.id, spec)
    token = ImportToken(pair, algorithm, call.time_ms + TOKEN_SECONDS * 1000)
    return GetParametersForImportResponse(
        id=key.id,
        wrapping_algorithm=algorithm.value,
        wrapping_key_spec=spec.value,
        public_key=pair.public_key,
        import_token=await seal_token(call, key, token),
        expires_ms=token.expires_ms,
    )


@operation("ImportKeyMaterial", "POST /v1/keys/{key}:import-material", audited=("expires_ms",))
async def import_key_material(call: Call, request: ImportKeyMaterialRequest) -> ImportKeyMaterialResponse:
    """Import the material of a CMK that waits for it, or change when the material goes."""
    key = await find_key(call, request.key)
    _require_importing(key)
    if request.expires_ms is not None and request.expires_ms <= call.time_ms:
        raise InvalidRequest("cannot import material that has expired already")
    token = await open_token(call, key, request.import_token)
    before = await _version_before(call, key)
    metadata = key_metadata(key, key.current_version)
    wrapped = (token.pair, token.algorithm, request.encrypted_material)
    made = await call.parts.keystore.import_key(metadata, *wrapped, before)
    changes: list[Change] = []
    if before is None:
        changes.append(call.add(replace(made, created_ms=call.time_ms)))
    elif not hmac.compare_digest(made.fingerprint, before.fingerprint):
        raise Conflict(f"cannot import the material: it is not the same that key {key.id} had before")
    elif before.state is KeyVersionState.ABSENT:
        changes.append(call.replace(before, replace(made, created_ms=before.created_ms, revision=before.revision)))
    enabled = key if key.state is KeyState.ENABLED else key.become(KeyState.ENABLED)
    after = replace(enabled, material_expires_ms=request.expires_ms)
    await call.commit(call.replace(key, after), *changes)
    return ImportKeyMaterialResponse(id=after.id, state=after.state.value, expires_ms=after.material_expires_ms)


@operation("DeleteImportedKeyMaterial", "POST /v1/keys/{key}:delete-material")
async def delete_imported_key_material(call: Call, request: DeleteImportedKeyMaterialRequest) -> KeyStateResponse:
    """Take away the imported material of a CMK, which then waits for the same material to be imported again."""
    key = await find_key(call, request.key)
    if key.origin is KeyOrigin.EXTERNAL and key.state is KeyState.PENDING_IMPORT:
        return describe_state(key)
    key.require_present()
    waiting, changes = await without_material(call, key)
    if (secret := await held_by(call, key)) is not None:
        # Named in the event alone: rights on the key tell nobody what is kept under it.
        call.fields["held_by"] = secret
        raise Conflict(
            f"cannot take away the material of key {key.id}: the rotation of a secret under it is under way and may "
            "need it; let it end, or abort and resolve it, first"
        )
    await call.commit(*changes)
    return describe_state(waiting)


def _require_importing(key: CMK) -> None:
    """Raise InvalidState or KeyDisabled unless the key takes material now: it waits for it, or has it and is in use."""
    if key.origin is not KeyOrigin.EXTERNAL:
        raise InvalidState(f"cannot import material for key {key.id}: it was made in the HSM")
    if key.state is KeyState.DISABLED:
        raise KeyDisabled(f"cannot import material for key {key.id}: it is disabled")
    if key.state not in (KeyState.PENDING_IMPORT, KeyState.ENABLED):
        raise InvalidState(f"cannot import material for key {key.id}: it is {key.state.value}")


async def _version_before(call: Call, key: CMK) -> WrappedKey | None:
    """The version that the key has, or had until its material went."""
    try:
        before = await call.parts.storage.keys.version(key.account, key.id, key.current_version)
    except NotFound:
        return None
    if before.state is KeyVersionState.DESTROYED:
        raise InvalidState(f"cannot import material for key {key.id}: what it had is destroyed")
    return before
