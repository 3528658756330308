"""The keys of what comes back from the escrow: a storage from before a key's rotation lacks the version since made."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from secretsd.domain.errors import NotFound
from secretsd.domain.keys import CMK, KeyState, KeyVersionState, WrappedKey
from secretsd.operations.call import Call
from secretsd.ports.escrow import EscrowEntry
from secretsd.ports.storage import Change

log = logging.getLogger("secretsd.escrow")


async def has_key(call: Call, entry: EscrowEntry) -> bool:
    """Whether an entry's value can be opened, by what is stored or by what came with it; else it is told in the log."""
    version = entry.version
    stored = await _stored_version(call, entry)
    if stored is not None:
        there = stored.state is KeyVersionState.LIVE
    else:
        key = await _stored_key(call, entry)
        there = entry.key is not None and entry.key_version is not None
        there = there and (key is None or key.state is not KeyState.DESTROYED)
    if not there:
        # Made after the backup and not kept beside it, or destroyed. What is older than this candidate may still work.
        log.critical("cannot bring back version %s of secret %s: its key is lost", version.id, version.secret_id)
    return there


async def missing_keys(call: Call, entries: Sequence[EscrowEntry]) -> list[Change]:
    """Changes that bring back the key versions that the storage lacks, each key at its newest one of them.

    The next rotation of the key has to make a version that there never was.
    """
    missing: dict[tuple[str, int], EscrowEntry] = {}
    for entry in entries:
        if await _stored_version(call, entry) is None:
            missing[entry.version.key_id, entry.version.key_version] = entry
    changes: list[Change] = []
    newest: dict[str, EscrowEntry] = {}
    for (key_id, _), entry in sorted(missing.items(), key=lambda one: one[0]):
        if entry.key_version is not None:
            changes.append(call.add(replace(entry.key_version, revision=0)))
            newest[key_id] = entry
    for entry in newest.values():
        changes += await _key(call, entry)
    if missing:
        call.fields["key_versions_came_back"] = tuple(f"{key_id}/{number}" for key_id, number in sorted(missing))
    return changes


async def _key(call: Call, entry: EscrowEntry) -> list[Change]:
    """The key of an entry, at least at the version that the entry's value is under."""
    before = await _stored_key(call, entry)
    at = entry.version.key_version
    if before is None:
        return [] if entry.key is None else [call.add(_at_least(entry.key, at, 0))]
    after = _at_least(before, at, before.revision)
    return [] if after == before else [call.replace(before, after)]


def _at_least(key: CMK, version: int, revision: int) -> CMK:
    return replace(key, current_version=max(key.current_version, version), revision=revision)


async def _stored_version(call: Call, entry: EscrowEntry) -> WrappedKey | None:
    version = entry.version
    try:
        return await call.parts.storage.keys.version(version.account, version.key_id, version.key_version)
    except NotFound:
        return None


async def _stored_key(call: Call, entry: EscrowEntry) -> CMK | None:
    try:
        return await call.parts.storage.keys.get(entry.version.account, entry.version.key_id)
    except NotFound:
        return None
