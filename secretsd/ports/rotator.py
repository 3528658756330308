"""Rotators: each changes one kind of credential where it is used, and knows nothing of stages, schedules or storage."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Protocol

from secretsd.domain.rotation import MachineKind
from secretsd.domain.sensitive import Plaintext

Note = Callable[[bytes], Awaitable[None]]
"""`await note(data)` returns once the engine has stored the data, sealed: a transaction id, a key id."""


class Outcome(Enum):
    """What became of an effect. UNKNOWN means: settle, then probe; never assume."""

    APPLIED = "applied"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Acceptance(Enum):
    """Whether the target accepts a version."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class RotationFailed(Exception):
    """A rotator's own refusal. `reason` is one word of [a-z-] that history may show, never a target's text.

    `detail` says where to look (a setting's place, a line of code) and names no value. `away` is True where the target
    could not be asked at all (down, starting, read-only for now): the engine waits for it, however long, and counts no
    attempt. Raised by `apply` it means that surely nothing was changed; whatever is not sure is Outcome.UNKNOWN.
    """

    def __init__(self, reason: str, detail: str = "", *, away: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail
        self.away = away


@dataclass(frozen=True, slots=True)
class StagedSecret:
    """A version as a rotator sees it. `number` counts a secret's versions.

    `journal` is what prepare left beside it when it was made, b"" for a value that came another way.
    """

    version_id: str
    value: Plaintext
    number: int = 0
    journal: bytes = b""


@dataclass(frozen=True, slots=True)
class TargetAccess:
    """The operator's target as a rotator is told of it. `address` is an instance of the rotator's Address.

    `admin_login` is "" and `admin` None where each login changes itself.
    """

    name: str
    address: Any
    admin_login: str = ""
    admin: Plaintext | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at rotating one secret: all that a rotator is told.

    `settings` is an instance of the rotator's Settings. `candidate` is None in prepare only. `journal` is what
    prepare and `note` stored so far, in order. `epoch` fences: a rotator that marks its target writes it there.
    `secret_id` names the secret in such a mark, for names may come again. `logins` are one, or two that take turns.
    """

    secret: str
    settings: Any
    epoch: int
    current: StagedSecret | None
    candidate: StagedSecret | None = None
    previous: StagedSecret | None = None
    journal: tuple[bytes, ...] = ()
    secret_id: str = ""
    logins: tuple[str, ...] = ()
    target: TargetAccess | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What prepare made: the value, what may be known of it, and bytes to be stored sealed beside it."""

    value: Plaintext
    text: bool = True
    public: Mapping[str, str] = field(default_factory=dict)
    journal: bytes = b""


class Rotator(Protocol):
    """Changes one kind of credential where it is used. Every call may come twice, each in a process of its own.

    A rotator that needs an operator's target has a second Struct beside Settings, `Address`, and jobs with `target`.
    """

    name: ClassVar[str]
    Settings: ClassVar[type]
    """A frozen msgspec Struct that forbids unknown fields: validation, documentation and form in one."""
    machine: ClassVar[MachineKind]
    """STANDALONE, SINGLE_USER or OVERLAPPING; a SINGLE_USER rotator that can do `idle` may alternate two logins."""

    async def prepare(self, job: Job) -> Candidate:
        """Value, public part, journal; may look at the target but changes nothing. All validation happens here."""
        ...

    async def apply(self, job: Job, note: Note) -> Outcome:
        """Make the target accept the candidate; the same candidate again has no further effect.

        REJECTED where the target will never take this value; RotationFailed where surely nothing was changed.
        """
        ...

    async def settle(self, job: Job) -> None:
        """End or await what an interrupted apply may still be doing at the target."""
        ...

    async def probe(self, job: Job, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]:
        """Which versions the target accepts, by version id."""
        ...

    async def verify(self, job: Job) -> None:
        """Prove the candidate at the target, or raise RotationFailed."""
        ...


class IssuingRotator(Rotator, Protocol):
    """The target makes the value itself (access keys)."""

    async def issue(self, job: Job, note: Note) -> Plaintext:
        """The new value; what existed before is noted first, so that an orphan is recognised."""
        ...


class NotingRotator(Rotator, Protocol):
    """Notes what it is about to do before it does it."""

    notes_first: ClassVar[bool]
    """True where `apply` surely changes nothing before a `note` of its own has returned: then reads wait from that note
    on, and not while the target is being reached."""


class TargetedRotator(Rotator, Protocol):
    """Reaches a target that operators describe."""

    Address: ClassVar[type]
    """Like Settings: where the target is and how it proves itself, without a credential."""


class AlternatingRotator(Rotator, Protocol):
    """Can tell whether the login that is next in turn is in use, so that two logins may take turns."""

    async def idle(self, job: Job) -> bool:
        """False while anybody is logged in as the one of `job.logins` that `job.current` does not hold."""
        ...


class RestoringRotator(Rotator, Protocol):
    """Can make the target accept the version before the candidate again."""

    async def restore(self, job: Job) -> Outcome:
        """Undo what apply did, from the journals of the versions; where two logins alternate, for the candidate's."""
        ...


class RevokingRotator(Rotator, Protocol):
    """The old credential can be taken back."""

    async def revoke(self, job: Job, version: StagedSecret) -> None:
        """Make the target refuse the version; reversibly first, where the target can."""
        ...


@dataclass(frozen=True, slots=True)
class RotatorDescription:
    """A rotator as a worker knows it, without its code: its name, its settings' JSON Schema, what it can do.

    `address_schema` is None where it needs no target. `abilities` are the optional methods that it has. `notes_first`
    is NotingRotator's.
    """

    name: str
    summary: str
    settings_schema: Mapping[str, Any]
    abilities: frozenset[str]
    machine: MachineKind = MachineKind.STANDALONE
    address_schema: Mapping[str, Any] | None = None
    notes_first: bool = False


@dataclass(frozen=True, slots=True)
class TargetOrder:
    """A target on its way to the rotator host: like TargetAccess, with the address still as JSON."""

    name: str
    address: str
    admin_login: str = ""
    admin: Plaintext | None = None


@dataclass(frozen=True, slots=True)
class JobOrder:
    """A job on its way to the rotator host: like Job, with the settings still as JSON."""

    account: str
    rotator: str
    secret: str
    settings: str
    epoch: int
    current: StagedSecret | None
    candidate: StagedSecret | None = None
    previous: StagedSecret | None = None
    journal: tuple[bytes, ...] = ()
    secret_id: str = ""
    logins: tuple[str, ...] = ()
    target: TargetOrder | None = None


class RotatorHost(Protocol):
    """Runs rotators apart: one process an attempt, never shared between accounts, killed at its deadline.

    Raises RotationFailed with the rotator's reason, `host-away`, `timed-out`, `crashed`, `unknown-rotator` or
    `bad-settings`. A process that died or timed out in apply leaves the outcome UNKNOWN: apply and restore then return
    that. A method that the rotator does not have raises `unable`.
    """

    async def rotators(self) -> Sequence[RotatorDescription]: ...
    async def check_settings(self, rotator: str, settings: str) -> str:
        """The settings in canonical JSON with defaults filled in; RotationFailed `bad-settings` names no value."""
        ...

    async def check_address(self, rotator: str, address: str) -> str:
        """A target's address in canonical JSON with defaults filled in; RotationFailed `bad-settings` likewise."""
        ...

    async def warm(self, rotator: str, account: str, methods: Sequence[str]) -> None:
        """Start a process for one attempt of each method, to be used within seconds or not at all; never raises."""
        ...

    async def prepare(self, order: JobOrder) -> Candidate: ...
    async def apply(self, order: JobOrder, note: Note) -> Outcome: ...
    async def settle(self, order: JobOrder) -> None: ...
    async def probe(self, order: JobOrder, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]: ...
    async def verify(self, order: JobOrder) -> None: ...
    async def idle(self, order: JobOrder) -> bool: ...
    async def restore(self, order: JobOrder) -> Outcome: ...
    async def revoke(self, order: JobOrder, version: StagedSecret) -> None: ...
