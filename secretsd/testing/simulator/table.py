"""Which cases there are, by the stored state that the fault meets, and those of them that stand for all."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from secretsd.domain.rotation import MACHINES, MachineKind, RotationState
from secretsd.testing.simulator.cases import Case, one_fault_more, scenarios_of
from secretsd.testing.simulator.gate import Fault
from secretsd.testing.simulator.profiles import PROFILES
from secretsd.testing.simulator.simulation import Run, Simulation

_F = Fault
COLUMNS: Mapping[str, frozenset[Fault]] = {
    "crash before": frozenset({_F.CRASH_BEFORE}),
    "crash after": frozenset({_F.CRASH_AFTER, _F.CRASH_LATE}),
    "definite error": frozenset({_F.ERROR, _F.AWAY, _F.REJECTED}),
    "ambiguous, applied": frozenset({_F.LOST_APPLIED, _F.LATE}),
    "ambiguous, not applied": frozenset({_F.LOST_NOT_APPLIED, _F.LATE_ENDED}),
    "cancelled or paused": frozenset({_F.CANCEL, _F.PAUSE}),
    "target restored": frozenset({_F.RESTORE}),
    "storage restored": frozenset({_F.OLD_STORAGE}),
    "frozen": frozenset({_F.FREEZE_BEFORE, _F.FREEZE_AFTER}),
}


_ANYWHERE_ALIKE = frozenset({_F.RESTORE, _F.OLD_STORAGE, _F.PAUSE}) | COLUMNS["frozen"]
"""What a fault of these finds at a door hardly depends on how the rotation came there."""
_WRITES = ("commit", "keep", "apply", "restore", "revoke")
_TELLING = MachineKind.SINGLE_USER
"""The machine of which the subset also has each way into a state; the others share its steps."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case's fault falls: machine, stored state, kind of door, and what came before in that state."""

    machine: str
    state: str
    kind: str
    before: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All cases with one fault, each with its place. `without` are the runs of every profile and scenario alone."""

    without: Sequence[Run]
    cases: Sequence[tuple[Case, Place]]

    def subset(self) -> Iterator[Case]:
        """The first case of each place and fault; of those that are alike anywhere only where something is written."""
        seen: set[tuple[Place, Fault]] = set()
        for case, place in self.cases:
            ((_, fault),) = case.plan.items()
            if fault in _ANYWHERE_ALIKE and place.kind not in _WRITES:
                continue
            what = (replace(place, before="") if fault in _ANYWHERE_ALIKE else place), fault
            if what not in seen:
                seen.add(what)
                yield case


def planned(simulation: Simulation) -> Plan:
    """Every case, found by running each profile through each scenario without a fault of its own."""
    without, cases = [], []
    for profile in PROFILES:
        for scenario in scenarios_of(profile):
            run = simulation.run(Case(profile, scenario, {}))
            without.append(run)
            for case in one_fault_more(run.case, run.passages):
                cases.append((case, _place(run, next(iter(case.plan)))))
    return Plan(without, cases)


def _place(run: Run, number: int) -> Place:
    passage = run.passages[number]
    before = ""
    if run.case.profile.machine is _TELLING:
        faults = [one.fault.value for one in run.passages[:number] if one.fault and one.state == passage.state]
        # Of several commits in one state, what a fault does to each depends on what comes before it.
        last = run.passages[number - 1].kind if number and passage.kind == "commit" else ""
        before = f"{last} {faults[-1] if faults else ''}"
    return Place(run.case.profile.machine.value, passage.state, passage.kind, before)


def states_of(kind: MachineKind) -> list[RotationState]:
    """The states that a machine's rotation can be under way in; those that it never comes to are left out."""
    machine, found = MACHINES[kind], [RotationState.IDLE]
    for state in found:
        found += [one for one in RotationState if one in machine.moves.get(state, ()) and one not in found]
    unable = {
        MachineKind.STANDALONE: {RotationState.DRAINING, RotationState.REVOKING, RotationState.ROLLING_BACK},
        MachineKind.SINGLE_USER: {RotationState.DRAINING, RotationState.REVOKING},
        MachineKind.ALTERNATING: {RotationState.DRAINING, RotationState.REVOKING},
    }.get(kind, set())
    return [one for one in RotationState if one in found and one not in {*unable, RotationState.QUARANTINED}]


def markdown(plan: Plan) -> str:
    """The table of the guide: how many cases fall in each state of each machine, by what goes wrong."""
    counted: Counter[tuple[str, str, str]] = Counter()
    for case, place in plan.cases:
        ((_, fault),) = case.plan.items()
        counted[place.machine, place.state, next(name for name, faults in COLUMNS.items() if fault in faults)] += 1
    lines = [
        f"| machine, state | {' | '.join(COLUMNS)} |",
        f"|---|{'---|' * len(COLUMNS)}",
    ]
    for kind in MachineKind:
        for at in states_of(kind):
            cells = (str(counted[kind.value, at.value, name] or "-") for name in COLUMNS)
            lines.append(f"| {kind.value}, {at.value} | {' | '.join(cells)} |")
    lines += ["", f"{len(plan.without)} runs without a fault of their own, {len(plan.cases)} with one."]
    return "\n".join(lines)


def unmet(plan: Plan) -> list[str]:
    """States that no fault meets in one of the ways that every state has."""
    met = {(place.machine, place.state, fault) for case, place in plan.cases for fault in case.plan.values()}
    every = (_F.CRASH_BEFORE, _F.CRASH_AFTER, _F.ERROR, _F.LOST_APPLIED, _F.CANCEL)
    return [
        f"{kind.value}, {state.value}: {fault.value}"
        for kind in MachineKind
        for state in states_of(kind)
        for fault in every
        if (kind.value, state.value, fault) not in met
    ]


def told(runs: Iterable[Run]) -> str:
    """The runs that found something, each with its way."""
    return "\n\n".join(str(run) for run in runs)
