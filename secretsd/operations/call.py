"""A call: who asks, on what, with which parts at hand; the only way to write, and what it leaves in the audit trail."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from secretsd.api.fields import Request, Response
from secretsd.domain.audit import AuditEvent, ChangedRow
from secretsd.domain.errors import Internal, StorageUnavailable
from secretsd.domain.limits import QUOTA_TABLES, over_quota
from secretsd.domain.names import Resource
from secretsd.domain.principals import HOST_ROOT, Account, Principal
from secretsd.domain.records import RECORDS, Record, key_of
from secretsd.operations import events
from secretsd.operations.parts import Parts
from secretsd.operations.request_facts import RequestFacts
from secretsd.ports.storage import (
    Add,
    Change,
    Delete,
    DeleteSteps,
    DeleteVersions,
    Fence,
    OnlySpaces,
    Replace,
    Unattached,
    Unchanged,
    UnitOfWork,
    Within,
)

if TYPE_CHECKING:
    from secretsd.operations.registry import Operation

KEY_USES = "key_uses"
_CHANGES_NOTHING = Unchanged, Unattached, OnlySpaces, Within


@dataclass(slots=True)
class Call:
    """One operation under way. `fields` and `concerned` grow into the event; `committed` says that it is written.

    `is_nobodys`: its resource is of an account that there is not, and which gets no view by being named.
    `run_step` runs another step of scheduled work as the same principal under the same lease; it has its own event.
    """

    parts: Parts
    operation: "Operation"
    principal: Principal
    request_id: bytes
    facts: RequestFacts
    source: str
    resource: Resource
    fields: dict[str, str | int | bool | tuple[str, ...]]
    concerned: list[str]
    run_step: Callable[[str, Request], Awaitable[Response]]
    fence: Fence | None = None
    committed: bool = False
    is_nobodys: bool = False
    _rests_on: list[Unchanged] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The caller's account."""
        return self.principal.account

    @property
    def time_ms(self) -> int:
        """When the request came, in milliseconds since 1970."""
        return self.facts.now_ms

    @property
    def request_name(self) -> str:
        """The request id as text."""
        return self.request_id.hex()

    async def require(self, permission: str, resource: Resource, asked: Request | None = None) -> None:
        """Raise AccessDenied unless the caller also has this permission; the resource's account is concerned then.

        `asked` is the part of the request that conditions are to look at, where that is not the request as it is.
        """
        if resource.account not in self.concerned and await self.parts.rows.has_account(resource.account):
            self.concerned.append(resource.account)
        facts = self.facts if asked is None else self.facts.asking(asked)
        await self.parts.authorizer.require(self.principal, permission, resource, facts)

    def note_key_use(self, permission: str, key: Resource) -> None:
        """Have the event say that the call took the use of a key: which one a secret is under may change afterwards."""
        noted = self.fields.get(KEY_USES, ())
        used = f"{permission} {key}"
        if isinstance(noted, tuple) and used not in noted:
            self.fields[KEY_USES] = (*noted, used)

    def begin_again(self) -> None:
        """Forget what an attempt that lost has noted."""
        self.fields.pop(KEY_USES, None)

    def add(self, record: Record) -> Add:
        """A new record for `commit`."""
        return Add(record, self.parts.authenticator.mac(record))

    def replace(self, before: Record, after: Record) -> Replace:
        """A changed record for `commit`, under the next revision."""
        after = replace(after, revision=before.revision + 1)
        return Replace(before, after, self.parts.authenticator.mac(after))

    def rest_on(self, record: Record) -> None:
        """Let the next `commit` raise StaleRecord unless the record is then as it was read."""
        if Unchanged(record) not in self._rests_on:
            self._rests_on.append(Unchanged(record))

    async def commit(self, *changes: Change) -> None:
        """Write the changes and this call's event in one unit of work, durably; or raise and leave nothing."""
        rows = tuple(_row(change) for change in changes if not isinstance(change, _CHANGES_NOTHING))
        self._require_within_walls(changes)
        # Taken away first: what loses is made again from what is read then.
        rests_on, self._rests_on = self._rests_on, []
        parts = (*map(self._as_read, (*rests_on, *changes)), *self._quotas(changes))
        unit = UnitOfWork(parts, events.record(self.event("ok", rows)), self.fence)
        await self.parts.storage.commit(unit)
        self.committed = True
        # What waits in this process for such a change hears of it now. Where that fails, the next call finds out before
        # it trusts a cache; this one's change is made, and its answer has to say so.
        with contextlib.suppress(StorageUnavailable):
            self.parts.storage.refresh()

    def _as_read(self, change: Change) -> Change:
        """What rests on a record rests on all of it: one that was made anew under its name is none of the call's."""
        if isinstance(change, Replace):
            return replace(change, was=self.parts.authenticator.mac(change.before))
        if isinstance(change, Delete | Unchanged):
            return replace(change, was=self.parts.authenticator.mac(change.record))
        return change

    def _require_within_walls(self, changes: tuple[Change, ...]) -> None:
        """Raise Internal for a change in an account in which nothing was authorised, whatever led there."""
        accounts = {self.account, self.resource.account, *self.concerned}
        for change in changes:
            if not isinstance(change, _CHANGES_NOTHING) and _account(change) not in accounts:
                raise Internal

    async def require_room(self, kind: type[Record]) -> None:
        """Raise LimitExceeded where the caller's account has all it may have of a kind of record.

        For what costs before it is stored: `commit` looks at quotas anyhow, and alone says for sure.
        """
        table = RECORDS[kind].table
        most = self.parts.quotas.of(table)
        if most and await self.parts.storage.accounts.held(self.account, table) >= most:
            raise over_quota(table, most)

    def _quotas(self, changes: tuple[Change, ...]) -> list[Within]:
        """What bounds the records that are added. Root of the host is bounded by nothing: it comes to the rescue."""
        found: list[Within] = []
        for change in changes:
            if isinstance(change, Add) and (table := RECORDS[type(change.record)].table) in QUOTA_TABLES:
                most = self.parts.quotas.of(table)
                within = Within(table, _account(change), most)
                if most and within not in found and self.principal != HOST_ROOT:
                    found.append(within)
        return found

    def event(self, outcome: str, changes: tuple[ChangedRow, ...] = ()) -> AuditEvent:
        """What this call leaves behind."""
        accounts = [self.principal.account]
        owner = () if self.is_nobodys else (self.resource.account,)
        for account in (*owner, *self.concerned):
            if account not in accounts:
                accounts.append(account)
        return AuditEvent(
            self.request_id,
            self.time_ms,
            tuple(accounts),
            str(self.principal.resource),
            self.principal.proof,
            self.source,
            self.operation.name,
            str(self.resource),
            outcome,
            self.fields,
            changes,
        )


def _account(change: Add | Replace | Delete | DeleteVersions | DeleteSteps) -> str:
    if isinstance(change, DeleteVersions | DeleteSteps):
        return change.account
    record = change.before if isinstance(change, Replace) else change.record
    return record.id if isinstance(record, Account) else record.account


def _row(change: Add | Replace | Delete | DeleteVersions | DeleteSteps) -> ChangedRow:
    match change:
        case Add(record, mac):
            return ChangedRow(RECORDS[type(record)].table, key_of(record), record.revision, mac)
        case Replace(_, after, mac):
            return ChangedRow(RECORDS[type(after)].table, key_of(after), after.revision, mac)
        case Delete(record):
            return ChangedRow(RECORDS[type(record)].table, key_of(record), record.revision, b"")
        case DeleteVersions(account, secret_id):
            return ChangedRow("secret_versions", (account, secret_id, "*"), 0, b"")
        case DeleteSteps(account, secret_id, below):
            return ChangedRow("rotation_steps", (account, secret_id, f"..{below}"), 0, b"")
