"""Generations of the root KEK, and from when on a destroyed key is erased from backups (SECURITY 5)."""

import hashlib
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

CHECK_BYTES = 16
_CHECK_DOMAIN = b"secretsd root check 1"


@dataclass(frozen=True, slots=True)
class RootKey:
    """One generation of the root. Its newest one that is not `held` wraps what is made; the others still open.

    `held` ones are on the token for the sake of another node that uses them already. `made_ms` is 0 where the
    generation is older than what keeps these dates. `used_ms` is when one that was held began to wrap, else None.
    `destroyed_ms` is when it left this token. A `fixed` one is on a module without trusted keys: it cannot be renewed.
    By its `check` value each is known again; it is empty where none was written down yet.
    """

    kek_id: str
    generation: int
    made_ms: int
    held: bool = False
    destroyed_ms: int | None = None
    fixed: bool = False
    check: str = ""
    used_ms: int | None = None


def check_bytes(kek_id: str, generation: int, wrapped_zeros: bytes) -> bytes:
    """What the MAC key signs for a root's check value, whose first CHECK_BYTES are told in hexadecimal.

    `wrapped_zeros` are 32 zero bytes wrapped by the KEK (RFC 5649). Two tokens with the same root tell the same value,
    and it tells nobody anything about the root.
    """
    start = _CHECK_DOMAIN + uuid.UUID(kek_id).bytes + struct.pack(">I", generation)
    return start + hashlib.sha256(wrapped_zeros).digest()


class ErasedBy(Enum):
    """What makes a destroyed key version unreadable in backups of the storage."""

    NEVER_THERE = "never-in-backups"
    ROOT_DESTROYED = "root-destroyed"
    BACKUPS_EXPIRED = "backups-expired"
    NOTHING_YET = "nothing-yet"


@dataclass(frozen=True, slots=True)
class Erasure:
    """From `at_ms` on no backup gives the material; None: that moment is not known, because nothing brings it about."""

    how: ErasedBy
    at_ms: int | None


def erased_from_backups(
    made_ms: int,
    destroyed_ms: int,
    roots: Sequence[RootKey],
    *,
    retention_ms: int | None = None,
    resident: bool = False,
) -> Erasure:
    """From when on backups no longer give a key version that was made and destroyed at these moments.

    A backup of the storage holds the version's blob, and whoever has a root KEK that wrapped it opens it. So the key
    is erased when every root that may have wrapped it is destroyed, or when the last backup that holds the blob is
    thrown away: `retention_ms` after the destruction, None where nobody says how long backups are kept. The earlier of
    the two counts. A `resident` key's material never left the token, so no backup of the storage ever had it.

    This speaks of the roots on the token. A recovery wrap that somebody keeps, and another token with the same root,
    open what they always did: they have to be destroyed with the generation.
    """
    if resident:
        return Erasure(ErasedBy.NEVER_THERE, destroyed_ms)
    perhaps = [
        root
        for root in roots
        if root.made_ms <= destroyed_ms and (root.destroyed_ms is None or root.destroyed_ms >= made_ms)
    ]
    found = []
    gone = [root.destroyed_ms for root in perhaps if root.destroyed_ms is not None]
    if perhaps and len(gone) == len(perhaps):
        found.append(Erasure(ErasedBy.ROOT_DESTROYED, max(destroyed_ms, *gone)))
    if retention_ms is not None:
        found.append(Erasure(ErasedBy.BACKUPS_EXPIRED, destroyed_ms + retention_ms))
    return min(found, key=lambda erasure: erasure.at_ms or 0, default=Erasure(ErasedBy.NOTHING_YET, None))
