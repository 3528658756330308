"""The engine of policies against a second evaluator, written from the reference document alone; and mutants of it."""

import pytest

from secretsd.domain.decisions import Reason
from secretsd.testing import policy_cases
from tests.unit.domain.policy_mutants import MUTANTS, put_wrong

CASES = 20_000
MOST = 60_000
SEED = 20_261_126


def test_two_evaluators_agree() -> None:
    reasons, differing = policy_cases.compared(SEED, CASES)
    assert not differing, differing[0]
    assert set(reasons) == {reason.value for reason in Reason}
    assert all(count > CASES // 1_000 for count in reasons.values()), reasons


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_engine_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_wrong(name, monkeypatch)
    assert policy_cases.first_difference(SEED, MOST) is not None
