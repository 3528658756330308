"""Statements are found by how their resources begin: those that are found are all that cover a resource, in order."""

from hypothesis import example, given
from hypothesis import strategies as st

from secretsd.domain.names import Resource
from secretsd.domain.patterns import ResourcePattern, glob, literal_head
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.policy_rules import Rules, Who

OWN, OTHER = "100000000001", "100000000002"
ANN = Who(OWN, "user/ann")
paths = st.text(st.sampled_from("ab/[*"), max_size=7)
written = st.text(st.sampled_from("ab/[*?"), max_size=6)
patterns = st.tuples(st.sampled_from(("", "", f"secretsd:{OWN}:", f"secretsd:{OTHER}:")), written).map("".join)
statements = st.builds(
    lambda some, others: Statement(Effect.ALLOW, ("*",), () if others else tuple(some), not_resources=tuple(others)),
    st.lists(patterns, min_size=1, max_size=4),
    st.one_of(st.just(()), st.lists(patterns, min_size=1, max_size=2)),
)


def covers(statement, resource):
    """As each pattern by itself says, one after the other."""
    named = statement.resources or statement.not_resources
    covered = any(ResourcePattern.of(pattern, OWN).covers(resource) for pattern in named)
    return resource.account == OWN and not covered if statement.not_resources else covered


def found(rules, resource):
    return [one.number for one in rules.applying("GetSecretValue", resource, ANN).allowing]


@given(st.lists(statements, max_size=8), paths, st.sampled_from((OWN, OTHER)))
@example([Statement(Effect.ALLOW, ("*",), ("a*", "ab*", "*", "ab"))], "ab", OWN)
@example([Statement(Effect.ALLOW, ("*",), ("abab",)), Statement(Effect.ALLOW, ("*",), ("ab",))], "ab", OWN)
@example([Statement(Effect.ALLOW, ("*",), (one,)) for one in ("ab", "a*", "*", "ab*")], "ab", OWN)
def test_what_is_found_is_what_covers_the_resource_once_each_and_in_order(some, path, account):
    resource = Resource(account, path)
    expected = [number for number, statement in enumerate(some, 1) if covers(statement, resource)]
    assert found(Rules("policy/p", OWN, some), resource) == expected


@given(written, paths)
def test_all_that_a_pattern_matches_begins_with_its_head(pattern, path):
    if glob(pattern)(path):
        assert path.startswith(literal_head(pattern))


def test_statements_that_begin_otherwise_are_not_asked(monkeypatch):
    asked = []
    genuine = ResourcePattern.of

    def noting(pattern, account):
        made = genuine(pattern, account)

        def noted(path):
            asked.append(pattern)
            return made.path(path)

        return made._replace(path=noted)

    monkeypatch.setattr(ResourcePattern, "of", noting)
    some = [Statement(Effect.ALLOW, ("*",), (f"secret/team-{number}/*",)) for number in range(50)]
    assert found(Rules("policy/p", OWN, some), Resource(OWN, "secret/team-7/x")) == [8]
    assert asked == ["secret/team-7/*"]
