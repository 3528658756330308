"""The cases: what a rotation goes through anyhow, and the one fault that comes on top of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from secretsd.testing.simulator.gate import FAULTS, Fault, Passage
from secretsd.testing.simulator.profiles import Profile

_F = Fault


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to a rotation without the case's own fault: faults of the first calls of a kind.

    `needs` is an ability without which it makes no sense.
    """

    name: str
    script: Mapping[str, Sequence[Fault | None]] = field(default_factory=dict)
    needs: str = ""
    everywhere: bool = True
    """False where the profile has no target, which nothing can be lost at."""


SCENARIOS = (
    Scenario("nothing else"),
    Scenario("reply lost", {"apply": [_F.LOST_APPLIED]}, everywhere=False),
    Scenario("request lost", {"apply": [_F.LOST_NOT_APPLIED]}, everywhere=False),
    Scenario("applied late", {"apply": [_F.LATE]}, everywhere=False),
    Scenario("ended by settling", {"apply": [_F.LATE_ENDED]}, everywhere=False),
    Scenario("rejected once", {"apply": [_F.REJECTED]}),
    Scenario("refused once", {"apply": [_F.ERROR]}),
    Scenario("away for a while", {"apply": [_F.LOST_APPLIED], "probe": [_F.AWAY, _F.AWAY]}, everywhere=False),
    Scenario("unfit", {"verify": [_F.ERROR, _F.ERROR, _F.ERROR]}, needs="restore"),
    Scenario("unfit, way back unclear", {"verify": [_F.ERROR] * 3, "restore": [_F.LOST_NOT_APPLIED]}, needs="restore"),
    Scenario("cancelled while applied", {"apply": [_F.CANCEL]}),
    Scenario("cancelled, reply lost", {"apply": [_F.LOST_APPLIED], "settle": [_F.CANCEL]}, everywhere=False),
    Scenario("never applied", {"apply": [_F.LOST_NOT_APPLIED] * 12}, everywhere=False),
    Scenario("never proved", {"verify": [_F.ERROR] * 12}),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A profile, a scenario, and faults at numbered doors."""

    profile: Profile
    scenario: Scenario
    plan: Mapping[int, Fault]

    def __str__(self) -> str:
        faults = ", ".join(f"{fault.value} at door {number}" for number, fault in sorted(self.plan.items()))
        return f"{self.profile.name}; {self.scenario.name}; {faults or 'no fault'}"


def scenarios_of(profile: Profile) -> Iterator[Scenario]:
    """Those that make sense for a profile."""
    for scenario in SCENARIOS:
        if scenario.needs and scenario.needs not in profile.abilities:
            continue
        if scenario.everywhere or profile.logins:
            yield scenario


def one_fault_more(case: Case, passages: Sequence[Passage], after: int = -1) -> Iterator[Case]:
    """Every case with one fault more, at each door that the given one went through after number `after`."""
    for passage in passages:
        if passage.number <= after or passage.fault is not None:
            continue
        for fault in FAULTS[passage.kind]:
            if fault in (Fault.RESTORE, Fault.OLD_STORAGE) and not case.profile.logins:
                continue
            yield Case(case.profile, case.scenario, {**case.plan, passage.number: fault})
