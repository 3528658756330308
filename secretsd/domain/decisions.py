"""How statements and grants decide: deny wins, default deny, and across accounts both sides have to allow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from secretsd.domain.conditions import Facts
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.policy_rules import Applying, Rules, Who

ASSUME_ROLE = "AssumeRole"
"""The one operation that a role's trust policy speaks of."""


class Reason(Enum):
    """Why a request is allowed or denied."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOT_ALLOWED = "not-allowed"
    NOT_ALLOWED_BY_OWNER = "not-allowed-by-owner"
    OUTSIDE_BOUNDARY = "outside-boundary"
    OUTSIDE_SESSION = "outside-session"


class Decision(NamedTuple):
    """`by` is the statement or grant that decided: None where it is that nothing allows."""

    allowed: bool
    reason: Reason
    by: Applying | None = None


class Granting(Protocol):
    """A grant that is ready: what of it applies to an operation of a caller, or None."""

    def applying(self, operation: str, who: Who) -> Applying | None: ...
    def allowed_principals(self, operation: str) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Sides:
    """All that speaks about a caller and a resource. `boundary` and `session` bound what the others allow.

    `guarded` says that the resource is a role: its own policy, the trust policy, speaks of AssumeRole alone, and has to
    allow that to callers of its own account as well.
    """

    identity: tuple[Rules, ...]
    boundary: Rules | None = None
    session: Rules | None = None
    resource: Rules | None = None
    grants: Sequence[Granting] = ()
    guarded: bool = False

    def narrowed(self, who: Who, operation: str, resource: Resource) -> "Narrowed":
        """What of it speaks to the caller of the operation on the resource.

        In `system` only a statement that names it reaches, and nobody there has to agree (SECURITY 13).
        """
        denies: list[Applying] = []

        def allowing(rules: Rules) -> tuple[Applying, ...]:
            found = rules.applying(operation, resource, who)
            denies.extend(found.denying)
            return tuple(found.allowing)

        identity = tuple(one for rules in self.identity for one in allowing(rules))
        boundary = allowing(self.boundary) if self.boundary is not None else None
        session = allowing(self.session) if self.session is not None else None
        owner: list[Applying] = []
        delegating: list[Applying] = []
        if self.resource is not None and (operation == ASSUME_ROLE or not self.guarded):
            found = self.resource.applying(operation, resource, who)
            denies.extend(found.denying)
            owner, delegating = found.allowing, found.delegating
        owner += [one for grant in self.grants if (one := grant.applying(operation, who)) is not None]
        foreign = resource.account not in (who.account, SYSTEM_ACCOUNT)
        guarded = self.guarded and operation == ASSUME_ROLE
        return Narrowed(tuple(denies), identity, boundary, session, tuple(owner), tuple(delegating), foreign, guarded)


class Narrowed(NamedTuple):
    """What decides one operation of one caller on one resource, once the facts of a request are known."""

    denies: tuple[Applying, ...]
    identity: tuple[Applying, ...]
    boundary: tuple[Applying, ...] | None
    session: tuple[Applying, ...] | None
    owner: tuple[Applying, ...]
    delegating: tuple[Applying, ...]
    foreign: bool
    guarded: bool

    def keys(self) -> frozenset[str]:
        """The condition keys that it asks for; where there are none, its decision holds for every request."""
        sides = (self.denies, self.identity, self.boundary or (), self.session or (), self.owner, self.delegating)
        return frozenset(test.key for side in sides for one in side for test in one.conditions)

    def decide(self, facts: Facts) -> Decision:
        """The decision, and what made it."""
        if (denial := _first(self.denies, facts)) is not None:
            return Decision(False, Reason.DENIED, denial)
        own, owner = _first(self.identity, facts), _first(self.owner, facts)
        if own is None and (self.foreign or owner is None):
            return Decision(False, Reason.NOT_ALLOWED)
        if (self.foreign or self.guarded) and owner is None and _first(self.delegating, facts) is None:
            return Decision(False, Reason.NOT_ALLOWED_BY_OWNER)
        for side, outside in ((self.boundary, Reason.OUTSIDE_BOUNDARY), (self.session, Reason.OUTSIDE_SESSION)):
            if side is not None and _first(side, facts) is None:
                return Decision(False, outside)
        return Decision(True, Reason.ALLOWED, own or owner)


def _first(statements: Iterable[Applying], facts: Facts) -> Applying | None:
    for one in statements:
        if one.holds(facts):
            return one
    return None
