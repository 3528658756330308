"""The engine of policies against Cedar's, which others wrote, in the part of the language that both have."""

from typing import Any

import pytest

from secretsd.domain.decisions import Reason
from secretsd.testing.policy_cases import OWN
from secretsd.testing.policy_in_cedar import InCedar, cases_in_cedar, compared_with_cedar, shared
from secretsd.testing.policy_reference import World
from tests.unit.domain.policy_mutants import MUTANTS, put_wrong

CASES = 10_000
MOST = 30_000
SEED = 20_261_126
NOT_SHARED = {"one-character-is-a-star-too", "case-counts", *(name for name in MUTANTS if "grant" in name)}
NOT_SHARED |= {"re-encrypt-is-not-implied"}


def test_engine_and_cedar_agree() -> None:
    reasons, differing = compared_with_cedar(SEED, CASES)
    assert not differing, differing[0]
    assert set(reasons) == {reason.value for reason in Reason}
    assert all(count > CASES // 1_000 for count in reasons.values()), reasons


@pytest.mark.parametrize("name", sorted(set(MUTANTS) - NOT_SHARED))
def test_a_wrong_engine_is_found_out_by_cedar(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_wrong(name, monkeypatch)
    assert any(case.engine != case.reference for case in cases_in_cedar(SEED, MOST, requests=4))


def test_what_cedar_cannot_say_is_left_out() -> None:
    good: dict[str, Any] = {"Effect": "Allow", "Action": "Get*", "Resource": ["secret/a"]}
    parts: list[dict[str, Any]] = [
        {"Action": "?et"},
        {"Resource": "secret/?"},
        {"Condition": {"DateLessThan": {"secretsd:CurrentTime": "2020-01-01"}}},
        {"Condition": {"StringEqualsIgnoreCase": {"secretsd:SystemdUnit": "A"}}},
        {"Condition": {"ForAnyValue:StringLike": {"secretsd:TagKeys": "t*"}}},
        {"Condition": {"NumericEquals": {"secretsd:UnixUid": "1000.5"}}},
    ]
    documents = [{"Version": "1", "Statement": [{**good, **part}]} for part in parts]
    mixed = {"Version": "1", "Statement": [good, documents[0]["Statement"][0]]}
    world = World(OWN, "user/ann", 1, [*documents, mixed], documents[0], documents[0], OWN, "secret/a", None)
    found = shared(world)
    assert found.identity == [{"Version": "1", "Statement": [good]}]
    assert found.boundary is found.session is None


def test_what_cedar_cannot_compare_is_an_error() -> None:
    """A fact of another type than the policy's is no silent denial."""
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"NumericLessThan": {"secretsd:UnixUid": "7"}},
    }
    world = World(OWN, "user/ann", 1, [{"Statement": statement}], None, None, OWN, "secret/a", None)
    with pytest.raises(ValueError, match="cannot compare"):
        list(InCedar(world).reasons([("GetSecretValue", {"secretsd:UnixUid": ("a text",)})]))
