"""Explanations of decisions as callers see them: statements with what of them holds, and the reason in a sentence."""

from collections.abc import Iterable
from typing import Literal

from secretsd.api.policy_explanations import ConditionTold, StatementTold
from secretsd.domain.decisions import Narrowed, Reason
from secretsd.domain.explanations import Explained, Maybe, PartlyKnown, Verdict, condition_holds, holds
from secretsd.domain.policy_rules import Applying

Side = Literal["denies", "identity", "boundary", "owner", "account"]
_HOLDS: dict[Maybe, Literal["yes", "no", "unknown"]] = {True: "yes", False: "no", None: "unknown"}
MAX_STATEMENTS_TOLD = 100


def sides_of(narrowed: Narrowed) -> Iterable[tuple[Side, Applying]]:
    """All statements that speak of it, those that deny first."""
    sides: tuple[tuple[Side, tuple[Applying, ...] | None], ...] = (
        ("denies", narrowed.denies),
        ("identity", narrowed.identity),
        ("boundary", narrowed.boundary),
        ("owner", narrowed.owner),
        ("account", narrowed.delegating),
    )
    return ((side, one) for side, statements in sides for one in statements or ())


def unknown_keys(statements: Iterable[Applying], facts: PartlyKnown) -> tuple[str, ...]:
    """The condition keys of those statements whose holding hangs on what is not known."""
    found = {
        condition.key
        for statement in statements
        if holds(statement, facts) is None
        for condition in statement.conditions
        if not facts.knows(condition.key)
    }
    return tuple(sorted(found))


def statement_told(side: Side, statement: Applying, facts: PartlyKnown) -> StatementTold:
    """A statement with its conditions."""
    return StatementTold(
        side=side,
        source=statement.source,
        number=statement.number,
        sid=statement.sid,
        holds=_HOLDS[holds(statement, facts)],
        conditions=tuple(
            ConditionTold(
                operator=one.condition.operator,
                key=one.key,
                values=one.condition.values,
                holds=_HOLDS[condition_holds(one, facts)],
            )
            for one in statement.conditions
        ),
    )


def statement_name(statement: Applying) -> str:
    """Where a statement stands."""
    if statement.source.startswith("grant/"):
        return statement.source
    called = f" ({statement.sid})" if statement.sid else ""
    return f"statement {statement.number}{called} of {statement.source}"


def sentence(explained: Explained, *, foreign: bool, owner_shown: bool) -> str:
    """The reason as people read it."""
    by = "" if explained.by is None else statement_name(explained.by)
    if explained.verdict is Verdict.ALLOWED:
        return f"{by} allows it, and nothing denies it"
    if explained.verdict is Verdict.DENIED:
        return f"{by} denies it" if explained.reason is Reason.DENIED else _DENIED[explained.reason]
    if owner_shown or explained.reason is Reason.DENIED:
        return _DEPENDS[explained.reason]
    if foreign:
        return (
            "nothing on this side keeps him from it, as far as that is known; whether the owner of the resource allows "
            "it is not shown here: a call that is denied says that he does not"
        )
    if explained.reason is Reason.NOT_ALLOWED:
        return (
            "no policy of his is known to allow it; whether the policy or a grant of the resource does is not shown to "
            "who lacks ExplainDecision on it"
        )
    return (
        "his policies do not keep him from it, as far as that is known; whether the policy of the resource does is not "
        "shown to who lacks ExplainDecision on it"
    )


_DENIED = {
    Reason.NOT_ALLOWED: "nothing allows it",
    Reason.NOT_ALLOWED_BY_OWNER: "the owner of the resource does not allow it",
    Reason.OUTSIDE_BOUNDARY: "the boundary does not allow it, whatever else does",
    Reason.OUTSIDE_SESSION: "the policy of the session does not allow it, whatever else does",
}
_DEPENDS = {
    Reason.DENIED: "something denies it under conditions of which it is unknown whether they hold",
    Reason.NOT_ALLOWED: "it is allowed only under conditions of which it is unknown whether they hold",
    Reason.NOT_ALLOWED_BY_OWNER: "its owner allows it only under conditions of which it is unknown whether they hold",
    Reason.OUTSIDE_BOUNDARY: "the boundary allows it only under conditions of which it is unknown whether they hold",
    Reason.OUTSIDE_SESSION: "the session's policy allows it only under conditions that are not known to hold",
}
