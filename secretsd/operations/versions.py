"""How a secret's versions are made and opened, shared by every operation that does either."""

import logging
from dataclasses import replace

from secretsd.api.fields import BinaryValue, TextValue
from secretsd.api.keys import key_path
from secretsd.api.values import GetSecretValueRequest
from secretsd.domain.errors import (
    AccessDenied,
    Conflict,
    InvalidCiphertext,
    InvalidRequest,
    InvalidState,
    LimitExceeded,
    NotFound,
)
from secretsd.domain.key_specs import KeyUsage
from secretsd.domain.keys import WrappedKey
from secretsd.domain.names import Resource
from secretsd.domain.records import TamperedRecord
from secretsd.domain.secrets import (
    KEPT_FOR_MS,
    KEPT_UNLABELLED_VERSIONS,
    MAX_VALUE_BYTES,
    DataType,
    SealedValue,
    Secret,
    SecretVersion,
    VersionState,
)
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.key_references import key_id_of, owner_and_id
from secretsd.ports.storage import Change, Delete

log = logging.getLogger("secretsd.versions")
PRUNED_AT_ONCE = 50
MOST_MOVES = 3
"""How often a value may be sealed anew while it is being opened."""


def given_value(text: TextValue | None, binary: BinaryValue | None) -> TextValue | BinaryValue | None:
    """The one value that a request gives, or None; both at once, or more than 64 KiB, raise."""
    if text is not None and binary is not None:
        raise InvalidRequest("cannot store the value: give either text or binary, not both")
    value = text if text is not None else binary
    if value is not None and len(value) > MAX_VALUE_BYTES:
        raise LimitExceeded(f"cannot store the value: it is over {MAX_VALUE_BYTES} bytes")
    return value


async def key_to_seal_under(call: Call, reference: str) -> str:
    """The UUID of the key that a secret of the caller's account is to be under; another account's is named in full.

    NotFound, or AccessDenied where the caller may not know.
    """
    found = await key_id_of(call.parts.rows, call.account, reference) or reference
    owner, key_id = owner_and_id(call.account, found)
    if "/" in key_id or await call.parts.rows.owner_of_key(key_id, call.account) != owner:
        await call.require("GenerateDataKey", Resource(owner, key_path(found)))
        raise NotFound("cannot find the key")
    return key_id


async def require_key_use(call: Call, permission: str, account: str, key_id: str) -> None:
    """A secret under another key than its account's default needs that key's permission on every call (SECURITY 15).

    The key may be another account's, whose view has the event then. Its state counts at once, whether or not its data
    keys are still in memory.
    """
    rows, owner = call.parts.rows, account
    if key_id != (await rows.account(account)).default_key_id:
        owner = await rows.owner_of_key(key_id, account)
        # First of all, so that a key which is unknown and one which is forbidden look alike.
        used = Resource(owner, f"key/{key_id}")
        await call.require(permission, used)
        if account == call.account:  # which key another account's secret is under is not for the caller's auditors
            call.note_key_use(permission, used)
    key = await rows.key(owner, key_id)
    key.require_usable(KeyUsage.ENCRYPT_DECRYPT, call.time_ms)


async def current_key_version(call: Call, account: str, key_id: str) -> WrappedKey:
    """The wrapped key version under which new data keys of `account` are made; the key must be usable, and stay as it
    is until the call commits.
    """
    try:
        key = await call.parts.rows.key(await call.parts.rows.owner_of_key(key_id, account), key_id)
    except NotFound:
        raise NotFound("cannot find the key") from None
    key.require_usable(KeyUsage.ENCRYPT_DECRYPT, call.time_ms)
    # What is sealed under a version is stored only while the key still says so: a version can be destroyed once it is
    # not current any more and nothing that is stored needs it, because nothing can be added behind that proof's back.
    call.rest_on(key)
    return await call.parts.rows.key_version(key.account, key_id, key.current_version)


async def open_version(call: Call, secret: Secret, version: SecretVersion) -> bytes:
    """The value's bytes; TamperedRecord, and a loud line in the log, when they are not what was sealed there."""
    if version.state is not VersionState.LIVE:
        raise InvalidState(f"cannot read that version of secret {secret.name}: it is {version.state.value}")
    sealed = await call.parts.rows.value(secret, version.id)
    for _ in range(MOST_MOVES):
        try:
            key = await call.parts.rows.sealing_version(secret.account, version.key_id, version.key_version)
            key.require_live()
            return await call.parts.sealer.open(key, sealed, call.request_name)
        except (InvalidCiphertext, InvalidState, NotFound) as error:
            # Version and value are two rows: between looking at the one and at the other they may have been sealed
            # anew, under another key version, and the one that they were under may be gone by now.
            known, failed = (version, sealed), error
            version = await call.parts.storage.secrets.version(secret.account, secret.id, version.id)
            sealed = await call.parts.storage.secrets.value(secret.account, secret.id, version.id)
            if (version, sealed) == known:
                break
    if not isinstance(failed, InvalidCiphertext):
        raise failed
    # The caller sent no ciphertext: it is the stored one that is not what it was.
    log.critical("the value of a version was changed behind our back and is refused: %s %s", secret.id, version.id)
    raise TamperedRecord(f"cannot trust a value of secret {secret.name}: it is not what was sealed")


async def make_version(
    call: Call, secret: Secret, value: Plaintext, data_type: DataType, version_id: str, key_id: str
) -> tuple[SecretVersion, SealedValue]:
    """A new version and its sealed value, neither of them stored yet."""
    wrapped = await current_key_version(call, secret.account, key_id)
    version = SecretVersion(
        secret.account,
        secret.id,
        version_id,
        secret.next_number,
        data_type,
        VersionState.LIVE,
        call.time_ms,
        wrapped.key_id,
        wrapped.version,
        made_by=str(call.principal.resource),
    )
    sealed = await call.parts.sealer.seal(wrapped, secret.account, secret.id, version_id, value, call.request_name)
    return version, sealed


async def put_version(
    call: Call, secret: Secret, value: TextValue | BinaryValue, token: str | None, stages: tuple[str, ...]
) -> tuple[SecretVersion, Secret]:
    """Store a value as a new version and commit it; the same token with the same value again changes nothing."""
    secret.require_active()
    await require_key_use(call, "GenerateDataKey", secret.account, secret.key_id)
    data_type = data_type_of(value)
    if token is not None:
        known = await same_again(call, secret, token, value, data_type)
        if known is not None:
            return known, secret
    secret.require_unpinned()
    version, sealed = await make_version(call, secret, value, data_type, token or new_id(), secret.key_id)
    # Pruned before the new one counts, or a secret at its cap could never take a value again.
    kept, pruned = await prune(call, secret)
    changed = kept.with_version(version.id, stages, call.time_ms)
    await call.commit(call.replace(secret, changed), call.add(version), call.add(sealed), *pruned)
    return version, changed


async def same_again(
    call: Call, secret: Secret, token: str, value: Plaintext, data_type: DataType
) -> SecretVersion | None:
    """The version that was made with the token before, if its value is the same; another value raises Conflict.

    Compared by decryption: a stored digest of a value would be something to guess against (SECURITY 4). And only for
    who put it, and knows it, or may read it: anybody else would learn by guessing what he may not read.
    """
    try:
        known = await call.parts.rows.version(secret, token)
    except NotFound:
        return None
    await require_key_use(call, "Decrypt", secret.account, known.key_id)
    conflict = Conflict(f"cannot store the value: secret {secret.name} has another value under that token")
    if known.made_by != str(call.principal.resource):
        try:
            asked = GetSecretValueRequest(name=secret.name, version_id=known.id)
            await call.require("GetSecretValue", Resource(secret.account, f"secret/{secret.name}"), asked)
        except AccessDenied:
            raise conflict from None
    if known.data_type is data_type and Plaintext(await open_version(call, secret, known)) == value:
        return known
    raise conflict


async def prune(call: Call, secret: Secret) -> tuple[Secret, list[Change]]:
    """Versions that need not be kept any longer, as changes, and the secret that counts without them."""
    if secret.version_count <= KEPT_UNLABELLED_VERSIONS:
        return secret, []
    old = await call.parts.storage.secrets.prunable(
        secret.account,
        secret.id,
        tuple(secret.stages.values()),
        call.time_ms - KEPT_FOR_MS,
        KEPT_UNLABELLED_VERSIONS,
        PRUNED_AT_ONCE,
    )
    changes: list[Change] = []
    for version in old:
        changes += [Delete(version), Delete(await call.parts.rows.value(secret, version.id))]
    return replace(secret, version_count=secret.version_count - len(old)), changes


def data_type_of(value: TextValue | BinaryValue) -> DataType:
    """Text or binary, as it was given."""
    return DataType.TEXT if isinstance(value, TextValue) else DataType.BINARY
