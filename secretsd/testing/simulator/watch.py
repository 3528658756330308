"""Watches a case: holds what is stored against what the target accepts, at every instant, by the invariants."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from secretsd.domain.rotation import MAX_ATTEMPTS, MachineKind, RotationState
from secretsd.domain.secrets import CURRENT, Barrier
from secretsd.operations.sealing import Sealer
from secretsd.ports.rotator import JobOrder, StagedSecret
from secretsd.testing.memory_escrow import MemoryEscrow
from secretsd.testing.simulator.durable import Durable, Stored, at_once, known
from secretsd.testing.simulator.host import parts
from secretsd.testing.simulator.profiles import Profile
from secretsd.testing.simulator.target import SimulatedTarget

LOGIN_BUDGET = 25
"""Refused logins in a row that a target has to bear: five versions tried in each of five attempts."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold: its name in `reference/rotation.md` of the design, and what was seen."""

    invariant: str
    seen: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.seen}"


class Watch:
    """Looks whenever the gate, the target or the host says that something may have changed.

    `violations` has each kind of violation once, with the first that was seen of it.
    """

    def __init__(
        self,
        profile: Profile,
        target: SimulatedTarget,
        durable: Durable,
        escrow: MemoryEscrow,
        sealer: Sealer,
        now_ms: Callable[[], int],
    ) -> None:
        self.violations: dict[str, Violation] = {}
        self.restored = False
        """True once the target was put back: it may be on values that the engine does not look at any more."""
        self.excused = False
        """True from then on until something was promoted that works: the harm is the case's own."""
        self.asleep = False
        """True while a node starts: what an older copy of the storage lacks is not brought back yet."""
        self.gone_back = False
        """True once the storage was an older copy, whose history lacks what came after it."""
        self._profile = profile
        self._target = target
        self._durable = durable
        self._escrow = escrow
        self._sealer = sealer
        self._now_ms = now_ms
        self._values: dict[str, tuple[str, str]] = {}
        self._before: Stored | None = None
        self._epoch = 0
        target.on_effect = self.look

    @property
    def stored(self) -> Stored:
        """What is stored now."""
        return self._durable.look()

    def found(self, invariant: str, seen: str) -> None:
        """Remember a violation."""
        self.violations.setdefault(f"{invariant} {seen}", Violation(invariant, seen))

    def works(self, version_id: str) -> bool:
        """Whether the target accepts a stored version now."""
        return self._target.works(*self.value(version_id))

    def value(self, version_id: str) -> tuple[str, str]:
        """Login and password of a stored version."""
        if version_id not in self._values:
            sealed = self._durable.sealed(self.stored.secret, version_id)
            if sealed is None:
                raise LookupError("cannot find the value of a version that is in use")
            self._values[version_id] = parts(self._durable.opened(self._sealer, sealed))
        return self._values[version_id]

    def begin_anew(self) -> None:
        """The storage is an older copy now."""
        self.gone_back, self._before = True, None

    def look(self) -> None:
        """All that must hold at every instant."""
        if self.asleep:
            return
        stored, before = self.stored, self._before
        self._known_set(stored)
        if stored is before:
            return
        self._before = stored
        rotation = stored.rotation
        if rotation.attempts > MAX_ATTEMPTS:
            self.found("I8", "more attempts than allowed")
        if stored.steps != rotation.steps:
            self.found("I9", "the history has other entries than the rotation counts")
        if stored.history is not None and stored.history.state is not rotation.state:
            self.found("I9", "the history does not end where the rotation stands")
        unbegun = rotation.state is RotationState.APPLYING and rotation.unnoted
        if rotation.state in rotation.rules.held and not unbegun and stored.secret.barrier is Barrier.OPEN:
            self.found("I4", "the barrier is open while the value may be dead")
        if rotation.state in rotation.rules.pinned and not stored.secret.pinned:
            self.found("I2", "versions in play are not pinned")
        if rotation.pending_version is not None and rotation.pending_version not in stored.versions:
            self.found("I1", "the candidate's value is not stored")
        if before is not None:
            self._moved(before, stored)

    def _known_set(self, stored: Stored) -> None:
        """T ∩ K ≠ ∅: each login that matters is on a value that we keep, and so is whatever is in flight."""
        target = self._target
        if target.open_to_all:
            return
        kept = [self.value(version_id) for version_id in (stored.versions if self.restored else known(stored))]
        every = self._profile.machine is not MachineKind.ALTERNATING or self._profile.alone
        if any(not self._reached(login, kept) for login in self._that_matter(stored)):
            self.found("I2", "the target is on no value that we keep")
        for waiting in target.in_flight:
            change = waiting.change
            if every and not change.taken_away and (change.login, change.value) not in kept:
                self.found("I2", "a value on its way to the target is not kept any more")

    def _that_matter(self, stored: Stored) -> list[str]:
        """Logins that have to be on a value of ours; the other one that an administrator sets may be on any."""
        if self._profile.machine is not MachineKind.ALTERNATING or self._profile.alone:
            return list(self._target.accepts)
        current = stored.secret.stages.get(CURRENT)
        return [] if current is None else [self.value(current)[0]]

    def _reached(self, login: str, values: Iterable[tuple[str, str]]) -> bool:
        return any(self._target.works(*one) for one in values if one[0] == login)

    @property
    def out_of_sight(self) -> bool:
        """True when a login that changes itself was put back on a value that nobody looks at any more."""
        stored = self.stored
        kept = [self.value(version_id) for version_id in known(stored)]
        alone = self.restored and self._profile.alone
        return alone and any(not self._reached(login, kept) for login in self._that_matter(stored))

    def _moved(self, before: Stored, after: Stored) -> None:
        old, new = before.secret.stages.get(CURRENT), after.secret.stages.get(CURRENT)
        last, now = before.history, after.history
        if last is not None and now is not None and 0 < now.epoch < last.epoch:
            self.found("I6", "a stale epoch was committed")
        self._epoch = max(self._epoch, 0 if now is None else now.epoch)
        if old == new or new is None:
            return
        value = self.value(new)
        if self._target.open_to_all:
            return
        if not self._target.proved_since_last_effect(*value) and not self.excused:
            self.found("I4", "promoted without a proof after the last effect")
        if self._target.unsettled or self._target.in_flight:
            self.found("I4", "promoted while something was in flight")
        if not self._target.works(*value) and not self.excused:
            self.found("I4", "promoted what the target refuses")
        if self._target.works(*value):
            self.excused = False
        if old is not None and self.number(new) < self.number(old) and not (self.restored or self.gone_back):
            self.found("I7", "current went back to an older version")

    def number(self, version_id: str) -> int:
        """A version's number, by the moment at which its value was first drawn."""
        return int(self.value(version_id)[1].rpartition("-")[2])

    def changing(self, order: JobOrder) -> None:
        """I6: whoever changes the target does so under the newest epoch that was ever seen."""
        if order.epoch < self._epoch and not self._target.open_to_all:
            self.found("I6", "the target is changed under a stale epoch")
        self._epoch = max(self._epoch, order.epoch)
        if self.stored.rotation.rules.held and self.stored.secret.barrier is Barrier.OPEN:
            self.found("I4", "the target is changed before the barrier is stored")

    def applying(self, order: JobOrder) -> bool:
        """I1: the candidate and the intent are stored, and in the escrow, before the target hears of it.

        Says whether the order is of the newest epoch. One that is not may ask, but must not change anything.
        """
        if order.epoch < self._epoch:
            return False
        self._epoch = order.epoch
        if not self._target.open_to_all:
            self._journaled(order)
        return True

    def _journaled(self, order: JobOrder) -> None:
        stored, candidate = self.stored, order.candidate
        if candidate is None or candidate.version_id not in stored.versions:
            self.found("I1", "the target hears of a candidate that is not stored")
            return
        if self.value(candidate.version_id) != parts(candidate.value):
            self.found("I1", "the target hears of another value than is stored")
        rotation = stored.rotation
        if rotation.state is not RotationState.APPLYING or rotation.pending_version != candidate.version_id:
            self.found("I1", "the candidate is applied before the intent is stored")
        sealed = self._durable.sealed(stored.secret, candidate.version_id)
        if not any(entry.sealed == sealed for entry in at_once(self._escrow.entries())):
            self.found("I1", "the candidate is applied before it is in the escrow")
        if self._target.unsettled or self._target.in_flight:
            self.found("I3", "applied again before what was in flight was settled")

    def probing(self, order: JobOrder) -> None:
        """I3: an unknown outcome is settled before anybody asks what became of it."""
        if order.epoch < self._epoch:
            return  # a node that thawed asks for itself; it cannot commit what it hears
        self._epoch = order.epoch
        if self._target.unsettled or self._target.in_flight:
            self.found("I3", "probed before what was in flight was settled")

    def revoking(self, order: JobOrder, version: StagedSecret) -> None:
        """I5: nothing is taken back before its successor was promoted and its grace has passed."""
        stored = self.stored
        rotation, current = stored.rotation, stored.secret.stages.get(CURRENT)
        if version.version_id == current or rotation.state is not RotationState.REVOKING:
            self.found("I5", "revoked before its successor was promoted")
        if current is not None and not self.works(current) and not self.excused:
            self.found("I5", "revoked while the served value does not work")
        promoted_ms = rotation.last_rotated_ms or 0
        if self._now_ms() < promoted_ms + 1000 * rotation.grace_seconds:
            self.found("I5", "revoked before its grace had passed")

    def served(self, version_id: str, unproved: bool, met: Barrier, excused: bool) -> None:
        """I4: a value that is read without a mark works at that instant. `met` and `excused` are as it began."""
        if unproved:
            if met is Barrier.OPEN and self.stored.secret.barrier is Barrier.OPEN:
                self.found("I4", "a proved value is marked as unproved")
        elif not (excused or self.excused) and not self.works(version_id):
            self.found("I4", "a value was served that the target refuses")

    def counted(self) -> None:
        """I8: the target was not asked to refuse more logins than an account bears."""
        if self._target.most_refused > LOGIN_BUDGET:
            self.found("I8", "more refused logins in a row than an account bears")
