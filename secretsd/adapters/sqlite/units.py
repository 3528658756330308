"""Applies a unit of work inside the writer's transaction: fence, changes, feed rows, and the event last."""

import apsw

from secretsd.adapters.sqlite.codec import TABLES, Value, name_of
from secretsd.adapters.sqlite.connections import fetch
from secretsd.adapters.sqlite.statements import load
from secretsd.domain.audit import AuditRecord
from secretsd.domain.errors import AlreadyExists, Internal
from secretsd.domain.limits import over_quota
from secretsd.domain.records import Record
from secretsd.domain.rotation import RotationStep
from secretsd.domain.secrets import SealedValue, SecretVersion
from secretsd.ports.storage import (
    Add,
    Change,
    Delete,
    DeleteSteps,
    DeleteVersions,
    LeaseLost,
    OnlySpaces,
    Replace,
    StaleRecord,
    Unattached,
    Unchanged,
    UnitOfWork,
    Within,
)

_MAIN = load("main.sql")
_EVENTS = load("events.sql")
FENCE = _MAIN["fence"].sql
ANNOUNCE = _MAIN["announce"].sql
ADD_EVENT = _EVENTS["add_event"].sql
ADD_VIEW = _EVENTS["add_view"].sql
_ATTACHED = _MAIN["attached"].sql
_SPACE_NAMES = _MAIN["space_names"].sql
_OVER_QUOTA = _MAIN["over_quota"].sql
_DELETE_STEPS = _MAIN["delete_steps"].sql
_FORGET_VERSIONS = tuple(
    _MAIN[name].sql for name in ("announce_versions", "announce_values", "delete_versions", "delete_values")
)
# What was in nobody's memory before, and its secret or rotation changes with it: telling of it would only cost.
_NEW_TO_ALL = (SecretVersion, SealedValue, RotationStep)
_TAKEN = (apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_UNIQUE)


def apply_unit(connection: apsw.Connection, unit: UnitOfWork) -> None:
    """Do all of it; LeaseLost, AlreadyExists, StaleRecord or LimitExceeded has to be undone by the caller."""
    fence = unit.fence
    if fence is not None and not fetch(connection, FENCE, (fence.lease, fence.owner, fence.epoch)):
        raise LeaseLost
    for change in unit.changes:
        _apply(connection, change)
    connection.execute(ADD_EVENT, event_row(unit.event))
    if len(unit.event.views) > 1:
        connection.executemany(ADD_VIEW, view_rows(unit.event))


def event_row(record: AuditRecord) -> tuple[Value, ...]:
    """The columns of an event, its first account's salt last."""
    event = record.event
    if not record.views or record.views[0][0] != event.accounts[0]:
        raise Internal("cannot store the event: its first view is not of the first account concerned")
    return (
        event.id,
        event.accounts[0],
        event.time_ms,
        event.principal,
        event.operation,
        event.resource,
        event.outcome,
        record.data,
        record.views[0][1],
    )


def view_rows(record: AuditRecord) -> list[tuple[Value, ...]]:
    """The views of the further accounts; most events have none."""
    event = record.event
    return [(account, event.id, event.accounts[0], salt) for account, salt in record.views[1:]]


def _apply(connection: apsw.Connection, change: Change) -> None:
    match change:
        case Add(record, mac):
            table = TABLES[type(record)]
            _write(connection, table.insert, table.row(record, mac), table.name)
            if type(record) not in _NEW_TO_ALL:
                _announce(connection, record)
        case Replace(before, after, mac, was):
            table = TABLES[type(after)]
            if type(before) is not type(after) or after.revision != before.revision + 1:
                raise Internal(f"cannot replace a record of {table.name}: the new one does not follow the old one")
            _write(connection, table.update, [*table.row(after, mac), *table.identity(before, was)], table.name)
            _require_found(connection, table.name)
            _announce(connection, before)
            if table.named(before) != table.named(after):
                _announce(connection, after)
        case Delete(record, was):
            table = TABLES[type(record)]
            connection.execute(table.delete, table.identity(record, was))
            _require_found(connection, table.name)
            _announce(connection, record)
        case Unchanged(record, was):
            table = TABLES[type(record)]
            if not fetch(connection, table.find, table.identity(record, was)):
                raise StaleRecord(f"cannot commit: a record of {table.name} was changed since it was read")
        case Unattached(policy):
            if fetch(connection, _ATTACHED, (policy.account, policy.name)):
                raise StaleRecord("cannot commit: a policy was attached since it was read")
        case OnlySpaces(spaces):
            if [name for (name,) in fetch(connection, _SPACE_NAMES, ())] != sorted(spaces):
                raise StaleRecord("cannot commit: a proof space came or went since they were read")
        case Within(table_name, account, most):
            if fetch(connection, _OVER_QUOTA, (account, table_name, most)):
                raise over_quota(table_name, most)
        case DeleteVersions(account, secret_id):
            for sql in _FORGET_VERSIONS:
                connection.execute(sql, (account, secret_id))
        case DeleteSteps(account, secret_id, below):
            connection.execute(_DELETE_STEPS, (account, secret_id, below))


def _write(connection: apsw.Connection, sql: str, values: list[Value], table: str) -> None:
    try:
        connection.execute(sql, values)
    except apsw.ConstraintError as error:
        if getattr(error, "extendedresult", None) in _TAKEN:
            raise AlreadyExists(f"cannot store a record of {table}: its name or id is taken") from None
        raise


def _require_found(connection: apsw.Connection, table: str) -> None:
    if connection.changes() != 1:
        raise StaleRecord(f"cannot commit: a record of {table} was changed since it was read")


def _announce(connection: apsw.Connection, record: Record) -> None:
    connection.execute(ANNOUNCE, (TABLES[type(record)].name, name_of(record)))
