"""Why a request is allowed or denied, when only part of what conditions ask is known: three answers instead of two.

What is told for certain holds for every request that fits what is known. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from secretsd.domain.condition_keys import PREFIX, KeyType, condition_key
from secretsd.domain.conditions import Compiled, Fact, Facts, fact_of
from secretsd.domain.decisions import Narrowed, Reason
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.policy_rules import Applying

Maybe = bool | None
"""True, False, or None for what cannot be said."""


class Verdict(Enum):
    """What becomes of the request. `DEPENDS`: on facts that are not known, or on what is not shown."""

    ALLOWED = "allowed"
    DENIED = "denied"
    DEPENDS = "depends"


class Known(Facts, Protocol):
    """Facts of a request, as far as they are known."""

    def knows(self, key: str) -> bool:
        """Whether it is known what the request has of that key."""
        ...


@dataclass(frozen=True, slots=True)
class PartlyKnown:
    """Facts of a request, as far as they are known. One with no values is known to be absent.

    `whole` are families of which every name is known (`secretsd:PrincipalTag`): what is not named there is absent.
    """

    known: Mapping[str, tuple[Fact, ...]]
    whole: frozenset[str] = field(default=frozenset())

    def get(self, key: str) -> tuple[Fact, ...] | None:
        """See Facts."""
        return self.known.get(key)

    def knows(self, key: str) -> bool:
        """See Known."""
        return key in self.known or key.partition("/")[0] in self.whole


def read_fact(key: str, values: Sequence[str]) -> tuple[Fact, ...]:
    """The values of a condition key out of their text, as policies write them; InvalidRequest."""
    found = condition_key(key)
    if found is None:
        raise InvalidRequest("cannot take a fact: there is no such condition key; `secretsctl policy keys` lists them")
    if len(values) > 1 and not found.many:
        raise InvalidRequest(f"cannot take the fact {_named(key)}: a request has one value of it")
    try:
        return tuple(fact_of(found.type, value) for value in values)
    except (ValueError, OverflowError):
        form = _FORMS.get(found.type, "text")
        raise InvalidRequest(f"cannot take the fact {_named(key)}: its values are written as {form}") from None


_FORMS = {
    KeyType.NUMERIC: "a number such as 1000",
    KeyType.DATE: "a date and time such as 2027-01-31T12:00:00Z",
    KeyType.BOOL: "true or false",
    KeyType.IP_ADDRESS: "an address such as 10.0.0.1",
}


def _named(key: str) -> str:
    return PREFIX + key.removeprefix(PREFIX).partition("/")[0]


def condition_holds(condition: Compiled, facts: Known) -> Maybe:
    """Whether a condition holds."""
    return condition.holds(facts) if facts.knows(condition.key) else None


def holds(statement: Applying, facts: Known) -> Maybe:
    """Whether all conditions of a statement hold."""
    found: Maybe = True
    for condition in statement.conditions:
        one = condition_holds(condition, facts)
        if one is False:
            return False
        if one is None:
            found = None
    return found


class _Side(NamedTuple):
    """Whether any statement of a side holds, and the first that does."""

    holds: Maybe
    by: Applying | None = None


def _any(statements: Iterable[Applying], facts: Known) -> _Side:
    found: Maybe = False
    for statement in statements:
        one = holds(statement, facts)
        if one:
            return _Side(True, statement)
        if one is None:
            found = None
    return _Side(found)


def _or(*sides: Maybe) -> Maybe:
    return True if True in sides else None if None in sides else False


class Explained(NamedTuple):
    """The verdict; the reason, where it depends that on which it hangs; and `by` what decided, where one did."""

    verdict: Verdict
    reason: Reason
    by: Applying | None = None


def explain(narrowed: Narrowed, facts: Known, *, owner_hidden: bool = False) -> Explained:
    """What `narrowed.decide` says of every request that fits these facts.

    `owner_hidden`: what the owner of the resource says of it is not among what was narrowed, and may be anything.
    """
    denied = _any(narrowed.denies, facts)
    if denied.holds:
        return Explained(Verdict.DENIED, Reason.DENIED, denied.by)
    own, owner = _any(narrowed.identity, facts), _any(narrowed.owner, facts)
    delegating = _any(narrowed.delegating, facts)
    unseen: Maybe = None if owner_hidden else False
    by_owner = _or(owner.holds, unseen)
    first = own.holds if narrowed.foreign else _or(own.holds, by_owner)
    apart = narrowed.foreign or narrowed.guarded
    second = _or(owner.holds, delegating.holds, unseen) if apart else True
    checks = [(first, Reason.NOT_ALLOWED), (second, Reason.NOT_ALLOWED_BY_OWNER)]
    for side, outside in ((narrowed.boundary, Reason.OUTSIDE_BOUNDARY), (narrowed.session, Reason.OUTSIDE_SESSION)):
        if side is not None:
            checks.append((_any(side, facts).holds, outside))
    for found, reason in checks:
        if found is False:
            return Explained(Verdict.DENIED, reason)
    for found, reason in checks:
        if found is None:
            return Explained(Verdict.DEPENDS, reason)
    if denied.holds is None or owner_hidden:
        return Explained(Verdict.DEPENDS, Reason.DENIED if denied.holds is None else Reason.NOT_ALLOWED_BY_OWNER)
    return Explained(Verdict.ALLOWED, Reason.ALLOWED, own.by or owner.by)
