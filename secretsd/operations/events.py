"""Events in their canonical bytes: JSON in the field order below, keys of `fields` sorted, nothing between tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from secretsd.domain.audit import SALT_BYTES, AuditEvent, AuditRecord
from secretsd.operations.ids import take_random


class EventDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event as it is stored and shown. `changes` are rows of [table, key, revision, authenticator in hex]."""

    v: int
    id: str
    time_ms: int
    accounts: tuple[str, ...]
    operation: str
    resource: str
    outcome: str
    source: str
    principal: str = ""
    proof: str = ""
    fields: Mapping[str, Any] = msgspec.field(default_factory=dict)
    changes: Sequence[tuple[str, tuple[str, ...], int, str]] = ()


_encode = msgspec.json.Encoder(order="deterministic").encode


def canonical(event: AuditEvent) -> bytes:
    """The bytes that are hashed, stored and shown, now and for good."""
    return _encode(
        EventDocument(
            v=1,
            id=event.id.hex(),
            time_ms=event.time_ms,
            accounts=event.accounts,
            operation=event.operation,
            resource=event.resource,
            outcome=event.outcome,
            source=event.source,
            principal=event.principal,
            proof=event.proof,
            fields=event.fields,
            changes=tuple((row.table, row.key, row.revision, row.mac.hex()) for row in event.changes),
        )
    )


def record(event: AuditEvent) -> AuditRecord:
    """The event ready for storage, with a fresh salt for each account that it concerns."""
    return AuditRecord(event, canonical(event), tuple((account, take_random(SALT_BYTES)) for account in event.accounts))
