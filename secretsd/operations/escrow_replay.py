"""What a storage from an older backup has not heard of, brought back from the escrow: the backup locks nobody out.

A storage is behind an entry when the candidate's number is one that it has yet to give, or when the rotation still
waits to begin what the escrow knows was begun. What must hold: candidate, stages and rotation come back in one unit,
and the target is asked before anything else is done to it.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from secretsd.api.fields import Response
from secretsd.api.secrets import OfSecret
from secretsd.domain.errors import Conflict, NotFound
from secretsd.domain.names import Resource
from secretsd.domain.rotation import Rotation, RotationState, RotationStep
from secretsd.domain.secrets import PENDING, Secret
from secretsd.domain.targets import TargetLogin
from secretsd.operations.call import Call
from secretsd.operations.escrow_keys import has_key, missing_keys
from secretsd.operations.events import EventDocument
from secretsd.operations.registry import operation
from secretsd.operations.rotation_moves import guarded
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.storage import Change, Delete, EventFilter, Storage

log = logging.getLogger("secretsd.escrow")
REASON = "restored-from-backup"
FORGOTTEN_EPOCHS = 1_000_000
"""A candidate is kept once, and may be applied again under later leases: the next epoch has to be above those too."""
DAY_MS = 24 * 3600 * 1000


class ReplayEscrowRequest(OfSecret, frozen=True, kw_only=True):
    """What the escrow has of one secret, oldest first; at least one entry."""

    entries: tuple[EscrowEntry, ...]


class ReplayEscrowResponse(Response, frozen=True, kw_only=True):
    """How many candidates the storage had not heard of, as far as they can be used."""

    candidates: int


async def stored_of(storage: Storage, entry: EscrowEntry) -> tuple[Secret | None, Rotation | None]:
    """The secret of an entry and its rotation as they are stored; None for what is not."""
    try:
        secret = await storage.secrets.get(entry.secret.account, entry.secret.name)
    except NotFound:
        return None, None
    if secret.id != entry.secret.id:
        return None, None
    try:
        return secret, await storage.rotations.get(secret.account, secret.id)
    except NotFound:
        return secret, None


def unheard_of(secret: Secret | None, rotation: Rotation | None, entries: Sequence[EscrowEntry]) -> list[EscrowEntry]:
    """The entries that the storage is behind, one a candidate, by number."""
    latest = {entry.version.id: entry for entry in entries}
    found = [entry for entry in latest.values() if secret is None or _is_unheard_of(secret, rotation, entry)]
    return sorted(found, key=lambda entry: entry.version.number)


def _is_unheard_of(secret: Secret, rotation: Rotation | None, entry: EscrowEntry) -> bool:
    if entry.version.number >= secret.next_number:
        return True  # numbers are never reused
    if rotation is None or rotation.state is not RotationState.CANDIDATE_STORED:
        return False
    return rotation.pending_version == entry.version.id and rotation.revision <= entry.rotation.revision


async def was_erased(storage: Storage, entry: EscrowEntry) -> bool:
    """Whether the storage itself says that the secret was erased: then it is not missing, but gone."""
    gone = ("secret_versions", (entry.secret.account, entry.secret.id, "*"))
    resource = str(Resource(entry.secret.account, f"secret/{entry.secret.name}"))
    for name in ("EraseSecret", "DeleteSecret"):
        wanted = EventFilter(entry.secret.account, from_ms=entry.time_ms - DAY_MS, resource=resource, operation=name)
        after: bytes | None = None
        while True:
            page, after = await storage.audit.lookup(wanted, after, 100)
            events = [msgspec.json.decode(data, type=EventDocument) for data in page]
            if any((table, key) == gone for event in events for table, key, _, _ in event.changes):
                return True
            if after is None:
                break
    return False


@operation("ReplayEscrow", None)
async def replay_escrow(call: Call, request: ReplayEscrowRequest) -> ReplayEscrowResponse:
    """Bring back what an older backup has not heard of; the newest candidate is pending, and its fate unknown."""
    secret, rotation = await stored_of(call.parts.storage, request.entries[0])
    behind = unheard_of(secret, rotation, request.entries)
    usable = [entry for entry in behind if await has_key(call, entry)]
    if not usable:
        return ReplayEscrowResponse(candidates=0)
    newest = usable[-1]
    added = [entry for entry in usable if secret is None or entry.version.number >= secret.next_number]
    present = _Present(call, newest.secret, {entry.version.id for entry in added})
    wanted = await _rotation(call, present, rotation, usable, max(entry.epoch for entry in request.entries))
    changed = guarded(await _secret(call, present, secret, newest, len(added)), wanted, call.time_ms)
    changes: list[Change] = [call.replace(secret, changed) if secret is not None else call.add(changed)]
    changes.append(call.replace(rotation, wanted) if rotation is not None else call.add(wanted))
    changes.append(call.add(_step(call, wanted)))
    changes += await _logins(call, rotation, wanted)
    changes += await missing_keys(call, usable)
    for entry in added:
        changes += [call.add(replace(entry.version, revision=0)), call.add(replace(entry.sealed, revision=0))]
    call.fields["versions"] = tuple(entry.version.id for entry in usable)
    call.fields["secret_came_back"] = secret is None
    # What is applied from now on is under higher epochs, of which a storage that is restored once more knows nothing.
    await call.parts.escrow.keep(replace(newest, time_ms=call.time_ms, epoch=wanted.epoch_floor))
    await call.commit(*changes)
    return ReplayEscrowResponse(candidates=len(usable))


class _Present:
    """Which versions of a secret there are once the escrow's have come back."""

    def __init__(self, call: Call, secret: Secret, added: set[str]) -> None:
        self._call = call
        self._secret = secret
        self._known = dict.fromkeys(added, True)

    async def has(self, version_id: str) -> bool:
        if version_id not in self._known:
            try:
                await self._call.parts.storage.secrets.version(self._secret.account, self._secret.id, version_id)
                self._known[version_id] = True
            except NotFound:
                self._known[version_id] = False
        return self._known[version_id]


async def _secret(call: Call, present: _Present, before: Secret | None, newest: EscrowEntry, added: int) -> Secret:
    """The secret with the stages of the entry as far as their versions exist: what was current then had been proved."""
    if before is None:
        try:
            await call.parts.storage.secrets.get(newest.secret.account, newest.secret.name)
        except NotFound:
            pass
        else:
            raise Conflict(f"cannot bring back secret {newest.secret.name}: another one has its name")
    base = before or replace(newest.secret, stages={}, version_count=0, revision=0, key_id=newest.version.key_id)
    stages = dict(base.stages)
    for stage, holder in newest.secret.stages.items():
        if await present.has(holder):
            stages[stage] = holder
    return replace(
        base,
        stages={**stages, PENDING: newest.version.id},
        next_number=max(base.next_number, newest.version.number + 1),
        version_count=base.version_count + added,
        changed_ms=call.time_ms,
        deletion_ms=None,  # it was in use
    )


async def _rotation(
    call: Call, present: _Present, before: Rotation | None, usable: Sequence[EscrowEntry], epoch: int
) -> Rotation:
    """The rotation as of the newest entry, about to find out what became of it.

    All that came back besides stays among the versions that the target may be on.
    """
    newest = usable[-1]
    floor, steps, run, notes = 0, 0, 0, dict[str, str]()
    if before is not None:
        floor, steps, run, notes = before.epoch_floor, before.steps, before.run, dict(before.kept)
        if before.pending_version is not None:
            notes[before.pending_version] = before.journal[0] if before.journal else ""
    notes |= newest.rotation.kept
    for entry in usable:
        notes[entry.version.id] = entry.rotation.journal[0] if entry.rotation.journal else ""
    kept = {known: note for known, note in notes.items() if known != newest.version.id and await present.has(known)}
    return replace(
        newest.rotation,
        state=RotationState.RESOLVING,
        restored=True,
        pending_version=newest.version.id,
        journal=newest.rotation.journal[:1],
        kept=kept,
        attempts=0,
        reason=REASON,
        away=False,
        cancelled=False,
        since_ms=call.time_ms,
        next_due_ms=call.time_ms,
        run=max(run, newest.rotation.run),
        steps=steps + 1,
        epoch_floor=max(floor, epoch) + FORGOTTEN_EPOCHS,
        revision=0,
    )


def _step(call: Call, rotation: Rotation) -> RotationStep:
    """The entry of the history; those that the backup lacks are lost, and their numbers are given again."""
    return RotationStep(
        rotation.account,
        rotation.secret_id,
        rotation.steps - 1,
        rotation.run,
        call.time_ms,
        rotation.state,
        rotation.reason,
        rotation.pending_version or "",
        0,
        rotation.attempts,
    )


async def _logins(call: Call, before: Rotation | None, wanted: Rotation) -> list[Change]:
    """Changes that give the rotation the logins of the entry; Conflict when another secret took one meanwhile."""
    had = set() if before is None else {(before.target, login) for login in before.logins}
    wants = {(wanted.target, login) for login in wanted.logins}
    changes: list[Change] = []
    for target, login in sorted(had - wants):
        changes.append(Delete(await call.parts.storage.targets.login(target, login)))
    for target, login in sorted(wants - had):
        try:
            await call.parts.storage.targets.login(target, login)
        except NotFound:
            claimed = TargetLogin(target, login, wanted.account, wanted.secret_id, call.time_ms)
            changes.append(call.add(claimed))
        else:
            raise Conflict(f"cannot bring back secret {wanted.secret_name}: another one holds its login")
    return changes
