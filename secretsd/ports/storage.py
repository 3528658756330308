"""Storage: what holds records. Single reads need no transaction; every write is one recorded unit of work.

What must hold between these parts: a unit of work commits wholly and durably with its audit event, or not at all; a
record that enters a cache has had its authenticator verified; a change reaches the subscribers of every node.
"""

from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from secretsd.domain.audit import AuditRecord
from secretsd.domain.errors import Conflict
from secretsd.domain.policy import Policy
from secretsd.domain.records import Record
from secretsd.ports.access_readers import AccountReader, GrantReader, ProofReader
from secretsd.ports.readers import KeyReader, RotationReader, SecretReader, TargetReader


class StaleRecord(Conflict):
    """cannot commit: a record was changed since it was read"""


class LeaseLost(Conflict):
    """cannot commit: the lease went to another node meanwhile"""


@dataclass(frozen=True, slots=True)
class Add:
    """A new record, its revision 0 and `mac` over it. AlreadyExists when its key, or a unique column, is taken."""

    record: Record
    mac: bytes


@dataclass(frozen=True, slots=True)
class Replace:
    """Compare and set: `after` has `before`'s revision plus one. StaleRecord when `before` is not what is stored.

    `was` is the authenticator of `before`: another one that was made since under its name begins at revision 0 as well.
    """

    before: Record
    after: Record
    mac: bytes
    was: bytes | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Takes the record away. StaleRecord when its revision is not what is stored, or it is gone; `was` as above."""

    record: Record
    was: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Changes nothing: StaleRecord when the record's revision is not what is stored, or it is gone.

    For what a unit rests on and does not write itself: a new value under a key version rests on the key; `was` as
    above.
    """

    record: Record
    was: bytes | None = None


@dataclass(frozen=True, slots=True)
class Unattached:
    """Changes nothing: StaleRecord when the policy is attached to a user, group or role, or is anybody's boundary."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class Within:
    """Changes nothing: LimitExceeded when the account has more than `most` records of that table by then.

    It looks at what the changes before it left. `table` is one of `domain.limits.QUOTA_TABLES`; it costs no walk.
    """

    table: str
    account: str
    most: int


@dataclass(frozen=True, slots=True)
class OnlySpaces:
    """Changes nothing: StaleRecord when there are other proof spaces than those of these names, or one of them is gone.

    For what rests on there being no other one, that nobody else has the same proofs.
    """

    spaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeleteVersions:
    """Takes away every version and value of a secret, however many there are."""

    account: str
    secret_id: str


@dataclass(frozen=True, slots=True)
class DeleteSteps:
    """Takes away the entries of a rotation's history whose numbers are below `below`."""

    account: str
    secret_id: str
    below: int


Change = Add | Replace | Delete | Unchanged | Unattached | OnlySpaces | Within | DeleteVersions | DeleteSteps


@dataclass(frozen=True, slots=True)
class Fence:
    """The lease under which a unit is made: it commits only while the lease still has this owner and epoch."""

    lease: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """Changes and their audit event, committed together. Replayed by the adapter's writer, so it is data only."""

    changes: tuple[Change, ...]
    event: AuditRecord
    fence: Fence | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A right that one node holds at a time. `epoch` grows with every owner and is never reused."""

    name: str
    owner: str
    epoch: int


RecordName = tuple[str, tuple[str, ...]]
"""Table and key of a record, as the change feed names it (`domain/records.py`)."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to look up, all conditions together. Times are inclusive; a `resource` ending in * is a prefix."""

    account: str
    from_ms: int = 0
    to_ms: int | None = None
    principal: str | None = None
    resource: str | None = None
    operation: str | None = None
    request_id: bytes | None = None


class ProofUse(NamedTuple):
    """That a proof was used last at `time_ms`, from where and for which operation; kept until `until_ms`."""

    proof: str
    account: str
    time_ms: int
    source: str
    operation: str
    until_ms: int


class AuditTrail(Protocol):
    """The events. Those of changes are written by `Storage.commit`; those of reads and refusals here."""

    def record(self, record: AuditRecord) -> Future[None]:
        """Queue an event for the next group commit; done once that is committed, or failed with StorageUnavailable.

        Synchronous, so that a reading call costs no extra turn; nothing is answered before the result is done.
        """
        ...

    async def lookup(
        self, wanted: EventFilter, after: bytes | None, limit: int
    ) -> tuple[Sequence[bytes], bytes | None]:
        """Canonical events in order of id, those after `after`, each once; and where to go on, if anywhere.

        Looks at a bounded number of events a call: a page may be short, even empty, and still have a next one.
        """
        ...

    async def note_uses(self, uses: Sequence[ProofUse]) -> None:
        """Keep the last use of each proof, for people to see; what is later already stays. They decide nothing.

        It need not be durable, and wakes no change feed. What was kept until before the latest of these times may go.
        """
        ...

    async def uses(self, proofs: Sequence[str]) -> Sequence[ProofUse]:
        """The last uses of the proofs, of those that are known, in any order."""
        ...


class Leases(Protocol):
    """Rights that one node holds at a time. A dead owner's lease on this host is void at once, else when it ends.

    Lease times run on the boot clock (database time on PostgreSQL), so a wall clock that jumps moves nothing.
    """

    async def claim(self, name: str, seconds: float, above: int = 0) -> Lease | None:
        """The lease with a new epoch if it is free, its owner is dead or its time is over; None while another holds it.

        Claiming one's own lease prolongs it and keeps its epoch. A new epoch is also greater than `above`.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back, if it is still held; never raises for one that was lost."""
        ...


class Storage(Protocol):
    """Reads on demand, writes as units of work. Any method may raise StorageUnavailable and may be tried again."""

    @property
    def accounts(self) -> AccountReader: ...
    @property
    def proofs(self) -> ProofReader: ...
    @property
    def grants(self) -> GrantReader: ...
    @property
    def keys(self) -> KeyReader: ...
    @property
    def secrets(self) -> SecretReader: ...
    @property
    def rotations(self) -> RotationReader: ...
    @property
    def targets(self) -> TargetReader: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def leases(self) -> Leases: ...

    async def commit(self, unit: UnitOfWork) -> None:
        """All of it, durably; or nothing: AlreadyExists, StaleRecord, LeaseLost, LimitExceeded, StorageUnavailable."""
        ...

    def subscribe(self, on_change: Callable[[Sequence[RecordName]], None]) -> None:
        """Call `on_change` with the names of records that any node changed; an empty sequence means all of them.

        Versions and values that are added need not be told of: nobody can have kept them, and their secret changes too.
        """
        ...

    def refresh(self) -> None:
        """Tell subscribers of all that was committed before this loop turn. Cheap: at most one look a turn."""
        ...

    @property
    def position(self) -> str:
        """Where the change feed stands: subscribers were told of everything up to here. Up to 100 ASCII characters.

        The same on every node of a storage; another storage, or another generation of this one, has other positions.
        """
        ...

    def changed_since(self, position: str) -> Sequence[RecordName] | None:
        """Which records changed after a position, maybe more than once; None when that cannot be told.

        Then the position is none of ours, or further back than the feed reaches: anything may have changed.
        """
        ...

    async def migrate(self) -> None:
        """Bring the schema up to this release; a newer one raises StorageUnavailable and is left alone."""
        ...

    async def close(self) -> None:
        """Finish what was queued, then let go of everything."""
        ...
