"""Conditions of policies: operators over what is known of a request. Semantics as AWS IAM and RAM document them.

Several conditions must all hold; of several values one must match, or none where the operator says Not. A key that the
request lacks matches nothing: then Not… and …IfExists and ForAllValues: hold, all else does not.
"""

import ipaddress
import operator as operators
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, Protocol

from secretsd.domain.condition_keys import KeyType
from secretsd.domain.patterns import glob, literal_head

Fact = str | int
"""One value of a key: text, addresses as text, numbers as they are, dates in milliseconds since 1970, bools as 0, 1."""


class Facts(Protocol):
    """What is known of a request."""

    def get(self, key: str) -> tuple[Fact, ...] | None:
        """The values of a condition key; None, or nothing in it, where the request has none."""
        ...


Number = int | Decimal
Test = Callable[[Fact], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` and `key` as they are written, such as ForAnyValue:StringLike and secretsd:TagKeys."""

    operator: str
    key: str
    values: tuple[str, ...]


class _Operator(NamedTuple):
    type: KeyType
    negated: bool
    prepare: Callable[[str], Test]


class Operator(NamedTuple):
    """An operator taken apart: `quantifier` is "", ForAllValues or ForAnyValue; `type` None is any (Null)."""

    name: str
    quantifier: str
    if_exists: bool
    type: KeyType | None


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?", text, re.ASCII):
        raise ValueError("not a number")
    return Decimal(text)  # exact: a float of 15 digits has no room for parts behind a point


def _moment(text: str) -> int:
    """Milliseconds of an ISO 8601 date and time, in UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _bool(text: str) -> Test:
    if text not in ("true", "false"):
        raise ValueError("not a bool")
    return _equal(int(text == "true"))


_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def _network(text: str) -> Test:
    network = ipaddress.ip_network(text)
    if network.version == 6 and network.subnet_of(_MAPPED):
        raise ValueError("an IPv4 network, which no address would match in that form")
    return lambda fact: (found := _address(str(fact))) is not None and found in network


@lru_cache(maxsize=4096)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _like(text: str) -> Test:
    matcher = glob(text)
    return lambda fact: bool(matcher(str(fact)))


def _same_letters(text: str) -> Test:
    folded = text.casefold()
    return lambda fact: str(fact).casefold() == folded


def _comparisons(kind: KeyType, read: Callable[[str], Number]) -> dict[str, _Operator]:
    name = kind.value
    return {
        f"{name}Equals": _Operator(kind, False, lambda text: _equal(read(text))),
        f"{name}NotEquals": _Operator(kind, True, lambda text: _equal(read(text))),
        f"{name}LessThan": _Operator(kind, False, lambda text: _ordered(operators.lt, read(text))),
        f"{name}LessThanEquals": _Operator(kind, False, lambda text: _ordered(operators.le, read(text))),
        f"{name}GreaterThan": _Operator(kind, False, lambda text: _ordered(operators.gt, read(text))),
        f"{name}GreaterThanEquals": _Operator(kind, False, lambda text: _ordered(operators.ge, read(text))),
    }


def _equal(wanted: Fact | Number) -> Test:
    return lambda fact: fact == wanted


def _ordered(order: Callable[[Number, Number], bool], wanted: Number) -> Test:
    return lambda fact: not isinstance(fact, str) and order(fact, wanted)


_S = KeyType.STRING
_OPERATORS: dict[str, _Operator] = {
    "StringEquals": _Operator(_S, False, _equal),
    "StringNotEquals": _Operator(_S, True, _equal),
    "StringEqualsIgnoreCase": _Operator(_S, False, _same_letters),
    "StringNotEqualsIgnoreCase": _Operator(_S, True, _same_letters),
    "StringLike": _Operator(_S, False, _like),
    "StringNotLike": _Operator(_S, True, _like),
    **_comparisons(KeyType.NUMERIC, _number),
    **_comparisons(KeyType.DATE, _moment),
    "Bool": _Operator(KeyType.BOOL, False, _bool),
    "IpAddress": _Operator(KeyType.IP_ADDRESS, False, _network),
    "NotIpAddress": _Operator(KeyType.IP_ADDRESS, True, _network),
}
NULL = "Null"
_GLOBS = "StringLike", "StringNotLike"
OPERATORS = (*_OPERATORS, NULL)
"""Every operator's name, without ForAllValues: or ForAnyValue: in front and IfExists behind."""
QUANTIFIERS = ("ForAllValues", "ForAnyValue")


def operator(written: str) -> Operator | None:
    """The operator behind its written form; None where there is none."""
    quantifier, colon, name = written.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if colon and quantifier not in QUANTIFIERS:
        return None
    if name == NULL:
        return None if colon or if_exists else Operator(name, "", False, None)
    found = _OPERATORS.get(name)
    return None if found is None else Operator(name, quantifier, if_exists, found.type)


def readable(name: str, value: str) -> bool:
    """Whether the operator of that name can be given this value."""
    try:
        if name == NULL:
            _bool(value)
        else:
            _OPERATORS[name].prepare(value)
    except (ValueError, OverflowError):
        return False
    return True


def may_match(name: str, value: str, facts: Iterable[Fact]) -> bool:
    """Whether what the operator of that name is given says something of one of these, or is a glob with wildcards."""
    if name == NULL or (name in _GLOBS and literal_head(value) != value):
        return True
    return any(map(_OPERATORS[name].prepare(value), facts))


def fact_of(kind: KeyType, text: str) -> Fact:
    """One value of a key of that type out of its text, as policies write it; ValueError, OverflowError."""
    match kind:
        case KeyType.STRING:
            return text
        case KeyType.NUMERIC if re.fullmatch(r"-?[0-9]{1,15}", text, re.ASCII):
            return int(text)
        case KeyType.DATE:
            return _moment(text)
        case KeyType.BOOL if text in ("true", "false"):
            return int(text == "true")
        case KeyType.IP_ADDRESS if _address(text) is not None:
            return text
    raise ValueError("not of that type")


class Compiled:
    """A condition made ready: asked often, never changed."""

    __slots__ = ("_absent", "_all", "_any", "_negated", "_null", "_tests", "condition", "key")

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        found = operator(condition.operator)
        if found is None:
            raise ValueError("cannot compile a condition: its operator is unknown")
        self.key = condition.key
        self._null = condition.values == ("true",) if found.type is None else None
        self._negated = found.type is not None and _OPERATORS[found.name].negated
        self._all, self._any = (found.quantifier == name for name in QUANTIFIERS)
        self._absent = found.if_exists or self._all or (self._negated and not self._any)
        prepare = _OPERATORS[found.name].prepare if found.type is not None else _bool
        self._tests = tuple(prepare(value) for value in condition.values)

    def holds(self, facts: Facts) -> bool:
        """Whether the condition is met."""
        found = facts.get(self.key)
        if self._null is not None:
            return (not found) == self._null
        if not found:
            return self._absent
        if self._all:
            return all(map(self._matches, found))
        if self._any:
            return any(map(self._matches, found))
        return self._matches(found[0])

    def _matches(self, fact: Fact) -> bool:
        return any(test(fact) for test in self._tests) != self._negated


class KnownFacts:
    """Facts that are all known beforehand."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[str, tuple[Fact, ...]]) -> None:
        self._known = known

    def get(self, key: str) -> tuple[Fact, ...] | None:
        """See Facts."""
        return self._known.get(key)
