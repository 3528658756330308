"""Operations on the values of secrets: versions, stages, batches, random passwords."""

from secretsd.api.fields import BinaryValue, TextValue
from secretsd.api.secrets import OfSecret
from secretsd.api.values import (
    BatchError,
    BatchGetSecretValueRequest,
    BatchGetSecretValueResponse,
    GetRandomPasswordRequest,
    GetRandomPasswordResponse,
    GetSecretValueRequest,
    GetSecretValueResponse,
    ListSecretVersionIdsRequest,
    ListSecretVersionIdsResponse,
    PutSecretValueRequest,
    PutSecretValueResponse,
    StagesResponse,
    UpdateSecretVersionStageRequest,
    VersionDescription,
)
from secretsd.domain.errors import InvalidRequest, SecretsdError
from secretsd.domain.names import Resource
from secretsd.domain.passwords import PasswordPolicy, generate
from secretsd.domain.secrets import CURRENT, Barrier, DataType, Secret
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.ids import choose
from secretsd.operations.registry import operation
from secretsd.operations.versions import given_value, open_version, put_version, require_key_use


@operation("GetSecretValue", "GET /v1/secrets/{name}:value", audited=("stage", "version_id"))
async def get_secret_value(call: Call, request: GetSecretValueRequest) -> GetSecretValueResponse:
    """Read a version's value."""
    secret = await call.parts.rows.secret(call.resource.account, request.secret)
    return await _read(call, secret, request.stage, request.version_id)


async def _read(call: Call, secret: Secret, stage: str | None, version_id: str | None) -> GetSecretValueResponse:
    secret.require_active()
    unproved = False
    if version_id is None:
        if secret.barrier is not Barrier.OPEN and (stage is None or stage == CURRENT):
            if secret.barrier is Barrier.HOLD:
                secret = await call.parts.barrier.passed(secret)
                secret.require_active()
            unproved = secret.barrier is Barrier.UNPROVED
        version_id = secret.version_at(stage or CURRENT)
    elif stage is not None and secret.version_at(stage) != version_id:
        raise InvalidRequest("cannot read the value: the version does not hold that stage")
    version = await call.parts.rows.version(secret, version_id)
    await require_key_use(call, "Decrypt", secret.account, version.key_id)
    value = await open_version(call, secret, version)
    text = version.data_type is DataType.TEXT
    return GetSecretValueResponse(
        name=secret.name,
        version_id=version.id,
        number=version.number,
        stages=secret.stages_of(version.id),
        created_ms=version.created_ms,
        text=TextValue(value) if text else None,
        binary=None if text else BinaryValue(value),
        unproved=unproved,
    )


@operation("PutSecretValue", "PUT /v1/secrets/{name}:value", audited=("token", "stages"))
async def put_secret_value(call: Call, request: PutSecretValueRequest) -> PutSecretValueResponse:
    """Store a new version of a secret."""
    secret = await call.parts.rows.secret(call.resource.account, request.secret)
    value = given_value(request.text, request.binary)
    if value is None:
        raise InvalidRequest("cannot store the value: give either text or binary")
    version, changed = await put_version(call, secret, value, request.token, request.stages)
    return PutSecretValueResponse(
        name=secret.name, version_id=version.id, number=version.number, stages=changed.stages_of(version.id)
    )


@operation("BatchGetSecretValue", "POST /v1/secrets:batch-value", audited=("names",))
async def batch_get_secret_value(call: Call, request: BatchGetSecretValueRequest) -> BatchGetSecretValueResponse:
    """Read the current values of several secrets; each needs GetSecretValue on itself."""
    values, errors = [], []
    for name in request.names:
        try:
            await call.require("GetSecretValue", Resource(call.account, OfSecret(name=name).resource_path))
            values.append(await _read(call, await call.parts.rows.secret(call.account, name), None, None))
        except SecretsdError as error:
            errors.append(BatchError(name=name, kind=error.kind.value, message=error.message))
    call.fields["read"] = tuple(value.name for value in values)
    return BatchGetSecretValueResponse(values=tuple(values), errors=tuple(errors))


@operation("ListSecretVersionIds", "GET /v1/secrets/{name}:versions")
async def list_secret_version_ids(call: Call, request: ListSecretVersionIdsRequest) -> ListSecretVersionIdsResponse:
    """List the versions of a secret without their values, the newest first."""
    secret = await call.parts.rows.secret(call.account, request.name)
    before = pages.after(request.next_token) or str(2**62)
    if not before.isdecimal() or len(before) > 19:
        raise InvalidRequest("cannot go on with the list: next_token is not one of ours")
    found = await call.parts.storage.secrets.versions(call.account, secret.id, int(before), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda version: str(version.number))
    return ListSecretVersionIdsResponse(
        name=secret.name,
        versions=tuple(
            VersionDescription(
                id=version.id,
                number=version.number,
                data_type=version.data_type.value,
                created_ms=version.created_ms,
                key_id=version.key_id,
                stages=secret.stages_of(version.id),
            )
            for version in shown
            if request.include_unlabelled or secret.stages_of(version.id)
        ),
        next_token=token,
    )


@operation(
    "UpdateSecretVersionStage", "POST /v1/secrets/{name}:move-stage", audited=("stage", "move_to", "remove_from")
)
async def update_secret_version_stage(call: Call, request: UpdateSecretVersionStageRequest) -> StagesResponse:
    """Move a stage from one version to another; when current moves, previous follows to the version it left."""
    secret = await call.parts.rows.secret(call.account, request.name)
    secret.require_active()
    secret.require_unpinned()
    for version_id in filter(None, (request.move_to, request.remove_from)):
        await call.parts.rows.version(secret, version_id)
    moved = secret.with_stage_moved(request.stage, request.remove_from, request.move_to, call.time_ms)
    await call.commit(call.replace(secret, moved))
    return StagesResponse(name=secret.name, stages=moved.stages)


@operation("GetRandomPassword", "POST /v1/passwords:random", audited=("length",))
async def get_random_password(call: Call, request: GetRandomPasswordRequest) -> GetRandomPasswordResponse:
    """Make a random password, which is stored nowhere."""
    policy = PasswordPolicy(
        length=request.length,
        exclude_characters=request.exclude_characters,
        exclude_lowercase=request.exclude_lowercase,
        exclude_uppercase=request.exclude_uppercase,
        exclude_numbers=request.exclude_numbers,
        exclude_punctuation=request.exclude_punctuation,
        include_space=request.include_space,
        require_each_included_type=request.require_each_included_type,
    )
    return GetRandomPasswordResponse(text=TextValue.from_text(generate(policy, choose)))
