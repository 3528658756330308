"""Operations that move what is under older versions of a CMK under its current one, bit by bit, while all is served."""

from dataclasses import replace

from secretsd.api.fields import Response
from secretsd.api.key_rotation import (
    CancelReEncryptionRequest,
    DescribeReEncryptionRequest,
    ReEncryptionDescription,
    ReEncryptSecretsRequest,
)
from secretsd.api.keys import OfKey
from secretsd.domain.errors import AlreadyExists, InvalidState, NotFound
from secretsd.domain.key_specs import KeyUsage
from secretsd.domain.keys import CMK, KeyState
from secretsd.domain.reencryption import ReEncryption, ReEncryptionState
from secretsd.operations import ciphertext_places
from secretsd.operations.call import Call
from secretsd.operations.key_rotation import key_of
from secretsd.operations.reencrypted import Mover
from secretsd.operations.registry import operation
from secretsd.ports.storage import StaleRecord

MOST_AT_ONCE = 10
"""Ciphertexts moved in one unit: it is done again as a whole when one of them is changed meanwhile."""
PASS_PAUSE_MS = 5_000
DISABLED_PAUSE_MS = 60_000


class ContinueReEncryptionRequest(OfKey, frozen=True, kw_only=True):
    """Whose; `epoch` is the lease's."""

    epoch: int


class ContinueReEncryptionResponse(Response, frozen=True, kw_only=True):
    """How many ciphertexts were looked at, how many may be in a second, and when there is more to do; None: never."""

    seen: int
    per_second: int
    next_due_ms: int | None


async def _reencryption(call: Call, key_id: str) -> ReEncryption:
    try:
        return await call.parts.storage.keys.reencryption(call.account, key_id)
    except NotFound:
        raise NotFound("cannot find a re-encryption of what is under the key") from None


async def _described(call: Call, key: CMK, job: ReEncryption) -> ReEncryptionDescription:
    left = await ciphertext_places.count(call, key, key.current_version)
    return ReEncryptionDescription(
        key=key.id,
        state=job.state.value,
        current_version=key.current_version,
        started_ms=job.started_ms,
        per_second=job.per_second,
        total=job.total,
        done=job.done,
        waiting=job.waiting,
        failed=job.failed,
        left={place.value: number for place, number in left.items()},
        finished_ms=job.finished_ms,
    )


@operation("ReEncryptSecrets", "POST /v1/keys/{key}:re-encrypt-secrets", audited=("per_second",))
async def re_encrypt_secrets(call: Call, request: ReEncryptSecretsRequest) -> ReEncryptionDescription:
    """Begin to move what is under older versions of a key under the current one, online and at a bounded rate."""
    key = await key_of(call, request.key)
    key.require_rotatable()
    key.require_usable(KeyUsage.ENCRYPT_DECRYPT, call.time_ms)
    try:
        before = await _reencryption(call, key.id)
    except NotFound:
        before = None
    if before is not None and before.running:
        job = replace(before, per_second=request.per_second)
    else:
        total = sum((await ciphertext_places.count(call, key, key.current_version)).values())
        job = ReEncryption(
            key.account,
            key.id,
            ReEncryptionState.RUNNING,
            call.time_ms,
            request.per_second,
            total,
            next_due_ms=call.time_ms,
        )
    try:
        await call.commit(call.add(job) if before is None else call.replace(before, job))
    except AlreadyExists:
        raise StaleRecord from None  # another call began it meanwhile
    return await _described(call, key, job)


@operation("DescribeReEncryption", "GET /v1/keys/{key}:re-encryption")
async def describe_re_encryption(call: Call, request: DescribeReEncryptionRequest) -> ReEncryptionDescription:
    """Tell how far the re-encryption of what is under a key is, and what is left."""
    key = await key_of(call, request.key)
    return await _described(call, key, await _reencryption(call, key.id))


@operation("CancelReEncryption", "POST /v1/keys/{key}:cancel-re-encryption")
async def cancel_re_encryption(call: Call, request: CancelReEncryptionRequest) -> ReEncryptionDescription:
    """Stop a re-encryption; what was moved stays moved, and it can be begun again."""
    key = await key_of(call, request.key)
    before = await _reencryption(call, key.id)
    if not before.running:
        raise InvalidState(f"cannot cancel the re-encryption: it is {before.state.value}")
    after = _ended(call, before, ReEncryptionState.CANCELLED)
    await call.commit(call.replace(before, after))
    return await _described(call, key, after)


@operation("ContinueReEncryption", None, audited=("epoch",))
async def continue_re_encryption(call: Call, request: ContinueReEncryptionRequest) -> ContinueReEncryptionResponse:
    """Move the next few ciphertexts; they and the progress are one unit."""
    before = await _reencryption(call, request.key)
    if not before.running or before.next_due_ms is None or before.next_due_ms > call.time_ms:
        return _told(before, 0)
    key = await key_of(call, request.key)
    if key.state in (KeyState.PENDING_DELETION, KeyState.DESTROYED):
        return await _put_off(call, before, _ended(call, before, ReEncryptionState.CANCELLED))
    if key.state is not KeyState.ENABLED:
        return await _put_off(call, before, replace(before, next_due_ms=call.time_ms + DISABLED_PAUSE_MS))
    mover = Mover(call, key, min(MOST_AT_ONCE, before.per_second))
    moved = await mover.move(before)
    if moved is None:
        after = before.past_place(call.time_ms, PASS_PAUSE_MS)
    else:
        after = moved.counted(mover.done, mover.waiting, mover.failed)
    call.fields["place"] = before.place.value
    call.fields["moved"] = mover.done
    # What is sealed anew must not be stored under a version that somebody replaces, and destroys, in between.
    call.rest_on(key)
    await call.commit(call.replace(before, after), *mover.changes)
    return _told(after, mover.done + mover.waiting + mover.failed)


def _ended(call: Call, job: ReEncryption, state: ReEncryptionState) -> ReEncryption:
    return replace(job, state=state, next_due_ms=None, finished_ms=call.time_ms)


async def _put_off(call: Call, before: ReEncryption, after: ReEncryption) -> ContinueReEncryptionResponse:
    await call.commit(call.replace(before, after))
    return _told(after, 0)


def _told(job: ReEncryption, seen: int) -> ContinueReEncryptionResponse:
    return ContinueReEncryptionResponse(seen=seen, per_second=job.per_second, next_due_ms=job.next_due_ms)
