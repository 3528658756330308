"""Policies translated into Cedar, whose own engine decides them: the part of the language that both have.

Shared are identity, boundary, session, resource and trust policies with all their globs but `?`, and conditions on
texts, whole numbers, bools, addresses and sets of texts. Statements that ask something else are left out of both sides,
and so are grants. Cedar decides each kind of policy by itself; that a request has to pass all of them is put together
here, as docs/reference/policies.md says it.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import cedarpy

from secretsd.testing.policy_cases import MANY, Case, Cases, Engine
from secretsd.testing.policy_reference import Document, Fact, World

_SETS = (*MANY, "secretsd:EncryptionContextKeys")
_ORDERS = {"LessThan": "<", "LessThanEquals": "<=", "GreaterThan": ">", "GreaterThanEquals": ">=", "Equals": "=="}


class Said(NamedTuple):
    """What policies of one kind say of a request."""

    allows: bool = False
    denies: bool = False


class InCedar:
    """A world, its policies translated. Grants are not looked at."""

    def __init__(self, world: World) -> None:
        self._world = world
        texts = {
            "identity": _translated(world, _statements(world.identity)),
            "boundary": _translated(world, _statements(_given(world.boundary))),
            "session": _translated(world, _statements(_given(world.session))),
            "owner": "\n".join(_owners(world, delegating=False)),
            "delegating": "\n".join(_owners(world, delegating=True)),
        }
        self._policies = {kind: cedarpy.PolicySet.from_str(text) for kind, text in texts.items() if text}
        resource = {"uid": _resource(world), "parents": []}
        attributes = {"account": world.resource_account, "path": world.resource_path}
        self._entities = cedarpy.Entities.from_json_str(json.dumps([{**resource, "attrs": attributes}]))

    def reasons(self, requests: Sequence[tuple[str, Mapping[str, Sequence[Fact]]]]) -> Iterator[str]:
        """The reason of each request, as the engine names it."""
        asked = [_request(self._world, operation, facts) for operation, facts in requests]
        said = {kind: self._said(asked, policies) for kind, policies in self._policies.items()}
        for at, (operation, _) in enumerate(requests):
            yield self._reason(operation, defaultdict(Said, {kind: answers[at] for kind, answers in said.items()}))

    def _said(self, asked: list[dict[str, Any]], policies: cedarpy.PolicySet) -> list[Said]:
        found = []
        for answer in cedarpy.is_authorized_batch(asked, policies, self._entities):
            if answer.diagnostics.errors:
                raise ValueError(f"cannot compare: {answer.diagnostics.errors}")
            found.append(Said(answer.allowed, not answer.allowed and bool(answer.diagnostics.reasons)))
        return found

    def _reason(self, operation: str, said: Mapping[str, Said]) -> str:
        world = self._world
        foreign = world.resource_account not in (world.account, "system")
        is_role, becoming = world.resource_path.startswith("role/"), operation == "AssumeRole"
        speaks = world.resource is not None and (becoming or not is_role)
        owner, delegating = (said["owner"], said["delegating"]) if speaks else (Said(), Said())
        own = said["identity"]
        if own.denies or said["boundary"].denies or said["session"].denies or owner.denies:
            return "denied"
        if not own.allows and (foreign or not owner.allows):
            return "not-allowed"
        if (foreign or (is_role and becoming)) and not owner.allows and not delegating.allows:
            return "not-allowed-by-owner"
        if world.boundary is not None and not said["boundary"].allows:
            return "outside-boundary"
        if world.session is not None and not said["session"].allows:
            return "outside-session"
        return "allowed"


def compared_with_cedar(seed: int, count: int) -> tuple[Counter[str], list[Case]]:
    """The reasons of the engine in so many requests, and the first of the cases in which Cedar decides otherwise."""
    reasons, differing = Counter[str](), list[Case]()
    for case in cases_in_cedar(seed, count):
        reasons[case.engine] += 1
        if case.engine != case.reference and len(differing) < 10:
            differing.append(case)
    return reasons, differing


def cases_in_cedar(seed: int, count: int, requests: int = 20) -> Iterator[Case]:
    """That many cases, so many requests to each world; their reference is Cedar."""
    cases, done = Cases(seed, requests), 0
    while done < count:
        world = shared(cases.world())
        asked = list(cases.requests(world, count - done))
        engine = Engine(world)
        for (operation, facts), reason in zip(asked, InCedar(world).reasons(asked), strict=True):
            yield Case(world, operation, facts, engine.decide(operation, facts), reason)
        done += len(asked)


def shared(world: World) -> World:
    """The world without the statements that Cedar cannot say, and without grants."""
    return replace(
        world,
        identity=[one for document in world.identity for one in _shared(document)],
        boundary=next(_shared(world.boundary), None),
        session=next(_shared(world.session), None),
        resource=next(_shared(world.resource), None),
        grants=(),
    )


def _shared(document: Document | None) -> Iterator[Document]:
    statements = [one for one in _statements(_given(document)) if _is_shared(one)]
    if statements:
        yield {"Version": "1", "Statement": statements}


def _given(document: Document | None) -> Sequence[Document]:
    return () if document is None else (document,)


def _statements(documents: Sequence[Document]) -> list[Mapping[str, Any]]:
    return [statement for document in documents for statement in _list(document["Statement"])]


def _is_shared(statement: Mapping[str, Any]) -> bool:
    names = ("Action", "NotAction", "Resource", "NotResource")
    if any("?" in one for name in names for one in _list(statement.get(name, []))):
        return False
    return all(
        not operator.startswith("Date")
        and "IgnoreCase" not in operator
        and not (key in _SETS and "Like" in operator)
        and not any("?" in one for one in _list(values))
        and not (operator.startswith("Numeric") and any("." in one for one in _list(values)))
        for operator, key, values in _conditions(statement)
    )


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for operator, conditions in statement.get("Condition", {}).items():
        for key, values in conditions.items():
            yield operator, key, values


def _translated(world: World, statements: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(_policy(one, _resources(world, one)) for one in statements)


def _owners(world: World, *, delegating: bool) -> Iterator[str]:
    """The statements of a resource's policy that name the caller, or those that leave it to his account."""
    name = f"secretsd:{world.account}:{world.path}"
    for one in _statements(_given(world.resource)):
        principals, denies = _list(one["Principal"]), one["Effect"] == "Deny"
        of_account = world.account in principals
        named = "*" in principals or name in principals
        if (of_account and not denies) if delegating else (named or (of_account and denies)):
            yield _policy(one, "true")


def _policy(statement: Mapping[str, Any], resources: str) -> str:
    parts = [
        _operations(statement["Action"]) if "Action" in statement else f"!({_operations(statement['NotAction'])})",
        resources,
        *(_condition(*one) for one in _conditions(statement)),
    ]
    effect = "forbid" if statement["Effect"] == "Deny" else "permit"
    when = " && ".join(f"({one})" for one in parts)
    return f"{effect}(principal, action, resource) when {{ {when} }};"


def _operations(actions: Any) -> str:
    names = ", ".join(f"Action::{_quoted(one)}" for one in _list(actions) if "*" not in one)
    globs = [f"context.operation like {_quoted(one)}" for one in _list(actions) if "*" in one]
    return " || ".join([*([f"action in [{names}]"] if names else []), *globs])


def _resources(world: World, statement: Mapping[str, Any]) -> str:
    denies = statement["Effect"] == "Deny"
    if "NotResource" in statement:
        at_home = [] if denies else [f"resource.account == {_quoted(world.account)}"]
        return " && ".join([*at_home, f"!({_named(world, statement['NotResource'])})"])
    if denies and "*" in _list(statement["Resource"]):
        return "true"
    return _named(world, statement["Resource"])


def _named(world: World, patterns: Any) -> str:
    found = []
    for pattern in _list(patterns):
        account, path = pattern.split(":", 2)[1:] if pattern.startswith("secretsd:") else (world.account, pattern)
        found.append(f"resource.account == {_quoted(account)} && resource.path like {_quoted(path)}")
    return " || ".join(f"({one})" for one in found)


def _condition(operator: str, key: str, written: Any) -> str:
    values, fact, present = _list(written), f"context[{_quoted(key)}]", f"context has {_quoted(key)}"
    if operator == "Null":
        return f"!({present})" if values == ["true"] else present
    quantifier, _, name = operator.rpartition(":")
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    says_not, name = "Not" in name, name.replace("Not", "")
    without_value = if_exists or quantifier == "ForAllValues" or (says_not and quantifier != "ForAnyValue")
    if quantifier:
        wanted = "[" + ", ".join(map(_quoted, values)) + "]"
        # All pass where none is one of those, some passes where not all are.
        use_any = (quantifier == "ForAnyValue") != says_not
        test = f"{wanted}.{'containsAny' if use_any else 'containsAll'}({fact})"
    else:
        test = " || ".join(_test(name, fact, value) for value in values)
    test = f"!({test})" if says_not else test
    return f"!({present}) || ({test})" if without_value else f"{present} && ({test})"


def _test(name: str, fact: str, value: str) -> str:
    match name:
        case "StringEquals":
            return f"{fact} == {_quoted(value)}"
        case "StringLike":
            return f"{fact} like {_quoted(value)}"
        case "Bool":
            return f"{fact} == {value}"
        case "IpAddress":
            return f"{fact}.isInRange(ip({_quoted(value)}))"
    return f"{fact} {_ORDERS[name.removeprefix('Numeric')]} {value}"


def _request(world: World, operation: str, facts: Mapping[str, Sequence[Fact]]) -> dict[str, Any]:
    context: dict[str, Any] = {"operation": operation}
    for key, found in facts.items():
        if key in _SETS:
            context[key] = list(found)
        elif key == "secretsd:SourceIp":
            context[key] = {"__extn": {"fn": "ip", "arg": str(found[0]).removeprefix("::ffff:")}}
        else:
            context[key] = bool(found[0]) if key == "secretsd:SecureTransport" else found[0]
    return {
        "principal": {"type": "Caller", "id": world.path},
        "action": {"type": "Action", "id": operation},
        "resource": _resource(world),
        "context": context,
    }


def _resource(world: World) -> dict[str, str]:
    return {"type": "Resource", "id": f"{world.resource_account}:{world.resource_path}"}


def _quoted(text: str) -> str:
    """A text, or a glob: `*` means in Cedar's `like` what it means here, and nothing in other texts."""
    return json.dumps(text)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
