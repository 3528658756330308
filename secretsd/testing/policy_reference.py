"""A second evaluator of policies, written from docs/reference/policies.md alone: slow, obvious, and nothing prepared.

It shares no code with the domain, and works on documents as they are written. Where the two differ, one is wrong, or
the document is.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Document = Mapping[str, Any]
Fact = str | int
WITHOUT_CONTEXT = ("DescribeKey", "CreateGrant", "RetireGrant")


@dataclass(frozen=True)
class Granted:
    """A grant, as CreateGrant is told of it, and as it was found who is meant: None where that was not noted."""

    grantee: str
    operations: Sequence[str]
    equals: Mapping[str, str]
    subset: Mapping[str, str]
    retiring: str
    created_ms: int
    expires_ms: int | None
    grantee_ms: int | None = None
    retiring_ms: int | None = None


@dataclass(frozen=True)
class World:
    """All that speaks about one caller and one resource. The account of the caller's documents is the caller's own."""

    account: str
    path: str
    since_ms: int
    identity: Sequence[Document]
    boundary: Document | None
    session: Document | None
    resource_account: str
    resource_path: str
    resource: Document | None
    grants: Sequence[Granted] = field(default=())


def decide(world: World, operation: str, facts: Mapping[str, Sequence[Fact]]) -> str:
    """The reason, `allowed` or why not, as explanations name it."""
    foreign = world.resource_account not in (world.account, "system")
    is_role = world.resource_path.startswith("role/")
    becoming = operation == "AssumeRole"
    speaks = world.resource is not None and (becoming or not is_role)

    own = [*world.identity, *(one for one in (world.boundary, world.session) if one is not None)]
    if any(_says(world, document, "Deny", operation, facts) for document in own):
        return "denied"
    if speaks and _owner_says(world, "Deny", operation, facts):
        return "denied"

    allowed_here = any(_says(world, document, "Allow", operation, facts) for document in world.identity)
    by_policy = _owner_says(world, "Allow", operation, facts) if speaks else ""
    named_by_owner = by_policy == "named" or any(_granted(world, one, operation, facts) for one in world.grants)

    if not allowed_here and (foreign or not named_by_owner):
        return "not-allowed"
    owner_must_agree = foreign or (is_role and becoming)
    if owner_must_agree and not named_by_owner and not _delegated(world, operation, facts, speaks):
        return "not-allowed-by-owner"
    if world.boundary is not None and not _says(world, world.boundary, "Allow", operation, facts):
        return "outside-boundary"
    if world.session is not None and not _says(world, world.session, "Allow", operation, facts):
        return "outside-session"
    return "allowed"


def _delegated(world: World, operation: str, facts: Mapping[str, Sequence[Fact]], speaks: bool) -> bool:
    if not speaks or world.resource is None:
        return False
    return any(
        world.account in _list(statement["Principal"])
        for statement in _list(world.resource["Statement"])
        if statement["Effect"] == "Allow" and _speaks_of(statement, operation) and _all_hold(statement, facts)
    )


def _says(world: World, document: Document, effect: str, operation: str, facts: Mapping[str, Sequence[Fact]]) -> bool:
    return any(
        statement["Effect"] == effect
        and _speaks_of(statement, operation)
        and _reaches(world, statement)
        and _all_hold(statement, facts)
        for statement in _list(document["Statement"])
    )


def _owner_says(world: World, effect: str, operation: str, facts: Mapping[str, Sequence[Fact]]) -> str:
    """`named` where a statement speaks of the caller himself or of everybody; a denial of his account does too."""
    if world.resource is None:
        return ""
    name = f"secretsd:{world.account}:{world.path}"
    for statement in _list(world.resource["Statement"]):
        if statement["Effect"] != effect or not _speaks_of(statement, operation) or not _all_hold(statement, facts):
            continue
        principals = _list(statement["Principal"])
        if "*" in principals or name in principals or (effect == "Deny" and world.account in principals):
            return "named"
    return ""


def _speaks_of(statement: Document, operation: str) -> bool:
    if "Action" in statement:
        return any(_matches(pattern, operation) for pattern in _list(statement["Action"]))
    return not any(_matches(pattern, operation) for pattern in _list(statement["NotAction"]))


def _reaches(world: World, statement: Document) -> bool:
    denies = statement["Effect"] == "Deny"
    if "Resource" in statement:
        patterns = _list(statement["Resource"])
        return (denies and "*" in patterns) or any(_covers(world, pattern) for pattern in patterns)
    within = denies or world.resource_account == world.account
    return within and not any(_covers(world, pattern) for pattern in _list(statement["NotResource"]))


def _covers(world: World, pattern: str) -> bool:
    account = world.account
    if pattern.startswith("secretsd:"):
        _, account, pattern = pattern.split(":", 2)
    return account == world.resource_account and _matches(pattern, world.resource_path)


def _matches(pattern: str, text: str) -> bool:
    """`*` is any text, `?` one character other than `*`; all else is itself."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_matches(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    if not text:
        return False
    fits = text[0] != "*" if pattern[0] == "?" else pattern[0] == text[0]
    return fits and _matches(pattern[1:], text[1:])


def _granted(world: World, grant: Granted, operation: str, facts: Mapping[str, Sequence[Fact]]) -> bool:
    now = facts.get("secretsd:CurrentTime")
    if grant.expires_ms is not None and not (now and int(now[0]) < grant.expires_ms):
        return False
    name = f"secretsd:{world.account}:{world.path}"

    def is_another(made_ms: int | None) -> bool:
        return world.since_ms > grant.created_ms if made_ms is None else world.since_ms != made_ms

    if operation == "RetireGrant" and grant.retiring == name and not is_another(grant.retiring_ms):
        return True
    operations = [*grant.operations, *(["ReEncrypt"] if "ReEncryptFrom" in grant.operations else [])]
    if operation not in operations:
        return False
    if grant.grantee != world.account and (grant.grantee != name or is_another(grant.grantee_ms)):
        return False
    if operation in WITHOUT_CONTEXT:
        return True
    for key, value in {**grant.subset, **grant.equals}.items():
        found = facts.get(f"secretsd:EncryptionContext/{key}")
        if not found or found[0] != value:
            return False
    names = facts.get("secretsd:EncryptionContextKeys") or ()
    return not grant.equals or all(one in grant.equals for one in names)


def _all_hold(statement: Document, facts: Mapping[str, Sequence[Fact]]) -> bool:
    return all(
        _holds(operator, _list(values), facts.get(key) or ())
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _holds(written: str, values: Sequence[str], found: Sequence[Fact]) -> bool:
    if written == "Null":
        return (len(found) == 0) == (values[0] == "true")
    quantifier, _, name = written.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = "Not" in name
    name = name.replace("Not", "", 1)

    def one(fact: Fact) -> bool:
        return any(_compare(name, fact, value) for value in values) is not negated

    if not found:
        return if_exists or quantifier == "ForAllValues" or (negated and quantifier == "")
    match quantifier:
        case "ForAllValues":
            return all(map(one, found))
        case "ForAnyValue":
            return any(map(one, found))
    return one(found[0])


def _compare(name: str, fact: Fact, value: str) -> bool:
    match name:
        case "StringEquals":
            return fact == value
        case "StringEqualsIgnoreCase":
            return str(fact).casefold() == value.casefold()
        case "StringLike":
            return _matches(value, str(fact))
        case "Bool":
            return fact == (1 if value == "true" else 0)
        case "IpAddress":
            address = ipaddress.ip_address(str(fact))
            if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
                address = address.ipv4_mapped
            return address in ipaddress.ip_network(value)
    wanted: float
    if name.startswith("Numeric"):
        wanted, order = float(value), name.removeprefix("Numeric")
    else:
        moment, order = datetime.fromisoformat(value), name.removeprefix("Date")
        wanted = round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if isinstance(fact, str):
        return False
    match order:
        case "Equals":
            return fact == wanted
        case "LessThan":
            return fact < wanted
        case "LessThanEquals":
            return fact <= wanted
        case "GreaterThan":
            return fact > wanted
        case "GreaterThanEquals":
            return fact >= wanted
    raise ValueError("cannot compare: there is no such operator")


def _list(found: Any) -> Sequence[Any]:
    return found if isinstance(found, list) else [found]
