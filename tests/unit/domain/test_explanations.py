"""What is told of a decision while facts are unknown holds for every request that fits; with all known it is it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.conditions import Compiled, Condition, KnownFacts
from secretsd.domain.decisions import Narrowed, Reason
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.explanations import PartlyKnown, Verdict, explain, read_fact
from secretsd.domain.policy_rules import Applying

KEYS = ("secretsd:SourceIp", "secretsd:VersionId", "secretsd:PrincipalTag/team", "secretsd:SessionName")
VALUES = ("a", "b")
OPERATORS = ("StringEquals", "StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringLike", "Null")


def _compiled(operator: str, key: str, values: tuple[str, ...]) -> Compiled:
    return Compiled(Condition(operator, key, ("true",) if operator == "Null" else values))


conditions = st.builds(
    _compiled,
    st.sampled_from(OPERATORS),
    st.sampled_from(KEYS),
    st.lists(st.sampled_from(VALUES), min_size=1).map(tuple),
)
statements = st.builds(
    Applying, st.sampled_from("xyz"), st.integers(1, 9), st.just(""), st.lists(conditions, max_size=2).map(tuple)
)
sides = st.lists(statements, max_size=2).map(tuple)
narrowed = st.builds(
    Narrowed, sides, sides, st.none() | sides, st.none() | sides, sides, sides, st.booleans(), st.booleans()
)
facts = st.fixed_dictionaries({key: st.lists(st.sampled_from(VALUES), max_size=1).map(tuple) for key in KEYS})
visible = st.sets(st.sampled_from(KEYS))


@given(one=narrowed, complete=facts)
def test_with_all_facts_it_is_the_decision_and_its_reason(one, complete):
    decision = one.decide(KnownFacts(complete))
    found = explain(one, PartlyKnown(complete))
    assert (found.verdict is Verdict.ALLOWED, found.reason, found.by) == decision
    assert found.verdict is not Verdict.DEPENDS


@given(one=narrowed, complete=facts, known=visible)
def test_what_is_certain_holds_whatever_the_unknown_facts_are(one, complete, known):
    found = explain(one, PartlyKnown({key: complete[key] for key in known}))
    if found.verdict is not Verdict.DEPENDS:
        assert one.decide(KnownFacts(complete)).allowed is (found.verdict is Verdict.ALLOWED)


@given(one=narrowed, complete=facts, owner=sides, delegating=sides, denies=sides, known=visible)
def test_it_holds_whatever_a_hidden_owner_says(one, complete, owner, delegating, denies, known):
    hidden = one._replace(owner=(), delegating=())
    found = explain(hidden, PartlyKnown({key: complete[key] for key in known}), owner_hidden=True)
    real = hidden._replace(owner=owner, delegating=delegating, denies=hidden.denies + denies)
    assert found.verdict is not Verdict.ALLOWED
    if found.verdict is Verdict.DENIED:
        assert not real.decide(KnownFacts(complete)).allowed


@given(one=narrowed, known=facts)
def test_a_family_of_which_all_is_known_lacks_what_is_not_in_it(one, known):
    tags = {key: values for key, values in known.items() if "/" not in key}
    assert explain(one, PartlyKnown(tags, frozenset({"secretsd:PrincipalTag"}))) == explain(
        one, PartlyKnown(tags | {"secretsd:PrincipalTag/team": ()})
    )


def test_it_depends_on_what_is_unknown_and_on_nothing_else():
    at_home = Applying("policy/home", 1, "", (_compiled("StringEquals", "secretsd:SourceIp", ("a",)),))
    always = Applying("policy/always", 2, "", ())
    home = Narrowed((), (at_home,), None, None, (), (), False, False)
    assert explain(home, PartlyKnown({})) == (Verdict.DEPENDS, Reason.NOT_ALLOWED, None)
    assert explain(home._replace(identity=(at_home, always)), PartlyKnown({})).by == always
    kept = home._replace(identity=(always,), denies=(at_home,))
    assert explain(kept, PartlyKnown({})) == (Verdict.DEPENDS, Reason.DENIED, None)
    assert explain(kept, PartlyKnown({"secretsd:SourceIp": ("b",)})).verdict is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("key", "text", "fact"),
    [
        ("secretsd:SourceIp", "10.0.0.1", "10.0.0.1"),
        ("secretsd:SecureTransport", "true", 1),
        ("secretsd:UnixUid", "1000", 1000),
        ("secretsd:CurrentTime", "1970-01-01T00:00:01Z", 1000),
        ("secretsd:ResourceTag/team", "billing", "billing"),
    ],
)
def test_facts_are_written_as_policies_write_them(key, text, fact):
    assert read_fact(key, [text]) == (fact,)
    assert read_fact(key, []) == ()


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("secretsd:SourceIp", ["10.0.0.0/8"]),
        ("secretsd:SourceIp", ["10.0.0.1", "10.0.0.2"]),
        ("secretsd:SecureTransport", ["yes"]),
        ("secretsd:UnixUid", ["1.5"]),
        ("secretsd:UnixUid", ["9" * 400]),
        ("secretsd:CurrentTime", ["tomorrow"]),
        ("secretsd:CurrentTime", ["9999-99-99"]),
        ("secretsd:ResourceTag", ["x"]),
        ("secretsd:nothing", ["x"]),
        ("", ["x"]),
    ],
)
def test_what_is_no_fact_is_refused_without_its_text(key, values):
    with pytest.raises(InvalidRequest, match=r"^cannot take") as refused:
        read_fact(key, values)
    assert not any(value in refused.value.message for value in values if len(value) > 3)
