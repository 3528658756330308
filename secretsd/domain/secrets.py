"""Secrets and their versions, and how version stages move between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from secretsd.domain.errors import Conflict, InvalidRequest, InvalidState, LimitExceeded, NotFound

CURRENT, PENDING, PREVIOUS = "current", "pending", "previous"
MAX_VALUE_BYTES = 64 * 1024
MAX_STAGES_A_VERSION = 20
MAX_VERSIONS = 10_000
KEPT_UNLABELLED_VERSIONS = 100
KEPT_FOR_MS = 24 * 3600 * 1000
RECOVERY_WINDOW_DAYS = range(7, 31)
DEFAULT_RECOVERY_WINDOW_DAYS = 30
MAX_TAGS = 50


class DataType(Enum):
    """How a value is to be shown: text is valid UTF-8, binary is any bytes."""

    TEXT = "text"
    BINARY = "binary"


class VersionState(Enum):
    """The life of a secret version."""

    LIVE = "live"
    DELETED = "deleted"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One value that a secret has had. `id` is the caller's token or a UUID; `number` is never reused.

    The value itself is a SealedValue beside it, so that metadata can be listed without touching ciphertexts. `made_by`
    is the principal who put it, in full; "" where an earlier release did not note it.
    """

    account: str
    secret_id: str
    id: str
    number: int
    data_type: DataType
    state: VersionState
    created_ms: int
    key_id: str
    key_version: int
    revision: int = 0
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class SealedValue:
    """A version's value, sealed under its data key (`domain/envelope.py`); both bind account, secret and version."""

    account: str
    secret_id: str
    version_id: str
    data_key: bytes
    value: bytes
    revision: int = 0


class Barrier(Enum):
    """Whether reads of the current value may go on while its rotation changes the target.

    HOLD: they wait, because the value may be dead in a moment. UNPROVED: the target cannot be reached to find out, so
    the last proved value is served, marked as such.
    """

    OPEN = "open"
    HOLD = "hold"
    UNPROVED = "unproved"


@dataclass(frozen=True, slots=True)
class Secret:
    """A named secret. `stages` maps each version stage to the one version that holds it, which is how a stage can
    never sit on two versions; `key_id` is the CMK of new versions.

    `deletion_ms` is set while the secret waits to be erased. `version_count` counts the versions that are kept.
    `barrier` and `pinned` belong to its rotation: whether reads wait, and whether versions and stages must stay as they
    are because the target may be on any of them (SECURITY 20). `has_policy` says that there is one of the resource.
    """

    account: str
    name: str
    id: str
    description: str
    key_id: str
    created_ms: int
    changed_ms: int
    stages: Mapping[str, str] = field(default_factory=dict)
    next_number: int = 1
    version_count: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    deletion_ms: int | None = None
    revision: int = 0
    barrier: Barrier = Barrier.OPEN
    pinned: bool = False
    has_policy: bool = False

    def require_unpinned(self) -> None:
        """Raise Conflict while a rotation is under way that may be on any of the labelled versions."""
        if self.pinned:
            raise Conflict(
                f"cannot change the versions of secret {self.name} now: its rotation is under way; cancel that first"
            )

    def require_active(self) -> None:
        """Raise InvalidState while the secret waits to be erased."""
        if self.deletion_ms is not None:
            raise InvalidState(f"cannot use secret {self.name}: it is scheduled for deletion; restore it first")

    def version_at(self, stage: str) -> str:
        """The id of the version that holds the stage; NotFound when none does."""
        try:
            return self.stages[stage]
        except KeyError:
            raise NotFound(f"cannot find a version of secret {self.name} at that stage") from None

    def stages_of(self, version_id: str) -> tuple[str, ...]:
        """The stages that a version holds, in alphabetical order."""
        return tuple(sorted(stage for stage, holder in self.stages.items() if holder == version_id))

    def with_version(self, version_id: str, stages: tuple[str, ...], now_ms: int) -> "Secret":
        """The secret after a new version was stored under the named stages.

        The first version always becomes current as well; when current moves, previous follows to the version it left.
        """
        if self.version_count >= MAX_VERSIONS:
            raise LimitExceeded(f"cannot add a version to secret {self.name}: it has {MAX_VERSIONS} of them")
        wanted = set(stages) | (set() if self.stages else {CURRENT})
        moved = self
        for stage in sorted(wanted):
            moved = moved._placed(stage, version_id)
        return replace(moved, next_number=self.next_number + 1, version_count=self.version_count + 1, changed_ms=now_ms)

    def with_stage_moved(self, stage: str, remove_from: str | None, move_to: str | None, now_ms: int) -> "Secret":
        """The secret after `stage` was taken from one version and given to another, either of them optional.

        `remove_from` must name the version that holds the stage when any does. Current cannot be taken away without
        being given; a rule broken raises InvalidRequest.
        """
        if remove_from is None and move_to is None:
            raise InvalidRequest("cannot move the stage: name the version it moves to, is removed from, or both")
        holder = self.stages.get(stage)
        if remove_from is not None and holder != remove_from:
            raise InvalidRequest("cannot move the stage: the version to remove it from does not hold it")
        if move_to is not None and holder not in (None, move_to) and remove_from is None:
            raise InvalidRequest("cannot move the stage: another version holds it; name that one to remove it from")
        if move_to is None:
            if stage == CURRENT:
                raise InvalidRequest("cannot remove the stage current: it can only move to another version")
            rest = {name: version for name, version in self.stages.items() if name != stage}
            return replace(self, stages=rest, changed_ms=now_ms)
        return replace(self._placed(stage, move_to), changed_ms=now_ms)

    def _placed(self, stage: str, version_id: str) -> "Secret":
        stages = dict(self.stages)
        left = stages.get(stage)
        stages[stage] = version_id
        if stage == CURRENT and left is not None and left != version_id:
            stages[PREVIOUS] = left
        if sum(holder == version_id for holder in stages.values()) > MAX_STAGES_A_VERSION:
            raise LimitExceeded(f"cannot label the version: it holds {MAX_STAGES_A_VERSION} stages")
        return replace(self, stages=stages)
