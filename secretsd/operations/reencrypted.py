"""Ciphertexts sealed anew under a key's current version, a few at a time, wherever they are stored."""

import base64
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from secretsd.domain.credentials import access_key_context, session_context
from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import InvalidCiphertext, InvalidState, NotFound
from secretsd.domain.keys import CMK
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.records import Record, TamperedRecord
from secretsd.domain.reencryption import Place, ReEncryption
from secretsd.domain.rotation import Rotation, RotationState
from secretsd.domain.secrets import SealedValue, SecretVersion
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.targets import Target, admin_context
from secretsd.operations.call import Call
from secretsd.operations.ciphertext_places import admin_under, entry_under, is_under, notes_under
from secretsd.operations.sealing import Sealer
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.keystore import KeyUse
from secretsd.ports.storage import Replace

log = logging.getLogger("secretsd.reencryption")
UNREADABLE = (InvalidCiphertext, InvalidState, TamperedRecord, NotFound)


class Mover:
    """Moves at most `limit` ciphertexts. `changes` are to be committed with the progress, `done` and so on counted.

    The plaintext is in this process for the moment between the two keys, and neither key is remembered.
    """

    def __init__(self, call: Call, key: CMK, limit: int) -> None:
        self.changes: list[Replace] = []
        self.done = self.waiting = self.failed = 0
        self._call, self._key, self._limit = call, key, limit
        self._sealer = Sealer(call.parts.keystore, keep_seconds=0)

    async def move(self, job: ReEncryption) -> ReEncryption | None:
        """Where the pass stands after the next few; None when there are none left at its place."""
        places: dict[Place, Callable[[ReEncryption], Awaitable[ReEncryption | None]]] = {
            Place.SECRET_VERSION: self._secret_versions,
            Place.ROTATION_NOTE: self._rotation_notes,
            Place.TARGET: self._targets,
            Place.ACCESS_KEY: self._access_keys,
            Place.SESSION: self._sessions,
            Place.ESCROW: self._escrow,
        }
        return await places[job.place](job)

    async def _secret_versions(self, job: ReEncryption) -> ReEncryption | None:
        key, keys = self._key, self._call.parts.storage.keys
        for at_version in range(max(job.at_version, key.oldest_version), key.current_version):
            after = (job.after, job.after_version) if at_version == job.at_version else ("", "")
            found = await keys.guarded(key.id, at_version, after, self._limit)
            # Those of one account only: an event is in the view of each account that it concerns, and of two that have
            # secrets under a third one's key neither may learn of the other.
            found = [*next((group for _, group in itertools.groupby(found, _account)), ())]
            for version in found:
                if await self._held(version):
                    self.waiting += 1
                else:
                    await self._secret_version(version)
            if found:
                return job.behind(found[-1].secret_id, found[-1].id, at_version)
        return None

    async def _secret_version(self, version: SecretVersion) -> None:
        call, secrets = self._call, self._call.parts.storage.secrets
        try:
            before = await secrets.value(version.account, version.secret_id, version.id)
            moved, sealed = await self._resealed(version, before)
        except UNREADABLE:
            try:
                if await secrets.version(version.account, version.secret_id, version.id) != version:
                    return  # it was moved meanwhile, by somebody else
            except NotFound:
                return  # or erased
            self._unreadable(f"version {version.id} of secret {version.secret_id}")
            return
        if version.account not in call.concerned:
            call.concerned.append(version.account)
        self.changes += [call.replace(version, moved), call.replace(before, sealed)]
        self.done += 1

    async def _resealed(self, version: SecretVersion, sealed: SealedValue) -> tuple[SecretVersion, SealedValue]:
        """The version with its value under a new data key: the value binds its data key's name, so it changes too."""
        rows, request = self._call.parts.rows, self._call.request_name
        old = await rows.key_version(self._key.account, version.key_id, version.key_version)
        new = await rows.key_version(self._key.account, self._key.id, self._key.current_version)
        value = Plaintext(await self._sealer.open(old, sealed, request))
        made = await self._sealer.seal(new, version.account, version.secret_id, version.id, value, request)
        return replace(version, key_version=new.version), replace(made, revision=sealed.revision)

    async def _rotation_notes(self, job: ReEncryption) -> ReEncryption | None:
        page = await self._call.parts.storage.rotations.page(self._key.account, job.after, self._limit)
        for rotation in page:
            if not notes_under(rotation, self._key, self._key.current_version):
                continue
            if _between(rotation):
                self.waiting += 1
                continue
            try:
                self._change(rotation, await self._renoted(rotation))
            except UNREADABLE:
                self._unreadable(f"a note of the rotation of secret {rotation.secret_id}")
        return job.behind(page[-1].secret_id) if page else None

    async def _renoted(self, rotation: Rotation) -> Rotation:
        kept = {known: await self._note(rotation, known, note) for known, note in rotation.kept.items()}
        # Without a candidate there is nothing that notes about one could be of use for.
        candidate = rotation.pending_version
        notes = rotation.journal if candidate is not None else ()
        journal = tuple([await self._note(rotation, candidate or "", note) for note in notes])
        return replace(rotation, kept=kept, journal=journal)

    async def _note(self, rotation: Rotation, version_id: str, note: str) -> str:
        if not is_under(note, self._key, self._key.current_version):
            return note
        header, _, _ = CiphertextHeader.split(base64.b64decode(note))
        rows, bound = self._call.parts.rows, (rotation.account, rotation.secret_id, version_id)
        old = await rows.key_version(rotation.account, header.key_id, header.key_version)
        new = await rows.key_version(rotation.account, self._key.id, self._key.current_version)
        text = Plaintext(await self._sealer.open_note(old, *bound, note, self._call.request_name))
        return await self._sealer.seal_note(new, *bound, text, self._call.request_name)

    async def _targets(self, job: ReEncryption) -> ReEncryption | None:
        if self._key.account != SYSTEM_ACCOUNT:
            return None
        page = await self._call.parts.storage.targets.page(job.after, self._limit)
        for target in page:
            if admin_under(target, self._key, self._key.current_version):
                try:
                    self._change(target, await self._readmitted(target))
                except UNREADABLE:
                    self._unreadable(f"the administrator of target {target.name}")
        return job.behind(page[-1].name) if page else None

    async def _readmitted(self, target: Target) -> Target:
        context = admin_context(target.id, target.address, target.admin_login)
        return replace(target, admin=await self._sealed_anew(target.admin, Purpose.TARGET, context))

    async def _access_keys(self, job: ReEncryption) -> ReEncryption | None:
        page = await self._call.parts.storage.proofs.access_keys_of_account(self._key.account, job.after, self._limit)
        for one in page:
            if is_under(one.secret, self._key, self._key.current_version):
                context = access_key_context(one.account, one.user, one.id)
                try:
                    secret = await self._sealed_anew(one.secret, Purpose.CREDENTIAL, context)
                except UNREADABLE:
                    self._unreadable(f"the secret of access key {one.id}")
                else:
                    self._change(one, replace(one, secret=secret))
        return job.behind(page[-1].id) if page else None

    async def _sessions(self, job: ReEncryption) -> ReEncryption | None:
        page = await self._call.parts.storage.proofs.sessions_of_account(self._key.account, job.after, self._limit)
        for one in page:
            if is_under(one.secret, self._key, self._key.current_version):
                context = session_context(one.account, one.role_id, one.access_key)
                try:
                    secret = await self._sealed_anew(one.secret, Purpose.CREDENTIAL, context)
                except UNREADABLE:
                    self._unreadable(f"the secret of session {one.access_key}")
                else:
                    self._change(one, replace(one, secret=secret))
        return job.behind(page[-1].digest) if page else None

    async def _sealed_anew(self, sealed: str, purpose: Purpose, context: Mapping[str, str]) -> str:
        """What is sealed under another version of the key, in base64, under its current one."""
        parts, account = self._call.parts, self._key.account
        before = base64.b64decode(sealed)
        header, _, _ = CiphertextHeader.split(before)
        use = KeyUse(account, purpose, self._call.request_name)
        old = await parts.rows.key_version(account, header.key_id, header.key_version)
        new = await parts.rows.key_version(account, self._key.id, self._key.current_version)
        opened = await parts.keystore.decrypt(old, use, before, context)
        return base64.b64encode(await parts.keystore.encrypt(new, use, opened, context)).decode()

    async def _escrow(self, job: ReEncryption) -> ReEncryption | None:
        """Entries are replaced before the progress is committed: what a crash leaves out is looked at again."""
        key, after = self._key, (job.after, job.after_version)
        escrow = self._call.parts.escrow
        found = await escrow.entries(
            lambda entry: entry_under(entry, key, key.current_version) and entry.name[1:] > after
        )
        names = sorted({entry.name for entry in found})[: self._limit]
        page = [entry for entry in found if entry.name in names]
        changed = []
        for entry in page:
            try:
                changed.append((entry, await self._kept_anew(entry)))
            except UNREADABLE:
                self._unreadable(f"version {entry.version.id} of secret {entry.version.secret_id} in the escrow")
        self.done += await escrow.replace(changed)
        return job.behind(*names[-1][1:]) if names else None

    async def _kept_anew(self, entry: EscrowEntry) -> EscrowEntry:
        key, version = self._key, entry.version
        moved = replace(entry, rotation=await self._renoted(entry.rotation))
        if version.key_id != key.id or version.key_version >= key.current_version:
            return moved
        version, sealed = await self._resealed(version, entry.sealed)
        wrapped = await self._call.parts.rows.key_version(key.account, key.id, key.current_version)
        return replace(moved, version=version, sealed=sealed, key=key, key_version=wrapped)

    async def _held(self, version: SecretVersion) -> bool:
        """Whether a rotation is on its way with the secret's versions; it does not begin before this is committed."""
        try:
            rotation = await self._call.parts.storage.rotations.get(version.account, version.secret_id)
        except NotFound:
            return False
        self._call.rest_on(rotation)
        return _between(rotation)

    def _change(self, before: Record, after: Record) -> None:
        self.changes.append(self._call.replace(before, after))
        self.done += 1

    def _unreadable(self, what: str) -> None:
        log.critical("cannot re-encrypt %s: it is not what was sealed, or its key version is gone", what)
        self.failed += 1


def _account(version: SecretVersion) -> str:
    return version.account


def _between(rotation: Rotation) -> bool:
    """Whether the target may be on any of the versions, so that none is touched (SECURITY 20)."""
    stopped = rotation.state is RotationState.QUARANTINED and rotation.pending_version is not None
    pinned = rotation.rules.pinned
    return rotation.restored or rotation.state in pinned or (stopped and bool(pinned))
