"""The page about policies names every operator, every condition key and every limit that there is."""

from secretsd.domain import conditions, policy, policy_document
from secretsd.domain.condition_keys import CONDITION_KEYS
from secretsd.domain.patterns import MAX_PATTERN_LENGTH
from tests.promises.test_docs import ROOT

PAGE = (ROOT / "docs/reference/policies.md").read_text()


def test_every_operator_is_there() -> None:
    assert [name for name in conditions.OPERATORS if f"`{name}`" not in PAGE] == []


def test_every_condition_key_is_there_as_it_is_declared() -> None:
    for name, key in CONDITION_KEYS.items():
        shown = f"{name}/…" if key.family else name
        many = ", many" if key.many else ""
        assert f"| `{shown}` | {key.type.value}{many} | {key.meaning} |" in PAGE, name
    assert PAGE.count("| `secretsd:") == len(CONDITION_KEYS)


def test_the_limits_are_those_of_the_engine() -> None:
    assert f"a list of 1 to {policy.MAX_STATEMENTS}" in PAGE
    assert f"a list of up to {policy.MAX_PATTERNS}, of 1 to {MAX_PATTERN_LENGTH} characters" in PAGE
    assert f"up to {policy_document.MAX_DOCUMENT_BYTES // 1024} KiB" in PAGE
    assert f"up to {policy_document.MAX_SID_LENGTH} characters" in PAGE
