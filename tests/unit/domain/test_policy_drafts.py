"""A draft allows what was used and nothing else; patterns that are wider are asked for, and named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain import policy_document
from secretsd.domain.conditions import KnownFacts
from secretsd.domain.decisions import Sides
from secretsd.domain.errors import LimitExceeded
from secretsd.domain.names import Resource
from secretsd.domain.policy_drafts import Use, draft
from secretsd.domain.policy_rules import Rules, Who

OWN, OTHER = "100000000001", "200000000002"
PERMISSIONS = ("GetSecretValue", "PutSecretValue", "DescribeSecret", "Decrypt")
PATHS = tuple(f"{kind}/{name}" for kind in ("secret", "secret/prod", "secret/prod/db", "key") for name in "abc")
UNIVERSE = [
    *(Use(name, Resource(account, path)) for name in PERMISSIONS for account in (OWN, OTHER) for path in PATHS),
    *(Use("ListSecrets", Resource(OWN, f"secret/{prefix}*"), listing=True) for prefix in ("", "prod/", "prod/db/a")),
]  # fmt: skip
uses = st.sets(st.sampled_from(UNIVERSE))


def allowed(made, use):
    """Whether the draft alone allows it, where an owner of another account does too."""
    everybody = Rules("owner", use.resource.account, OWNERS)
    sides = Sides((Rules("draft", OWN, made.statements),), resource=everybody)
    # One's own statements have to allow what another account owns; of one's own the owner's would be enough.
    if use.resource.account == OWN:
        sides = Sides(sides.identity)
    return sides.narrowed(Who(OWN, "user/ann"), use.permission, use.resource).decide(KnownFacts({})).allowed


OWNERS = policy_document.read(
    '{"Version":"1","Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}',
    PERMISSIONS,
    policy_document.DocumentKind.RESOURCE,
)


@given(used=uses)
def test_it_allows_what_was_used_and_nothing_else(used):
    made = draft(used, OWN)
    assert (made.generalised, made.left_out) == ((), ())
    for use in UNIVERSE:
        if use.listing:
            # A list of what begins with more letters tells no more than the one that was asked for.
            wider = {one for one in used if one.listing and use.resource.path.startswith(one.resource.path[:-1])}
            assert allowed(made, use) is bool(wider)
        else:
            assert allowed(made, use) is (use in used), use


@given(used=uses, most=st.integers(1, 3))
def test_with_patterns_it_allows_more_only_where_a_pattern_is_named(used, most):
    made = draft(used, OWN, most)
    patterns = [Rules("pattern", OWN, (_allowing(pattern),)) for pattern in made.generalised]
    for use in UNIVERSE:
        if use in used:
            assert allowed(made, use), use
        elif allowed(made, use) and not use.listing:
            who = Who(OWN, "user/ann")
            assert any(one.applying(use.permission, use.resource, who).allowing for one in patterns), use


def _allowing(pattern):
    (statement,) = draft([Use("GetSecretValue", Resource(OWN, "x"))], OWN).statements
    return type(statement)(statement.effect, ("*",), (pattern,))


@given(used=uses)
def test_it_is_a_document_that_is_accepted(used):
    made = draft(used, OWN)
    if made.statements:
        text = policy_document.text(made.statements)
        assert policy_document.read(text, [*PERMISSIONS, "ListSecrets"]) == made.statements


def test_names_used_alike_share_a_statement():
    read = [Use("GetSecretValue", Resource(OWN, f"secret/{name}")) for name in "ba"]
    made = draft(
        [*read, Use("PutSecretValue", Resource(OWN, "secret/c")), Use("GetSecretValue", Resource(OWN, "secret/c"))], OWN
    )
    assert [(one.actions, one.resources) for one in made.statements] == [
        (("GetSecretValue",), ("secret/a", "secret/b")),
        (("GetSecretValue", "PutSecretValue"), ("secret/c",)),
    ]


def test_a_pattern_stands_for_more_than_so_many():
    used = [Use("GetSecretValue", Resource(OWN, f"secret/prod/{number}")) for number in range(4)]
    assert draft(used, OWN, 4).generalised == ()
    made = draft(used, OWN, 3)
    assert (made.generalised, made.statements[0].resources) == (("secret/prod/*",), ("secret/prod/*",))
    far = [Use("Decrypt", Resource(OTHER, f"key/{number}")) for number in range(4)]
    assert draft(far, OWN, 3).generalised == (f"secretsd:{OTHER}:key/*",)


def test_patterns_of_patterns():
    used = [Use("GetSecretValue", Resource(OWN, f"secret/{a}/{b}")) for a in "abc" for b in "abc"]
    assert draft(used, OWN, 2).generalised == ("secret/*",)


@pytest.mark.parametrize("path", ["binding/jwt:a*", "binding/jwt:a?b", "binding/${x}", "x" * 700, "binding/a*b"])
def test_what_no_pattern_can_name_is_left_out(path):
    made = draft([Use("DeleteBinding", Resource(OWN, path))], OWN)
    assert made.statements == ()
    assert made.left_out == (f"DeleteBinding on secretsd:{OWN}:{path}",)


def test_what_has_no_room_is_refused_and_fits_by_patterns():
    used = [Use("GetSecretValue", Resource(OWN, f"secret/many/{number}")) for number in range(10_001)]
    assert len(draft(used[:10_000], OWN).statements) == 100
    with pytest.raises(LimitExceeded, match="101 statements of 100"):
        draft(used, OWN)
    assert len(draft(used, OWN, 100).statements) == 1


def test_many_different_uses_take_a_statement_a_permission():
    """When no two names were used alike, there are fewer permissions than names."""
    every = [f"P{number}" for number in range(10)]
    used = [
        Use(name, Resource(OWN, f"secret/{at}"))
        for at in range(1, 1024)
        for bit, name in enumerate(every)
        if at >> bit & 1
    ]
    made = draft(used, OWN)
    assert len(made.statements) == 10 * 6
    assert {one.actions for one in made.statements} == {(name,) for name in every}
