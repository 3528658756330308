"""Operations on secrets as a whole: create, describe, list, update, delete, restore."""

import contextlib
from dataclasses import replace

from secretsd.api.secrets import (
    CreateSecretRequest,
    CreateSecretResponse,
    DeleteSecretRequest,
    DeleteSecretResponse,
    DescribeSecretRequest,
    ListSecretsRequest,
    ListSecretsResponse,
    OfSecret,
    RestoreSecretRequest,
    RestoreSecretResponse,
    RotationDescription,
    SecretDescription,
    UpdateSecretRequest,
    UpdateSecretResponse,
)
from secretsd.domain.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    InvalidState,
    NotFound,
    StorageUnavailable,
)
from secretsd.domain.names import Resource
from secretsd.domain.rotation import WAITING, Rotation
from secretsd.domain.secrets import CURRENT, DEFAULT_RECOVERY_WINDOW_DAYS, PENDING, PREVIOUS, Secret
from secretsd.domain.sensitive import Plaintext
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.registry import operation
from secretsd.operations.resource_policies import policy_of, stored_name
from secretsd.operations.rotation import describe_rotation, require_own_key, rotation_of
from secretsd.operations.tags import wanted_tags
from secretsd.operations.target_access import release_logins
from secretsd.operations.versions import (
    data_type_of,
    given_value,
    key_to_seal_under,
    make_version,
    open_version,
    prune,
    put_version,
    require_key_use,
    same_again,
)
from secretsd.ports.storage import Change, Delete, DeleteSteps, DeleteVersions

DAY_MS = 24 * 3600 * 1000


def describe(secret: Secret, rotation: RotationDescription | None = None) -> SecretDescription:
    """A secret as callers see it."""
    return SecretDescription(
        name=secret.name,
        resource=str(Resource(secret.account, f"secret/{secret.name}")),
        id=secret.id,
        description=secret.description,
        key_id=secret.key_id,
        created_ms=secret.created_ms,
        changed_ms=secret.changed_ms,
        version_count=secret.version_count,
        stages=secret.stages,
        tags=secret.tags,
        deletion_ms=secret.deletion_ms,
        rotation=rotation,
    )


@operation("CreateSecret", "POST /v1/secrets", audited=("key_id", "token", "tags"))
async def create_secret(call: Call, request: CreateSecretRequest) -> CreateSecretResponse:
    """Make a secret, with a first version if a value comes with it; the same token and value again is no second one."""
    value = given_value(request.text, request.binary)
    try:
        found = await call.parts.rows.secret(call.account, request.name)
    except NotFound:
        pass
    else:
        return await _created_before(call, found, request)
    account = await call.parts.rows.account(call.account)
    key_id = account.default_key_id if request.key_id is None else await key_to_seal_under(call, request.key_id)
    await require_key_use(call, "GenerateDataKey", call.account, key_id)
    secret = Secret(
        account=call.account,
        name=request.name,
        id=new_id(),
        description=request.description,
        key_id=key_id,
        created_ms=call.time_ms,
        changed_ms=call.time_ms,
        tags=dict(request.tags),
    )
    version_id = None
    changes: list[Change] = []
    if value is not None:
        version_id = request.token or new_id()
        version, sealed = await make_version(call, secret, value, data_type_of(value), version_id, key_id)
        secret = secret.with_version(version_id, (CURRENT,), call.time_ms)
        changes = [call.add(version), call.add(sealed)]
    try:
        await call.commit(call.add(secret), *changes)
    except AlreadyExists:  # another call was faster; with the same token it was this one, sent twice
        return await _created_before(call, await call.parts.rows.secret(call.account, request.name), request)
    return _created(secret, version_id)


async def _created_before(call: Call, secret: Secret, request: CreateSecretRequest) -> CreateSecretResponse:
    value = given_value(request.text, request.binary)
    if request.token is not None and value is not None and secret.deletion_ms is None:
        known = await same_again(call, secret, request.token, value, data_type_of(value))
        if known is not None:
            return _created(secret, known.id)
    if secret.deletion_ms is not None:
        raise InvalidState(f"cannot create secret {secret.name}: one of that name is scheduled for deletion")
    raise AlreadyExists(f"cannot create secret {secret.name}: it exists already")


def _created(secret: Secret, version_id: str | None) -> CreateSecretResponse:
    resource = str(Resource(secret.account, f"secret/{secret.name}"))
    return CreateSecretResponse(name=secret.name, resource=resource, id=secret.id, version_id=version_id)


@operation("DescribeSecret", "GET /v1/secrets/{name}")
async def describe_secret(call: Call, request: DescribeSecretRequest) -> SecretDescription:
    """Tell all about a secret but its value."""
    secret = await call.parts.rows.secret(call.resource.account, request.secret)
    rotation = await rotation_of(call, secret)
    return describe(secret, None if rotation is None else describe_rotation(rotation))


@operation("ListSecrets", "GET /v1/secrets", audited=("tags",))
async def list_secrets(call: Call, request: ListSecretsRequest) -> ListSecretsResponse:
    """List secrets by name, without values and rotations."""
    tags = wanted_tags(request.tags)
    found = await call.parts.storage.secrets.page(
        call.account, request.prefix, tags, pages.after(request.next_token), request.limit + 1, request.include_deleted
    )
    shown, token = pages.page(found, request.limit, lambda secret: secret.name)
    return ListSecretsResponse(secrets=tuple(map(describe, shown)), next_token=token)


@operation("UpdateSecret", "PATCH /v1/secrets/{name}", audited=("key_id", "token"))
async def update_secret(call: Call, request: UpdateSecretRequest) -> UpdateSecretResponse:
    """Change description or key, or store a new current version; a new key re-encrypts the labelled versions."""
    before = await call.parts.rows.secret(call.account, request.name)
    before.require_active()
    value = given_value(request.text, request.binary)
    if request.description is None and request.key_id is None:
        if value is None:
            raise InvalidRequest("cannot update the secret: nothing to change was given")
        version, _ = await put_version(call, before, value, request.token, (CURRENT,))
        return UpdateSecretResponse(name=before.name, version_id=version.id)
    if request.key_id is not None or value is not None:
        before.require_unpinned()
    after = replace(before, changed_ms=call.time_ms)
    if request.description is not None:
        after = replace(after, description=request.description)
    changes: list[Change] = []
    key_id = before.key_id if request.key_id is None else await key_to_seal_under(call, request.key_id)
    if key_id != before.key_id:
        if await rotation_of(call, before) is not None:
            await require_own_key(call, before, key_id)
        after = replace(after, key_id=key_id)
        changes = await _re_encrypted(call, before, key_id)
    version_id = None
    if value is not None:
        await require_key_use(call, "GenerateDataKey", after.account, after.key_id)
        version_id = request.token or new_id()
        if await same_again(call, before, version_id, value, data_type_of(value)) is None:
            version, sealed = await make_version(call, after, value, data_type_of(value), version_id, after.key_id)
            after, pruned = await prune(call, after)
            after = after.with_version(version_id, (CURRENT,), call.time_ms)
            changes += [call.add(version), call.add(sealed), *pruned]
    await call.commit(call.replace(before, after), *changes)
    return UpdateSecretResponse(name=after.name, version_id=version_id)


async def _re_encrypted(call: Call, secret: Secret, key_id: str) -> list[Change]:
    """The versions at current, pending and previous, each sealed anew under the other key."""
    await require_key_use(call, "GenerateDataKey", secret.account, key_id)
    changes: list[Change] = []
    for version_id in sorted(
        {secret.stages[stage] for stage in (CURRENT, PENDING, PREVIOUS) if stage in secret.stages}
    ):
        version = await call.parts.rows.version(secret, version_id)
        await require_key_use(call, "Decrypt", secret.account, version.key_id)
        value = Plaintext(await open_version(call, secret, version))
        old = await call.parts.rows.value(secret, version_id)
        made, sealed = await make_version(call, secret, value, version.data_type, version_id, key_id)
        moved = replace(version, key_id=made.key_id, key_version=made.key_version)
        changes += [call.replace(version, moved), call.replace(old, sealed)]
    return changes


@operation("DeleteSecret", "DELETE /v1/secrets/{name}", audited=("recovery_window_days", "force"))
async def delete_secret(call: Call, request: DeleteSecretRequest) -> DeleteSecretResponse:
    """Schedule a secret to be erased after a recovery window, or erase it at once."""
    if request.force and request.recovery_window_days is not None:
        raise InvalidRequest("cannot delete the secret: give either force or recovery_window_days")
    secret = await call.parts.rows.secret(call.account, request.name)
    if request.force:
        await erase(call, secret)
        return DeleteSecretResponse(name=secret.name, deletion_ms=call.time_ms)
    secret.require_active()
    days = request.recovery_window_days or DEFAULT_RECOVERY_WINDOW_DAYS
    deletion_ms = call.time_ms + days * DAY_MS
    changes: list[Change] = [call.replace(secret, replace(secret, deletion_ms=deletion_ms, changed_ms=call.time_ms))]
    rotation = await rotation_of(call, secret)
    if rotation is not None:
        _require_waiting(secret, rotation)
        changes.append(call.replace(rotation, replace(rotation, enabled=False, next_due_ms=None)))
    await call.commit(*changes)
    return DeleteSecretResponse(name=secret.name, deletion_ms=deletion_ms)


@operation("RestoreSecret", "POST /v1/secrets/{name}:restore")
async def restore_secret(call: Call, request: RestoreSecretRequest) -> RestoreSecretResponse:
    """Take a secret back out of its recovery window; its rotation stays off until RotateSecret turns it on."""
    secret = await call.parts.rows.secret(call.account, request.name)
    if secret.deletion_ms is None:
        raise InvalidState(f"cannot restore secret {secret.name}: it is not scheduled for deletion")
    await call.commit(call.replace(secret, replace(secret, deletion_ms=None, changed_ms=call.time_ms)))
    return RestoreSecretResponse(name=secret.name)


@operation("EraseSecret", None)
async def erase_secret(call: Call, request: OfSecret) -> RestoreSecretResponse:
    """Erase a secret whose recovery window has ended."""
    secret = await call.parts.storage.secrets.get(call.account, request.name)
    if secret.deletion_ms is None or secret.deletion_ms > call.time_ms:
        raise InvalidState(f"cannot erase secret {secret.name}: its recovery window has not ended")
    await erase(call, secret)
    return RestoreSecretResponse(name=secret.name)


async def erase(call: Call, secret: Secret) -> None:
    """Take away the secret, its rotation with its history and logins, and all of its versions in one unit."""
    rotation = await rotation_of(call, secret)
    gone: list[Change] = []
    if rotation is not None:
        _require_waiting(secret, rotation)
        gone = [Delete(rotation)]
        if rotation.steps:
            gone.append(DeleteSteps(secret.account, secret.id, rotation.steps))
        gone += await release_logins(call, rotation)
    policy = await policy_of(call, secret.account, stored_name(secret))
    if policy is not None:
        gone.append(Delete(policy))
    await call.commit(Delete(secret), DeleteVersions(secret.account, secret.id), *gone)
    if rotation is not None and rotation.target:
        # What is left there would come back with a storage restored from before; the daily tidying looks for it too.
        with contextlib.suppress(StorageUnavailable):
            kept = await call.parts.escrow.entries(lambda entry: entry.version.secret_id == secret.id)
            await call.parts.escrow.drop([entry.name for entry in kept])


def _require_waiting(secret: Secret, rotation: Rotation) -> None:
    """Raise Conflict while a rotation is between two steps: its candidate may be what the target is on."""
    if rotation.state not in WAITING:
        raise Conflict(f"cannot delete secret {secret.name} now: its rotation is at {rotation.state.value}")
