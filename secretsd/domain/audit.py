"""Audit events: what every operation leaves behind, in the bytes that are final (SECURITY 17).

What every call makes is a named tuple here and in its neighbours: as immutable as a frozen dataclass, at a third of its
cost.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

SALT_BYTES = 32
NO_FIELDS: Mapping[str, str | int | bool | tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that an operation changed: `mac` is the authenticator that it was stored with, empty for a deletion."""

    table: str
    key: tuple[str, ...]
    revision: int
    mac: bytes


class AuditEvent(NamedTuple):
    """What happened. `id` is 16 bytes whose first 48 bits are `time_ms`; it is the request id of the call as well.

    `accounts` are all that are concerned, the first of them the caller's (`system` when nobody was proved).
    `fields` holds audited fields only, never a value. `outcome` is `ok` or an error kind.
    """

    id: bytes
    time_ms: int
    accounts: tuple[str, ...]
    principal: str
    proof: str
    source: str
    operation: str
    resource: str
    outcome: str
    fields: Mapping[str, str | int | bool | tuple[str, ...]] = NO_FIELDS
    changes: tuple[ChangedRow, ...] = ()


class AuditRecord(NamedTuple):
    """An event as storage keeps it: `data` is canonical and final, `views` gives each account its own 32-byte salt."""

    event: AuditEvent
    data: bytes
    views: tuple[tuple[str, bytes], ...]


def commitment(salt: bytes, data: bytes) -> bytes:
    """What may be published of an event: SHA-256(salt ‖ data), 32 bytes; without the salt nothing can be guessed."""
    return hashlib.sha256(salt + data).digest()
