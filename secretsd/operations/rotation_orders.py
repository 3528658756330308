"""What a rotator is told: a job with the versions in play, their journals and the target, each opened for this step."""

import base64

from secretsd.api.secrets import OfSecret
from secretsd.domain.envelope import CiphertextHeader
from secretsd.domain.errors import InvalidState
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.domain.secrets import CURRENT, PREVIOUS, Secret
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.call import Call
from secretsd.operations.target_access import target_order
from secretsd.operations.versions import current_key_version, open_version, require_key_use
from secretsd.ports.rotator import JobOrder, RotatorDescription, StagedSecret


class StepRequest(OfSecret, frozen=True, kw_only=True):
    """Which secret; `epoch` is the lease's. `reason`, `away` and `sure` tell why a step failed.

    `sure` is True where the rotator itself said that nothing was changed.
    """

    epoch: int
    reason: str = ""
    away: bool = False
    sure: bool = False


async def stored(call: Call, request: OfSecret) -> tuple[Secret, Rotation]:
    """The secret and its rotation, read fresh; NotFound."""
    secret = await call.parts.storage.secrets.get(call.account, request.name)
    return secret, await call.parts.storage.rotations.get(call.account, secret.id)


async def stored_at(call: Call, request: OfSecret, *wanted: RotationState) -> tuple[Secret, Rotation]:
    """As `stored`; InvalidState unless the rotation is in one of the states and the secret in use."""
    secret, rotation = await stored(call, request)
    secret.require_active()
    if rotation.state not in wanted:
        raise InvalidState(f"cannot take that step: the rotation of secret {secret.name} is at {rotation.state.value}")
    return secret, rotation


def candidate_of(rotation: Rotation) -> str:
    """The id of the candidate; InvalidState when there is none."""
    if rotation.pending_version is None:
        raise InvalidState(f"cannot go on with the rotation of secret {rotation.secret_name}: it has no candidate")
    return rotation.pending_version


async def description_of(call: Call, rotator: str) -> RotatorDescription | None:
    """What is known of a rotator; None where it cannot be loaded now."""
    return next((one for one in await call.parts.rotators.rotators() if one.name == rotator), None)


async def able(call: Call, rotation: Rotation, ability: str) -> bool:
    """Whether the rotation's rotator has that optional method."""
    description = await description_of(call, rotation.rotator)
    return description is not None and ability in description.abilities


async def notes_first(call: Call, rotation: Rotation) -> bool:
    """Whether the rotation's rotator changes nothing before it has noted that it is about to."""
    description = await description_of(call, rotation.rotator)
    return description is not None and description.notes_first


async def job_order(call: Call, request: StepRequest, secret: Secret, rotation: Rotation) -> JobOrder:
    """The order for one attempt; RotationFailed when the target may not be used any more."""
    return JobOrder(
        secret.account,
        rotation.rotator,
        secret.name,
        rotation.settings,
        request.epoch,
        current=await staged(call, secret, rotation, secret.stages.get(CURRENT)),
        candidate=await staged(call, secret, rotation, rotation.pending_version),
        previous=await staged(call, secret, rotation, secret.stages.get(PREVIOUS)),
        journal=tuple([await opened_note(call, secret, candidate_of(rotation), note) for note in rotation.journal]),
        secret_id=secret.id,
        logins=rotation.logins,
        target=await target_order(call, rotation),
    )


async def staged(call: Call, secret: Secret, rotation: Rotation, version_id: str | None) -> StagedSecret | None:
    """A version with its value and what prepare left beside it."""
    if version_id is None:
        return None
    version = await call.parts.rows.version(secret, version_id)
    await require_key_use(call, "Decrypt", secret.account, version.key_id)
    note = rotation.kept.get(version_id, "")
    if version_id == rotation.pending_version and rotation.journal:
        note = rotation.journal[0]
    journal = await opened_note(call, secret, version_id, note) if note else b""
    return StagedSecret(version_id, Plaintext(await open_version(call, secret, version)), version.number, journal)


async def sealed_note(call: Call, secret: Secret, version_id: str, data: Plaintext) -> str:
    """A rotator's note about a version, sealed, in base64."""
    key = await current_key_version(call, secret.account, secret.key_id)
    return await call.parts.sealer.seal_note(key, secret.account, secret.id, version_id, data, call.request_name)


async def rest_on_note(call: Call, note: str) -> None:
    """Let the next commit fail unless the key is as it is now; InvalidState where the note's key version is gone.

    The note was sealed a while ago, in another step, and must not be stored once nothing can open it any more.
    """
    header, _, _ = CiphertextHeader.split(base64.b64decode(note))
    key = await call.parts.rows.key(call.account, header.key_id)
    (await call.parts.rows.key_version(call.account, header.key_id, header.key_version)).require_live()
    call.rest_on(key)


async def opened_note(call: Call, secret: Secret, version_id: str, note: str) -> bytes:
    """The note's bytes."""
    # Under the key that it was sealed under, which the secret may have left since.
    header, _, _ = CiphertextHeader.split(base64.b64decode(note))
    key = await call.parts.rows.key_version(secret.account, header.key_id, header.key_version)
    return await call.parts.sealer.open_note(key, secret.account, secret.id, version_id, note, call.request_name)
