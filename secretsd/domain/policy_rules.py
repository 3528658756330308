"""Policies made ready to decide: compiled once, narrowed to an operation and a resource, asked often. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from secretsd.domain.conditions import Compiled, Facts
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.patterns import ResourcePattern, glob, literal_head
from secretsd.domain.policy import Effect, Statement


class Applying(NamedTuple):
    """A statement that speaks of this operation on this resource, as far as its conditions hold.

    `source` names where it stands (`policy/readers`), `number` counts from 1.
    """

    source: str
    number: int
    sid: str
    conditions: tuple[Compiled, ...]

    def holds(self, facts: Facts) -> bool:
        """Whether all its conditions are met."""
        return all(condition.holds(facts) for condition in self.conditions)


class Who(NamedTuple):
    """A caller as policies name him. `since_ms` is when he was made: what was granted to one of his name before is not
    his. None for whoever has the name and is meant.
    """

    account: str
    path: str
    since_ms: int | None = 0

    def is_named(self, principals: frozenset[str]) -> bool:
        """True where he himself is meant, or everybody."""
        return "*" in principals or f"secretsd:{self.account}:{self.path}" in principals


class Sorted(NamedTuple):
    """What a policy says of an operation on a resource, to one caller.

    `delegating` allows too, but to the caller's whole account: there his own policies have to allow it as well.
    """

    denying: list[Applying]
    allowing: list[Applying]
    delegating: list[Applying]


class _Ready(NamedTuple):
    """A statement compiled."""

    denies: bool
    speaks_of: Callable[[str], bool]
    covers: Callable[[Resource], bool]
    heads: frozenset[str]
    principals: frozenset[str] | None
    applying: Applying


class _OfOperation:
    """The statements that speak of an operation, found by how their resources begin.

    Of hundreds few begin as a resource does; to ask each of them whether it covers it would be most of a decision.
    """

    __slots__ = ("_by_head", "_lengths", "_ready")

    def __init__(self, ready: Sequence[_Ready]) -> None:
        self._ready = ready
        self._by_head: dict[str, list[int]] = {}
        for number, one in enumerate(ready):
            for head in one.heads:
                self._by_head.setdefault(head, []).append(number)
        self._lengths = sorted({len(head) for head in self._by_head})

    def beginning(self, path: str) -> list[_Ready]:
        """In their order: all that may cover a resource of that path, and maybe more."""
        found: list[int] = []
        for length in self._lengths:
            if length > len(path):
                break
            found += self._by_head.get(path[:length], ())
        found.sort()
        return [self._ready[number] for number in found]


class Rules:
    """The statements of one policy. Safe to share; what they say of an operation is sorted out once and kept."""

    __slots__ = ("_by_operation", "_ready")

    def __init__(self, source: str, account: str, statements: Iterable[Statement]) -> None:
        self._ready = tuple(
            _Ready(
                statement.effect is Effect.DENY,
                _actions(statement.actions, statement.not_actions),
                _resources(statement, account),
                _heads(statement),
                frozenset(statement.principals) if statement.principals else None,
                Applying(source, number, statement.sid, tuple(map(Compiled, statement.conditions))),
            )
            for number, statement in enumerate(statements, 1)
        )
        self._by_operation: dict[str, _OfOperation] = {}

    def applying(self, operation: str, resource: Resource, who: Who) -> Sorted:
        """What of it speaks of the operation on the resource to that caller; conditions are not looked at yet."""
        speaking = self._by_operation.get(operation)
        if speaking is None:
            # Operations are few, and asked for are known ones alone: this stays small.
            speaking = _OfOperation([one for one in self._ready if one.speaks_of(operation)])
            self._by_operation[operation] = speaking
        found = Sorted([], [], [])
        for one in speaking.beginning(resource.path):
            if not one.covers(resource):
                continue
            named = one.principals is None or who.is_named(one.principals)
            if one.denies:
                if named or (one.principals is not None and who.account in one.principals):
                    found.denying.append(one.applying)
            elif named:
                found.allowing.append(one.applying)
            elif one.principals is not None and who.account in one.principals:
                found.delegating.append(one.applying)
        return found

    def allowed_principals(self, operation: str, resource: Resource) -> frozenset[str]:
        """Whom its statements name that allow the operation on the resource: `*`, accounts, principals in full."""
        found = frozenset[str]()
        for one in self._ready:
            if one.principals is not None and not one.denies and one.speaks_of(operation) and one.covers(resource):
                found |= one.principals
        return found


def _actions(actions: tuple[str, ...], others: tuple[str, ...]) -> Callable[[str], bool]:
    matchers = [glob(action) for action in actions or others]
    found = not others
    return lambda operation: any(matches(operation) for matches in matchers) is found


def _resources(statement: Statement, account: str) -> Callable[[Resource], bool]:
    named = [ResourcePattern.of(pattern, account) for pattern in statement.resources or statement.not_resources]
    denies = statement.effect is Effect.DENY
    if not statement.not_resources:
        if denies and "*" in statement.resources:
            return lambda _: True
        if len(named) == 1:
            only, matches = named[0]
            return lambda resource: only in (resource.account, None) and bool(matches(resource.path))
        return lambda resource: any(pattern.covers(resource) for pattern in named)
    # All others: within the policy's own account, but where something is denied, everywhere.
    return lambda resource: (
        (denies or resource.account == account) and not any(pattern.covers(resource) for pattern in named)
    )


def _heads(statement: Statement) -> frozenset[str]:
    """How the paths of resources begin that it may cover: the empty text where that is anyhow.

    None of them begins another one, so that a path begins with one of them at most.
    """
    if statement.not_resources:
        return frozenset({""})
    found: list[str] = []
    paths = (one.split(":", 2)[2] if one.startswith("secretsd:") else one for one in statement.resources)
    for head in sorted(map(literal_head, paths)):
        if not found or not head.startswith(found[-1]):
            found.append(head)
    return frozenset(found)


def is_principal(text: str) -> bool:
    """True for `*`, an account, and a user or role in full."""
    if text == "*":
        return True
    if text.isascii() and text.isdigit() and len(text) == 12:
        return True
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] != "secretsd" or len(parts[1]) != 12 or parts[1] == SYSTEM_ACCOUNT:
        return False
    kind, slash, name = parts[2].partition("/")
    return parts[1].isdigit() and kind in ("user", "role") and bool(slash) and bool(name) and "*" not in name
