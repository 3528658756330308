"""Re-encryption: what older versions of a CMK still keep readable is moved under its current version, bit by bit."""

from dataclasses import dataclass, replace
from enum import Enum

MIN_A_SECOND, DEFAULT_A_SECOND, MAX_A_SECOND = 1, 100, 10_000


class Place(Enum):
    """Where ciphertexts under a CMK are stored, in the order in which they are moved.

    SECRET_VERSION: the data key beside a secret's value. ROTATION_NOTE: what a rotator noted about a candidate.
    TARGET: the credential of a target's administrator. ACCESS_KEY, SESSION: the secrets of both. ESCROW: a candidate
    and its notes outside storage.
    """

    SECRET_VERSION = "secret-version"
    ROTATION_NOTE = "rotation-note"
    TARGET = "target"
    ACCESS_KEY = "access-key"
    SESSION = "session"
    ESCROW = "escrow-entry"


class ReEncryptionState(Enum):
    """The life of a re-encryption. INCOMPLETE: the end was reached, and something could not be opened."""

    RUNNING = "running"
    DONE = "done"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"


_PLACES = tuple(Place)


@dataclass(frozen=True, slots=True)
class ReEncryption:
    """The re-encryption of what is under older versions of one CMK; a key has one at most, and its last one stays.

    `total` is what there was to move when it began, and `done` what was moved since. `waiting` and `failed` are of the
    pass under way: what a rotation holds, and what could not be opened. `place`, `at_version` (of the key), `after` and
    `after_version` say where the pass stands: behind which secret, target or entry, and which version of a secret.
    """

    account: str
    key_id: str
    state: ReEncryptionState
    started_ms: int
    per_second: int
    total: int
    done: int = 0
    waiting: int = 0
    failed: int = 0
    place: Place = Place.SECRET_VERSION
    at_version: int = 0
    after: str = ""
    after_version: str = ""
    next_due_ms: int | None = None
    finished_ms: int | None = None
    revision: int = 0

    @property
    def running(self) -> bool:
        """True while there is something to do, now or later."""
        return self.state is ReEncryptionState.RUNNING

    def counted(self, done: int, waiting: int = 0, failed: int = 0) -> "ReEncryption":
        """With so many more moved, waiting and failed."""
        return replace(self, done=self.done + done, waiting=self.waiting + waiting, failed=self.failed + failed)

    def behind(self, after: str, after_version: str = "", at_version: int = 0) -> "ReEncryption":
        """With the pass standing behind that one."""
        return replace(self, after=after, after_version=after_version, at_version=at_version)

    def past_place(self, now_ms: int, pause_ms: int) -> "ReEncryption":
        """At the next place; past the last one a new pass after a pause for what waited, or the end."""
        moved = self.behind("")
        at = _PLACES.index(self.place) + 1
        if at < len(_PLACES):
            return replace(moved, place=_PLACES[at])
        moved = replace(moved, place=_PLACES[0])
        if self.waiting:
            return replace(moved, waiting=0, failed=0, next_due_ms=now_ms + pause_ms)
        state = ReEncryptionState.INCOMPLETE if self.failed else ReEncryptionState.DONE
        return replace(moved, state=state, next_due_ms=None, finished_ms=now_ms)
