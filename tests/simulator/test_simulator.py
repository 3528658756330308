"""The engine of rotations against a simulated target: no invariant breaks, and whoever breaks one is noticed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import benchmark
from benchmarks.options import quick
from benchmarks.simulator import SERVICES
from secretsd.testing.simulator.cases import SCENARIOS, Case, one_fault_more, scenarios_of
from secretsd.testing.simulator.gate import Fault
from secretsd.testing.simulator.profiles import PROFILES
from secretsd.testing.simulator.simulation import Run, Simulation, simulation
from secretsd.testing.simulator.table import Plan, markdown, planned, told, unmet
from tests.simulator.mutants import MUTANTS, Mutant

GUIDE = Path(__file__).parents[2] / "docs/guides/rotation-simulator.md"
BY_NAME = {profile.name: profile for profile in PROFILES}


@pytest.fixture(scope="module")
def simulated() -> Iterator[Simulation]:
    with simulation(SERVICES) as one:
        yield one


@pytest.fixture(scope="module")
def plan(simulated: Simulation) -> Plan:
    return planned(simulated)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_fault_anywhere_breaks_an_invariant(simulated: Simulation, plan: Plan) -> None:
    failed = [run for run in plan.without if run.violations]
    cases = list(plan.subset())
    for case in cases:
        run = simulated.run(case)
        if run.violations:
            failed.append(run)
    print(f"{len(cases)} of {len(plan.cases)} cases")
    firsts = {str(violation): run for run in reversed(failed) for violation in run.violations}
    if failed:
        pytest.fail(f"{len(failed)} cases, the first of each violation:\n\n{told(firsts.values())}", pytrace=False)


def test_every_state_of_every_machine_is_met_by_every_kind_of_fault(plan: Plan) -> None:
    assert unmet(plan) == []


def test_the_guide_has_the_table_of_cases(plan: Plan) -> None:
    assert markdown(plan) in GUIDE.read_text(), f"put this into {GUIDE.name}:\n{markdown(plan)}"


def test_the_bench_tells_how_many_cases_it_ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = benchmark("simulator")(replace(quick(tmp_path), seed=1))
    alone, pairs, states, _ = figures
    assert int(re.findall(r"\d+", alone.name)[0]) > 100
    assert int(re.findall(r"\d+", pairs.name)[0]) > 0
    assert int(states.value) > 10
    assert "seed 1" in capsys.readouterr().out


def test_the_same_case_takes_the_same_way_again(simulated: Simulation) -> None:
    case = Case(BY_NAME["alternating"], SCENARIOS[1], {4: Fault.CRASH_AFTER})
    first, again = simulated.run(case), simulated.run(case)
    assert str(first) == str(again)
    assert Fault.CRASH_AFTER in {one.fault for one in first.passages}
    assert any("crash after" in line for line in str(first).splitlines()), "a case that fails tells its way"


def noticed(simulated: Simulation, mutant: Mutant) -> list[Run]:
    """Runs that found something else than nothing, up to the first that names the broken invariant."""
    found = []
    profile = BY_NAME[mutant.profile]
    for scenario in scenarios_of(profile):
        whole = simulated.run(Case(profile, scenario, {}))
        for case in [whole.case, *one_fault_more(whole.case, whole.passages)]:
            run = whole if case is whole.case else simulated.run(case)
            if run.violations:
                found.append(run)
            if any(one.invariant == mutant.invariant for one in run.violations):
                return found
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_an_engine_with_one_thing_wrong_is_noticed(
    simulated: Simulation, plan: Plan, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant.patch(monkeypatch)
    found = noticed(simulated, mutant)
    assert found, f"nobody noticed: {mutant}"
    names = {one.invariant for one in found[-1].violations}
    assert mutant.invariant in names, f"{mutant} is noticed by {names} only"
    monkeypatch.undo()
    genuine = {one.invariant for one in simulated.run(found[-1].case).violations}
    assert mutant.invariant not in genuine, "the engine itself does that"
