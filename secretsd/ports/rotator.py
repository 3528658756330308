"""Rotators: each changes one kind of credential where it is used, and knows nothing of stages, schedules or storage."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Protocol

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

    `detail` says where to look (a setting's place, a line of code) and names no value.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class StagedSecret:
    """A version as a rotator sees it. `public` is what the rotator itself said about it in prepare."""

    version_id: str
    value: Plaintext
    public: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at rotating one secret: all that a rotator is told.

    `settings` is an instance of the rotator's Settings. `candidate` is None in prepare only. `journal` is what
    prepare and `note` stored so far, in order. `epoch` fences: a rotator that marks its target writes it there.
    """

    secret: str
    settings: Any
    epoch: int
    current: StagedSecret | None
    candidate: StagedSecret | None = None
    previous: StagedSecret | None = None
    journal: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What prepare made: the value, what may be known of it, and bytes to be stored sealed beside it."""

    value: Plaintext
    text: bool = True
    public: Mapping[str, str] = field(default_factory=dict)
    journal: bytes = b""


class Rotator(Protocol):
    """Changes one kind of credential where it is used. Every call may come twice, each in a process of its own."""

    name: ClassVar[str]
    Settings: ClassVar[type]
    """A frozen msgspec Struct that forbids unknown fields: validation, documentation and form in one."""

    async def prepare(self, job: Job) -> Candidate:
        """Value, public part, journal; touches nothing outside. All local validation happens here."""
        ...

    async def apply(self, job: Job, note: Note) -> Outcome:
        """Make the target accept the candidate; the same candidate again has no further effect."""
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


class RevokingRotator(Rotator, Protocol):
    """The old credential can be taken back."""

    async def revoke(self, job: Job, version: StagedSecret) -> None:
        """Make the target refuse the version; reversibly first, where the target can."""
        ...


@dataclass(frozen=True, slots=True)
class RotatorDescription:
    """A rotator as a worker knows it, without its code: its name, its settings' JSON Schema, what it can do."""

    name: str
    summary: str
    settings_schema: Mapping[str, Any]
    abilities: frozenset[str]


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


class RotatorHost(Protocol):
    """Runs rotators apart: one process an attempt, never shared between accounts, killed at its deadline.

    Raises RotationFailed with the rotator's reason, `host-away`, `timed-out`, `crashed`, `unknown-rotator` or
    `bad-settings`. A process that died or timed out in apply leaves the outcome UNKNOWN: apply then returns that.
    """

    async def rotators(self) -> Sequence[RotatorDescription]: ...
    async def check_settings(self, rotator: str, settings: str) -> str:
        """The settings in canonical JSON with defaults filled in; RotationFailed `bad-settings` names no value."""
        ...

    async def prepare(self, order: JobOrder) -> Candidate: ...
    async def apply(self, order: JobOrder, note: Note) -> Outcome: ...
    async def settle(self, order: JobOrder) -> None: ...
    async def probe(self, order: JobOrder, versions: Sequence[StagedSecret]) -> Mapping[str, Acceptance]: ...
    async def verify(self, order: JobOrder) -> None: ...
